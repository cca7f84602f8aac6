"""Subscriptions over HTTP (NGSI-LD 1.9.1, 5.8, 6.10 and 6.11)."""

import json
from typing import Any

import httpx
import pytest

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import CORE_URL, PARVIS_URL
from parvis.broker.subscriptions.subscriptions import Subscriptions
from parvis.kernel.outbound import AddressRefused, CallFailed
from parvis.stores.sqlite.store import SqliteStore
from tests.broker.api.test_errors import JSON, LD, NGSI_LD
from tests.fakes.terms import PARVIS_TERMS

ID = "urn:ngsi-ld:Subscription:full-bins"
PATH = f"/subscriptions/{ID}"
ENDPOINT = {"uri": "https://receiver.example/bins"}
SECRET = {"key": "Authorization", "value": "Bearer hush"}
MERGE = {"Content-Type": "application/merge-patch+json"}


def full_bins(**more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "type": "Subscription",
        "entities": [{"type": "WasteContainer"}],
        "notification": {"endpoint": ENDPOINT},
        **more,
    }


def about(**notification: Any) -> dict[str, Any]:
    return full_bins(notification={"endpoint": ENDPOINT, **notification})


def to(**endpoint: Any) -> dict[str, Any]:
    return full_bins(notification={"endpoint": {**ENDPOINT, **endpoint}})


def mqtt(key: str, value: str) -> dict[str, Any]:
    return to(uri="mqtt://broker.example/bins", notifierInfo=[{"key": key, "value": value}])


EVERYTHING = full_bins(
    subscriptionName="Full bins",
    description="Who is to empty them",
    entities=[
        {"type": "WasteContainer,Streetlight", "idPattern": "^urn:ngsi-ld:.*port"},
        {"type": "*", "id": "urn:ngsi-ld:Building:hall"},
    ],
    watchedAttributes=["fillingLevel", "location"],
    notificationTrigger=["entityCreated", "attributeUpdated"],
    q='fillingLevel>0.8;storedWasteKind=="glass","paper"',
    geoQ={
        "georel": "near;maxDistance==2000",
        "geometry": "Point",
        "coordinates": [-3.1, 48.2],
        "geoproperty": "location",
    },
    scopeQ="/Trevalan/#",
    datasetId=["@none", "urn:ngsi-ld:Dataset:radar"],
    lang="fr,en;q=0.5",
    isActive=False,
    csf='operator=="town"',
    jsonKeys="fillingLevel",
    localOnly=False,
    splitEntities=True,
    ngsildConformance="1.8",
    expiresAt="2999-01-01T00:00:00Z",
    throttling=2.5,
    notification={
        "pick": ["id", "fillingLevel", "refDevice{id,name}"],
        "omit": ["location"],
        "join": "inline",
        "joinLevel": 2,
        "format": "concise",
        "sysAttrs": True,
        "showChanges": True,
        "endpoint": {
            "uri": "https://receiver.example/bins",
            "accept": "application/ld+json",
            "timeout": 800,
            "cooldown": 5000,
            "receiverInfo": [SECRET],
            "notifierInfo": [{"key": "X-Hint", "value": "1"}],
        },
    },
)


async def test_a_subscription_is_shown_as_it_was_given(api: httpx.AsyncClient) -> None:
    created = await api.post("/subscriptions", json=EVERYTHING, headers=PARVIS_TERMS)
    shown = await api.get(PATH, headers={"Subject": "administrator", **PARVIS_TERMS})

    assert (created.status_code, created.headers["Location"]) == (201, f"/ngsi-ld/v1/subscriptions/{ID}")
    assert shown.json() == {**EVERYTHING, "status": "paused"}
    assert PARVIS_URL in shown.headers["Link"]


async def test_names_are_shown_in_the_terms_of_the_reader(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=EVERYTHING, headers=PARVIS_TERMS)

    shown = await api.get(PATH)
    inside = await api.get(PATH, headers={"Accept": "application/ld+json", **PARVIS_TERMS})

    assert all("://" in name for name in shown.json()["watchedAttributes"] if name != "location")
    assert inside.json()["@context"] == PARVIS_URL


async def test_an_id_is_given_where_there_is_none(api: httpx.AsyncClient) -> None:
    document = full_bins()
    del document["id"]
    created = await api.post("/subscriptions", json=document)

    place = created.headers["Location"].removeprefix("/ngsi-ld/v1")
    assert (await api.get(place)).json()["id"].startswith("urn:ngsi-ld:Subscription:")


async def test_what_is_left_out_takes_its_default(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=full_bins())

    assert (await api.get(PATH)).json() == full_bins(
        status="active",
        notificationTrigger=["attributeCreated", "attributeUpdated"],
        notification={"format": "normalized", "endpoint": {**ENDPOINT, "accept": "application/json"}},
    )


async def test_times_and_state_of_the_subscription_itself(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=full_bins(isActive=False))

    plain, full = await api.get(PATH), await api.get(f"{PATH}?options=sysAttrs")

    assert plain.json()["status"] == "paused"
    assert "createdAt" not in plain.json()
    assert full.json()["createdAt"] == full.json()["modifiedAt"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    (full_bins(type="Query"), 400, "BadRequestData"),
    (full_bins(id="no uri"), 400, "BadRequestData"),
    (full_bins(entities=[]), 400, "BadRequestData"),
    (full_bins(entities=None), 400, "BadRequestData"),
    (full_bins(entities=[{"id": "urn:x:1"}]), 400, "BadRequestData"),
    (full_bins(entities=[{"type": "A", "idPattern": "("}]), 400, "BadRequestData"),
    (full_bins(entities=[{"type": "A", "id": "no uri"}]), 400, "BadRequestData"),
    (full_bins(entities=[{"type": "A", "colour": "red"}]), 400, "BadRequestData"),
    (full_bins(entities=[{"type": "A;;"}]), 400, "BadRequestData"),
    (full_bins(watchedAttributes=["a b"]), 400, "BadRequestData"),
    (full_bins(watchedAttributes="fillingLevel"), 400, "BadRequestData"),
    (full_bins(notificationTrigger=["entityMoved"]), 400, "BadRequestData"),
    (full_bins(timeInterval=0), 400, "BadRequestData"),
    (full_bins(timeInterval=60, throttling=5), 400, "BadRequestData"),
    (full_bins(timeInterval=60, watchedAttributes=["a"]), 400, "BadRequestData"),
    (full_bins(entities=None, watchedAttributes=["a"], timeInterval=5), 400, "BadRequestData"),
    (full_bins(throttling=-1), 400, "BadRequestData"),
    (full_bins(throttling=1e400), 400, "InvalidRequest"),
    (full_bins(q="fillingLevel>"), 400, "BadRequestData"),
    (full_bins(q=";".join(["a==1"] * 300)), 403, "TooComplexQuery"),
    (full_bins(expandValues=["category"]), 400, "BadRequestData"),
    (full_bins(geoQ={"georel": "beside", "geometry": "Point", "coordinates": [0, 0]}), 400, "BadRequestData"),
    (full_bins(geoQ={"georel": "within", "geometry": "Point"}), 400, "BadRequestData"),
    (full_bins(scopeQ="Trevalan#"), 400, "BadRequestData"),
    (full_bins(lang="fr;q=much"), 400, "BadRequestData"),
    (full_bins(isActive="yes"), 400, "BadRequestData"),
    (full_bins(expiresAt="2000-01-01T00:00:00Z"), 400, "BadRequestData"),
    (full_bins(expiresAt="tomorrow"), 400, "BadRequestData"),
    (full_bins(csf="(("), 400, "BadRequestData"),
    (full_bins(lang="urn:ngsi-ld:null"), 400, "BadRequestData"),
    (full_bins(localOnly="yes"), 400, "BadRequestData"),
    (full_bins(ngsildConformance="newest"), 400, "BadRequestData"),
    (full_bins(notification={}), 400, "BadRequestData"),
    (full_bins(notification={"format": "concise"}), 400, "BadRequestData"),
    (about(format="table"), 400, "BadRequestData"),
    (about(format="keyValues", showChanges=True), 400, "BadRequestData"),
    (about(attributes=[]), 400, "BadRequestData"),
    (about(join="both"), 400, "BadRequestData"),
    (about(join="flat", joinLevel=0), 400, "BadRequestData"),
    (about(join="flat", joinLevel=99), 400, "BadRequestData"),
    (about(pick=["id"], omit=["id"]), 400, "BadRequestData"),
    (about(pick=["id"], attributes=["fillingLevel"]), 400, "BadRequestData"),
    (about(omit=["id"], attributes=["fillingLevel"]), 400, "BadRequestData"),
    (about(pick=["refDevice{name}"]), 400, "BadRequestData"),
    (to(cooldown=0), 400, "BadRequestData"),
    (to(uri="ftp://receiver.example/"), 400, "BadRequestData"),
    (to(uri="https:///bins"), 400, "BadRequestData"),
    (to(uri="https://odile:pw@receiver.example/"), 400, "BadRequestData"),
    (to(uri="mqtt://broker.example"), 400, "BadRequestData"),
    (to(uri="mqtt://broker.example/bins/#"), 400, "BadRequestData"),
    (to(uri="https://receiver.example:99999/"), 400, "BadRequestData"),
    (mqtt("MQTT-QoS", "3"), 400, "BadRequestData"),
    (mqtt("MQTT-Version", "mqtt4"), 400, "BadRequestData"),
    (to(accept="text/html"), 400, "BadRequestData"),
    (to(timeout=0), 400, "BadRequestData"),
    (to(receiverInfo=[{"key": "Host", "value": "x"}]), 400, "BadRequestData"),
    (to(receiverInfo=[{"key": "A\r\nB", "value": "x"}]), 400, "BadRequestData"),
    (to(receiverInfo=[{"key": "A", "value": "x\r\nHost: y"}]), 400, "BadRequestData"),
    (to(receiverInfo={"A": "x"}), 400, "BadRequestData"),
    (full_bins(jsonldContext="no uri"), 400, "BadRequestData"),
    (full_bins(jsonldContext="urn:x:context"), 504, "LdContextNotAvailable"),
    (full_bins(jsonldContext=PARVIS_URL, lang=5), 400, "BadRequestData"),
    (full_bins(jsonldContext="https://example.org/none.jsonld"), 504, "LdContextNotAvailable"),
]


@pytest.mark.parametrize(("document", "status", "name"), REFUSED)
async def test_what_breaks_a_rule_is_refused(
    api: httpx.AsyncClient, document: dict[str, Any], status: int, name: str
) -> None:
    answer = await api.post("/subscriptions", content=_json(document), headers=JSON)

    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == NGSI_LD + name
    assert (await api.get(PATH)).status_code == 404


def _json(document: dict[str, Any]) -> bytes:
    """JSON as a client may write it; msgspec would not write an infinite number."""
    return json.dumps(document).replace("Infinity", "1e400").encode()


async def test_an_id_is_taken_once(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=full_bins())
    again = await api.post("/subscriptions", json=full_bins())

    assert (again.status_code, again.json()["type"]) == (409, NGSI_LD + "AlreadyExists")
    elsewhere = await api.post("/subscriptions", json=full_bins(), headers={"Subject": "neighbour"})
    assert elsewhere.status_code == 201


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_what_is_not_there_is_not_found(api: httpx.AsyncClient, method: str) -> None:
    body = {"description": "x"} if method == "PATCH" else None
    assert (await api.request(method, PATH, json=body)).status_code == 404
    assert (await api.request(method, "/subscriptions/no-uri", json=body)).status_code == 400


async def test_deleted_it_is_gone(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=full_bins())

    assert (await api.delete(PATH)).status_code == 204
    assert (await api.get(PATH)).status_code == 404


def _page(answer: httpx.Response, relation: str) -> str:
    return answer.links[relation]["url"].removeprefix("/ngsi-ld/v1")


async def test_pages_and_count(api: httpx.AsyncClient) -> None:
    for number in range(5):
        await api.post("/subscriptions", json=full_bins(id=f"urn:ngsi-ld:Subscription:{number}"))
    await api.post("/subscriptions", json=full_bins(), headers={"Subject": "neighbour"})

    first = await api.get("/subscriptions?limit=2&count=true")
    second = await api.get(_page(first, "next"))
    last = await api.get(_page(second, "next"))
    counted = await api.get("/subscriptions?limit=0&count=true")

    shown = [one["id"][-1] for page in (first, second, last) for one in page.json()]
    assert shown == ["0", "1", "2", "3", "4"]
    assert first.headers["NGSILD-Results-Count"] == "5"
    assert "next" not in last.links
    assert (await api.get(_page(last, "prev"))).json() == second.json()
    assert (counted.json(), counted.headers["NGSILD-Results-Count"]) == ([], "5")
    assert (await api.get("/subscriptions?limit=5000")).status_code == 403


async def test_a_patch_changes_what_it_names_and_nothing_else(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=EVERYTHING)

    patch = {
        "description": "Empty them",
        "throttling": None,
        "lang": "urn:ngsi-ld:null",
        "q": "fillingLevel>0.9",
        "notification": {"format": "concise", "endpoint": {"uri": ENDPOINT["uri"], "timeout": 900}},
    }
    answer = await api.patch(PATH, json=patch, headers=MERGE)

    assert answer.status_code == 204, answer.text
    shown = (await api.get(PATH, headers={"Subject": "administrator"})).json()
    endpoint = {**ENDPOINT, "accept": "application/json", "timeout": 900, "receiverInfo": [SECRET]}
    notification = {"format": "concise", "endpoint": endpoint}
    wanted = {**EVERYTHING, "status": "paused", "description": "Empty them", "q": "fillingLevel>0.9"}
    wanted["notification"] = notification
    del wanted["throttling"], wanted["lang"]
    assert shown == wanted


async def test_what_it_does_not_know_is_left_alone_and_told(api: httpx.AsyncClient) -> None:
    document = full_bins(colour="red", status="expired", notification={"endpoint": {**ENDPOINT, "verb": "PUT"}})
    created = await api.post("/subscriptions", json=document)
    patched = await api.patch(PATH, json={"wachtedAttributes": ["fillingLevel"]})
    shown = await api.get(PATH)

    assert (created.status_code, patched.status_code) == (201, 204)
    assert "colour, notification.endpoint.verb" in created.headers["NGSILD-Warning"]
    assert "wachtedAttributes" in patched.headers["NGSILD-Warning"]
    assert "NGSILD-Warning" not in (await api.patch(PATH, json={"status": "expired"})).headers
    assert shown.json()["status"] == "active"
    assert "red" not in shown.text


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("NGSI-LD=1.0", "ngsi-ld=1.0"),
        ('respond-async, Ngsi-Ld="1.6";q=0.1', "ngsi-ld=1.6"),
        ("ngsi-ld=newest", None),
        ('note="ngsi-ld=1.0"', None),
        ("respond-async", None),
    ],
)
async def test_a_subscription_is_the_same_in_every_version(
    api: httpx.AsyncClient, prefer: str, applied: str | None
) -> None:
    await api.post("/subscriptions", json=full_bins())
    plain, preferred = await api.get(PATH), await api.get(PATH, headers={"Prefer": prefer})
    listed = await api.get("/subscriptions", headers={"Prefer": prefer})

    assert preferred.json() == plain.json()
    assert preferred.headers.get("Preference-Applied") == listed.headers.get("Preference-Applied") == applied


async def test_a_local_one_needs_neither_entities_nor_attributes(api: httpx.AsyncClient) -> None:
    document = full_bins(localOnly=True)
    del document["entities"]
    assert (await api.post("/subscriptions", json=document)).status_code == 201
    assert (await api.patch(PATH, json={"localOnly": None})).status_code == 400


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_all_subscriptions_together_know_no_such_verb(api: httpx.AsyncClient, method: str) -> None:
    assert (await api.request(method, "/subscriptions/", json={"lang": "fr"})).status_code == 405


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"entities": None}, 400),
        ({"notification": {"endpoint": {"uri": None}}}, 400),
        ({"timeInterval": 60}, 400),
        ({"expiresAt": "2000-01-01T00:00:00Z"}, 400),
        ({"type": "Query"}, 400),
        ({"notification": {"format": "keyValues", "showChanges": True}}, 400),
        ({"notification": {"endpoint": {}}}, 400),
        ({"notification": {"format": "concise"}}, 400),
        ({"notification": None}, 400),
    ],
)
async def test_a_patch_that_breaks_a_rule_changes_nothing(
    api: httpx.AsyncClient, patch: dict[str, Any], status: int
) -> None:
    await api.post("/subscriptions", json=full_bins(throttling=5))
    before = (await api.get(f"{PATH}?options=sysAttrs")).json()

    answer = await api.patch(PATH, json=patch)

    assert answer.status_code == status, answer.text
    assert (await api.get(f"{PATH}?options=sysAttrs")).json() == before


async def test_what_was_shown_can_be_given_back(api: httpx.AsyncClient) -> None:
    """Read, change, write: the read-only members are passed over, and what was hidden stays."""
    await api.post("/subscriptions", json=EVERYTHING)
    shown = (await api.get(f"{PATH}?options=sysAttrs")).json()

    assert (await api.patch(PATH, json=shown)).status_code == 204
    whole = (await api.get(PATH, headers={"Subject": "administrator"})).json()
    assert whole == {**EVERYTHING, "status": "paused"}


async def test_secrets_are_shown_to_administrators_only(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=to(receiverInfo=[SECRET]))
    listed = {"Subject": "reader"}

    assert "hush" not in (await api.get(PATH)).text
    assert "hush" not in (await api.get("/subscriptions", headers=listed)).text
    assert "hush" in (await api.get(PATH, headers={"Subject": "administrator"})).text


async def test_a_secret_does_not_follow_to_another_host(api: httpx.AsyncClient) -> None:
    """Else whoever may write could have it sent to themselves."""
    await api.post("/subscriptions", json=to(receiverInfo=[SECRET]))
    administrator = {"Subject": "administrator"}

    same_host = {"notification": {"endpoint": {"uri": "https://receiver.example/other"}}}
    await api.patch(PATH, json=same_host)
    assert "hush" in (await api.get(PATH, headers=administrator)).text

    other_host = {"notification": {"endpoint": {"uri": "https://elsewhere.example/bins"}}}
    await api.patch(PATH, json=other_host)
    assert "hush" not in (await api.get(PATH, headers=administrator)).text


async def test_the_password_of_an_mqtt_address_is_a_secret_too(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=to(uri="mqtt://odile:hush@broker.example:1884/bins"))
    shown = (await api.get(PATH)).json()
    assert shown["notification"]["endpoint"]["uri"] == "mqtt://odile@broker.example:1884/bins"

    await api.patch(PATH, json=shown)

    assert "odile:hush@" in (await api.get(PATH, headers={"Subject": "administrator"})).text


@pytest.mark.parametrize("subject", ["reader", "resident", "nobody"])
async def test_only_who_may_write_subscribes(api: httpx.AsyncClient, subject: str) -> None:
    await api.post("/subscriptions", json=full_bins())
    headers = {"Subject": subject}

    assert (await api.post("/subscriptions", json=full_bins(id="urn:x:1"), headers=headers)).status_code == 403
    assert (await api.patch(PATH, json={"isActive": False}, headers=headers)).status_code == 403
    assert (await api.delete(PATH, headers=headers)).status_code == 403
    seen = (await api.get(PATH, headers=headers)).status_code
    assert seen == (200 if subject == "reader" else 403)


async def test_a_tenant_sees_nothing_of_another(api: httpx.AsyncClient) -> None:
    await api.post("/subscriptions", json=full_bins())
    neighbour = {"Subject": "neighbour"}

    assert (await api.get(PATH, headers=neighbour)).status_code == 404
    assert (await api.patch(PATH, json={"isActive": False}, headers=neighbour)).status_code == 404
    assert (await api.delete(PATH, headers=neighbour)).status_code == 404
    assert (await api.get("/subscriptions", headers=neighbour)).json() == []


@pytest.fixture
def asked(broker: Broker, store: SqliteStore) -> list[str]:
    """What the guard was asked; it refuses 10.0.0.1, and finds no way to away.example."""
    asked: list[str] = []

    async def check(url: str) -> None:
        asked.append(url)
        if "10.0.0.1" in url:
            raise AddressRefused("10.0.0.1 leads into a private network: list it in outbound.allow to permit it.")
        if "away.example" in url:
            raise CallFailed("The name away.example cannot be resolved.")

    broker.subscriptions = Subscriptions(store.subscriptions, check)
    return asked


@pytest.mark.parametrize("uri", ["http://10.0.0.1/bins", "mqtts://10.0.0.1/bins"])
async def test_an_address_where_nobody_may_call_is_refused_at_once(
    api: httpx.AsyncClient, asked: list[str], uri: str
) -> None:
    answer = await api.post("/subscriptions", json=to(uri=uri))

    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/address-refused")
    assert "outbound.allow" in answer.json()["detail"]
    await api.post("/subscriptions", json=full_bins())
    assert (await api.patch(PATH, json={"notification": {"endpoint": {"uri": uri}}})).status_code == 400
    assert (await api.get(PATH)).json()["notification"]["endpoint"]["uri"] == ENDPOINT["uri"]


async def test_a_receiver_that_is_away_just_now_may_be_subscribed(api: httpx.AsyncClient, asked: list[str]) -> None:
    assert (await api.post("/subscriptions", json=to(uri="mqtt://away.example/bins"))).status_code == 201
    assert (await api.patch(PATH, json={"description": "no new address, no new look"})).status_code == 204
    assert asked == ["http://away.example:1883/"]


async def test_one_subscription_too_many_is_refused_in_words(
    api: httpx.AsyncClient, broker: Broker, store: SqliteStore
) -> None:
    broker.subscriptions = Subscriptions(store.subscriptions, most=1)
    assert (await api.post("/subscriptions", json=full_bins())).status_code == 201

    answer = await api.post("/subscriptions", json=full_bins(id="urn:ngsi-ld:Subscription:second"))

    assert answer.status_code == 403
    assert answer.json()["type"] == "https://parvis.eu/errors/too-many-subscriptions"
    assert "subscriptions.max_per_tenant" in answer.json()["detail"]


async def test_json_ld_carries_its_context(api: httpx.AsyncClient) -> None:
    context = [{"level": "https://example.org/level", "Bin": "https://example.org/Bin"}, CORE_URL]
    document = full_bins(entities=[{"type": "Bin"}], watchedAttributes=["level"])

    created = await api.post("/subscriptions", content=_json({**document, "@context": context}), headers=LD)

    assert created.status_code == 201, created.text
    shown = (await api.get(PATH)).json()
    assert shown["watchedAttributes"] == ["https://example.org/level"]
    assert shown["entities"] == [{"type": "https://example.org/Bin"}]
