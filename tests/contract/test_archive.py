"""What every store with an archive does: history is the same before, while and after days move into files."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.ports.archive import ArchiveDamaged, ArchiveFileGone, Move
from parvis.broker.query.tree import Aggregation, EntityQuery, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.buckets import Buckets
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.retention import KeepRule, Retention
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, parse_duration
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.storage import ArchiveUnreachable
from tests.contract.archiving import ARCHIVED_STORES, Archived, open_file, open_memory
from tests.contract.territory import BIN, LAMP, LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level, note

FIRST = NOON - 40 * DAY
EVERYTHING = TemporalQuery()
HOURS = range(0, 72, 6)
METHODS = tuple(Method)


@pytest.fixture(params=list(ARCHIVED_STORES))
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await ARCHIVED_STORES[request.param](request, tmp_path, Ticking())
    yield opened
    await opened.close()


@pytest.fixture
async def moved(archived: Archived) -> Archived:
    """Levels 0, 6 ... 66, written hours after FIRST, all moved into the files of three or four days."""
    await archived.store.write(TENANT, [bin_(1, *levels(*HOURS), keep_newest=True)])
    await archived.run()
    return archived


def levels(*hours: int, value: int | None = None) -> list[Any]:
    return [level(hour if value is None else value, FIRST + hour * HOUR) for hour in hours]


async def values(archived: Archived, query: TemporalQuery = EVERYTHING, number: int = 1) -> list[Any]:
    told = await archived.store.history(TENANT, bin_id(number), query)
    assert told is not None
    return [one.value for one in told.instances.get((LEVEL, ""), [])]


async def test_what_is_in_files_is_read_as_before(moved: Archived) -> None:
    files = await moved.archive.list_files()

    assert await values(moved) == list(HOURS)
    assert sum(one.file.rows for one in files) == len(HOURS)
    assert {one.partition.types for one in files} == {(BIN,)}


async def test_a_day_that_is_not_closed_stays_hot(archived: Archived) -> None:
    archived.now = FIRST + 10 * DAY
    since = [level(day, FIRST + day * DAY) for day in range(10)]
    await archived.store.write(TENANT, [bin_(1, *since, keep_newest=True)])

    await archived.run()

    assert [one.partition.day for one in await archived.archive.list_files()] == [
        FIRST // DAY, FIRST // DAY + 1, FIRST // DAY + 2
    ]  # fmt: skip
    assert await values(archived) == list(range(10))


async def test_nothing_is_moved_twice(moved: Archived) -> None:
    before = await moved.archive.list_files()

    summary = await moved.run(apart=True)

    assert (summary.days, summary.problems) == (0, ())
    assert await moved.archive.list_files() == before


async def test_windows_limits_and_the_last_n_are_joined_with_what_is_hot(moved: Archived) -> None:
    await moved.store.write(TENANT, [bin_(1, *levels(33, 100, 106), keep_newest=True)])

    since = TemporalQuery(TimeRelation.AFTER, FIRST + 30 * HOUR)
    assert await values(moved, since) == [30, 33, *range(36, 72, 6), 100, 106]
    assert await values(moved, TemporalQuery(last_n=4)) == [60, 66, 100, 106]
    assert await values(moved, TemporalQuery(limit=7)) == [0, 6, 12, 18, 24, 30, 33]
    told = await moved.store.history(TENANT, bin_id(1), TemporalQuery(limit=7))
    assert told is not None
    assert told.truncated_at == FIRST + 33 * HOUR


async def test_aggregates_add_up_over_both(archived: Archived) -> None:
    all_hot = await open_memory(archived.folder / "hot", Ticking())
    for one in (archived, all_hot):
        await one.store.write(TENANT, [bin_(1, *levels(*HOURS), keep_newest=True)])
    await archived.run()
    for one in (archived, all_hot):
        await one.store.write(
            TENANT, [bin_(1, *levels(1, 25, 90), keep_newest=True), bin_(1, level("full", FIRST + 91 * HOUR))]
        )

    daily = Aggregation(METHODS, parse_duration("PT12H"))
    for query in (EVERYTHING, TemporalQuery(TimeRelation.AFTER, FIRST + 5 * HOUR)):
        expected = await all_hot.store.aggregate(TENANT, bin_id(1), query, daily)
        found = await archived.store.aggregate(TENANT, bin_id(1), query, daily)
        assert expected is not None
        assert found is not None
        _assert_equal(found.buckets[(LEVEL, "")], expected.buckets[(LEVEL, "")])
    await all_hot.close()


async def test_a_page_of_aggregates_is_that_of_each_entity(archived: Archived) -> None:
    """Bin 1 is in files and hot, 2 in files only, 3 hot only, 4 has nothing left, 5 never was."""
    await archived.store.write(
        TENANT, [bin_(number, *levels(*HOURS[number:]), note("x"), keep_newest=True) for number in (1, 2, 4)]
    )
    await archived.store.erase(TENANT, Erasure(bin_id(2), LEVEL, before=FIRST + 20 * HOUR))
    await archived.run()
    late = [bin_(number, *levels(31, 97, value=number), keep_newest=True) for number in (1, 3)]
    await archived.store.write(TENANT, late)
    await archived.store.erase(TENANT, Erasure(bin_id(4), LEVEL))
    numbers = range(1, 6)

    since = FIRST + 5 * HOUR
    between = TemporalQuery(TimeRelation.BETWEEN, since, since + 4 * DAY, attrs=(LEVEL,))
    for query in (EVERYTHING, TemporalQuery(TimeRelation.AFTER, since), between):
        for period in ("PT7H", "P1M", "PT0S"):
            asked = Aggregation(METHODS, parse_duration(period))
            alone = [await archived.store.aggregate(TENANT, bin_id(number), query, asked) for number in numbers]
            page = await archived.store.list_aggregates(TENANT, [bin_id(number) for number in numbers], query, asked)
            assert [one.id for one in page] == [bin_id(number) for number in (1, 2, 3, 4)]
            for found, expected in zip(page, alone, strict=False):
                assert expected is not None
                assert list(found.buckets) == list(expected.buckets)
                for key, buckets in found.buckets.items():
                    _assert_equal(buckets, expected.buckets[key])

    counted = Aggregation((Method.TOTAL_COUNT, Method.SUM), parse_duration("PT0S"))
    page = await archived.store.list_aggregates(TENANT, [bin_id(2), bin_id(1)], between, counted)
    assert [one.buckets[(LEVEL, "")][0].values for one in page] == [
        {Method.TOTAL_COUNT: 8, Method.SUM: sum(range(24, 72, 6))},
        {Method.TOTAL_COUNT: 13, Method.SUM: sum(range(6, 72, 6)) + 2},
    ]


def _assert_equal(found: Buckets, expected: Buckets) -> None:
    assert [(one.start, one.end) for one in found] == [(one.start, one.end) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.values == pytest.approx(other.values), one.start


async def test_the_time_of_recording_is_found_in_files_too(moved: Archived) -> None:
    recorded = TemporalQuery(TimeRelation.AFTER, NOON - DAY, time_property=TimeProperty.MODIFIED_AT)
    earlier = TemporalQuery(TimeRelation.BEFORE, NOON - DAY, time_property=TimeProperty.MODIFIED_AT)

    assert await values(moved, recorded) == list(HOURS)
    assert await values(moved, earlier) == []


async def test_an_instance_comes_back_as_it_was(archived: Archived) -> None:
    rich = level(
        2**60 + 1,
        FIRST,
        dataset="urn:ngsi-ld:Dataset:b",
        extra={"https://example.org/by": {"type": "Property", "value": "x"}},
    )
    await archived.store.write(
        TENANT, [bin_(1, rich, note({"a": [1, None]}, observed_at=FIRST), level(True, FIRST + 1))]
    )
    before = await archived.store.history(TENANT, bin_id(1), EVERYTHING)

    await archived.run(apart=True)

    assert await archived.store.history(TENANT, bin_id(1), EVERYTHING) == before


async def test_storage_that_does_not_answer_holds_up_nothing_else(
    moved: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    await moved.store.write(TENANT, [bin_(2, *levels(1)), bin_(3, level(3))])
    answers = threading.Event()
    waiting = threading.Event()

    def standing_still(_reader: ArchiveReader, _files: object) -> NoReturn:
        waiting.set()
        answers.wait(20)
        raise ArchiveUnreachable("It does not answer.")

    monkeypatch.setattr(ArchiveReader, "cursor", standing_still)
    reads = [asyncio.create_task(values(moved)) for _ in range(9)]
    await asyncio.to_thread(waiting.wait)
    try:
        async with asyncio.timeout(5):
            assert await values(moved, number=2) == [1]
            told = await moved.store.aggregate(
                TENANT, bin_id(2), EVERYTHING, Aggregation(METHODS, parse_duration("P1D"))
            )
            assert told is not None
            assert (
                len((await moved.store.query(TENANT, EntityQuery(ids=(bin_id(1), bin_id(2), bin_id(3))))).entities) == 3
            )
    finally:
        answers.set()
        outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(one) for one in outcomes] == [ArchiveUnreachable] * 9


async def test_late_data_is_merged_into_the_day_s_file(moved: Archived) -> None:
    old = moved.files()
    await moved.store.write(TENANT, [bin_(1, *levels(1, 25), keep_newest=True)])
    joined = await values(moved)

    await moved.run()

    assert joined == await values(moved) == sorted([*HOURS, 1, 25])
    assert len(moved.files()) == len(old)
    assert len(set(moved.files()) & set(old)) == len(old) - 2


async def test_types_have_files_of_their_own(archived: Archived) -> None:
    await archived.store.write(
        TENANT,
        [
            bin_(1, level(1, FIRST)),
            bin_(2, level(2, FIRST), types=(LAMP,)),
            bin_(3, level(3, FIRST), types=(BIN, LAMP)),
        ],
    )

    await archived.run()

    assert sorted(one.partition.types for one in await archived.archive.list_files()) == [(LAMP,), (LAMP, BIN), (BIN,)]
    assert [await values(archived, number=number) for number in (1, 2, 3)] == [[1], [2], [3]]


async def test_an_entity_that_changes_its_types_keeps_its_whole_past(moved: Archived) -> None:
    await moved.store.write(TENANT, [bin_(1, *levels(1), types=(LAMP,), keep_newest=True)])

    await moved.run()

    assert await values(moved) == sorted([*HOURS, 1])


async def test_removals_are_rows_like_others(archived: Archived) -> None:
    archived.now = NOON + 20 * DAY
    await archived.store.write(TENANT, [bin_(1, level(1))])
    await archived.store.write(TENANT, [Change(bin_id(1), Mode.DELETE)])

    await archived.run()

    assert [one.file.rows for one in await archived.archive.list_files()] == [2]
    assert await values(archived) == [1]


async def test_tenants_are_kept_apart(moved: Archived) -> None:
    await moved.store.add_tenant("port")
    await moved.store.write("port", [bin_(1, level("port", FIRST))])

    await moved.run()

    assert await values(moved) == list(HOURS)
    told = await moved.store.history("port", bin_id(1), EVERYTHING)
    assert told is not None
    assert [one.value for one in told.instances[(LEVEL, "")]] == ["port"]


@pytest.mark.parametrize(
    ("erasure", "left"),
    [
        (Erasure(bin_id(1), LEVEL, before=FIRST + 30 * HOUR), list(range(30, 72, 6))),
        (Erasure(bin_id(1), LEVEL, dataset=""), []),
        (Erasure(bin_id(1), LEVEL, dataset="urn:ngsi-ld:Dataset:other"), list(HOURS)),
    ],
)
async def test_what_is_erased_is_gone_at_once_and_from_the_files_after_the_next_run(
    moved: Archived, erasure: Erasure, left: list[int]
) -> None:
    await moved.store.write(TENANT, [bin_(1, level(0, FIRST, dataset="urn:ngsi-ld:Dataset:other"))])

    await moved.store.erase(TENANT, erasure)

    assert await values(moved) == left
    await moved.store.write(TENANT, [bin_(1, level(70, FIRST + 70 * HOUR), keep_newest=True)])
    summary = await moved.run()
    assert await values(moved) == [*left, 70]
    assert (await moved.archive.list_erasures(), summary.erasures, summary.problems) == ([], 1, ())
    assert sum(one.file.rows for one in await moved.archive.list_files()) == len(left) + 1 + (erasure.dataset == "")


async def test_a_run_that_has_lost_its_turn_closes_no_erasure_that_the_next_one_does_not_know(
    moved: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run has read the day, then the day is erased, and only then the first one comes to its end."""
    close, record = moved.archive.close_erasures, moved.archive.record
    turns: list[str] = []

    async def stand_still_before_closing(*given: Any) -> int:
        if turns:
            return await close(*given)
        turns.append("next")
        await moved.store.write(TENANT, [bin_(2, level(5, FIRST + 5 * DAY))])
        monkeypatch.setattr(moved.archive, "record", lambda move: record_late(move, given))
        await moved.run()
        return 0

    async def record_late(move: Move, given: Any) -> None:
        await moved.store.erase(TENANT, Erasure(bin_id(2), LEVEL))
        await close(*given)
        await record(move)

    monkeypatch.setattr(moved.archive, "close_erasures", stand_still_before_closing)
    await moved.run()

    assert await values(moved, number=2) == []
    monkeypatch.undo()
    await moved.run()
    assert await values(moved, number=2) == []
    assert await moved.archive.list_erasures() == []


async def test_one_instance_can_be_erased(moved: Archived) -> None:
    told = await moved.store.history(TENANT, bin_id(1), EVERYTHING)
    assert told is not None
    third = told.instances[(LEVEL, "")][2]

    await moved.store.erase(TENANT, Erasure(bin_id(1), LEVEL, seq=third.seq))

    assert await values(moved) == [hour for hour in HOURS if hour != third.value]
    await moved.run()
    assert await values(moved) == [hour for hour in HOURS if hour != third.value]


async def test_an_entity_whose_whole_past_is_erased_has_none(moved: Archived) -> None:
    await moved.store.erase(TENANT, Erasure(bin_id(1)))

    assert await moved.store.history(TENANT, bin_id(1), EVERYTHING) is None
    await moved.run()
    assert await moved.store.history(TENANT, bin_id(1), EVERYTHING) is None
    assert moved.files() == []
    assert await moved.store.find(TENANT, bin_id(1)) is not None, "the present is not the past"
    await moved.store.write(TENANT, [bin_(1, level(8, FIRST), keep_newest=True)])
    assert await values(moved) == [8]


async def test_what_never_was_cannot_be_erased(moved: Archived) -> None:
    for nothing in (Erasure(bin_id(404)), Erasure(bin_id(1), NOTE), Erasure(bin_id(1), "https://example.org/never")):
        with pytest.raises(ResourceNotFound):
            await moved.store.erase(TENANT, nothing)


async def test_of_a_tenant_that_is_not_there_nothing_can_be_erased(archived: Archived) -> None:
    with pytest.raises(ResourceNotFound):
        await archived.store.erase("nowhere", Erasure(bin_id(1)))


async def test_who_was_not_told_yet_is_not_told_of_what_was_erased(archived: Archived) -> None:
    await archived.store.advance({"slow": 0})
    await archived.store.write(TENANT, [bin_(1, *levels(1, 25), keep_newest=True)])
    await archived.archive.settle()
    await archived.store.write(TENANT, [bin_(1, *levels(2, 26), keep_newest=True)])

    await archived.store.erase(TENANT, Erasure(bin_id(1), before=FIRST + 24 * HOUR))

    events = await archived.store.read(0)
    assert [[one.value for one in event.instances] for event in events] == [[25], [26]]


async def test_numbers_do_not_start_again_where_the_newest_instance_was_erased(tmp_path: Path) -> None:
    first = await open_file(tmp_path, Ticking())
    await first.store.write(TENANT, [bin_(1, level(1, FIRST))])
    await first.store.erase(TENANT, Erasure(bin_id(1)))
    await first.close()

    second = await open_file(tmp_path, Ticking())
    await second.store.write(TENANT, [bin_(1, level(2, FIRST), keep_newest=True)])

    assert await values(second) == [2]
    await second.run()
    assert await values(second) == [2]
    await second.close()


async def test_retention_lets_go_by_type_and_attribute(moved: Archived) -> None:
    await moved.store.write(TENANT, [bin_(1, note("x", observed_at=FIRST), keep_newest=True)])
    await moved.run()
    short = Retention((KeepRule(BIN, None, 90), KeepRule(BIN, LEVEL, 38)))

    await moved.run(retention=short)

    assert await values(moved) == [hour for hour in HOURS if (NOON // DAY) - (FIRST + hour * HOUR) // DAY <= 38]
    told = await moved.store.history(TENANT, bin_id(1), EVERYTHING)
    assert told is not None
    assert [one.value for one in told.instances[(NOTE, "")]] == ["x"]


async def test_what_a_rule_kept_goes_once_the_rule_is_gone(archived: Archived) -> None:
    other = "https://example.org/other"
    instances = [level(1, FIRST), note("x", observed_at=FIRST), msgspec.structs.replace(level(2, FIRST), name=other)]
    await archived.store.write(TENANT, [bin_(1, *instances, keep_newest=True)])
    by_type, for_note, for_other = KeepRule(BIN, None, 30), KeepRule(BIN, NOTE, 90), KeepRule(BIN, other, 90)
    left = []

    for rules in ((by_type, for_note, for_other), (by_type, for_note), (by_type,)):
        await archived.run(retention=Retention(rules))
        told = await archived.store.history(TENANT, bin_id(1), EVERYTHING)
        left.append([name for name, _ in told.instances] if told else [])

    assert left == [[NOTE, other], [NOTE], []]
    assert archived.files() == []


async def test_a_file_past_its_time_is_dropped_whole_and_hot_rows_never_become_one(moved: Archived) -> None:
    await moved.store.write(TENANT, [bin_(2, *levels(3), keep_newest=True)])

    summary = await moved.run(retention=Retention((KeepRule(BIN, None, 30),)))

    assert (summary.files, moved.files(), summary.problems) == (0, [], ())
    assert await values(moved) == await values(moved, number=2) == []


async def test_files_of_a_crash_are_swept_once_they_are_old(moved: Archived) -> None:
    orphan = moved.files()[0].with_name("0123.parquet")
    orphan.write_bytes(b"half")
    made = int(orphan.stat().st_mtime * SECOND)

    moved.now = made + MINUTE
    await moved.run()
    assert orphan.exists()
    moved.now = made + 2 * HOUR
    summary = await moved.run()

    assert not orphan.exists()
    assert summary.swept == 1


async def test_a_torn_file_is_told_and_not_passed_over(moved: Archived) -> None:
    torn = moved.files()[0]
    torn.write_bytes(torn.read_bytes()[:-20])

    with pytest.raises(ArchiveDamaged, match="day="):
        await moved.store.history(TENANT, bin_id(1), EVERYTHING)
    assert await values(moved, TemporalQuery(TimeRelation.AFTER, FIRST + 30 * HOUR)) == list(range(30, 72, 6))
    await moved.store.write(TENANT, [bin_(1, *levels(1, 25), keep_newest=True)])
    summary = await moved.run()
    assert len(summary.problems) == 1, "the other day is moved all the same"
    assert await values(moved, TemporalQuery(TimeRelation.AFTER, FIRST + 24 * HOUR)) == [24, 25, *range(30, 72, 6)]


async def test_a_day_too_large_for_the_engine_holds_up_no_other(archived: Archived) -> None:
    large = level("x" * 30_000_000, FIRST)
    await archived.store.write(TENANT, [bin_(1, large, level(2, FIRST + 3 * DAY), keep_newest=True)])

    summary = await archived.run(limits=Limits(threads=1, memory_mib=20, spill_mib=1))

    assert [one.partition.day for one in await archived.archive.list_files()] == [FIRST // DAY + 3]
    assert ["memory" in one for one in summary.problems] == [True]
    assert [len(str(one)) for one in await values(archived)] == [30_000_000, 1]


async def test_a_lost_file_is_told(moved: Archived) -> None:
    moved.files()[0].unlink()

    with pytest.raises(ArchiveFileGone):
        await moved.store.history(TENANT, bin_id(1), EVERYTHING)
    assert "lost" in (await moved.run()).problems[0]
