"""History in several segments is read as if it were one."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.time import MINUTE, Instant, parse_duration
from parvis.stores.sqlite import segments
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.settle import Settler
from parvis.stores.sqlite.store import SqliteStore
from parvis.stores.sqlite.tail import Tail
from tests.contract.territory import LEVEL, NOON, TENANT, Ticking, bin_, bin_id, level


@pytest.fixture(autouse=True)
def _a_segment_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 1)


async def written(path: Path | str, rounds: Sequence[Sequence[int]]) -> SqliteStore:
    """Levels of bin 1 observed at these minutes after noon, settled round by round; the last round is not."""
    store = await SqliteStore.open(path, Ticking())
    number = 0
    for place, minutes in enumerate(rounds):
        for minute in minutes:
            number += 1
            await store.write(TENANT, [bin_(1, level(number, NOON + minute * MINUTE), keep_newest=True)])
        if place + 1 < len(rounds):
            await store._writer.settle()
    return store


def expected(rounds: Sequence[Sequence[int]]) -> list[tuple[Instant, int]]:
    minutes = [minute for one in rounds for minute in one]
    return sorted((NOON + minute * MINUTE, number) for number, minute in enumerate(minutes, 1))


async def values(store: SqliteStore, query: TemporalQuery) -> list[object]:
    told = await store.history(TENANT, bin_id(1), query)
    return [one.value for one in told.instances.get((LEVEL, ""), [])] if told else []


MINUTES = st.lists(st.integers(0, 60), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MINUTES, min_size=1, max_size=5), st.integers(0, 60), st.integers(1, 60), st.integers(1, 6))
async def test_any_question_is_answered_as_of_one_list(
    rounds: list[list[int]], first: int, length: int, most: int
) -> None:
    store = await written(":memory:", rounds)
    start, end = NOON + first * MINUTE, NOON + (first + length) * MINUTE
    everything = expected(rounds)
    inside = [value for time, value in everything if start <= time < end]
    between = TemporalQuery(TimeRelation.BETWEEN, start, end)
    recorded = TemporalQuery(time_property=TimeProperty.MODIFIED_AT)
    try:
        assert await values(store, TemporalQuery()) == [value for _, value in everything]
        assert await values(store, between) == inside
        assert await values(store, TemporalQuery(TimeRelation.BETWEEN, start, end, limit=most)) == inside[:most]
        assert await values(store, TemporalQuery(TimeRelation.BETWEEN, start, end, last_n=most)) == inside[-most:]
        assert await values(store, recorded) == sorted(value for _, value in everything)
        await check_sums(store, between, everything)
    finally:
        await store.close()


async def check_sums(store: SqliteStore, query: TemporalQuery, everything: list[tuple[Instant, int]]) -> None:
    quarters = Aggregation((Method.TOTAL_COUNT, Method.SUM, Method.MAX, Method.STDDEV), parse_duration("PT15M"))
    told = await store.aggregate(TENANT, bin_id(1), query, quarters)
    assert told is not None
    for bucket in told.buckets.get((LEVEL, ""), []):
        assert query.at is not None
        assert query.end is not None
        start, end = max(bucket.start, query.at), min(bucket.end, query.end)
        inside = [value for time, value in everything if start <= time < end]
        assert bucket.values[Method.TOTAL_COUNT] == len(inside)
        if inside:
            mean = sum(inside) / len(inside)
            deviation = (sum((one - mean) ** 2 for one in inside) / len(inside)) ** 0.5
            assert bucket.values[Method.SUM] == sum(inside)
            assert bucket.values[Method.MAX] == max(inside)
            assert bucket.values[Method.STDDEV] == pytest.approx(deviation)


async def test_an_erasure_reaches_every_segment(tmp_path: Path) -> None:
    store = await written(tmp_path / "parvis.db", [[1, 2], [3], [4, 5], [6]])
    await store.erase(TENANT, Erasure(bin_id(1), LEVEL, before=NOON + 5 * MINUTE))

    assert await values(store, TemporalQuery()) == [5, 6]
    await store.close()


def settled(connection: Connection) -> dict[int, int]:
    return dict(connection.execute("SELECT segment, count(*) FROM history GROUP BY segment"))


async def test_a_round_that_was_stopped_goes_on_in_its_segment(tmp_path: Path) -> None:
    path = tmp_path / "parvis.db"
    store = await written(path, [[1, 2, 3], [4]])
    await store.write(TENANT, [bin_(2, level(1)), bin_(3, level(1))])
    await store.close()
    connection = Database(path).connect_writer()
    stopped = Settler(connection, Tail(connection), slice_rows=1)
    stopped.step()
    assert stopped.busy

    resumed = Settler(connection, Tail(connection), slice_rows=1)
    while resumed.busy:
        resumed.step()

    assert settled(connection) == {1: 3, 2: 3}
    connection.close()


async def test_segments_that_the_archive_has_emptied_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "parvis.db"
    await (await written(path, [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]])).close()
    connection = Database(path).connect_writer()
    assert settled(connection) == {1: 4, 2: 4}
    connection.execute("DELETE FROM history WHERE segment = 1 AND ts > ?", (NOON + MINUTE,))
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 500)  # one row left is a small remainder

    Settler(connection, Tail(connection)).step()

    assert segments.list_segments(connection) == [2]
    assert settled(connection) == {2: 4 + 1 + 2}
    assert connection.execute("SELECT settled FROM segment").fetchall() == [(4 + 1 + 2,)]
    connection.close()
