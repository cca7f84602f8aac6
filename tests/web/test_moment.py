"""Map and list at a moment of the past, layer by layer and zone by zone: always one set."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant, format_instant, to_datetime
from tests.fakes.town import FULL_BIN, HALF_BIN, LEAKING_METER, SILENT_BIN, STATION, fill_levels
from tests.web.conftest import form_token, plain

AROUND_TREVALAN = "-3.31,47.70,-3.27,47.70,-3.27,47.73,-3.31,47.73"


async def shown(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    answer = await client.get("/console/map.geojson", params=query)
    assert answer.status_code == 200, answer.text
    collection: dict[str, Any] = json.loads(answer.content)
    return collection


def ids(collection: dict[str, Any]) -> set[str]:
    return {feature["id"] for feature in collection["features"]}


@pytest.fixture
async def filled(platform: Platform, caller: Caller, now: Instant) -> Platform:
    """The school's container: 10 % five hours ago, 85 % an hour ago."""
    levels = fill_levels(platform.broker.contexts.parvis, HALF_BIN, (0.1, 0.3, 0.5, 0.7, 0.85), now - HOUR, HOUR)
    for change in levels:
        late = Change(change.entity_id, Mode.UPSERT_UPDATE, change.instances, keep_newest=True)
        await platform.broker.write(caller, [late])
    return platform


async def test_a_moment_of_the_past_is_shown_and_said(
    filled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    then = await shown(operator, moment=format_instant(now - HOUR), type="WasteContainer")

    school = next(one for one in then["features"] if one["id"] == HALF_BIN)
    assert (school["properties"]["value"], school["properties"]["state"]) == ("85%", "warn")
    assert then["sentence"].startswith("As it was on ")
    assert then["moment"] == (now - HOUR) // 1000
    earlier = await shown(operator, moment=format_instant(now - 4 * HOUR), search="school")
    assert [one["properties"]["value"] for one in earlier["features"]] == ["30%"]


async def test_what_had_not_been_heard_of_was_silent_then_as_it_would_be_now(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    """Also what was stored later, with a past from before: it spoke 20 days ago, and for an hour ten days ago."""
    context = platform.broker.contexts.parvis
    for end in (now - 20 * DAY, now - 10 * DAY):
        for change in fill_levels(context, HALF_BIN, (0.5, 0.5), end, HOUR):
            late = Change(change.entity_id, Mode.UPSERT_UPDATE, change.instances, keep_newest=True)
            await platform.broker.write(caller, [late])
    states = {}
    for days in (20, 19, 12, 10, 9, 2):
        then = await shown(operator, moment=format_instant(now - days * DAY), type="WasteContainer")
        states[days] = [one["properties"]["state"] for one in then["features"]]
        assert then["note"] == "2 objects of today were not known yet."
    assert states == {20: ["good"], 19: ["stale"], 12: ["stale"], 10: ["good"], 9: ["stale"], 2: ["stale"]}


async def test_what_says_itself_when_it_is_silent_is_given_a_day_before_it_first_said_so(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    """As before the first start: a service that publishes by the hour was not silent between two hours."""
    expand = platform.broker.contexts.parvis.expand
    for days in (9, 5):
        then = Instance(expand("pm25"), Kind.PROPERTY, 9.5, observed_at=now - days * DAY, unit_code="GQ")
        await platform.broker.write(caller, [Change(STATION, Mode.UPSERT_UPDATE, (then,), keep_newest=True)])

    async def state(moment: Instant) -> list[str]:
        told = await shown(operator, moment=format_instant(moment), type="AirQualityObserved")
        return [one["properties"]["state"] for one in told["features"] if one["id"] == STATION]

    assert await state(now - 5 * DAY + 2 * HOUR) == ["stale"], "its type speaks each quarter of an hour"
    flag = Instance(expand("isStale"), Kind.PROPERTY, False, observed_at=now - HOUR)
    await platform.broker.write(caller, [Change(STATION, Mode.APPEND, (flag,))])
    assert await state(now - 5 * DAY + 2 * HOUR) == ["good"]
    assert await state(now - 7 * DAY) == ["stale"]


async def test_list_map_and_sentence_of_a_moment_are_one_set(
    filled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    query = {"moment": format_instant(now - HOUR), "state": "attention"}
    then, page = await shown(operator, **query), (await operator.get("/console/map", params=query)).text

    rows = {part.split('"')[0] for part in page.split('<li data-id="')[1:]}
    assert rows == ids(then) == {HALF_BIN}
    assert then["sentence"] in plain(page)
    assert then["sentence"].endswith("1 object, 1 needs attention")


async def test_a_form_without_scripts_tells_the_territory_s_own_time(
    filled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    local = to_datetime(now - HOUR).astimezone(ZoneInfo("Europe/Paris"))
    then = await shown(operator, moment=f"{local:%Y-%m-%dT%H:%M:%S}", search="school")
    assert then["moment"] == (now - HOUR) // 1_000_000 * 1000


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("", ""),
        ("yesterday", "The address names no moment that can be read: this is now."),
        ("2026-13-40T00:00", "The address names no moment that can be read: this is now."),
        ("2999-01-01T00:00:00Z", "That moment is yet to come: this is now."),
        ("2999-01-01T00:00", "That moment is yet to come: this is now."),
    ],
)
async def test_what_is_no_moment_of_the_past_is_now_and_says_so(
    operator: httpx.AsyncClient, moment: str, why: str
) -> None:
    collection = await shown(operator, moment=moment)
    assert collection["moment"] is None
    assert len(ids(collection)) == 5
    assert collection["note"] == why
    page = (await operator.get("/console/map", params={"moment": moment})).text
    assert (f"data-refused>{why}<" in page) == bool(why)


async def test_a_browser_whose_clock_is_ahead_means_now(operator: httpx.AsyncClient, now: Instant) -> None:
    collection = await shown(operator, moment=format_instant(now + 2 * MINUTE))
    assert (collection["moment"], collection["note"]) == (None, "")


async def test_before_anything_was_there_nothing_is_shown(operator: httpx.AsyncClient) -> None:
    long_ago = await shown(operator, moment=datetime(2001, 1, 1, tzinfo=UTC).isoformat())
    assert ids(long_ago) == set()


async def test_a_layer_that_is_off_is_neither_on_the_map_nor_in_the_list(operator: httpx.AsyncClient) -> None:
    collection = await shown(operator, without="waste,air")
    assert ids(collection) == {LEAKING_METER}
    assert collection["without"] == "without Waste, Air"
    counts = {layer["domain"]: (layer["n"], layer["shown"], layer["worst"]) for layer in collection["layers"]}
    assert counts["waste"] == (3, False, "bad")
    assert counts["water"] == (1, True, "bad")
    page = (await operator.get("/console/map?layer=water&layer=energy")).text
    assert page.count('<li data-id="') == 1


async def test_a_zone_that_is_drawn_narrows_the_set(operator: httpx.AsyncClient) -> None:
    collection = await shown(operator, area=AROUND_TREVALAN)
    assert ids(collection) == {FULL_BIN, HALF_BIN, STATION}
    assert collection["zone"]["type"] == "Polygon"
    assert ids(await shown(operator, area="1,2,3")) == {FULL_BIN, HALF_BIN, SILENT_BIN, LEAKING_METER, STATION}


async def test_a_zone_is_kept_under_a_name_and_forgotten(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/console/map", params={"area": AROUND_TREVALAN})).text
    form = {"form_token": form_token(page), "name": "Old town", "area": AROUND_TREVALAN}

    kept = await operator.post("/console/zones", data=form)

    assert kept.status_code == 303
    there = (await operator.get(kept.headers["location"])).text
    assert "in Old town" in there
    zone = httpx.URL(kept.headers["location"]).params["zone"]
    assert ids(await shown(operator, zone=zone)) == {FULL_BIN, HALF_BIN, STATION}
    assert zone not in ids(await shown(operator))
    gone = await operator.post("/console/zones/forget", data={"form_token": form_token(there), "zone": zone})
    assert gone.status_code == 303
    assert (await operator.get("/console/map.geojson", params={"zone": zone})).status_code == 404


async def test_a_zone_is_refused_without_a_name_or_from_a_strange_page(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/console/map", params={"area": AROUND_TREVALAN})).text
    form = {"form_token": form_token(page), "name": " ", "area": AROUND_TREVALAN}
    assert (await operator.post("/console/zones", data=form)).status_code == 400
    assert (await operator.post("/console/zones", data={**form, "name": "x", "form_token": "y"})).status_code == 403
    other = {"form_token": form_token(page), "zone": FULL_BIN}
    assert (await operator.post("/console/zones/forget", data=other)).status_code == 400


async def test_lines_and_areas_are_told_with_a_place_for_their_marker(
    platform: Platform, caller: Caller, operator: httpx.AsyncClient
) -> None:
    expand = platform.broker.contexts.parvis.expand
    line = {"type": "LineString", "coordinates": [[-3.35, 47.70], [-3.30, 47.70], [-3.30, 47.75]]}
    instances = (Instance(expand("location"), Kind.GEO_PROPERTY, line),)
    pipe = Change("urn:ngsi-ld:WaterObserved:pipe", Mode.CREATE, instances, (expand("WaterObserved"),))
    await platform.broker.write(caller, [pipe])

    told = next(one for one in (await shown(operator))["features"] if one["id"] == pipe.entity_id)

    assert told["shape"] == line
    assert told["geometry"]["coordinates"][0] == pytest.approx(-3.30, abs=0.01)
    assert pipe.entity_id in ids(await shown(operator, area="-3.32,47.69,-3.29,47.69,-3.29,47.705,-3.32,47.705"))
