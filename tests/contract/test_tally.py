"""How many are in which state, on every store: the same as whoever reads each entity would say."""

from collections import Counter
from typing import Any

import msgspec

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import Store
from parvis.broker.query.areas import Area, find_area
from parvis.broker.query.tally import ByArea, ByWord, Grade, Tallied, TallyQuery, Yardstick
from parvis.broker.query.tree import TypeIs
from parvis.kernel.time import HOUR, MINUTE
from tests.contract.territory import BIN, LAMP, LEVEL, NOON, NOTE, TENANT, bin_, bin_id, level, note

LOCATION, ZONE = "https://example.org/location", "https://example.org/refZone"
ADDRESS, ALARM = "https://example.org/address", "https://example.org/alarm"
SILENT = "https://example.org/isStale"
STICK = Yardstick(LEVEL, warn=0.8, bad=0.95, is_share=True, alarm=ALARM, silent_before=NOON - HOUR)
FRESH, OLD = NOON - MINUTE, NOON - 2 * HOUR


def at(commune: str) -> Instance:
    return Instance(ADDRESS, Kind.PROPERTY, {"addressLocality": commune, "streetAddress": "1 Quay"})


def alarm(value: Any) -> Instance:
    return Instance(ALARM, Kind.PROPERTY, value)


async def told(store: Store, *sticks: Yardstick, **more: Any) -> list[Tallied]:
    query = TallyQuery(TypeIs(BIN), ADDRESS, sticks, **more)
    (answer,) = await store.tally(TENANT, [query])
    return answer


async def counted(store: Store, *sticks: Yardstick, **more: Any) -> dict[tuple[str, Grade], int]:
    counts: Counter[tuple[str, Grade]] = Counter()
    for one in await told(store, *sticks, **more):
        counts[one.place, one.grade] += one.entities
    return dict(counts)


async def test_states_are_counted_as_they_are_judged(store: Store) -> None:
    await store.write(
        TENANT,
        [
            bin_(1, level(0.5, FRESH)),
            bin_(2, level(0.796, FRESH)),  # reads as 80 %
            bin_(3, level(0.97, OLD)),  # what is bad stays so when it grows old
            bin_(4, level(0.85, OLD)),
            bin_(5, level(0.1, FRESH), alarm(1)),
            bin_(6, level(0.1, FRESH), alarm(False)),
            bin_(7, note("never measured")),
            bin_(8, level("lots", FRESH)),
            bin_(9, alarm(True)),
        ],
    )
    assert await counted(store, STICK) == {
        ("", Grade.GOOD): 3, ("", Grade.SILENT): 2, ("", Grade.WARN): 1, ("", Grade.BAD): 3,
    }  # fmt: skip


async def test_what_tells_by_itself_whether_it_is_silent_is_believed_whatever_its_age(store: Store) -> None:
    def silent(value: Any) -> Instance:
        return Instance(SILENT, Kind.PROPERTY, value)

    await store.write(
        TENANT,
        [
            bin_(1, level(0.5, OLD), silent(False)),
            bin_(2, level(0.85, OLD), silent(False)),
            bin_(3, level(0.5, FRESH), silent(True)),
            bin_(4, level(0.85, FRESH), silent(True)),
            bin_(5, level(0.97, FRESH), silent(True)),
            bin_(6, level(0.5, OLD)),
            bin_(7, level(0.5, FRESH), silent("yes")),
        ],
    )
    states = {Grade.GOOD: 2, Grade.SILENT: 3, Grade.WARN: 1, Grade.BAD: 1}
    assert await counted(store, STICK, told_silent=SILENT) == {("", grade): n for grade, n in states.items()}
    without_period = msgspec.structs.replace(STICK, silent_before=None)
    states = {Grade.GOOD: 3, Grade.SILENT: 2, Grade.WARN: 1, Grade.BAD: 1}
    assert await counted(store, without_period, told_silent=SILENT) == {("", grade): n for grade, n in states.items()}


async def test_of_what_need_not_be_measured_only_what_is_told_to_be_silent_is(store: Store) -> None:
    def silent(value: Any) -> Instance:
        return Instance(SILENT, Kind.PROPERTY, value)

    bins = [bin_(1, note("no sensor")), bin_(2, silent(True)), bin_(3, silent(False)), bin_(4, alarm(True))]
    await store.write(TENANT, [*bins, bin_(5, level(0.1, OLD))])
    grades = {("", Grade.GOOD): 2, ("", Grade.SILENT): 2, ("", Grade.BAD): 1}
    assert await counted(store, STICK, unmeasured=Grade.GOOD, told_silent=SILENT) == grades
    grades = {("", Grade.GOOD): 3, ("", Grade.SILENT): 1, ("", Grade.BAD): 1}
    assert await counted(store, STICK, unmeasured=Grade.GOOD) == grades


async def test_numbers_come_to_something_and_say_their_unit(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(2, OLD)), bin_(2, level(5.5, FRESH)), bin_(3, level("lots", FRESH))])
    (all_good,) = await told(store, Yardstick(LEVEL))
    assert all_good == Tallied("", Grade.GOOD, 3, 2, 7.5, 2, 5.5, FRESH, "P1", FRESH)


async def test_numbers_of_different_units_are_not_added(store: Store) -> None:
    litres = Instance(LEVEL, Kind.PROPERTY, 900, unit_code="LTR")
    await store.write(TENANT, [bin_(1, level(2)), bin_(2, level(3.5)), bin_(3, litres)])
    assert {one.unit_code: one.total for one in await told(store, Yardstick(LEVEL))} == {"P1": 5.5, "LTR": 900}


async def test_the_first_attribute_that_is_there_judges(store: Store) -> None:
    words = Yardstick(NOTE, warn_words=("broken",))
    await store.write(TENANT, [bin_(1, note("broken")), bin_(2, note("fine")), bin_(3, note("broken"), level(1))])
    assert await counted(store, Yardstick(LEVEL), words) == {("", Grade.GOOD): 2, ("", Grade.WARN): 1}


async def test_low_may_be_bad(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(0.1)), bin_(2, level(0.09)), bin_(3, level(0.15)), bin_(4, level(0.2))])
    stick = Yardstick(LEVEL, warn=0.2, bad=0.1, is_low_bad=True)
    assert await counted(store, stick) == {("", Grade.BAD): 1, ("", Grade.WARN): 2, ("", Grade.GOOD): 1}


async def test_what_no_measurement_can_be_is_to_be_warned_of(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1.0)), bin_(2, level(1.4)), bin_(3, level(-0.1)), bin_(4, level("lots"))])
    stick = Yardstick(LEVEL, least=0, most=1)
    assert await counted(store, stick) == {("", Grade.WARN): 2, ("", Grade.GOOD): 2}
    (calm,) = (one for one in await told(store, Yardstick(LEVEL, warn=-5, is_low_bad=True, most=1)) if not one.grade)
    assert calm.entities == 3


async def test_how_many_were_measured_since_is_told_of_what_says_when(store: Store) -> None:
    undated = Instance(LEVEL, Kind.PROPERTY, 7)
    await store.write(TENANT, [bin_(1, level(1, OLD)), bin_(2, level(2, FRESH)), bin_(3, undated), bin_(4, note("-"))])
    rows = await told(store, Yardstick(LEVEL), since=(OLD, OLD + 1, FRESH + 1))
    assert [sum(counts) for counts in zip(*(row.since for row in rows), strict=True)] == [2, 1, 0]
    assert max(row.measured for row in rows if row.measured is not None) == FRESH


async def test_places_are_told_apart(store: Store) -> None:
    odd = Instance(ADDRESS, Kind.PROPERTY, "{no object")
    await store.write(
        TENANT,
        [
            bin_(1, level(1), at("Port")),
            bin_(2, level(3), at("Port")),
            bin_(3, level(5), at("O'Hara % \u00e9")),
            bin_(4, level(7), odd, scopes=("/agglo/Penhoat",)),
            bin_(5, level(9)),
        ],
    )
    by_place = await told(store, Yardstick(LEVEL), by_place=True)
    assert {one.place: one.total for one in by_place} == {"": 9, "/agglo/Penhoat": 7, "O'Hara % \u00e9": 5, "Port": 4}
    for place, total in (("Port", 4), ("Penhoat", 7), ("O'Hara % \u00e9", 5)):
        assert [one.total for one in await told(store, Yardstick(LEVEL), place=place)] == [total]
    assert await told(store, Yardstick(LEVEL), place="%") == []


async def test_what_is_gone_or_of_another_kind_is_not_counted(store: Store) -> None:
    lamp = Change("urn:ngsi-ld:Streetlight:1", Mode.CREATE, (level(1),), (LAMP,))
    await store.write(TENANT, [bin_(1, level(1)), bin_(2, level(1)), lamp])
    await store.write(TENANT, [Change(bin_id(2), Mode.DELETE)])
    assert await counted(store) == {("", Grade.GOOD): 1}
    unknown = TallyQuery(TypeIs("https://example.org/Nothing"), ADDRESS)
    assert await store.tally(TENANT, [unknown]) == [[]]
    assert await store.tally("nobody", [unknown]) == [[]]


def standing(longitude: float, latitude: float) -> Instance:
    return Instance(LOCATION, Kind.GEO_PROPERTY, {"type": "Point", "coordinates": [longitude, latitude]})


def square(west: float, south: float, side: float) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def area(area_id: str, *polygons: list[list[list[float]]]) -> Area:
    found = find_area(area_id, {"type": "MultiPolygon", "coordinates": list(polygons)})
    assert found is not None
    return found


async def by_zone(store: Store, zones: ByArea | ByWord) -> dict[str, float]:
    return {one.place: one.total for one in await told(store, Yardstick(LEVEL), zones=zones)}


async def test_areas_are_counted_by_what_stands_in_them(store: Store) -> None:
    road = {"type": "LineString", "coordinates": [[4.0, 0.5], [6.0, 0.5]]}
    await store.write(
        TENANT,
        [
            bin_(1, level(1), standing(0.5, 0.5)),
            bin_(2, level(2), standing(2.5, 2.5)),  # in the hole of one, and in the other
            bin_(3, level(4), standing(1.0, 3.0)),
            bin_(4, level(8), standing(9.5, 0.5)),  # in the second part
            bin_(5, level(16), standing(-1.0, 0.5)),
            bin_(6, level(32)),
            bin_(7, level(64), Instance(LOCATION, Kind.GEO_PROPERTY, road)),
            bin_(8, level(128), standing(0.0, 0.0)),  # on a corner
        ],
    )
    ring = area("urn:ring", [square(0, 0, 4), square(2, 2, 1)], [square(9, 0, 1)])
    inner, east = area("urn:inner", [square(2, 2, 1)]), area("urn:O'East % \u00e9", [square(4.9, 0, 1)])
    assert await by_zone(store, ByArea(LOCATION, (ring, inner, east))) == {
        "urn:ring": 1 + 4 + 8 + 128, "urn:inner": 2, "urn:O'East % \u00e9": 64, "": 16 + 32,
    }  # fmt: skip
    assert await by_zone(store, ByArea(LOCATION, ())) == {"": 255}


async def test_what_is_related_is_counted_by_what_it_is_related_to(store: Store) -> None:
    def related(*objects: str) -> Instance:
        return Instance(ZONE, Kind.RELATIONSHIP, objects[0] if len(objects) == 1 else list(objects))

    await store.write(
        TENANT,
        [
            bin_(1, level(1), related("urn:a")),
            bin_(2, level(2), related("urn:a", "urn:b")),
            bin_(3, level(4)),
            bin_(4, level(8), Instance(ZONE, Kind.PROPERTY, "Quay % O'Hara")),
            bin_(5, level(16), Instance(ZONE, Kind.PROPERTY, 7)),
            bin_(6, level(32), Instance(ZONE, Kind.PROPERTY, {"not": "a word"})),
        ],
    )
    assert await by_zone(store, ByWord(ZONE)) == {"urn:a": 3, "urn:b": 2, "Quay % O'Hara": 8, "": 4 + 16 + 32}
    assert await by_zone(store, ByWord("https://example.org/unheard")) == {"": 63}
