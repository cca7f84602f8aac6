"""Dashboards: what widgets show, that they are kept with their history, and who may see them."""

import re
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.kernel.identity import Caller
from parvis.kernel.reach import Area
from parvis.kernel.shelf import Box, Place
from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.console.dashboards.drawing import bridged, line, scale_of, steps_of
from parvis.web.console.dashboards.layout import Layout
from parvis.web.console.dashboards.prose import prose
from parvis.web.console.dashboards.records import Dashboards, Sharing
from tests.fakes.town import FULL_BIN, HALF_BIN, LEAKING_METER, SILENT_BIN, fill_levels, measured
from tests.web.conftest import client_of, form_token, plain

HOME = "/console/dashboards"
BINS = {"kind": "states", "about": "WasteContainer"}


async def compose(client: httpx.AsyncClient, *widgets: dict[str, Any], name: str = "Port") -> str:
    """The address of a dashboard with these widgets."""
    layout = msgspec.json.encode({"widgets": widgets}).decode()
    token = form_token((await client.get(f"{HOME}/new")).text)
    made = await client.post(HOME, data={"form_token": token, "name": name, "layout": layout})
    address: str = made.headers["location"].removesuffix("?told=saved")
    return address


async def save(client: httpx.AsyncClient, address: str, *widgets: dict[str, Any], name: str = "Port") -> httpx.Response:
    return await send(client, address, await opened(client, address), *widgets, name=name)


async def opened(client: httpx.AsyncClient, address: str) -> dict[str, str]:
    """What the form of somebody who begins to compose holds."""
    page = (await client.get(f"{address}/edit")).text
    (version,) = re.findall(r'name="version" value="(\d+)"', page)
    return {"form_token": form_token(page), "version": version}


async def send(
    client: httpx.AsyncClient, address: str, form: dict[str, str], *widgets: dict[str, Any], name: str = "Port"
) -> httpx.Response:
    layout = msgspec.json.encode({"widgets": widgets}).decode()
    return await client.post(f"{address}/save", data={**form, "name": name, "layout": layout})


async def shown(client: httpx.AsyncClient, *widgets: dict[str, Any]) -> str:
    answer = await client.get(await compose(client, *widgets))
    assert answer.status_code == 200, answer.text
    return plain(answer.text.split("data-live-board")[1].split('id="sharing"')[0].join(("<body", "")))


async def share(client: httpx.AsyncClient, address: str, how: str) -> str:
    """The public link; empty where there is none."""
    token = form_token((await client.get(address)).text)
    answer = await client.post(f"{address}/share", data={"form_token": token, "sharing": how})
    assert answer.status_code == 303, answer.text
    found = re.search(r"/boards/[\w-]+", (await client.get(address)).text)
    return found[0] if found else ""


async def test_states_are_told_as_the_map_tells_them(operator: httpx.AsyncClient) -> None:
    text = await shown(operator, BINS, {"kind": "alerts"}, {"kind": "age", "about": "WasteContainer"})
    assert "3 objects 1 to act on 1 silent 1 in order" in text
    assert "To act on Market" in text
    assert "To act on Mill" in text, "an alarm"
    assert "School" not in text
    assert "newest value 1 min ago 1 silent of 3 objects" in text


async def test_what_needs_attention_is_found_behind_hundreds_that_are_calm(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    expand = platform.broker.contexts.parvis.expand
    level, flow, alarm = map(expand, ("fillingLevel", "flow", "alarmStopsLeaks"))
    bin_type, meter_type = expand("WasteContainer"), expand("WaterConsumptionObserved")
    empty = Instance(level, Kind.PROPERTY, 0.1, observed_at=now)
    tight = (Instance(flow, Kind.PROPERTY, 3.0, observed_at=now), Instance(alarm, Kind.PROPERTY, False))
    calm = [
        change
        for n in range(150)
        for change in (
            Change(f"urn:ngsi-ld:WasteContainer:a{n:03}", Mode.CREATE, (empty,), (bin_type,)),
            Change(f"urn:ngsi-ld:WaterConsumptionObserved:a{n:03}", Mode.CREATE, tight, (meter_type,)),
        )
    ]
    burst = (Instance(expand("waterPressure"), Kind.PROPERTY, 0.4, observed_at=now),)
    leak = (tight[0], Instance(alarm, Kind.PROPERTY, True))
    main, meter = "urn:ngsi-ld:WaterDistributionNetwork:z-main", "urn:ngsi-ld:WaterConsumptionObserved:z-leak"
    troubles = [
        Change(main, Mode.CREATE, burst, (expand("WaterDistributionNetwork"),)),
        Change(meter, Mode.CREATE, leak, (meter_type,)),
    ]
    await platform.broker.write(caller, calm + troubles)
    page = (await operator.get(await compose(operator, {"kind": "alerts"}))).text
    found = [unquote(one) for one in re.findall(r'/console/entities/([^"]+)">', page)]
    assert found == [LEAKING_METER, meter, main, FULL_BIN]
    overview = re.findall(r'/console/entities/([^"]+)"', (await operator.get("/console")).text)
    assert list(dict.fromkeys(map(unquote, overview))) == found
    assert "there are more" not in page


async def test_numbers_come_to_an_average_by_commune(operator: httpx.AsyncClient) -> None:
    text = await shown(
        operator,
        {"kind": "figure", "about": "WasteContainer"},
        {"kind": "bars", "about": "WasteContainer", "method": "highest"},
        {"kind": "top", "about": "WasteContainer"},
        {"kind": "gauge", "about": "WasteContainer", "place": "Port"},
        {"kind": "figure", "about": "waste", "method": "attention"},
    )
    assert "Fill level, average: Waste containers 77 %" in text
    assert "by commune Trevalan 97% Port Silent, 5 h ago 85%" in text
    assert text.index("Market") < text.index("Beach") < text.index("School")
    assert "Waste containers, Port 85 %" in text
    assert "Needing attention: Waste 1" in text


async def test_a_bar_of_per_cent_is_as_long_as_it_says(operator: httpx.AsyncClient) -> None:
    for kind, lengths in (("top", ["97.0", "85.0", "50.0"]), ("bars", ["85.0", "73.5"])):
        page = (await operator.get(await compose(operator, {"kind": kind, "about": "WasteContainer"}))).text
        assert re.findall(r'class="fill" width="([\d.]+)"', page) == lengths
    counted = {"kind": "bars", "about": "WasteContainer", "method": "count"}
    page = (await operator.get(await compose(operator, counted))).text
    assert re.findall(r'class="fill" width="([\d.]+)"', page) == ["100.0", "50.0"], "the largest fills it"


async def keep_zone(client: httpx.AsyncClient, name: str, area: str) -> None:
    token = form_token((await client.get("/console/map")).text)
    kept = await client.post("/console/zones", data={"form_token": token, "name": name, "area": area})
    assert kept.status_code == 303, kept.text


async def test_zones_are_compared_by_what_stands_in_them(operator: httpx.AsyncClient) -> None:
    levels = {"kind": "bars", "about": "WasteContainer", "zones": "area:Zone"}
    await keep_zone(operator, "Old town", "-3.31,47.70,-3.31,47.73,-3.27,47.73,-3.27,47.70")
    await keep_zone(operator, "Moor", "-3.1,47.0,-3.1,47.1,-3.0,47.1,-3.0,47.0")
    await keep_zone(operator, "Strand", "-3.22,47.67,-3.22,47.69,-3.18,47.69,-3.18,47.67")
    page = (await operator.get(await compose(operator, levels, {**levels, "method": "count"}))).text
    text = plain(page)
    assert "Fill level, average: Waste containers, by zone Strand Silent, 5 h ago 85% Old town 74%" in text
    assert "Average of the last values of 3 objects, by the area in which they stand" in text
    assert "1 of them is silent" in text
    assert "Old town 74% 2 1 0 1 min ago" in text, "the table says the same"
    assert "Old town 2 Strand Silent, 5 h 1 Moor 0" in text.replace(" ago", "")
    (old_town,) = set(re.findall(r'href="(/console/map\?type=WasteContainer&amp;zone=[^"]+)">Old town', page))
    assert "2 objects" in plain((await operator.get(old_town.replace("&amp;", "&"))).text)
    assert "Waste containers, by zone" in plain((await operator.get(f"{HOME}/ready-zones")).text)


async def test_what_is_related_is_compared_and_called_by_its_name(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    expand = platform.broker.contexts.parvis.expand
    name = Instance(expand("name"), Kind.PROPERTY, "Quay round")
    related = Instance(expand("refZone"), Kind.RELATIONSHIP, "urn:ngsi-ld:Round:quay")
    await platform.broker.write(
        caller,
        [
            Change("urn:ngsi-ld:Round:quay", Mode.CREATE, (name,), (expand("Round"),)),
            Change(FULL_BIN, Mode.APPEND, (related,)),
        ],
    )
    by_round = {"kind": "bars", "about": "WasteContainer", "zones": "word:refZone"}
    text = await shown(operator, by_round)
    assert "Quay round 97%" in text
    assert "2 objects belong to none" in text
    form = (await operator.get(f"{await compose(operator, by_round)}/edit")).text
    assert '"WasteContainer": [["word:refZone"' in form


async def test_curves_and_days_are_drawn_from_history(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    levels = [0.1 * (number % 10) for number in range(48)]
    past = fill_levels(platform.broker.contexts.parvis, HALF_BIN, levels, now - 2 * MINUTE, HOUR)
    await platform.broker.write(caller, list(past))
    one = {"entities": [HALF_BIN], "attribute": "fillingLevel"}
    address = await compose(
        operator,
        {"kind": "series", "compare": True, **one},
        {"kind": "days", "period": "7d", **one},
        {"kind": "figure", **one},
    )
    page = (await operator.get(address)).text
    (columns,) = re.findall(r"data-columns>(.+?)</script>", page)
    series = msgspec.json.decode(columns)["series"]
    assert [one["label"] for one in series] == ["School"]
    assert sum(value is not None for value in series[0]["v"]) > 100, "hours are joined, for they come as rarely as that"
    assert sum(value is not None for value in series[0]["before"]) > 100
    assert '<path class="line s1" d="M' in page, "a curve without any script"
    assert page.count('class="h5"') >= 4
    assert "than a day ago" in plain(page)


async def test_what_cannot_be_shown_says_so_and_the_rest_stands(operator: httpx.AsyncClient) -> None:
    text = await shown(
        operator,
        {"kind": "series"},
        {"kind": "figure", "entities": ["urn:ngsi-ld:WasteContainer:gone"], "attribute": "fillingLevel"},
        {"kind": "series", "entities": [FULL_BIN], "attribute": "temperature"},
        {"kind": "table", "about": "Streetlight"},
        {"kind": "text", "text": "**Bold** <script>x</script>"},
        {"kind": "bars", "about": "WasteContainer", "zones": "area:Zone"},
    )
    for told in (
        "does not know yet",
        "The object is gone",
        "Nothing was measured",
        "nothing of this kind",
        "Bold <script>",
        "None of them belongs to a zone",
    ):
        assert told in text, told


async def test_a_ready_one_is_there_for_each_domain_and_is_copied(operator: httpx.AsyncClient) -> None:
    overview = plain((await operator.get(HOME)).text)
    assert "Waste today" in overview
    assert "Mobility today" not in overview, "there is nothing of it"
    for name in ("waste", "water", "air", "zones", "fleet"):
        page = await operator.get(f"{HOME}/ready-{name}")
        assert page.status_code == 200, name
        assert "could not be read" not in page.text, name
    assert (await operator.get(f"{HOME}/ready-mobility")).status_code == 404
    assert "Waste containers, by commune" in plain((await operator.get(f"{HOME}/ready-zones")).text), "no zone is drawn"
    copy = (await operator.get(f"{HOME}/new", params={"source": "ready-waste"})).text
    assert 'value="Waste today"' in copy
    assert copy.count("data-cell") > 5


async def test_a_saved_change_is_undone(operator: httpx.AsyncClient) -> None:
    address = await compose(operator, BINS)
    answer = await save(operator, address, {"kind": "alerts"}, name="Quay")
    page = (await operator.get(answer.headers["location"])).text
    assert "Waste containers by state" not in page
    (at,) = re.findall(r'name="at" value="(\d+)"', page)
    undone = await operator.post(f"{address}/restore", data={"form_token": form_token(page), "at": at})
    assert "Waste containers by state" in (await operator.get(undone.headers["location"])).text
    assert (await operator.get(f"{address}/edit")).text.count("Bring back") >= 2, "every version stays"


async def test_who_saves_second_is_told_and_overwrites_nothing(operator: httpx.AsyncClient) -> None:
    address = await compose(operator, BINS)
    first, second = await opened(operator, address), await opened(operator, address)
    assert (await send(operator, address, first, {"kind": "alerts"}, name="Quay")).status_code == 303
    refused = await send(operator, address, second, {"kind": "text", "text": "Mine"}, name="Mine")
    assert refused.status_code == 409
    assert "Somebody else has saved this dashboard since you opened it." in refused.text
    page = (await operator.get(address)).text
    assert ("Quay" in page, "Mine" in page) == (True, False)
    without = {"form_token": second["form_token"]}
    assert (await send(operator, address, without, BINS)).status_code == 400, "no version, no saving"
    assert (await send(operator, address, await opened(operator, address), BINS, name="Mine")).status_code == 303


async def test_a_map_of_too_many_shows_what_needs_attention(
    operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.web.console.dashboards.pages.MOST_ON_MAP", 1)
    for place in ("", "Trevalan"):
        query = {"type": "WasteContainer", "commune": place}
        (only,) = (await operator.get(f"{HOME}/map.geojson", params=query)).json()["features"]
        assert only["id"] == FULL_BIN
    (only,) = (await operator.get(f"{HOME}/map.geojson?type=WasteContainer&commune=Port")).json()["features"]
    assert only["id"] == SILENT_BIN, "of the commune, wherever it stands in the order"


async def test_a_map_of_too_many_shows_the_most_urgent_of_all_and_how_many_it_leaves_out(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bins are full at a level at which a tower is all but empty, and there are many: none may stand in its place."""
    expand = platform.broker.contexts.parvis.expand

    def filled(kind: str, number: int, level: float) -> Change:
        reading = measured(expand("fillingLevel"), level, now, "C62")
        return Change(f"urn:ngsi-ld:{kind}:{number}", Mode.CREATE, (reading,), (expand(kind),))

    bins = [filled("WasteContainer", number, 0.81) for number in range(6)]
    await platform.broker.write(caller, [*bins, filled("WaterDistributionNetwork", 1, 0.01)])
    monkeypatch.setattr("parvis.web.console.dashboards.pages.MOST_ON_MAP", 3)
    told = (await operator.get(f"{HOME}/map.geojson")).json()
    tower = "urn:ngsi-ld:WaterDistributionNetwork:1"
    assert {one["id"] for one in told["features"]} == {FULL_BIN, LEAKING_METER, tower}
    assert told["note"].startswith("The map draws those that need attention first; 9 more are not drawn.")
    assert "1 has no place on the map." in told["note"]


async def test_everything_is_as_many_on_the_overview_the_map_and_a_dashboard(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    expand = platform.broker.contexts.parvis.expand
    trees = [Change(f"urn:ngsi-ld:Tree:{number}", Mode.CREATE, (), (expand("Tree"),)) for number in range(3)]
    impossible = measured(expand("fillingLevel"), -0.5, unit_code="C62")
    odd = Change("urn:ngsi-ld:WasteContainer:odd", Mode.CREATE, (impossible,), (expand("WasteContainer"),))
    await platform.broker.write(caller, [*trees, odd])
    assert "9 objects" in plain((await operator.get("/console")).text)
    assert "9 objects, 3 need attention" in plain((await operator.get("/console/map")).text)
    address = await compose(operator, {"kind": "map"}, {"kind": "figure", "about": "other", "method": "count"})
    page = plain((await operator.get(address)).text)
    assert "9 objects, 3 need attention" in page
    assert "Number: Other 3 " in page
    summary = (await operator.get("/api/summary")).json()
    assert (summary["total"], summary["attention"]) == (9, 3)


async def test_names_of_dashboards_and_zones_are_told_in_the_reader_s_language(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    address, expand = await compose(operator, BINS), platform.broker.contexts.parvis.expand
    both = Instance(expand("name"), Kind.LANGUAGE_PROPERTY, {"fr": "Le port", "en": "The port"})
    board = address.replace(HOME + "/", "urn:ngsi-ld:Dashboard:")
    square = {"type": "Polygon", "coordinates": [[[-3.4, 47.6], [-3.2, 47.6], [-3.2, 47.8], [-3.4, 47.6]]]}
    area = Instance(expand("location"), Kind.GEO_PROPERTY, square)
    zone = Change("urn:ngsi-ld:Zone:port", Mode.CREATE, (both, area), (expand("Zone"),))
    await platform.broker.write(caller, [Change(board, Mode.APPEND, (both,)), zone])

    async def told(path: str, language: str) -> tuple[bool, bool]:
        page = plain((await operator.get(path, headers={"accept-language": language})).text)
        return "Le port" in page, "The port" in page

    for path in (HOME, address, "/console/map"):
        assert (await told(path, "fr"), await told(path, "en")) == ((True, False), (False, True)), path
    await save(operator, address, BINS, name="The port")
    assert await told(HOME, "fr") == (True, False), "a name that was not changed keeps its languages"


async def test_it_is_an_entity_behind_the_scenes(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    await compose(operator, BINS)
    terms = platform.broker.contexts.parvis
    page = await platform.broker.query(caller, EntityQuery(types=TypeIs(terms.expand("Dashboard"))))
    (entity,) = page.entities
    layout = entity.find(terms.expand("dashboardLayout"))
    assert layout is not None
    assert layout.value == {"widgets": [BINS]}
    assert "Dashboard" not in (await operator.get("/console/map")).text.split("<main")[1]


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("{", "cannot be read"),
        ('{"widgets":[{"kind":"nothing"}]}', "cannot be read"),
        ('{"widgets":[{"kind":"text","width":9}]}', "cannot be read"),
        (f'{{"widgets":[{",".join(["{}"] * 25)}]}}'.replace("{}", '{"kind":"text"}'), "cannot be read"),
        (" " * 200_000, "too large"),
    ],
)
async def test_a_layout_that_is_none_is_refused(operator: httpx.AsyncClient, layout: str, told: str) -> None:
    address = await compose(operator, BINS)
    form = await opened(operator, address)
    answer = await operator.post(f"{address}/save", data={**form, "name": "Port", "layout": layout})
    assert answer.status_code == 400
    assert told in answer.text
    assert "Waste containers by state" in (await operator.get(address)).text


async def test_who_is_not_signed_in_sees_none(operator: httpx.AsyncClient, visitor: httpx.AsyncClient) -> None:
    address = await compose(operator, BINS)
    for path in (HOME, address, f"{address}/edit", f"{HOME}/ready-waste"):
        assert (await visitor.get(path)).headers["location"].startswith("/console/sign-in")
    assert (await visitor.get("/boards/guessed")).status_code == 404
    token = form_token((await visitor.get("/console/sign-in")).text)
    for deed in ("save", "share", "delete", "restore"):
        answer = await visitor.post(
            f"{address}/{deed}", data={"form_token": token, "version": "1", "at": "1", "name": "x", "layout": "{}"}
        )
        assert answer.status_code in (401, 403, 404), deed
    assert (await operator.get(address)).status_code == 200


async def test_everybody_with_the_link_sees_what_is_public_until_it_is_taken_back(
    operator: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    meter = {"kind": "figure", "entities": [LEAKING_METER], "attribute": "flow"}
    address = await compose(operator, BINS, meter, {"kind": "table", "about": "WaterConsumptionObserved"})
    assert "They will not see: Water meters" in plain((await operator.get(address)).text)
    link = await share(operator, address, "link")
    for client in (visitor, operator):
        page = await client.get(link)
        assert page.status_code == 200
        text = plain(page.text)
        assert "1 to act on" in text
        assert "The object is gone. It is not public" in text
        assert "Mill" not in text, "nobody sees more behind a public link than everybody does"
        assert "/console/entities" not in page.text
    await share(operator, address, "nobody")
    assert (await visitor.get(link)).status_code == 404
    assert await share(operator, address, "link") != link, "a link that was taken back leads nowhere for good"


async def test_the_link_is_told_to_those_alone_who_may_share(platform: Platform, operator: httpx.AsyncClient) -> None:
    """Neither the entity nor its history has it: whoever may read could hand it on."""
    address = await compose(operator, BINS)
    secret = (await share(operator, address, "link")).removeprefix("/boards/")
    short = address.rpartition("/")[2]
    _, key = platform.access.keys.create(COMMAND_LINE, "newsroom", "reader")
    async with client_of(platform, authorization=f"Bearer {key}") as reader:
        root = "/ngsi-ld/v1"
        for path in ("entities", "temporal/entities"):
            answer = await reader.get(f"{root}/{path}/urn:ngsi-ld:Dashboard:{short}")
            assert answer.status_code == 200
            assert "dashboardLayout" in answer.text
            assert secret not in answer.text
        assert "shared by link" in plain((await reader.get(HOME)).text)
        assert secret not in (await reader.get(address)).text
    assert secret in (await operator.get(address)).text


async def test_the_link_of_a_dashboard_that_was_deleted_as_an_entity_leads_nowhere(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    address = await compose(operator, BINS)
    link = await share(operator, address, "portal")
    short = address.rpartition("/")[2]
    await platform.broker.write(caller, [Change(f"urn:ngsi-ld:Dashboard:{short}", Mode.DELETE)])
    assert (await visitor.get(link)).status_code == 404
    other = await compose(operator, BINS)
    await share(operator, other, "nobody")
    assert await platform.shelf.read(Place(Box("default", "dashboards/links"), b"")) == {}, "it is swept"


async def test_who_takes_a_link_back_leaves_those_of_dashboards_out_of_their_sight(
    platform: Platform, caller: Caller
) -> None:
    terms = platform.broker.contexts.parvis
    quay = (Area(scopes=("/quay",)),)
    dashboards = Dashboards(platform.broker, terms, platform.shelf)
    far = await dashboards.add(caller, "Hill", Layout())
    near = Change("urn:ngsi-ld:Dashboard:near", Mode.CREATE, (), (terms.expand("Dashboard"),), ("/quay",))
    await platform.broker.write(caller, [near])
    for short in (far, "near"):
        await dashboards.share(caller, short, Sharing.LINK)
    link = (await dashboards.get(caller, far)).link

    await dashboards.share(replace(caller, reads=quay, writes=quay), "near", Sharing.NOBODY)

    assert (await dashboards.get(caller, "near")).link == ""
    assert await dashboards.find_shared(caller.tenant, link) is not None


async def test_who_shared_what_is_in_the_audit_trail(platform: Platform, operator: httpx.AsyncClient) -> None:
    address = await compose(operator, BINS, name="Bins of the port")
    await share(operator, address, "portal")
    newest = list(platform.access.store.read_audit(0))[-1].record
    assert (newest.subject, newest.action) == ("user:ada", "dashboard-shared")
    assert newest.facts == {"name": "Bins of the port", "sharing": "portal"}


async def test_a_new_one_that_nobody_saves_is_nowhere(operator: httpx.AsyncClient) -> None:
    page = await operator.get(f"{HOME}/new", params={"name": "A try"})
    assert 'value="A try"' in page.text
    assert "It is there once you save it." in plain(page.text)
    assert "A try" not in (await operator.get(HOME)).text
    form = {"form_token": form_token(page.text), "name": "A try", "layout": '{"widgets":[]}'}
    kept = await operator.post(HOME, data=form)
    assert kept.status_code == 303
    assert "A try" in (await operator.get(HOME)).text


async def test_a_preview_says_whether_the_widget_knows_what_to_show(operator: httpx.AsyncClient) -> None:
    token = form_token((await operator.get(f"{HOME}/new")).text)
    for widget, is_complete in (({"kind": "figure"}, False), ({"kind": "figure", "about": "WasteContainer"}, True)):
        seen = await operator.post(f"{HOME}/preview", json=widget, headers={"form-token": token})
        assert seen.json()["is_complete"] is is_complete


async def test_who_shares_is_told_what_others_will_not_see(operator: httpx.AsyncClient) -> None:
    meter = {"kind": "figure", "entities": [LEAKING_METER], "attribute": "flow"}
    for widgets, told in (
        ([BINS], "Everything in this dashboard is public."),
        ([BINS, meter], "They will not see: Water meters."),
        ([{"kind": "states", "about": "water"}], "They will not see: Water meters."),
        ([{"kind": "states"}], "shows them only what is public of it"),
        ([{"kind": "series"}], "Everything in this dashboard is public."),
    ):
        text = plain((await operator.get(await compose(operator, *widgets))).text)
        assert told in text, widgets
        assert text.count("Everything in this dashboard") == told.count("Everything in this dashboard"), widgets


async def test_the_portal_lists_what_is_to_stand_there(operator: httpx.AsyncClient, visitor: httpx.AsyncClient) -> None:
    address = await compose(operator, BINS, name="Bins of the port")
    link = await share(operator, address, "link")
    assert link not in (await visitor.get("/")).text
    await share(operator, address, "portal")
    assert f'<a href="{link}">Bins of the port</a>' in (await visitor.get("/")).text
    token = form_token((await operator.get(address)).text)
    await operator.post(f"{address}/delete", data={"form_token": token})
    assert link not in (await visitor.get("/")).text
    assert (await visitor.get(link)).status_code == 404


async def test_a_preview_is_made_for_writers_with_the_page_s_own_token(operator: httpx.AsyncClient) -> None:
    address = await compose(operator)
    token = form_token((await operator.get(f"{address}/edit")).text)
    body = msgspec.json.encode(BINS)
    assert (await operator.post(f"{HOME}/preview", content=body)).status_code == 403
    answer = await operator.post(f"{HOME}/preview", content=body, headers={"form-token": token})
    assert "1 to act on" in plain("<body" + answer.json()["html"])
    for nothing in (b"", body + b"," + body):
        answer = await operator.post(f"{HOME}/preview", content=nothing, headers={"form-token": token})
        assert answer.status_code == 400
    found = (await operator.get(f"{HOME}/objects.json", params={"type": "WasteContainer"})).json()
    assert {one["name"] for one in found} == {"Market", "School", "Beach"}


def test_text_is_markdown_without_html_pictures_or_scripts() -> None:
    told = prose("# Title\n\n<b onclick=x>[a](javascript:alert(1)) ![p](https://e.org/p.png) [ok](https://e.org)")
    assert "<h3>Title</h3>" in told
    assert "<b" not in told
    assert "<img" not in told
    assert 'href="javascript' not in told
    assert '<a href="https://e.org">ok</a>' in told
    for scheme in ("data:text/html,x", "vbscript:x", "JaVaScRiPt:x", "&#106;avascript:x"):
        assert f'href="{scheme}' not in prose(f"[x]({scheme})")


def test_axes_are_round_and_curves_are_interrupted_only_where_values_stay_away() -> None:
    assert scale_of([[3, 97]]).ticks == (0, 50, 100)
    assert scale_of([[20.1, 20.4]]).ticks == (20.1, 20.2, 20.3, 20.4)
    assert scale_of([[]]).low < scale_of([[]]).high
    assert line([0, None, 1], scale_of([[0, 1]]), (100, 100)).count("M") == 2
    assert bridged([1, None, 3, None, 5, None, None, None, None, None, None, None, 9])[:8] == [
        1,
        2,
        3,
        4,
        5,
        None,
        None,
        None,
    ]
    assert steps_of([0, None, 5, 10]) == [1, None, 3, 5]
    assert steps_of([4, 4]) == [1, 1]
