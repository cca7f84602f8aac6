"""@contexts that the broker keeps (NGSI-LD 1.9.1, 5.13): hosted, fetched, and made of what requests wrote out."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from parvis.broker.api import NgsiLdApi
from parvis.broker.broker import Broker
from parvis.broker.jsonld import kept as kept_module
from parvis.broker.jsonld.contexts import CORE_URL, Contexts
from parvis.broker.jsonld.kept import FETCH_AGAIN_AFTER, KeptContexts
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import MINUTE, format_instant
from parvis.stores.sqlite.store import SqliteStore
from tests.broker.api.conftest import As
from tests.broker.api.territory import NOON

TOWN = "https://town.example/context.jsonld"
TERMS = {"fillLevel": "https://town.example/fillLevel"}
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
LD = {"content-type": "application/ld+json"}


class Web:
    """The hosts that @contexts are fetched from."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {TOWN: b'{"@context": {"fillLevel": "https://town.example/fillLevel"}}'}
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        return self.pages[url]


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def api(store: SqliteStore, web: Web, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    await store.add_tenant("neighbour")
    async with open_api(store, web, clock) as client:
        yield client


def open_api(store: SqliteStore, web: Web, clock: Clock) -> httpx.AsyncClient:
    """As another process, or the same one started anew, would."""
    broker = Broker(store, Contexts(web.fetch, KeptContexts(store.shelf, clock)))
    app = Starlette(routes=[Mount("/ngsi-ld/v1", app=NgsiLdApi(broker))])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=As(app)), base_url="http://town/ngsi-ld/v1")


def link(url: str) -> dict[str, str]:
    return {"link": f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'}


async def host(api: httpx.AsyncClient, value: Any = TERMS) -> str:
    """Its local id."""
    answer = await api.post("/jsonldContexts", json={"@context": value})
    assert (answer.status_code, answer.content) == (201, b"")
    location: str = answer.headers["location"]
    return location.rpartition("/")[2]


async def create(api: httpx.AsyncClient, number: int, headers: dict[str, str]) -> httpx.Response:
    entity = {"id": f"urn:bin:{number}", "type": "Bin", "fillLevel": {"type": "Property", "value": number}}
    return await api.post("/entities", json=entity, headers=headers)


async def details(api: httpx.AsyncClient, named: str) -> dict[str, Any]:
    answer = await api.get(f"/jsonldContexts/{quoted(named)}?details=true")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def quoted(named: str) -> str:
    return named.replace(":", "%3A").replace("/", "%2F")


async def test_a_hosted_context_is_served_and_used_by_its_address(api: httpx.AsyncClient) -> None:
    local_id = await host(api)

    assert (await api.get(f"/jsonldContexts/{local_id}")).json() == {"@context": TERMS}
    shown = await details(api, local_id)
    address = f"http://town/ngsi-ld/v1/jsonldContexts/{local_id}"
    assert shown == {
        "URL": address,
        "localId": local_id,
        "kind": "Hosted",
        "createdAt": format_instant(NOON),
        "numberOfHits": 0,
    }
    assert (await details(api, address))["localId"] == local_id
    assert (await create(api, 1, link(address))).status_code == 201

    assert (await details(api, local_id))["numberOfHits"] == 1
    found = await api.get("/entities/urn:bin:1?attrs=https://town.example/fillLevel", headers=link(CORE_URL))
    assert found.json()["https://town.example/fillLevel"]["value"] == 1


async def test_a_hosted_context_is_its_tenants_alone(api: httpx.AsyncClient) -> None:
    local_id = await host(api)
    address = f"http://town/ngsi-ld/v1/jsonldContexts/{local_id}"
    await create(api, 1, link(address))

    for suffix in ("", "?details=true"):
        answer = await api.get(f"/jsonldContexts/{local_id}{suffix}", headers={"subject": "neighbour"})
        assert (answer.status_code, answer.json()["type"]) == (404, ERRORS + "ResourceNotFound")
    foreign = await create(api, 2, {**link(address), "subject": "neighbour"})
    assert (foreign.status_code, foreign.json()["type"]) == (504, ERRORS + "LdContextNotAvailable")
    assert (await api.get("/jsonldContexts", headers={"subject": "neighbour"})).json() == [CORE_URL]
    gone = await api.delete(f"/jsonldContexts/{local_id}", headers={"subject": "neighbour"})
    assert gone.status_code == 404


async def test_a_deleted_context_is_no_longer_used(api: httpx.AsyncClient) -> None:
    local_id = await host(api)
    address = link(f"http://town/ngsi-ld/v1/jsonldContexts/{local_id}")
    assert (await create(api, 1, address)).status_code == 201

    assert (await api.delete(f"/jsonldContexts/{local_id}")).status_code == 204

    assert (await api.get(f"/jsonldContexts/{local_id}")).status_code == 404
    assert (await create(api, 2, address)).status_code == 504


async def test_a_fetched_context_is_kept_and_counted(api: httpx.AsyncClient, web: Web) -> None:
    for number in range(3):
        assert (await create(api, number, link(TOWN))).status_code == 201

    assert web.asked == [TOWN]
    assert (await api.get("/jsonldContexts?kind=Cached")).json() == [CORE_URL, TOWN]
    shown = await details(api, TOWN)
    assert (shown["kind"], shown["numberOfHits"]) == ("Cached", 3)
    assert (await details(api, shown["localId"]))["URL"] == TOWN
    served = await api.get(f"/jsonldContexts/{quoted(TOWN)}")
    assert (served.status_code, served.json()["type"]) == (422, ERRORS + "OperationNotSupported")


async def test_a_fetched_context_outlives_the_process_and_its_host(
    api: httpx.AsyncClient, store: SqliteStore, web: Web, clock: Clock
) -> None:
    await create(api, 1, link(TOWN))
    web.pages.clear()
    async with open_api(store, web, clock) as later:
        assert (await create(later, 2, link(TOWN))).status_code == 201
        assert web.asked == [TOWN]
    clock.now += FETCH_AGAIN_AFTER + MINUTE
    async with open_api(store, web, clock) as next_day:
        assert (await create(next_day, 3, link(TOWN))).status_code == 201
        assert web.asked == [TOWN, TOWN]


async def test_reload_fetches_anew_and_a_failure_leaves_what_was(api: httpx.AsyncClient, web: Web) -> None:
    await create(api, 1, link(TOWN))
    web.pages[TOWN] = b'{"@context": {"fillLevel": "https://town.example/v2/fillLevel"}}'
    assert (await api.delete(f"/jsonldContexts/{quoted(TOWN)}?reload=true")).status_code == 204
    await create(api, 2, link(TOWN))
    found = await api.get("/entities/urn:bin:2", headers=link(CORE_URL))
    assert "https://town.example/v2/fillLevel" in found.json()

    web.pages.clear()
    failed = await api.delete(f"/jsonldContexts/{quoted(TOWN)}?reload=true")

    assert (failed.status_code, failed.json()["type"]) == (504, ERRORS + "LdContextNotAvailable")
    assert (await create(api, 3, link(TOWN))).status_code == 201
    assert (await api.delete(f"/jsonldContexts/{quoted(TOWN)}")).status_code == 204
    assert (await create(api, 4, link(TOWN))).status_code == 504


async def test_an_array_leads_to_every_url_in_it(api: httpx.AsyncClient) -> None:
    local_id = await host(api, [TOWN, {"Bin": "https://town.example/Bin"}])
    address = f"http://town/ngsi-ld/v1/jsonldContexts/{local_id}"

    assert (await create(api, 1, link(address))).status_code == 201

    assert (await details(api, TOWN))["numberOfHits"] == 1
    found = await api.get("/entities?type=https://town.example/Bin", headers=link(CORE_URL))
    assert [one["id"] for one in found.json()] == ["urn:bin:1"]


async def test_a_context_written_out_in_a_query_gets_an_address(api: httpx.AsyncClient) -> None:
    await create(api, 1, link(TOWN))
    written_out = {"level": "https://town.example/fillLevel"}
    query = {"@context": written_out, "type": "Query", "q": "level>0", "entities": [{"type": "Bin"}]}

    answers = [await api.post("/entityOperations/query", json=query, headers=LD) for _ in range(2)]

    assert answers[0].status_code == 200, answers[0].text
    assert "level" in answers[0].json()[0]
    address = answers[0].headers["link"].partition(">")[0].lstrip("<")
    assert answers[1].headers["link"] == answers[0].headers["link"]
    assert (await api.get(address)).json() == {"@context": written_out}
    assert (await api.get("/jsonldContexts?kind=ImplicitlyCreated")).json() == [address]


async def test_a_subscription_made_with_a_context_written_out_keeps_it(api: httpx.AsyncClient) -> None:
    endpoint = {"uri": "https://town.example/hook", "accept": "application/json"}
    subscription = {
        "@context": [TOWN, {"level": "https://town.example/fillLevel"}],
        "id": "urn:subscription:1",
        "type": "Subscription",
        "entities": [{"type": "Bin"}],
        "notification": {"endpoint": endpoint},
    }
    assert (await api.post("/subscriptions", json=subscription, headers=LD)).status_code == 201

    (shown,) = (await api.get("/jsonldContexts?kind=ImplicitlyCreated&details=true")).json()

    assert shown["kind"] == "ImplicitlyCreated"
    reload = await api.delete(f"/jsonldContexts/{shown['localId']}?reload=true")
    assert (reload.status_code, reload.json()["type"]) == (400, ERRORS + "BadRequestData")
    assert (await api.delete(f"/jsonldContexts/{shown['localId']}")).status_code == 204


@pytest.mark.parametrize(
    "body",
    [{"@context": 5}, {"@context": True}, {"@context": [TOWN, 5]}, {"@context": "no url"}],
)
async def test_what_is_no_context_is_refused(api: httpx.AsyncClient, body: Any) -> None:
    answer = await api.post("/jsonldContexts", json=body)
    assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "BadRequestData")
    assert (await api.get("/jsonldContexts?kind=Hosted")).json() == []


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/jsonldContexts/nobody", 404, "ResourceNotFound"),
        ("GET", "/jsonldContexts?kind=Other", 400, "BadRequestData"),
        ("GET", "/jsonldContexts?details=maybe", 400, "BadRequestData"),
        ("DELETE", "/jsonldContexts/nobody", 404, "ResourceNotFound"),
        ("DELETE", "/jsonldContexts/nobody?reload=true", 400, "BadRequestData"),
        ("DELETE", "/jsonldContexts/nobody?reload=perhaps", 400, "BadRequestData"),
        ("DELETE", f"/jsonldContexts/{quoted(CORE_URL)}", 400, "BadRequestData"),
        ("GET", f"/jsonldContexts/{quoted(CORE_URL)}", 422, "OperationNotSupported"),
    ],
)
async def test_errors(api: httpx.AsyncClient, method: str, path: str, status: int, error: str) -> None:
    answer = await api.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, ERRORS + error)


@pytest.mark.parametrize("body", [{"name": "x"}, []])
async def test_a_body_without_a_context_is_refused(api: httpx.AsyncClient, body: Any) -> None:
    answer = await api.post("/jsonldContexts", json=body)
    assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "InvalidRequest")


async def test_the_core_is_there_and_may_be_reloaded(api: httpx.AsyncClient) -> None:
    told = await details(api, CORE_URL)
    assert told["kind"] == "Cached"
    assert {"URL", "localId", "createdAt"} <= told.keys()
    assert (await api.delete(f"/jsonldContexts/{quoted(CORE_URL)}?reload=true")).status_code == 204


async def test_who_may_not_write_adds_and_deletes_none(api: httpx.AsyncClient) -> None:
    local_id = await host(api)
    body = {"@context": TERMS}
    assert (await api.post("/jsonldContexts", json=body, headers={"subject": "reader"})).status_code == 403
    assert (await api.delete(f"/jsonldContexts/{local_id}", headers={"subject": "reader"})).status_code == 403


async def test_a_tenant_keeps_a_bounded_number(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "MOST_PER_TENANT", 2)
    await create(api, 1, link(TOWN))
    await host(api)

    refused = await api.post("/jsonldContexts", json={"@context": TERMS})

    assert (refused.status_code, refused.json()["type"]) == (403, "https://parvis.eu/errors/too-many-contexts")


async def test_a_fetched_one_takes_the_place_of_the_one_used_longest_ago(
    api: httpx.AsyncClient, web: Web, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "MOST_PER_TENANT", 2)
    others = [f"https://town.example/{number}.jsonld" for number in range(3)]
    for number, url in enumerate(others):
        web.pages[url] = web.pages[TOWN]
        clock.now += MINUTE
        await create(api, number, link(url))

    assert (await api.get("/jsonldContexts")).json() == [CORE_URL, *others[1:]]


async def test_uses_are_written_down(store: SqliteStore, web: Web, clock: Clock) -> None:
    kept = KeptContexts(store.shelf, clock)
    tenant = DEFAULT_TENANT
    one = await kept.host(tenant, TERMS)
    kept.count(tenant, (one.local_id,))
    await kept.save()
    kept.count(tenant, (one.local_id,))

    found = await kept.find(tenant, one.local_id)

    assert found is not None
    assert found.hits == 2
    again = await KeptContexts(store.shelf, clock).find(tenant, one.local_id)
    assert again is not None
    assert again.hits == 1
