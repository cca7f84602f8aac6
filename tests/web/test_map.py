import json
from typing import Any

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, EventKind, Mode
from parvis.kernel.identity import Caller
from parvis.kernel.time import HOUR
from parvis.web.changes import ChangeRenderer
from parvis.web.live import Listener, Pending
from parvis.web.site import Site
from parvis.web.wording import Wording
from tests.fakes.town import FULL_BIN, HALF_BIN, LEAKING_METER, SILENT_BIN, STATION, measured


async def shown(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/console/map.geojson{query}")
    assert answer.status_code == 200, answer.text
    collection: dict[str, Any] = json.loads(answer.content)
    return collection


def ids(collection: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in collection["features"]]


async def test_the_map_shows_everything_the_most_urgent_first(operator: httpx.AsyncClient) -> None:
    collection = await shown(operator)
    assert set(ids(collection)) == {FULL_BIN, HALF_BIN, SILENT_BIN, LEAKING_METER, STATION}
    states = [feature["properties"]["state"] for feature in collection["features"]]
    assert states == ["bad", "bad", "stale", "good", "good"]
    assert collection["sentence"] == "5 objects, 2 need attention"


async def test_who_looks_for_zones_is_led_to_them(operator: httpx.AsyncClient) -> None:
    answer = await operator.get("/console/zones")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/map")


async def test_a_feature_says_what_the_list_says(operator: httpx.AsyncClient) -> None:
    collection = await shown(operator, "?search=school")
    feature = collection["features"][0]
    assert feature["geometry"] == {"type": "Point", "coordinates": [-3.28, 47.72]}
    told = feature["properties"]
    assert (told["name"], told["where"], told["value"]) == ("School", "Waste container · Trevalan", "50%")
    assert (told["domain"], told["state"], told["rank"]) == ("waste", "good", 0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?type=waste", {FULL_BIN, HALF_BIN, SILENT_BIN}),
        ("?type=AirQualityObserved", {STATION}),
        ("?state=attention", {FULL_BIN, LEAKING_METER}),
        ("?state=stale", {SILENT_BIN}),
        ("?commune=Port", {SILENT_BIN, LEAKING_METER}),
        ("?type=WasteContainer&above=80", {FULL_BIN, SILENT_BIN}),
        ("?search=nowhere", set()),
    ],
)
async def test_filters_narrow_the_set(operator: httpx.AsyncClient, query: str, expected: set[str]) -> None:
    assert set(ids(await shown(operator, query))) == expected


async def test_list_and_map_are_the_same_set(operator: httpx.AsyncClient) -> None:
    for query in ("", "?type=waste", "?state=attention"):
        page = (await operator.get(f"/console/map{query}")).text
        rows = [part.split('"')[0] for part in page.split('<li data-id="')[1:]]
        assert rows == ids(await shown(operator, query))


async def test_a_visitor_sees_what_is_public(visitor: httpx.AsyncClient) -> None:
    assert set(ids(await shown(visitor))) == {FULL_BIN, HALF_BIN, SILENT_BIN, STATION}


async def test_the_threshold_is_offered_in_the_unit_people_read(operator: httpx.AsyncClient) -> None:
    assert (await shown(operator, "?type=WasteContainer"))["unit"] == "%"
    assert (await shown(operator, "?type=WaterConsumptionObserved"))["unit"] == "L/h"
    assert (await shown(operator, "?type=ParkingSpot"))["unit"] is None
    assert (await shown(operator))["unit"] is None


async def test_an_empty_set_says_what_to_do(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/console/map?search=nowhere")).text
    assert "No object matches this filter." in page
    assert "Show everything" in page


class Telling:
    """Renders changes as an open page would hear them."""

    def __init__(self, site: Site, caller: Caller, *, detailed: bool) -> None:
        self._expand = site.reader.expand
        self._renderer = ChangeRenderer(site, Listener(caller, frozenset()), Wording("en"), detailed)

    async def tell(self, entity_id: str, type_name: str, kind: EventKind, **values: Any) -> dict[str, Any]:
        instances = [measured(self._expand(term), *given) for term, given in values.items()]
        held = {one.key: one for one in instances}
        pending = Pending(entity_id, (self._expand(type_name),), kind, 1, 1, held)
        return (await self._renderer.render([pending]))[0]


@pytest.fixture
def site(operator: httpx.AsyncClient) -> Site:
    app = operator._transport.app._app._pages  # type: ignore[attr-defined]
    found: Site = app.state.site
    return found


async def test_a_change_of_the_headline_is_told_from_itself(site: Site, caller: Caller, now: int) -> None:
    told = await Telling(site, caller, detailed=False).tell(
        HALF_BIN, "WasteContainer", EventKind.UPDATED, fillingLevel=(0.86, now, "C62")
    )
    assert (told["value"], told["state"], told["rank"]) == ("86%", "warn", 2)
    assert "position" not in told


async def test_a_change_of_something_else_is_judged_by_the_stored_entity(site: Site, caller: Caller, now: int) -> None:
    told = await Telling(site, caller, detailed=True).tell(
        FULL_BIN, "WasteContainer", EventKind.UPDATED, temperature=(12.5, now, "CEL")
    )
    assert (told["value"], told["state"]) == ("97%", "bad")
    assert [(one["name"], one["text"], one["unit"]) for one in told["attributes"]] == [("temperature", "12.5", "°C")]
    assert told["sentence"].startswith("Fill level: 97%, measured 1 min ago. Action threshold")


@pytest.mark.parametrize("detailed", [False, True])
async def test_a_measurement_that_comes_late_does_not_take_an_open_page_back(
    platform: Platform, site: Site, caller: Caller, now: int, detailed: bool
) -> None:
    level = site.reader.expand("fillingLevel")
    listener = Listener(caller, frozenset({site.reader.expand("WasteContainer")}))
    renderer = ChangeRenderer(site, listener, Wording("en"), detailed)
    seq = await platform.broker.outbox.newest()
    for value, at in ((1.0, now), (0.74, now - 10 * HOUR)):
        one = measured(level, value, at, "C62")
        await platform.broker.write(caller, [Change(HALF_BIN, Mode.UPSERT_UPDATE, (one,), keep_newest=True)])
        for event in await platform.broker.outbox.read(seq, 9):
            listener.hear(event)
            seq = event.seq
        (told,) = await renderer.render(listener.take())
        assert (told["value"], told["at"]) == ("100%", now // 1000)
        assert [(of["text"], of["at"]) for of in told.get("attributes", ())] == [("100", now // 1000)] * detailed


async def test_a_change_says_when_its_object_falls_silent_and_what_else_it_may_decide(
    site: Site, caller: Caller, now: int
) -> None:
    page = Telling(site, caller, detailed=False)
    level = await page.tell(HALF_BIN, "WasteContainer", EventKind.UPDATED, fillingLevel=(0.5, now, "C62"))
    assert (level["stale_at"], level["number"]) == ((now + 3 * HOUR) // 1000, 50)
    assert {"created", "placed", "named"}.isdisjoint(level)
    full = await page.tell(FULL_BIN, "WasteContainer", EventKind.UPDATED, fillingLevel=(0.97, now, "C62"))
    assert full["stale_at"] is None, "what is to be acted on stays so"
    called = await page.tell(HALF_BIN, "WasteContainer", EventKind.UPDATED, name=("Old school", None))
    assert (called["named"], called["value"]) == (True, "50%")


async def test_single_objects_are_asked_for_by_id_under_the_same_filter(operator: httpx.AsyncClient) -> None:
    both = f"id={FULL_BIN}&id={HALF_BIN}"
    assert set(ids(await shown(operator, f"?{both}"))) == {FULL_BIN, HALF_BIN}
    assert ids(await shown(operator, f"?state=attention&{both}")) == [FULL_BIN]
    many = "&".join(f"id=urn:x:{number}" for number in range(101))
    assert (await operator.get(f"/console/map.geojson?{many}")).status_code == 400


async def test_features_say_when_they_fall_silent(operator: httpx.AsyncClient) -> None:
    collection = await shown(operator)
    told = {feature["id"]: feature["properties"]["stale_at"] for feature in collection["features"]}
    hours = {one: at and round((at - collection["now"]) / 3_600_000, 1) for one, at in told.items()}
    assert hours == {FULL_BIN: None, HALF_BIN: 3.0, SILENT_BIN: None, LEAKING_METER: None, STATION: 0.7}


async def test_what_was_deleted_is_gone(site: Site, caller: Caller) -> None:
    told = await Telling(site, caller, detailed=False).tell(FULL_BIN, "WasteContainer", EventKind.DELETED)
    assert told == {"id": FULL_BIN, "gone": True}


async def test_events_come_as_a_stream(platform: Platform, operator: httpx.AsyncClient, caller: Caller) -> None:
    """The ASGI transport gives an answer only when it is whole: the platform stops, and the stream ends."""
    seq = await platform.broker.outbox.newest()
    one = measured(platform.broker.contexts.parvis.expand("fillingLevel"), 0.61, None, "C62")
    await platform.broker.write(caller, [Change(HALF_BIN, Mode.APPEND, (one,))])
    platform.stopping.set()
    answer = await operator.get(f"/live/events?type=waste&after={seq}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("event: hello\nid: ")
