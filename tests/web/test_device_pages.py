"""The devices in the console: found, registered on the spot or from a list, looked at, changed, replaced, removed."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec import structs

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.fleet.devices.device import Standing
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.health.findings import Finding, FindingKind, write_findings
from parvis.fleet.joining.claims import ClaimEntry
from parvis.fleet.joining.onboarding import REGISTER
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.jobs import Done
from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.console.device_new import list_profiles
from parvis.web.i18n import LANGUAGES
from parvis.web.wording import wording
from tests.fakes.town import FULL_BIN, HALF_BIN
from tests.web.conftest import client_of, form_token, plain

EUI, OTHER, NEW = "70b3d5499e000001", "70b3d5499e000002", "70b3d5499e0000aa"
PAGE = f"/console/devices/{EUI}"
CSV = f"deveui;profil;nom\n{NEW};generic-climate;Été\n0254520112345700;nothing;x\n"


@pytest.fixture(autouse=True)
async def devices(platform: Platform, caller: Caller, now: Instant) -> None:
    """Two: one well heard, one with a finding."""
    records = [
        DeviceRecord(
            EUI, "generic-climate", FULL_BIN, name="Market air", technology="lorawan", groups=("North",), tags=("2026",)
        ),
        DeviceRecord(OTHER, "generic-climate", HALF_BIN, name="School air", technology="cellular"),
    ]
    outcomes = await platform.fleet.register(caller, records)
    assert [one.error for one in outcomes] == [None, None]
    await platform.fleet.take(caller, [uplink(EUI, number, now - (9 - number) * MINUTE) for number in range(9)])
    await platform.fleet.take(caller, [uplink(EUI, 9, now, b"\x00")])
    silent = Finding(FindingKind.SILENT, now - HOUR, "not heard", {"quiet_s": 7200, "interval_s": 900})
    await find(platform, caller, OTHER, silent)


def uplink(hardware_id: str, number: int, at: Instant, payload: bytes = b"\x00\xd7\x2a\x50") -> Uplink:
    return Uplink(
        hardware_id,
        payload,
        1,
        number,
        at,
        rssi_dbm=-97.0,
        snr_db=6.5,
        gateway="town-hall",
        spreading_factor=7,
        technology=Technology.LORAWAN,
        way="test",
        device_name="a new one",
    )


async def find(platform: Platform, caller: Caller, hardware_id: str, *findings: Finding) -> None:
    name = platform.broker.contexts.parvis.expand("deviceFindings")
    told = Instance(name, Kind.JSON_PROPERTY, write_findings(findings), "", None)
    await platform.broker.write(caller, [Change(f"urn:ngsi-ld:Device:{hardware_id}", Mode.APPEND, (told,))])


async def text_of(client: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


async def send(client: httpx.AsyncClient, path: str, page: str = PAGE, **form: Any) -> httpx.Response:
    return await client.post(path, data={"form_token": form_token(await text_of(client, page)), **form})


@pytest.fixture
async def reader(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    _, token = platform.access.keys.create(COMMAND_LINE, "a screen in the hall", "reader", DEFAULT_TENANT, None)
    async with client_of(platform, authorization=f"Bearer {token}") as client:
        yield client


ASKED: list[tuple[str, set[str]]] = [
    ("", {"Market air", "School air", "Market sensor"}),
    ("group=North", {"Market air"}),
    ("tag=2026&technology=lorawan", {"Market air"}),
    ("technology=cellular", {"School air"}),
    ("finding=silent", {"School air"}),
    ("state=warn", {"Market sensor"}),
    ("standing=suspended", set()),
    (f"search={OTHER}", {"School air"}),
    ("search=school", {"School air"}),
    ("profile=generic-climate&search=air", {"Market air", "School air"}),
    ("technology=smoke&finding=nothing", {"Market air", "School air", "Market sensor"}),
]


async def test_devices_are_found_by_what_is_asked_for(operator: httpx.AsyncClient) -> None:
    for query, names in ASKED:
        page = await text_of(operator, f"/console/devices?{query}")
        assert set(re.findall(r'<th scope="row">.*?<a href="[^"]*">([^<]*)</a>', page)) == names, query
        rows = (await operator.get(f"/console/devices.csv?{query}")).text.splitlines()[1:]
        assert {row.split(",")[1] for row in rows} == names, query


async def test_counts_say_what_is_wrong(operator: httpx.AsyncClient) -> None:
    page = plain(await text_of(operator, "/console/devices"))
    assert "3 devices · 1 to watch · 1 silent" in page
    assert "Silent 1" in page


async def test_several_get_a_tag_and_lose_it(operator: httpx.AsyncClient, platform: Platform, caller: Caller) -> None:
    form = {"device": [EUI, OTHER], "do": "add_tag", "word": "2026"}
    answer = await send(operator, "/console/devices/change", "/console/devices", **form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/devices?changed=1&of=2&faults=0")
    told = plain(await text_of(operator, answer.headers["location"]))
    assert "1 of 2 devices is changed. The others are so already." in told
    await send(operator, "/console/devices/change", "/console/devices", all="1", do="remove_tag", word="2026")
    assert {one.tags for one in await platform.fleet.list_devices(caller)} == {()}


async def test_all_that_a_filter_finds_are_suspended_and_put_back(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    form = {"all": "1", "finding": "silent"}
    await send(operator, "/console/devices/change", "/console/devices", do="suspend", **form)
    standings = {one.hardware_id: one.standing for one in await platform.fleet.list_devices(caller)}
    assert (standings[EUI], standings[OTHER]) == (Standing.ACTIVE, Standing.SUSPENDED)
    await send(operator, "/console/devices/change", "/console/devices", do="resume", **form)
    assert (await platform.fleet.get_device(caller, OTHER)).standing is Standing.ACTIVE


async def test_a_change_of_several_that_says_too_little_is_told(
    operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [
        ({"do": "add_tag", "device": EUI}, "Write the tag or the group first."),
        ({"do": "suspend"}, "Tick at least one device"),
        ({"do": "suspend", "device": "nobody"}, "Tick at least one device"),
        ({"do": "add_tag", "all": "1", "word": "x"}, "At most 1 devices are changed at once"),
    ]
    monkeypatch.setattr("parvis.web.console.device_changes.MOST_AT_ONCE", 1)
    monkeypatch.setattr("parvis.web.console.devices.MOST_AT_ONCE", 1)
    for form, told in cases:
        answer = await send(operator, "/console/devices/change", "/console/devices", **form)
        assert told in await text_of(operator, answer.headers["location"])
    answer = await send(operator, "/console/devices/change", "/console/devices", do="explode", device=EUI)
    assert answer.status_code == 400


async def test_a_word_that_cannot_be_is_told(operator: httpx.AsyncClient) -> None:
    form = {"device": EUI, "do": "add_group", "word": "x" * 65}
    answer = await send(operator, "/console/devices/change", "/console/devices", **form)
    assert "1 device could not be changed" in await text_of(operator, answer.headers["location"])


async def test_one_device_says_how_it_is(operator: httpx.AsyncClient) -> None:
    page = plain(await text_of(operator, PAGE))
    for told in ("Market air", "−97 dBm", "SF7", "80 %", "00 d7 2a 50", "temperature_c 21.5", "Refused by the codec"):
        assert told in page, told
    assert "Nothing wrong was found." in page
    silent = plain(await text_of(operator, f"/console/devices/{OTHER}"))
    assert "Not heard for 2 h; a frame is expected every 15 min." in silent
    assert "No frame has come yet." in silent


async def test_what_no_gateway_hears_and_nobody_numbers_shows_no_figure_for_it(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller, now: Instant
) -> None:
    radio = plain(await text_of(operator, PAGE))
    assert "Gateways that hear it 1" in radio
    assert "Gateways that hear it –" not in radio
    pushed = Uplink(OTHER, b"\x00\xd7\x2a\x50", 1, NO_COUNTER, now, way="httppush")
    await platform.fleet.take(caller, [pushed])
    page = plain(await text_of(operator, f"/console/devices/{OTHER}"))
    assert "Gateways that hear it – Frames lost –" in page


async def test_an_entity_id_leads_to_the_device_and_an_unknown_one_nowhere(operator: httpx.AsyncClient) -> None:
    assert "Market air" in await text_of(operator, f"/console/devices/urn:ngsi-ld:Device:{EUI}")
    await text_of(operator, f"/console/devices/{NEW}", 404)


async def test_a_device_and_its_history_lead_to_each_other(operator: httpx.AsyncClient) -> None:
    history = f"/console/entities/urn:ngsi-ld:Device:{EUI}"
    assert f'href="{history}"' in await text_of(operator, PAGE)
    assert f'href="{PAGE}"' in await text_of(operator, history)
    assert "Findings, frames, commands" not in await text_of(operator, f"/console/entities/{FULL_BIN}")


async def test_what_is_registered_is_changed_and_its_place_stays(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    form = {"name": "Market", "groups": "North; Port, North", "tags": "", "technology": "sigfox", "interval_min": "7,5"}
    answer = await send(operator, PAGE, do="update", latitude="47.7", longitude="-3.28", place=",", **form)
    assert answer.headers["location"] == f"{PAGE}?done=changed"
    device = await platform.fleet.get_device(caller, EUI)
    assert (device.name, device.groups, device.tags) == ("Market", ("North", "Port"), ())
    assert (device.technology, device.expected_interval_s) == (Technology.SIGFOX, 450.0)
    shown = await text_of(operator, PAGE)
    assert "47.70000, -3.28000" in shown
    same = {"latitude": "47.700000", "longitude": "-3.280000", "place": "47.700000,-3.280000"}
    await send(operator, PAGE, do="update", **form, **same)
    assert "47.70000, -3.28000" in await text_of(operator, PAGE)


async def test_a_wrong_profile_is_mended_on_the_page(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    before = (await platform.fleet.get_device(caller, EUI)).profile.id
    assert f'name="profile" value="{before}"' in (await operator.get(PAGE)).text
    other = next(name for name in sorted(platform.fleet.registry.profiles) if name != before)
    form = {"do": "update", "name": "Market", "technology": "lorawan"}
    answer = await send(operator, PAGE, profile=other, **form)
    assert answer.headers["location"] == f"{PAGE}?done=changed"
    assert (await platform.fleet.get_device(caller, EUI)).profile.id == other
    assert (await send(operator, PAGE, profile="no-such", **form)).status_code == 400
    assert (await platform.fleet.get_device(caller, EUI)).profile.id == other


IMPOSSIBLE: list[tuple[dict[str, str], str]] = [
    ({"do": "update", "name": "x", "technology": "lorawan", "interval_min": "often"}, "not a number of minutes"),
    ({"do": "update", "name": "x", "technology": "smoke"}, "does not accept this"),
    ({"do": "update", "name": "x", "technology": "lorawan", "latitude": "91", "longitude": "0"}, "A place has"),
    ({"do": "replace", "hardware_id": "?"}, "cannot be read"),
    ({"do": "replace", "hardware_id": OTHER}, "It is there already."),
    ({"do": "replace", "hardware_id": "PV-7K2M-Q9XA-0B1C"}, "a claim code"),
    ({"do": "command", "port": "1", "payload": "zz"}, "not hexadecimal"),
    ({"do": "command", "port": "one", "payload": "00"}, "The port is not a number."),
    ({"do": "command", "data": "[1"}, "not a JSON object"),
    ({"do": "command", "port": "1", "payload": "00", "hours": "1e9"}, "does not accept this"),
    ({"do": "nothing"}, "does not accept this"),
]


async def test_what_cannot_be_done_is_told_and_what_was_written_stays(operator: httpx.AsyncClient) -> None:
    for form, told in IMPOSSIBLE:
        answer = await send(operator, PAGE, **form)
        assert answer.status_code == 400, form
        assert told in plain(answer.text), form
        assert form.get("payload", "") in answer.text, form


async def test_a_device_is_suspended_and_put_back(operator: httpx.AsyncClient) -> None:
    answer = await send(operator, PAGE, do="suspend")
    page = await text_of(operator, answer.headers["location"])
    assert "The device is suspended" in page
    assert "Send a command" not in page
    answer = await send(operator, PAGE, do="resume")
    assert "The device is back in use." in await text_of(operator, answer.headers["location"])


async def test_a_broken_device_is_replaced_by_its_label(operator: httpx.AsyncClient) -> None:
    answer = await send(operator, PAGE, do="replace", hardware_id=f"LW:D0:70B3D57ED0000010:{NEW.upper()}:000AF8BE")
    assert answer.headers["location"] == f"/console/devices/{NEW}?done=replaced"
    assert "has taken the place of the broken one" in await text_of(operator, answer.headers["location"])
    old = plain(await text_of(operator, PAGE))
    assert f"Another device has taken its place: {NEW}" in old
    assert "Replace a broken device" not in old


async def test_a_device_is_removed_and_its_object_stays(operator: httpx.AsyncClient) -> None:
    answer = await send(operator, PAGE, do="remove")
    assert "The device Market air is removed." in await text_of(operator, answer.headers["location"])
    await text_of(operator, PAGE, 404)
    await text_of(operator, f"/console/entities/{FULL_BIN}")


async def test_a_removed_device_is_put_back_as_it_was(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    name = platform.broker.contexts.parvis.expand("name")
    await platform.broker.write(caller, [Change(FULL_BIN, Mode.APPEND, (Instance(name, Kind.PROPERTY, "Quay"),))])
    await send(operator, PAGE, do="suspend")
    before = await platform.fleet.get_device(caller, EUI)
    answer = await send(operator, PAGE, do="remove")
    address = answer.headers["location"]
    undo = re.findall(r'name="removed" value="([^"]+)"', await text_of(operator, address))[0]
    back = await send(operator, "/console/devices/restore", address, removed=undo)
    assert back.headers["location"] == f"{PAGE}?done=restored"
    assert "The device is registered again." in await text_of(operator, back.headers["location"])
    after = await platform.fleet.get_device(caller, EUI)
    kept = ("name", "asset_id", "groups", "tags", "technology", "standing")
    assert [getattr(after, one) for one in kept] == [getattr(before, one) for one in kept]
    asset = (await platform.broker.get(caller, FULL_BIN)).find(name)
    assert asset is not None
    assert asset.value == "Quay"
    assert (await send(operator, "/console/devices/restore", address, removed=undo)).status_code == 409


@pytest.mark.parametrize("text", ["", "?", "e30=", "W10="])
async def test_an_address_that_names_no_removed_device_puts_nothing_back(
    operator: httpx.AsyncClient, text: str
) -> None:
    assert (await send(operator, "/console/devices/restore", removed=text)).status_code == 400


async def test_a_command_sent_twice_is_given_once(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    form = {"do": "command", "port": "5", "payload": "01 ff", "confirmed": "1", "key": "once"}
    for _ in range(2):
        answer = await send(operator, PAGE, **form)
        assert answer.headers["location"] == f"{PAGE}?done=commanded#commands"
    (command,) = await platform.commands.list_commands(caller, EUI)
    assert (command.payload, command.is_confirmed, command.creator) == (b"\x01\xff", True, "user:ada")
    assert "Waits to be sent" in await text_of(operator, PAGE)


async def test_readers_look_and_change_nothing(reader: httpx.AsyncClient) -> None:
    for path in ("/console/devices", PAGE):
        assert "<form method" not in (await text_of(reader, path)).split("<main")[1]
    for path in ("/console/devices/new", "/console/devices/import", "/console/devices/import/template.csv"):
        assert (await reader.get(path)).status_code == 403
    token = form_token(await text_of(reader, "/console/sign-in"))
    posts = {PAGE: {"do": "remove"}, "/console/devices/change": {"do": "suspend", "all": "1"}}
    posts |= {"/console/devices/new": {"label": NEW}, "/console/devices/import": {}, "/console/devices/restore": {}}
    posts |= {f"{PAGE}?": {"do": "command", "port": "1", "payload": "00"}}
    for path, form in posts.items():
        assert (await reader.post(path, data={"form_token": token, **form})).status_code == 403, path


async def test_a_form_of_another_browser_changes_nothing(operator: httpx.AsyncClient) -> None:
    for path in (PAGE, "/console/devices/change", "/console/devices/new", "/console/devices/import"):
        answer = await operator.post(path, data={"form_token": "made up", "do": "remove"})
        assert answer.status_code == 403, path


async def test_strangers_are_asked_to_sign_in(visitor: httpx.AsyncClient) -> None:
    for path in (PAGE, "/console/devices.csv"):
        assert (await visitor.get(path)).headers["location"].startswith("/console/sign-in?")


async def test_a_device_is_registered_step_by_step(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller, now: Instant
) -> None:
    await platform.fleet.take(caller, [uplink(NEW, 1, now)])
    page = plain(await text_of(operator, "/console/devices/new?label=70-B3-D5-49-9E-00-00-AA&search=humidity"))
    assert "1 frame waits and will be adopted" in page
    assert "Temperature and humidity, 3 or 4 bytes" in page
    assert "OCPP" not in page
    step = f"/console/devices/new?label={NEW}&profile=generic-climate"
    assert 'value="a new one"' in await text_of(operator, step)
    assert "Market" in await text_of(operator, f"{step}&object=market")
    form = {"label": NEW, "profile": "generic-climate", "name": "Le Préau", "entity_type": "IndoorEnvironmentObserved"}
    place = {"latitude": "47,7", "longitude": "−3,28", "groups": "Schools"}
    answer = await send(operator, "/console/devices/new", step, **form, **place)
    assert answer.headers["location"] == f"/console/devices/{NEW}?new=1"
    device = await platform.fleet.get_device(caller, NEW)
    assert re.fullmatch(r"urn:ngsi-ld:IndoorEnvironmentObserved:le-preau-[a-z0-9]{6}", device.asset_id)
    assert device.groups == ("Schools",)
    shown = plain(await text_of(operator, answer.headers["location"]))
    assert "47.70000, -3.28000" in shown


async def test_an_object_that_is_there_keeps_its_place(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    step = f"/console/devices/new?label={NEW}&profile=generic-climate"
    form = {"label": NEW, "profile": "generic-climate", "entity_id": FULL_BIN, "name": "not this"}
    answer = await send(operator, "/console/devices/new", step, **form)
    assert answer.status_code == 303, answer.text
    assert (await platform.fleet.get_device(caller, NEW)).asset_id == FULL_BIN
    assert "47.71000, -3.30000" in await text_of(operator, f"/console/devices/{NEW}")
    assert "Its first frame" not in await text_of(operator, f"/console/devices/{NEW}")
    assert "Waiting for its first frame" in await text_of(operator, answer.headers["location"])


async def test_a_claim_code_knows_the_profile_and_is_used_once(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    place = {"type": "Point", "coordinates": [-3.25, 47.75]}
    prepared = ClaimEntry(NEW, "generic-climate", name="Prepared gym", location=place, groups=("South",))
    (issued,) = await platform.claims.create(caller, "Autumn", [prepared])
    step = f"/console/devices/new?code={issued.code}"
    page = plain(await text_of(operator, step))
    assert "Autumn · South" in page
    assert "Object and place" in page
    filled_in = (await operator.get(step)).text
    assert all(f'value="{one}"' in filled_in for one in ("Prepared gym", "47.750000", "-3.250000"))
    form = {"label": issued.code, "name": "Gym", "latitude": "47.7", "longitude": "-3.2"}
    assert (await send(operator, "/console/devices/new", step, **form)).status_code == 303
    assert (await platform.fleet.get_device(caller, NEW)).groups == ("South",)
    assert "It is there already." in await text_of(operator, step, 409)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("label=%3F", 400, "This label cannot be read"),
        ("code=PV-7K2M-Q9XA-0B1C", 404, "It is not there"),
        (f"label={EUI.upper()}", 200, "Market air is registered already."),
        (f"label={NEW}&profile=nothing", 200, "What kind of device is it?"),
        (f"label={NEW}&search=no+such+thing", 200, "No profile fits."),
    ],
)
async def test_a_label_that_leads_nowhere_is_told(
    operator: httpx.AsyncClient, query: str, status: int, told: str
) -> None:
    assert told in plain(await text_of(operator, f"/console/devices/new?{query}", status))


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"name": ""}, "Choose an object, or name the new one."),
        ({"name": "Gym", "latitude": "north"}, "A place has a latitude"),
        ({"entity_id": "urn:ngsi-ld:Nothing:1"}, "It is not there"),
        ({"name": "Gym", "groups": "x" * 99}, "does not accept this"),
    ],
)
async def test_what_is_filled_in_wrongly_stays_in_the_form(
    operator: httpx.AsyncClient, form: dict[str, str], told: str
) -> None:
    step = f"/console/devices/new?label={NEW}&profile=generic-climate"
    answer = await send(operator, "/console/devices/new", step, label=NEW, profile="generic-climate", **form)
    assert answer.status_code == 400
    assert told in plain(answer.text)
    assert ('aria-describedby="place-fault"' in answer.text) == ("latitude" in form)


class Context:
    """Of a job that nobody cancels."""

    tenant = DEFAULT_TENANT
    cancelled = False

    def __init__(self, arguments: Any) -> None:
        self.arguments = arguments

    def report(self, _share: float, _message: str) -> None: ...


async def test_a_list_is_looked_through_then_registered_by_a_job(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    first = "/console/devices/import"
    token = form_token(await text_of(operator, first))
    answer = await operator.post(first, data={"form_token": token}, files={"file": ("list.csv", CSV.encode())})
    check = answer.headers["location"]
    page = plain(await text_of(operator, check))
    assert "1 new device would be registered." in page
    assert "There is no such profile: 1" in page
    started = [await operator.post(check, data={"form_token": token}) for _ in range(2)]
    assert started[0].headers["location"] == started[1].headers["location"]
    job_page = started[0].headers["location"]
    assert 'data-refresh="1"' in await text_of(operator, job_page)
    job = await platform.jobs.queue.claim("town:1", {REGISTER: 0}, 60)
    assert job is not None
    result = await platform.onboarding.work(Context(job.arguments))  # type: ignore[arg-type]
    await platform.jobs.queue.end(job.run, Done(result))
    done = plain(await text_of(operator, job_page))
    assert "Registered anew 1" in done
    assert (await platform.fleet.get_device(caller, NEW)).name == "Été"
    await text_of(operator, check, 404)


async def test_what_is_no_list_is_told(operator: httpx.AsyncClient) -> None:
    first = "/console/devices/import"
    token = form_token(await text_of(operator, first))
    for files in ({"file": ("x.csv", b"a,b\n1,2\n")}, {"file": ("x.bin", b"\x00\xff")}, {}):
        answer = await operator.post(first, data={"form_token": token}, files=files)
        assert answer.status_code == 400, answer.text
        assert "This is not a list of devices." in answer.text
    french = await operator.post(
        f"{first}?lang=fr", data={"form_token": token}, files={"file": ("x.csv", b"a,b\n1,2\n")}
    )
    assert "La première ligne ne nomme aucune colonne" in french.text
    assert "The first line" not in french.text
    for path in (f"{first}/zz", f"{first}/00", f"{first}/job/99", f"{first}/job/{'9' * 30}"):
        await text_of(operator, path, 404)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_empty_list_to_fill_in_is_one_that_can_be_read(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller, language: str
) -> None:
    answer = await operator.get(f"/console/devices/import/template.csv?lang={language}")
    report = await platform.onboarding.check(caller, answer.content)
    assert (report.lines, report.left_out, report.columns_left_out) == (1, 0, ())


async def test_the_empty_list_bears_the_profile_that_was_chosen(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    page = await text_of(operator, "/console/devices/import")
    assert '<option value="generic-climate">' in page
    answer = await operator.get("/console/devices/import/template.csv?profile=generic-climate")
    assert answer.text.splitlines()[1].split(",")[1] == "generic-climate"
    unknown = await operator.get("/console/devices/import/template.csv?profile=nonsense")
    assert (await platform.onboarding.check(caller, unknown.content)).left_out == 0


async def test_the_profile_the_network_names_comes_first(platform: Platform, caller: Caller, now: Instant) -> None:
    frame = structs.replace(uplink(NEW, 1, now), network_profile="Generic-Climate")
    await platform.fleet.take(caller, [frame])
    (waiting,) = await platform.fleet.list_waiting(caller)
    first, *others = list_profiles(platform.fleet.registry.profiles, "", waiting, wording("en", "UTC"))
    assert (first.id, first.fits) == ("generic-climate", True)
    assert {one.fits for one in others} == {False}


async def test_what_was_never_heard_is_not_called_silent(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient
) -> None:
    await platform.fleet.register(caller, [DeviceRecord(NEW, "generic-climate", HALF_BIN, name="Attic")])
    page = plain(await text_of(operator, "/console/devices?state=never"))
    assert "1 to watch · 1 silent · 1 never heard" in page
    assert "Attic" in page
    assert "School air" not in page
    assert NEW not in plain(await text_of(operator, "/console/devices?state=stale"))
    rows = (await operator.get("/console/devices.csv?state=never")).text.splitlines()
    assert (len(rows), rows[1].split(",")[-1]) == (2, "Never heard")
    device = plain(await text_of(operator, f"/console/devices/{NEW}"))
    assert "Never heard · measures" in device


async def test_the_page_of_a_new_device_waits_for_its_first_frame(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, now: Instant
) -> None:
    await platform.fleet.register(caller, [DeviceRecord(NEW, "generic-climate", HALF_BIN, name="Attic")])
    address = f"/console/devices/{NEW}?new=1"
    waiting = await text_of(operator, address)
    assert 'data-refresh="3"' in waiting
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in waiting
    await platform.fleet.take(caller, [uplink(NEW, 1, now, b'{"temperature_c": 21.5}')])
    heard = await text_of(operator, address)
    assert 'data-refresh="10"' in heard
    assert "<noscript><meta" not in heard
    assert "{&#34;temperature_c&#34;: 21.5}" in heard
    await platform.fleet.take(caller, [uplink(NEW, 2, now + MINUTE, bytes.fromhex("00d72a50"))])
    card = (await text_of(operator, address)).split('id="first-frame"')[1].split("</section>")[0]
    assert "Temperature <strong>21.5\u00a0°C</strong>" in card
    assert "temperature_c" not in card
