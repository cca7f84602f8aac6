"""Years of old series brought as columns: they are history like any other, once, and in files at once."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parvis.broker.model.entity import Kind
from parvis.broker.ports.past import Brought, OldObservations, OldSeries
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.retention import KeepRule, Retention
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import DAY, HOUR, parse_duration
from parvis.stores.archive.load import Loader
from parvis.stores.archive.move import Plan
from tests.contract.archiving import AFTER_DAYS, ARCHIVED_STORES, SMALL, Archived
from tests.contract.territory import BIN, LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level

PLACE = "https://uri.etsi.org/ngsi-ld/location"
FIRST = NOON // DAY * DAY - 30 * DAY
EVERYTHING = TemporalQuery()
SOURCE = "https://example.org/source"
FROM_REGISTER = {SOURCE: {"type": "Property", "value": "register"}}


@pytest.fixture(params=list(ARCHIVED_STORES))
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await ARCHIVED_STORES[request.param](request, tmp_path, Ticking())
    await opened.store.write(TENANT, [bin_(number, level(50, NOON)) for number in (1, 2)])
    yield opened
    await opened.close()


def hourly(days: int = 3, numbers: tuple[int, ...] = (1, 2), attribute: str = LEVEL) -> OldObservations:
    """0, 1, 2 ... from FIRST on, of each bin."""
    hours = np.arange(days * 24)
    return OldObservations(
        [OldSeries(bin_id(number), attribute, unit="P1", extra=FROM_REGISTER) for number in numbers],
        np.repeat(np.arange(len(numbers), dtype=np.int32), len(hours)),
        np.tile(FIRST + hours * HOUR, len(numbers)),
        np.tile(hours.astype(float), len(numbers)),
    )


def texts(*values: str) -> OldObservations:
    times = FIRST + np.arange(len(values)) * HOUR
    column = np.array(values, object)
    return OldObservations([OldSeries(bin_id(1), NOTE)], np.zeros(len(values), np.int32), times, column)


async def bring(archived: Archived, old: OldObservations, **plan: Any) -> Brought:
    given = {"after_days": AFTER_DAYS, "limits": SMALL, "clock": lambda: archived.now, **plan}
    return await Loader(archived.archive, Plan("", archived.folder, **given)).bring(TENANT, old)


async def values(archived: Archived, number: int = 1, attribute: str = LEVEL) -> list[Any]:
    told = await archived.store.history(TENANT, bin_id(number), EVERYTHING)
    assert told is not None
    return [one.value for one in told.instances.get((attribute, ""), [])]


async def test_texts_and_numbers_of_a_day_come_in_one_file(archived: Archived) -> None:
    numbers, words = hourly(1, (1,)), texts("full", "emptied")
    both = OldObservations(
        [*numbers.series, *words.series],
        np.concatenate([numbers.of, words.of + 1]).astype(np.int32),
        np.concatenate([numbers.times, words.times]),
        np.concatenate([numbers.values, np.full(len(words), np.nan)]),
        np.array([*[None] * len(numbers), *words.values], object),
    )

    assert await bring(archived, both) == Brought(written=26, files=1)
    assert await values(archived) == [*map(float, range(24)), 50]
    assert await values(archived, attribute=NOTE) == ["full", "emptied"]
    assert await bring(archived, both) == Brought(stored_before=26)


async def test_a_text_of_a_geoproperty_is_its_geometry(archived: Archived) -> None:
    point = {"type": "Point", "coordinates": [-3.3, 47.7]}
    series, times = OldSeries(bin_id(1), PLACE, kind=Kind.GEO_PROPERTY), np.array([FIRST, FIRST + HOUR])
    texts_only = np.array([json.dumps(point)] * 2, object)
    await bring(archived, OldObservations([series], np.zeros(2, np.int32), times, texts_only))
    mixed = OldObservations([series], np.zeros(2, np.int32), times + DAY, np.zeros(2), texts_only)

    assert (await bring(archived, mixed)).written == 2
    assert await values(archived, attribute=PLACE) == [point] * 4


async def test_what_was_brought_is_history_with_its_unit_and_where_it_comes_from(archived: Archived) -> None:
    brought = await bring(archived, hourly())

    assert brought == Brought(written=144, files=3)
    assert await values(archived) == [*map(float, range(72)), 50]
    told = await archived.store.history(TENANT, bin_id(2), EVERYTHING)
    assert told is not None
    first = told.instances[(LEVEL, "")][0]
    assert (first.observed_at, first.unit_code, first.extra, first.kind) == (FIRST, "P1", FROM_REGISTER, Kind.PROPERTY)
    assert {one.partition.types for one in await archived.archive.list_files()} == {(BIN,)}


async def test_the_present_stays_and_no_event_tells_of_it(archived: Archived) -> None:
    newest = await archived.store.newest()

    await bring(archived, hourly())

    entity = await archived.store.find(TENANT, bin_id(1))
    assert entity is not None
    assert entity.find(LEVEL).value == 50  # type: ignore[union-attr]
    assert await archived.store.newest() == newest


async def test_what_is_brought_twice_is_stored_once(archived: Archived) -> None:
    await bring(archived, hourly(2))
    before = await archived.archive.list_files()

    again = await bring(archived, hourly(2))
    more = await bring(archived, hourly(3))

    assert again == Brought(stored_before=96)
    assert more == Brought(written=48, files=1, stored_before=96)
    assert set(before) < set(await archived.archive.list_files())
    assert await values(archived) == [*map(float, range(72)), 50]


async def test_a_file_that_is_there_takes_what_it_has_not(archived: Archived) -> None:
    await bring(archived, hourly(1, (1,)))

    brought = await bring(archived, hourly(1, (1, 2)))

    assert brought == Brought(written=24, files=1, stored_before=24)
    assert [one.file.rows for one in await archived.archive.list_files()] == [48]
    assert await values(archived, 2) == [*map(float, range(24)), 50]


async def test_what_the_store_holds_already_is_left_alone(archived: Archived) -> None:
    """Also where it says something else: nothing is written over it."""
    await archived.store.write(TENANT, [bin_(1, level(7, FIRST + 5 * HOUR), keep_newest=True)])

    brought = await bring(archived, hourly(1, (1,)))

    assert brought == Brought(written=23, files=1, stored_before=1)
    assert (await values(archived))[4:7] == [4.0, 7, 6.0]


async def test_what_is_late_joins_what_was_brought(archived: Archived) -> None:
    await bring(archived, hourly(1, (1,)))
    await archived.store.write(TENANT, [bin_(1, level(99, FIRST + HOUR // 2), keep_newest=True)])

    await archived.run()

    assert (await values(archived))[:3] == [0.0, 99, 1.0]
    assert [one.file.rows for one in await archived.archive.list_files()] == [25]


async def test_aggregates_count_it(archived: Archived) -> None:
    await bring(archived, hourly())

    daily = Aggregation((Method.AVG, Method.TOTAL_COUNT), parse_duration("P1D"))
    told = await archived.store.aggregate(TENANT, bin_id(1), EVERYTHING, daily)

    assert told is not None
    days = told.buckets[(LEVEL, "")][:3]
    assert [(one.values[Method.AVG], one.values[Method.TOTAL_COUNT]) for one in days] == [
        (11.5, 24), (35.5, 24), (59.5, 24)
    ]  # fmt: skip


async def test_what_is_erased_stays_erased_and_may_be_brought_anew(archived: Archived) -> None:
    await bring(archived, hourly(1, (1,)))
    await archived.store.erase(TENANT, Erasure(bin_id(1), LEVEL))
    assert await values(archived) == []

    brought = await bring(archived, hourly(1, (1,)))

    assert brought.written == 24
    assert await values(archived) == [*map(float, range(24))]


async def test_unknown_entities_days_that_are_not_over_and_no_numbers_are_counted(archived: Archived) -> None:
    old = hourly(1, (1, 3))
    times, column = np.array([NOON, FIRST, FIRST]), np.array([1.0, np.nan, 2.0])
    late = OldObservations([OldSeries(bin_id(1), LEVEL)], np.zeros(3, np.int32), times, column)

    assert await bring(archived, old) == Brought(written=24, files=1, unknown=24)
    assert await bring(archived, late) == Brought(not_over=1, unusable=1, stored_before=1)


async def test_what_is_past_its_time_is_not_brought(archived: Archived) -> None:
    keep = Retention((KeepRule(BIN, LEVEL, 29),))

    brought = await bring(archived, hourly(3, (1,)), retention=keep)

    assert brought == Brought(written=48, files=2, expired=24)


async def test_texts_integers_and_truth_values_come_back_as_they_were(archived: Archived) -> None:
    await bring(archived, texts("b", "a"))
    for attribute, column in (("n", np.array([3, 2**60])), ("t", np.array([True, False]))):
        series = [OldSeries(bin_id(2), f"https://example.org/{attribute}")]
        await bring(archived, OldObservations(series, np.zeros(2, np.int32), FIRST + np.arange(2) * HOUR, column))

    assert await values(archived, attribute=NOTE) == ["b", "a"]
    assert await values(archived, 2, "https://example.org/n") == [3, 2**60]
    assert await values(archived, 2, "https://example.org/t") == [True, False]


async def test_numbers_of_instances_are_never_given_twice(archived: Archived) -> None:
    await bring(archived, hourly(1, (1,)))
    await archived.store.write(TENANT, [bin_(1, level(51, NOON + HOUR))])

    told = await archived.store.history(TENANT, bin_id(1), EVERYTHING)

    assert told is not None
    numbers = [one.seq for one in told.instances[(LEVEL, "")]]
    assert len(set(numbers)) == 26


@pytest.mark.parametrize("stop", ["reserve", "write", "note series", "record"])
async def test_who_was_stopped_on_the_way_begins_anew(archived: Archived, stop: str) -> None:
    plan = Plan("", archived.folder, AFTER_DAYS, limits=SMALL, clock=lambda: archived.now)
    seen: list[str] = []

    def step(name: str) -> None:
        seen.append(name)
        if name == stop and seen.count(name) == (2 if stop == "record" else 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Loader(archived.archive, plan, step).bring(TENANT, hourly())
    brought = await bring(archived, hourly())

    assert brought.written + brought.stored_before == 144
    assert brought.written == (96 if stop == "record" else 144)
    assert await values(archived) == [*map(float, range(72)), 50]


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadRequestData, match="same length"):
        OldObservations([], np.zeros(1, np.int32), np.zeros(2, np.int64), np.zeros(2))
    with pytest.raises(BadRequestData, match="no series"):
        OldObservations([], np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1))
