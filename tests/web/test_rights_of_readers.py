"""Whoever may not see something sees it nowhere: not in the API, the past, a stream, an export, a search, a page."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.roles.model import Assignment, Classified, Role, RoleGrant
from parvis.bootstrap import Platform
from parvis.broker.jsonld.contexts import PARVIS_URL
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.fleet.devices.records import DeviceRecord
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from parvis.kernel.reach import local_name
from parvis.kernel.time import MINUTE, Instant
from parvis.web.live import Listener, Live, Pending
from tests.fakes.town import HALF_BIN
from tests.web.conftest import client_of

MAYOR = Caller(DEFAULT_TENANT, "user:maire", ADMINISTRATOR)
LAMP, FAR_LAMP = "urn:ngsi-ld:Streetlight:quay", "urn:ngsi-ld:Streetlight:hill"
SECRET, PLATE, OWNER = "odile@example.org", "zz-987-xy", "Enora Kervella"
API = "/ngsi-ld/v1"
NAMES = {"link": f'<{PARVIS_URL}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'}


@pytest.fixture(autouse=True)
async def written(platform: Platform, caller: Caller, now: Instant) -> None:
    """A bin with an address to write to, somebody, and two lamps in two quarters; the plate is personal here alone."""
    expand = platform.broker.contexts.parvis.expand
    platform.access.gate.roles.classify(MAYOR, Classified("ownerName", "personal", "WasteContainer"))
    told = [Instance(expand("email"), Kind.PROPERTY, SECRET, observed_at=now - n * MINUTE) for n in (3, 2, 1)] + [
        Instance(expand("ownerName"), Kind.PROPERTY, PLATE),
        Instance(expand("refuge"), Kind.PROPERTY, "yes"),
    ]
    changes = [Change(HALF_BIN, Mode.APPEND, (one,)) for one in told]
    for entity_id, scope in ((LAMP, "/port/quay"), (FAR_LAMP, "/hill")):
        name = Instance(expand("name"), Kind.PROPERTY, f"Lantern {scope.rpartition('/')[2]}")
        level = Instance(expand("power"), Kind.PROPERTY, 42.0, observed_at=now)
        changes.append(Change(entity_id, Mode.CREATE, (name, level), (expand("Streetlight"),), (scope,)))
    person = Instance(expand("name"), Kind.PROPERTY, OWNER)
    changes.append(Change("urn:ngsi-ld:Person:1", Mode.CREATE, (person,), (expand("Person"),)))
    outcomes = await platform.broker.write(caller, changes)
    assert [one.error for one in outcomes if one.error] == []
    await platform.broker.take_in_words()


def key_of(platform: Platform, role: str) -> tuple[str, str]:
    key, token = platform.access.keys.create(COMMAND_LINE, "a label", role)
    return f"key:{key.id}", token


@pytest.fixture
async def reader(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    _, token = key_of(platform, "reader")
    async with client_of(platform, authorization=f"Bearer {token}", **NAMES) as client:
        yield client


@pytest.fixture
async def lamplighter(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Reads and writes the lamps of the port, and knows of no others."""
    platform.access.gate.roles.put(
        MAYOR, Role((RoleGrant(("read", "write"), ("Streetlight",), ("/port",)),), name="lamplighter")
    )
    subject, token = key_of(platform, "resident")
    platform.access.gate.roles.assign(MAYOR, Assignment("", subject, DEFAULT_TENANT, "lamplighter", 0))
    async with client_of(platform, authorization=f"Bearer {token}", **NAMES) as client:
        yield client


SHOWING = [
    f"{API}/entities/{HALF_BIN}",
    f"{API}/entities?type=WasteContainer",
    f"{API}/entities?type=WasteContainer&options=keyValues",
    f"{API}/entities?local=true&q=refuge",
    f"{API}/temporal/entities/{HALF_BIN}?lastN=9",
    f"{API}/temporal/entities?type=WasteContainer&timerel=after&timeAt=2020-01-01T00:00:00Z",
    f"{API}/temporal/entities/{HALF_BIN}?options=aggregatedValues&aggrMethods=totalCount&aggrPeriodDuration=P1D",
    f"{API}/attributes",
    f"{API}/types/WasteContainer",
    f"/console/entities/{HALF_BIN}",
    f"/console/entities/{HALF_BIN}/history.csv?attr=fillingLevel",
    f"/console/entities/{HALF_BIN}/history.csv?attr=email&range=24h",
    f"/console/entities/{HALF_BIN}/history.parquet?attr=email&range=24h",
    f"/console/entities/{HALF_BIN}/series.json?attr=email&range=24h",
    "/console/map.geojson",
    "/console/search?q=kervella",
    f"/console/search?q={PLATE}",
    "/",
]
REFUSED = {
    f"/console/entities/{HALF_BIN}/history.parquet?attr=email&range=24h",
    f"/console/entities/{HALF_BIN}/series.json?attr=email&range=24h",
}
"""What is of a hidden attribute alone; of everything else the rest is told."""
SAYING_NOTHING_OF_IT = {
    f"/console/entities/{HALF_BIN}/history.csv?attr=fillingLevel",
    f"/console/search?q={PLATE}",
    "/",
}
"""Not even to who may see it."""


@pytest.mark.parametrize("path", SHOWING)
async def test_what_is_hidden_is_in_no_answer(
    reader: httpx.AsyncClient, visitor: httpx.AsyncClient, operator: httpx.AsyncClient, path: str
) -> None:
    for client in (operator, visitor):
        client.headers.update(NAMES)
    for client, refused in ((reader, 403), (visitor, 303)):
        answer = await client.get(path)
        assert answer.status_code == (refused if path in REFUSED else 200), answer.text
        assert _hidden_in(answer) == set()
    shown = await operator.get(path)
    assert shown.status_code == 200
    assert bool(_hidden_in(shown)) is (path not in SAYING_NOTHING_OF_IT), "who may see it sees it there"


def _hidden_in(answer: httpx.Response) -> set[str]:
    text = answer.content.decode("latin-1").replace(f"q={PLATE}", "").replace(f'value="{PLATE}"', "")
    return {word for word in (SECRET, OWNER, "ownerName", '"email"', ">email<") if word in text}


NAMING = [
    f"{API}/entities?type=WasteContainer&q=email==%22{SECRET}%22",
    f"{API}/entities?type=WasteContainer&q=!email",
    f"{API}/entities?type=WasteContainer&q=refuge;(email;refuge)",
    f"{API}/entities?type=WasteContainer&attrs=email",
    f"{API}/entities?type=WasteContainer&pick=id,email",
    f"{API}/entities?type=WasteContainer&orderBy=email",
    f"{API}/entities?type=WasteContainer&georel=near;maxDistance==10&geometry=Point&coordinates=[0,0]&geoproperty=email",
    f"{API}/entities?type=WasteContainer&q=ownerName",
    f"{API}/entities/{HALF_BIN}?attrs=email",
    f"{API}/entities/{HALF_BIN}?pick=email",
    f"{API}/temporal/entities/{HALF_BIN}?attrs=email",
    f"{API}/temporal/entities/{HALF_BIN}?attrs=ownerName",
    f"{API}/temporal/entities?type=WasteContainer&q=email&timerel=after&timeAt=2020-01-01T00:00:00Z",
    f"{API}/temporal/entities/{HALF_BIN}?attrs=email&options=aggregatedValues&aggrMethods=totalCount"
    "&aggrPeriodDuration=P1D",
]


@pytest.mark.parametrize("path", NAMING)
async def test_who_names_what_is_hidden_is_refused_and_told_why(reader: httpx.AsyncClient, path: str) -> None:
    answer = await reader.get(path)
    assert (answer.status_code, answer.json()["title"]) == (403, "Not allowed"), answer.text
    assert "privacy class" in answer.json()["detail"]


async def test_what_is_hidden_of_some_types_keeps_their_entities_out_of_questions_about_it(
    reader: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    operator.headers.update(NAMES)
    path = f"{API}/entities?local=true&q=ownerName"
    assert [one["id"] for one in (await operator.get(path)).json()] == [HALF_BIN]
    assert (await reader.get(path)).json() == []


async def test_a_batch_query_and_a_subscription_name_nothing_hidden(
    reader: httpx.AsyncClient, platform: Platform
) -> None:
    asked = {"type": "Query", "entities": [{"type": "WasteContainer"}], "q": "email"}
    assert (await reader.post(f"{API}/entityOperations/query", json=asked)).status_code == 403
    _, token = key_of(platform, "field-agent")
    wish = {
        "type": "Subscription",
        "entities": [{"type": "WasteContainer"}],
        "q": "email",
        "notification": {"endpoint": {"uri": "http://receiver.example/"}},
    }
    async with client_of(platform, authorization=f"Bearer {token}", **NAMES) as agent:
        assert (await agent.post(f"{API}/subscriptions", json=wish)).status_code == 403
        watching = {**wish, "q": None, "watchedAttributes": ["email"]}
        del watching["q"]
        assert (await agent.post(f"{API}/subscriptions", json=watching)).status_code == 403


async def test_who_does_not_read_an_attribute_does_not_change_it(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    _, token = key_of(platform, "field-agent")
    async with client_of(platform, authorization=f"Bearer {token}", **NAMES) as agent:
        path = f"{API}/entities/{HALF_BIN}"
        assert (await agent.patch(f"{path}/attrs/email", json={"value": "x"})).status_code == 403
        assert (await agent.delete(f"{path}/attrs/email")).status_code == 403
        whole = {"id": HALF_BIN, "type": "WasteContainer", "refuge": {"type": "Property", "value": "no"}}
        assert (await agent.put(path, json=whole)).status_code == 403, "it would take the address away"
        past = f"{API}/temporal/entities/{HALF_BIN}/attrs"
        assert (await agent.delete(f"{past}/email?deleteAll=true")).status_code == 403
        told = (await operator.get(f"{past.removesuffix('/attrs')}?attrs=email", headers=NAMES)).json()["email"]
        assert (await agent.delete(f"{past}/email/{told[0]['instanceId']}")).status_code == 403
        assert (await agent.delete(f"{past}/refuge?deleteAll=true")).status_code == 204
        assert (await agent.patch(path, json={"refuge": {"type": "Property", "value": "no"}})).status_code == 204
    assert SECRET in (await operator.get(f"{API}/entities/{HALF_BIN}")).text


async def test_who_does_not_read_an_attribute_does_not_delete_what_has_it_nor_its_past(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    _, token = key_of(platform, "field-agent")
    person, lamp = "urn:ngsi-ld:Person:1", f"{API}/temporal/entities/{LAMP}"
    async with client_of(platform, authorization=f"Bearer {token}", **NAMES) as agent:
        for one in (person, HALF_BIN):
            assert (await agent.delete(f"{API}/entities/{one}")).status_code == 403
            assert (await agent.delete(f"{API}/temporal/entities/{one}")).status_code == 403
        batch = await agent.post(f"{API}/entityOperations/delete", json=[person, FAR_LAMP])
        assert (batch.status_code, batch.json()["success"]) == (207, [FAR_LAMP])
        assert (await operator.delete(f"{API}/entities/{HALF_BIN}/attrs/email", headers=NAMES)).status_code == 204
        assert (await agent.delete(f"{API}/temporal/entities/{HALF_BIN}")).status_code == 403, "the address is past"
        assert (await agent.delete(lamp)).status_code == 204
    assert OWNER in (await operator.get(f"{API}/entities/{person}")).text
    assert OWNER in (await operator.get(f"{API}/temporal/entities/{person}")).text
    assert SECRET in (await operator.get(f"{API}/temporal/entities/{HALF_BIN}")).text
    assert (await operator.get(lamp)).status_code == 404


async def test_who_reaches_one_quarter_knows_of_their_own_jobs_alone(
    platform: Platform, lamplighter: httpx.AsyncClient
) -> None:
    told = {"list": SECRET}
    (own,) = {one.subject for one in platform.access.gate.roles.list_assignments(MAYOR)}
    others = await platform.jobs.add("devices.register", told, created_by="user:odile")
    mine = await platform.jobs.add("devices.register", told, created_by=own)
    page = (await lamplighter.get("/console/jobs")).text
    assert f"/console/jobs/{mine.id}" in page
    assert f"/console/jobs/{others.id}" not in page
    assert (await lamplighter.get(f"/console/jobs/{mine.id}")).status_code == 200
    hidden = await lamplighter.get(f"/console/jobs/{others.id}")
    assert (hidden.status_code, SECRET in hidden.text) == (404, False)


async def test_who_reaches_one_quarter_knows_and_changes_that_alone(lamplighter: httpx.AsyncClient) -> None:
    page = await lamplighter.get(f"{API}/entities?local=true&type=Streetlight&count=true")
    assert ([one["id"] for one in page.json()], page.headers["ngsild-results-count"]) == ([LAMP], "1")
    assert (await lamplighter.get(f"{API}/entities/{FAR_LAMP}")).status_code == 404
    assert (await lamplighter.get(f"{API}/temporal/entities/{FAR_LAMP}")).status_code == 404
    past = f"{API}/temporal/entities?type=Streetlight&timerel=after&timeAt=2020-01-01T00:00:00Z"
    assert [one["id"] for one in (await lamplighter.get(past)).json()] == [LAMP]
    assert (await lamplighter.get(f"/console/entities/{FAR_LAMP}")).status_code == 404
    assert "hill" not in (await lamplighter.get("/console/search?q=lantern")).text
    on = {"value": 50}
    assert (await lamplighter.patch(f"{API}/entities/{LAMP}/attrs/power", json=on)).status_code == 204
    assert (await lamplighter.patch(f"{API}/entities/{FAR_LAMP}/attrs/power", json=on)).status_code == 403
    new = {"id": "urn:ngsi-ld:Streetlight:new", "type": "Streetlight"}
    assert (await lamplighter.post(f"{API}/entities", json={**new, "scope": "/hill"})).status_code == 403
    assert (await lamplighter.post(f"{API}/entities", json={**new, "scope": "/port/new"})).status_code == 201
    moved = await lamplighter.patch(f"{API}/entities/{LAMP}", json={"scope": "/hill"})
    assert moved.status_code == 403, "nothing is moved out of reach"
    forgotten = await lamplighter.delete(f"{API}/temporal/entities/{FAR_LAMP}")
    assert forgotten.status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/api/devices.csv",
        "/api/refusals",
        "/api/quarantine",
        "/api/gateways",
        "/console/coverage",
        "/console/quarantine",
        "/console/refusals",
    ],
)
async def test_what_is_of_all_entities_is_not_for_who_reaches_some(lamplighter: httpx.AsyncClient, path: str) -> None:
    """What is of no device that is known, and whole lists, say more than its quarter."""
    assert (await lamplighter.get(path)).status_code == 403
    assert (await lamplighter.get(f"/console/entities/{LAMP}")).status_code == 200


NEAR_DEVICE, FAR_DEVICE = "a84041000000fa01", "a84041000000fa02"
_PATHS_OF_A_DEVICE = ("/api/devices/{}", "/api/devices/{}/frames", "/console/devices/{}")


@pytest.fixture
async def devices(platform: Platform) -> None:
    records = [
        DeviceRecord(hardware_id=one, profile="generic-climate", entity_id=asset, entity_type="Streetlight")
        for one, asset in ((NEAR_DEVICE, LAMP), (FAR_DEVICE, FAR_LAMP))
    ]
    outcomes = await platform.fleet.register(MAYOR, records)
    assert [one.error for one in outcomes] == [None, None]


@pytest.mark.usefixtures("devices")
async def test_who_reaches_one_quarter_sees_the_devices_there_and_no_others(lamplighter: httpx.AsyncClient) -> None:
    listed = (await lamplighter.get("/api/devices")).json()
    assert [one["hardware_id"] for one in listed] == [NEAR_DEVICE]
    assert (await lamplighter.get("/api/devices/facets")).json()["profiles"] == {"generic-climate": 1}
    for path in ("/console/devices", "/console/devices.csv", f"/console/entities/{LAMP}"):
        page = await lamplighter.get(path)
        assert page.status_code == 200
        assert "fa02" not in page.text.casefold()
    assert NEAR_DEVICE in (await lamplighter.get("/console/devices")).text
    for path in _PATHS_OF_A_DEVICE:
        assert (await lamplighter.get(path.format(NEAR_DEVICE))).status_code == 200, path
        assert (await lamplighter.get(path.format(FAR_DEVICE))).status_code == 404, path
    assert (await lamplighter.get(f"/api/devices/{FAR_DEVICE}/commands")).json() == []


@pytest.mark.usefixtures("devices")
async def test_a_device_goes_out_of_sight_with_what_it_serves(
    platform: Platform, lamplighter: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    moved = await operator.patch(f"{API}/entities/{LAMP}", json={"scope": "/hill"})
    assert moved.status_code == 204
    assert (await lamplighter.get("/api/devices")).json() == []
    assert (await lamplighter.get(f"/console/devices/{NEAR_DEVICE}")).status_code == 404


@pytest.mark.usefixtures("devices")
async def test_commands_go_as_far_as_the_scopes_of_the_right(platform: Platform) -> None:
    switcher = Role((RoleGrant(("read",)), RoleGrant(("command",), (), ("/port",))), name="switcher")
    platform.access.gate.roles.put(MAYOR, switcher)
    subject, token = key_of(platform, "resident")
    platform.access.gate.roles.assign(MAYOR, Assignment("", subject, DEFAULT_TENANT, "switcher", 0))
    wish = {"f_port": 1, "payload_hex": "01"}
    async with client_of(platform, authorization=f"Bearer {token}") as client:
        given = [await client.post(f"/api/devices/{one}/commands", json=wish) for one in (NEAR_DEVICE, FAR_DEVICE)]
        forms = [(await client.get(f"/console/devices/{one}")).text for one in (NEAR_DEVICE, FAR_DEVICE)]
    assert [one.status_code for one in given] == [201, 403]
    assert ['value="command"' in one for one in forms] == [True, False]


async def test_who_reaches_some_types_knows_the_subscriptions_that_tell_of_nothing_else(
    platform: Platform, lamplighter: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    lamps = Role((RoleGrant(("read", "write"), ("Streetlight",)),), name="lamps")
    platform.access.gate.roles.put(MAYOR, lamps)
    subject, token = key_of(platform, "resident")
    platform.access.gate.roles.assign(MAYOR, Assignment("", subject, DEFAULT_TENANT, "lamps", 0))
    operator.headers.update(NAMES)

    async def subscribe(client: httpx.AsyncClient, *types: str) -> str:
        wish = {
            "type": "Subscription",
            "entities": [{"type": one} for one in types],
            "notification": {"endpoint": {"uri": "http://receiver.example/"}},
        }
        answer = await client.post(f"{API}/subscriptions", json=wish)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"].rpartition("/")[2]

    async def seen_by(client: httpx.AsyncClient) -> set[str]:
        page = await client.get(f"{API}/subscriptions?count=true")
        assert page.headers["ngsild-results-count"] == str(len(page.json()))
        return {one["id"] for one in page.json()}

    async with client_of(platform, authorization=f"Bearer {token}", **NAMES) as electrician:
        of_lamps, of_both = await subscribe(operator, "Streetlight"), await subscribe(operator, "Streetlight", "Bin")
        own = await subscribe(lamplighter, "Streetlight")
        assert await seen_by(electrician) == {of_lamps, own}
        assert await seen_by(lamplighter) == {own}, "of all quarters it knows none"
        assert (await electrician.get(f"{API}/subscriptions/{of_both}")).status_code == 404
        assert (await electrician.get(f"/console/subscriptions/{of_both}")).status_code == 404
        page = (await electrician.get("/console/subscriptions")).text
        assert (of_lamps in page, of_both in page) == (True, False)
        for client, foreign in ((electrician, of_both), (lamplighter, of_lamps)):
            paused = await client.patch(f"{API}/subscriptions/{foreign}", json={"isActive": False})
            assert paused.status_code == 403
            assert (await client.delete(f"{API}/subscriptions/{foreign}")).status_code == 403
        assert (await lamplighter.delete(f"{API}/subscriptions/{own}")).status_code == 204
    assert await seen_by(operator) == {of_lamps, of_both}


async def test_live_pages_hear_what_their_visitor_sees(platform: Platform, caller: Caller) -> None:
    roles = platform.access.gate.roles
    roles.put(MAYOR, Role((RoleGrant(("read",), (), ("/port",)),), name="port-watcher"))
    subject, _ = key_of(platform, "resident")
    roles.assign(MAYOR, Assignment("", subject, DEFAULT_TENANT, "port-watcher", 0))
    watcher = platform.access.gate.find_owner(subject, DEFAULT_TENANT)
    nobody = platform.access.gate.nobody(DEFAULT_TENANT)
    assert watcher is not None
    live = Live(platform.broker, asyncio.Event())
    expand = platform.broker.contexts.parvis.expand
    types = frozenset((expand("Streetlight"), expand("WasteContainer")))
    told: dict[str, list[tuple[str, set[str]]]] = {}

    async def listen(name: str, who: Caller) -> None:
        async def render(news: list[Pending]) -> list[object]:
            heard = ((one.entity_id, {local_name(each.name) for each in one.instances.values()}) for one in news)
            told.setdefault(name, []).extend(heard)
            return []

        async for _ in live.stream(Listener(who, types), render, None):
            pass

    tasks = [asyncio.create_task(listen("watcher", watcher)), asyncio.create_task(listen("nobody", nobody))]
    await asyncio.sleep(0.1)
    power, email, refuge = (
        Instance(expand("power"), Kind.PROPERTY, 1.0),
        Instance(expand("email"), Kind.PROPERTY, "new@example.org"),
        Instance(expand("refuge"), Kind.PROPERTY, "no"),
    )
    await platform.broker.write(
        caller,
        [
            Change(FAR_LAMP, Mode.APPEND, (power,)),
            Change(LAMP, Mode.APPEND, (power,)),
            Change(HALF_BIN, Mode.APPEND, (email, refuge)),
        ],
    )
    async with asyncio.timeout(5):
        while len(told) < 2:  # noqa: ASYNC110 - the streams say nothing when they are read
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.4)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    public = (HALF_BIN, {"refuge"})
    assert told == {"watcher": [(LAMP, {"power"}), public], "nobody": [public]}
