"""Unknown devices as people see, adopt and forget them."""

from urllib.parse import urlencode

import httpx
import pytest
from msgspec.structs import replace

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.fleet.model.delivery import Message
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Technology, Uplink
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.time import MINUTE, Instant
from tests.web.conftest import client_of, form_token, plain

EUI, OTHER = "a84041a1b1830000", "a84041a1b1830001"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:hall"


def frame(device: str, number: int, now: Instant) -> Uplink:
    """Temperature in Cayenne LPP."""
    payload = b"\x01\x67" + (180 + number).to_bytes(2)
    at = now - number * MINUTE
    return Uplink(
        device, payload, 1, number, at, device_name="Hall <b>", technology=Technology.LORAWAN, way="chirpstack"
    )


@pytest.fixture
async def waiting(platform: Platform, caller: Caller, now: Instant) -> None:
    frames = [*(frame(EUI, number, now) for number in range(1, 4)), frame(OTHER, 1, now)]
    await platform.fleet.take(caller, frames)


async def post(client: httpx.AsyncClient, path: str, **fields: str | list[str]) -> httpx.Response:
    token = form_token((await client.get("/console/quarantine")).text)
    return await client.post(path, data={"form_token": token, **fields})


@pytest.mark.usefixtures("waiting")
async def test_unknown_devices_are_listed_with_what_waits(operator: httpx.AsyncClient) -> None:
    page = await operator.get("/console/quarantine")
    assert "2 devices are heard that nobody has registered" in plain(page.text)
    assert f"{EUI} Hall <b> 3" in plain(page.text)
    assert "01 67 00 b5" in page.text
    assert "ChirpStack" in page.text
    found = plain((await operator.get("/console/quarantine", params={"search": "0001"})).text)
    assert OTHER in found
    assert EUI not in found
    none = await operator.get("/console/quarantine", params={"search": "nothing", "lang": "fr"})
    assert "Aucun capteur inconnu ne correspond" in plain(none.text)


async def test_nobody_waits_in_a_registered_town(operator: httpx.AsyncClient) -> None:
    assert "No unknown device waits." in plain((await operator.get("/console/quarantine")).text)


async def test_what_was_refused_or_stored_before_is_not_called_stored(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    good, other = frame(EUI, 1, now), frame(EUI, 2, now)
    for one in (good, good, replace(other, payload=b"\x01")):
        await platform.fleet.take(caller, [one])
    answer = await post(operator, "/console/quarantine/adopt", device=EUI, profile="cayenne-lpp")
    page = await operator.get(answer.headers["location"])
    told = plain(page.text)
    assert "1 device adopted: 1 of its waiting frames stored. 1 was stored before. 1 was refused: " in told
    (refusal,) = await platform.fleet.list_refusals(caller, EUI)
    assert f'href="/console/refusals?reason={refusal.reason.value}"' in page.text


@pytest.mark.usefixtures("waiting")
async def test_a_device_is_adopted_with_all_its_frames(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    answer = await post(operator, "/console/quarantine", do=f"adopt {EUI}")
    form = await operator.get(answer.headers["location"])
    assert 'value="Hall &lt;b&gt;"' in form.text
    answer = await post(
        operator,
        "/console/quarantine/adopt",
        device=EUI,
        profile="cayenne-lpp",
        groups="schools, north",
        **{f"name-{EUI}": "Hall", f"entity_id-{EUI}": ROOM, f"latitude-{EUI}": "47,75", f"longitude-{EUI}": "-3.37"},
    )
    assert answer.headers["location"] == f"/console/quarantine?adopted=1&stored=3&left=0&device={EUI}"
    page = (await operator.get(answer.headers["location"])).text
    assert "1 device adopted: 3 of its waiting frames stored." in plain(page)
    for href in (f"/console/devices/{EUI}", f"/console/entities/{ROOM}", f"/console/map?{urlencode({'id': ROOM})}"):
        assert f'href="{href}' in page
        assert (await operator.get(href)).status_code == 200
    device = await platform.fleet.get_device(caller, EUI)
    assert (device.name, device.groups) == ("Hall", ("schools", "north"))
    room = await platform.broker.get(caller, ROOM)
    temperature = room.find(platform.broker.contexts.parvis.expand("temperature"))
    assert temperature is not None
    assert temperature.value == 18.1
    assert "device-adopted" in [one.record.action for one in platform.access.store.read_audit()]


@pytest.mark.usefixtures("waiting")
async def test_what_cannot_be_registered_comes_back_with_the_reason(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    fields: dict[str, str | list[str]] = {"device": [EUI, OTHER], "profile": "cayenne-lpp"}
    place = {f"latitude-{EUI}": "north", f"entity_id-{OTHER}": "no identifier"}
    refused = await post(operator, "/console/quarantine/adopt", **fields, **place)
    assert refused.status_code == 400
    assert "Latitude and longitude are both needed" in plain(refused.text)
    assert "is no entity id" in plain(refused.text)
    assert 'value="north"' in refused.text
    unsaid = await post(operator, "/console/quarantine/adopt", device=EUI, profile="")
    assert "Choose a profile from the list." in plain(unsaid.text)
    assert len(await platform.fleet.list_waiting(caller)) == 2


@pytest.mark.usefixtures("waiting")
async def test_what_waits_is_forgotten(platform: Platform, operator: httpx.AsyncClient, caller: Caller) -> None:
    answer = await post(operator, "/console/quarantine", do="forget", device=[EUI, OTHER])
    assert answer.headers["location"] == "/console/quarantine?forgotten=4"
    assert await platform.fleet.list_waiting(caller) == []
    gone = await operator.get("/console/quarantine/adopt", params={"device": EUI})
    assert "None of these devices waits any more." in plain(gone.text)
    assert (await post(operator, "/console/quarantine", do="burn", device=EUI)).status_code == 400


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("what", ["adopt", "forget"])
async def test_nothing_ticked_is_said_on_the_page(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, what: str
) -> None:
    answer = await post(operator, "/console/quarantine", do=what)
    assert answer.status_code == 303
    assert "Tick a device first." in plain((await operator.get(answer.headers["location"])).text)
    assert len(await platform.fleet.list_waiting(caller)) == 2


@pytest.mark.usefixtures("waiting")
async def test_that_others_were_adopted_is_told_beside_the_one_that_was_not(operator: httpx.AsyncClient) -> None:
    fields: dict[str, str | list[str]] = {"device": [EUI, OTHER], "profile": "cayenne-lpp"}
    refused = await post(operator, "/console/quarantine/adopt", **fields, **{f"latitude-{EUI}": "north"})
    assert "1 other device is adopted; correct what follows." in plain(refused.text)


@pytest.mark.usefixtures("waiting")
async def test_readers_look_and_change_nothing(platform: Platform, operator: httpx.AsyncClient) -> None:
    _, token = platform.access.keys.create(COMMAND_LINE, "a screen in the hall", "reader", DEFAULT_TENANT, None)
    async with client_of(platform, authorization=f"Bearer {token}") as reader:
        page = await reader.get("/console/quarantine")
        assert EUI in page.text
        assert "Adopt" not in plain(page.text)
        assert (await reader.get("/console/quarantine/adopt", params={"device": EUI})).status_code == 403
    async with client_of(platform) as visitor:
        assert (await visitor.get("/console/quarantine")).status_code == 303
    forged = await operator.post("/console/quarantine", data={"form_token": "forged", "do": f"forget {EUI}"})
    assert forged.status_code == 403


@pytest.mark.usefixtures("waiting")
async def test_refused_frames_do_not_hide_behind_those_that_wait(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    await platform.fleet.refuse_messages(caller, [(Message(caller, "a/topic", b"noise", now), "no JSON")])
    page = plain((await operator.get("/console/refusals")).text)
    assert "4 frames of unknown devices wait" in page
    assert "All 1 Unreadable message 1" in page
    assert "Counted, not kept" not in page
    (refused,) = await platform.fleet.take(replace(caller, device=OTHER), [frame(EUI, 9, now)])
    assert refused is not None
    assert refused.reason is RefusalReason.OTHER_DEVICE
    page = plain((await operator.get("/console/refusals")).text)
    assert "Key of another device The key is good for one device only: give this one its own. 1" in page
    assert EUI not in page
