"""What every store does with the past."""

import math
from collections.abc import Awaitable, Callable

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.ports.store import EntityHistory, Store
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.kernel.errors import TooComplexQuery
from parvis.kernel.time import DAY, HOUR, MINUTE, parse_duration, parse_instant
from tests.contract.territory import LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level, note

EVERYTHING = TemporalQuery()
Ask = Callable[..., Awaitable[list[object]]]


@pytest.fixture
async def hourly(store: Store) -> Store:
    """Levels 0 to 47, an hour apart from noon on, written out of order."""
    levels = [level(number, NOON + number * HOUR) for number in range(48)]
    await store.write(TENANT, [bin_(1, *levels[24:], keep_newest=True), bin_(1, *levels[:24], keep_newest=True)])
    return store


async def history(store: Store, query: TemporalQuery = EVERYTHING) -> EntityHistory:
    found = await store.history(TENANT, bin_id(1), query)
    assert found is not None
    return found


async def values(store: Store, query: TemporalQuery = EVERYTHING) -> list[object]:
    return [one.value for one in (await history(store, query)).instances.get((LEVEL, ""), [])]


async def test_every_instance_is_kept_in_the_order_of_observation(hourly: Store) -> None:
    assert await values(hourly) == list(range(48))


async def test_an_instance_keeps_its_metadata_and_has_a_number_of_its_own(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, level(1, NOON), note({"a": [1]}))])
    await store.write(TENANT, [bin_(1, level(2, NOON + 1))])

    told = (await history(store)).instances
    first, second = told[(LEVEL, "")]

    assert (first.value, first.observed_at, first.unit_code) == (1, NOON, "P1")
    assert (second.value, second.modified_at) == (2, clock.now)
    assert told[(NOTE, "")][0].value == {"a": [1]}
    assert len({first.seq, second.seq, told[(NOTE, "")][0].seq}) == 3


async def test_relations_bound_the_time(hourly: Store) -> None:
    third = NOON + 3 * HOUR

    assert await values(hourly, TemporalQuery(TimeRelation.BEFORE, third)) == [0, 1, 2]
    assert (await values(hourly, TemporalQuery(TimeRelation.AFTER, third)))[:2] == [3, 4]
    assert await values(hourly, TemporalQuery(TimeRelation.BETWEEN, third, third + 2 * HOUR)) == [3, 4]


async def test_the_last_n_are_told_in_order(hourly: Store) -> None:
    assert await values(hourly, TemporalQuery(last_n=3)) == [45, 46, 47]


async def test_a_limit_cuts_and_says_how_far_it_came(hourly: Store) -> None:
    told = await history(hourly, TemporalQuery(limit=5))

    assert [one.value for one in told.instances[(LEVEL, "")]] == [0, 1, 2, 3, 4]
    assert told.truncated_at == NOON + 4 * HOUR


async def test_time_may_mean_when_it_was_recorded(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, level(1, NOON - DAY))])
    first = clock.now
    await store.write(TENANT, [bin_(1, level(2, NOON - 2 * DAY))])

    since = TemporalQuery(TimeRelation.AFTER, first + 1, time_property=TimeProperty.MODIFIED_AT)
    assert await values(store, since) == [2]


async def test_what_has_no_observation_time_stands_where_it_was_recorded(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, level(1))])
    recorded = clock.now

    assert await values(store, TemporalQuery(TimeRelation.BETWEEN, recorded, recorded + 1)) == [1]
    assert (await history(store)).instances[(LEVEL, "")][0].observed_at is None


async def test_attributes_and_datasets_can_be_chosen(store: Store) -> None:
    other = "urn:ngsi-ld:Dataset:b"
    await store.write(TENANT, [bin_(1, level(1), level(2, dataset=other), note("x"))])

    assert set((await history(store, TemporalQuery(attrs=(LEVEL,)))).instances) == {(LEVEL, ""), (LEVEL, other)}
    assert set((await history(store, TemporalQuery(datasets=(other,)))).instances) == {(LEVEL, other)}


async def test_history_outlives_the_entity(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, level(1))])
    await store.write(TENANT, [bin_(1, mode=Mode.DELETE)])

    told = await history(store)

    assert told.deleted_at == clock.now
    assert [one.value for one in told.instances[(LEVEL, "")]] == [1]
    assert await store.history(TENANT, bin_id(404), EVERYTHING) is None


async def test_every_mode_that_changes_a_value_leaves_a_trace(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), mode=Mode.CREATE)])
    for number, mode in enumerate((Mode.UPDATE, Mode.APPEND, Mode.PATCH_ATTRIBUTE, Mode.MERGE, Mode.REPLACE), 2):
        await store.write(TENANT, [bin_(1, level(number), mode=mode)])
    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((LEVEL, ""),))])

    assert await values(store) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("relation", [TimeRelation.AFTER, TimeRelation.BETWEEN])
async def test_periods_count_from_the_time_asked_for(hourly: Store, relation: TimeRelation) -> None:
    end = NOON + 7 * DAY if relation is TimeRelation.BETWEEN else None
    since = TemporalQuery(relation, NOON, end)

    told = await hourly.aggregate(TENANT, bin_id(1), since, Aggregation((Method.TOTAL_COUNT,), parse_duration("P1D")))

    assert told is not None
    first, second = told.buckets[(LEVEL, "")]
    assert (first.start, second.start, second.end) == (NOON, NOON + DAY, NOON + 2 * DAY)
    assert first.values[Method.TOTAL_COUNT] == 24


async def test_a_small_deviation_of_large_numbers_is_measured(store: Store) -> None:
    index = [level(12_345_678.9 + number % 2 / 10, NOON + number) for number in range(1000)]
    await store.write(TENANT, [bin_(1, *index, keep_newest=True)])

    told = await store.aggregate(TENANT, bin_id(1), EVERYTHING, Aggregation((Method.STDDEV,), parse_duration("PT0S")))

    assert told is not None
    [whole] = told.buckets[(LEVEL, "")]
    assert whole.values[Method.STDDEV] == pytest.approx(0.05, rel=1e-6)


async def test_aggregates_by_period(hourly: Store) -> None:
    methods = (Method.AVG, Method.SUM, Method.MIN, Method.MAX, Method.TOTAL_COUNT, Method.DISTINCT_COUNT, Method.STDDEV)
    by_day = Aggregation(methods, parse_duration("P1D"))

    told = await hourly.aggregate(TENANT, bin_id(1), EVERYTHING, by_day)

    assert told is not None
    first, second = told.buckets[(LEVEL, "")]
    assert (first.start, first.end, second.end) == (NOON, NOON + DAY, NOON + 2 * DAY)
    assert first.values[Method.STDDEV] == pytest.approx(math.sqrt((24**2 - 1) / 12))
    without_deviation = {method: value for method, value in first.values.items() if method is not Method.STDDEV}
    assert without_deviation == {
        Method.AVG: 11.5, Method.SUM: 276, Method.MIN: 0, Method.MAX: 23,
        Method.TOTAL_COUNT: 24, Method.DISTINCT_COUNT: 24,
    }  # fmt: skip


@pytest.mark.parametrize("period", ["PT0S", "PT1H"])
async def test_more_distinct_values_than_memory_is_meant_for_are_refused(
    hourly: Store, monkeypatch: pytest.MonkeyPatch, period: str
) -> None:
    for of_store in ("sqlite", "postgres"):
        monkeypatch.setattr(f"parvis.stores.{of_store}.temporal.MOST_DISTINCT", 40)
    asked = Aggregation((Method.DISTINCT_COUNT,), parse_duration(period))
    until = [TemporalQuery(TimeRelation.BEFORE, NOON + hours * HOUR) for hours in (40, 41)]
    told = await hourly.aggregate(TENANT, bin_id(1), until[0], asked)
    assert told is not None
    assert sum(one.values[Method.DISTINCT_COUNT] or 0 for one in told.buckets[(LEVEL, "")]) == 40
    with pytest.raises(TooComplexQuery):
        await hourly.aggregate(TENANT, bin_id(1), until[1], asked)


async def test_one_aggregate_over_everything(hourly: Store) -> None:
    whole = Aggregation((Method.AVG, Method.TOTAL_COUNT), parse_duration("PT0S"))

    told = await hourly.aggregate(TENANT, bin_id(1), TemporalQuery(TimeRelation.BEFORE, NOON + 4 * HOUR), whole)

    assert told is not None
    [bucket] = told.buckets[(LEVEL, "")]
    assert bucket.values == {Method.AVG: 1.5, Method.TOTAL_COUNT: 4}


async def test_periods_without_instances_are_left_out(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1, NOON), level(2, NOON + 5 * HOUR), keep_newest=True)])

    told = await store.aggregate(TENANT, bin_id(1), EVERYTHING, Aggregation((Method.MAX,), parse_duration("PT1H")))

    assert told is not None
    assert [bucket.start for bucket in told.buckets[(LEVEL, "")]] == [NOON, NOON + 5 * HOUR]


async def test_texts_are_counted_but_not_averaged(store: Store) -> None:
    await store.write(
        TENANT, [bin_(1, level("full", NOON), level(4, NOON + 1), level(True, NOON + 2), keep_newest=True)]
    )
    whole = Aggregation((Method.AVG, Method.TOTAL_COUNT), parse_duration("PT0S"))

    told = await store.aggregate(TENANT, bin_id(1), EVERYTHING, whole)

    assert told is not None
    [bucket] = told.buckets[(LEVEL, "")]
    assert bucket.values == {Method.AVG: 4, Method.TOTAL_COUNT: 3}


async def test_months_follow_the_calendar(store: Store) -> None:
    january, february = parse_instant("2026-01-31T10:00:00Z"), parse_instant("2026-02-28T12:00:00Z")
    await store.write(TENANT, [bin_(1, level(1, january), level(2, february), keep_newest=True)])

    told = await store.aggregate(TENANT, bin_id(1), EVERYTHING, Aggregation((Method.SUM,), parse_duration("P1M")))

    assert told is not None
    assert [bucket.start for bucket in told.buckets[(LEVEL, "")]] == [january, parse_instant("2026-02-28T10:00:00Z")]


async def test_more_periods_than_bearable_are_refused(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1, NOON), level(2, NOON + 365 * DAY), keep_newest=True)])

    with pytest.raises(TooComplexQuery):
        await store.aggregate(TENANT, bin_id(1), EVERYTHING, Aggregation((Method.SUM,), parse_duration("PT1M")))


async def test_a_minute_means_sixty_seconds() -> None:
    assert parse_duration("PT1M").micros == MINUTE
