"""One instance of the past taken back or put right, wherever it lies: on every store with an archive."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind, number_of
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.time import DAY, HOUR, parse_duration
from tests.contract.archiving import ARCHIVED_STORES, Archived, open_file
from tests.contract.territory import LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level, note

FIRST = NOON - 40 * DAY - 6 * HOUR
HOURS = (0, 6, 30, 36)
PLACES = ("log", "settled", "archive")
OTHER = "urn:ngsi-ld:Dataset:other"


@pytest.fixture(params=list(ARCHIVED_STORES))
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await ARCHIVED_STORES[request.param](request, tmp_path, Ticking())
    yield opened
    await opened.close()


@pytest.fixture(params=PLACES)
async def placed(request: pytest.FixtureRequest, archived: Archived) -> Archived:
    """Levels of four hours of two days, in the form that the parameter names."""
    await archived.store.write(TENANT, [bin_(1, *levels(*HOURS), keep_newest=True)])
    if request.param == "settled":
        await archived.archive.settle()
    if request.param == "archive":
        await archived.run()
        assert len(archived.files()) == 2
    return archived


def levels(*hours: int) -> list[Instance]:
    return [level(hour, FIRST + hour * HOUR) for hour in hours]


async def instances(archived: Archived, name: str = LEVEL, dataset: str = "") -> list[Instance]:
    told = await archived.store.history(TENANT, bin_id(1), TemporalQuery())
    return [] if told is None else told.instances.get((name, dataset), [])


async def values(archived: Archived) -> list[Any]:
    return [one.value for one in await instances(archived)]


async def shown(archived: Archived) -> Instance:
    entity = await archived.store.find(TENANT, bin_id(1))
    assert entity is not None
    found = entity.find(LEVEL)
    assert found is not None
    return found


async def put_right(archived: Archived, place: int, value: object, **members: Any) -> int:
    wrong = (await instances(archived))[place]
    return await archived.store.correct(TENANT, Correction(bin_id(1), wrong.seq, level(value, **members)))


async def test_a_correction_holds_at_once_and_in_the_files_after_the_next_run(placed: Archived) -> None:
    before = await instances(placed)

    seq = await put_right(placed, 1, 600)

    for _ in range(2):
        after = await instances(placed)
        assert [one.value for one in after] == [0, 600, 30, 36]
        assert [one.observed_at for one in after] == [one.observed_at for one in before]
        assert [one.seq for one in after] == [before[0].seq, seq, before[2].seq, before[3].seq]
        assert after[1].modified_at > before[1].modified_at
        total = Aggregation((Method.SUM, Method.TOTAL_COUNT), parse_duration("P10D"))
        told = await placed.store.aggregate(TENANT, bin_id(1), TemporalQuery(), total)
        assert told is not None
        assert told.buckets[(LEVEL, "")][0].values == {Method.SUM: 666, Method.TOTAL_COUNT: 4}
        assert (await placed.run()).problems == ()
    assert sum(one.file.rows for one in await placed.archive.list_files()) == len(HOURS)
    assert await placed.archive.list_erasures() == []


async def test_only_the_file_of_its_day_is_made_anew(archived: Archived) -> None:
    await archived.store.write(TENANT, [bin_(1, *levels(*HOURS), keep_newest=True)])
    await archived.run()
    first, second = archived.files()

    await put_right(archived, 0, -1)
    await archived.run()

    assert second in archived.files()
    assert first not in archived.files()


async def test_the_present_stays_where_another_instance_is_the_newest(placed: Archived) -> None:
    event, present = await placed.store.newest(), await shown(placed)

    await put_right(placed, 2, 300)

    assert await shown(placed) == present
    assert await placed.store.newest() == event, "nothing of today has changed, so there is nothing to tell"


async def test_the_present_follows_the_newest_instance_and_says_so(placed: Archived) -> None:
    before = await placed.store.newest()

    for value in (360, 361):
        await put_right(placed, -1, value)

    present = await shown(placed)
    assert (present.value, present.observed_at) == (361, FIRST + 36 * HOUR)
    events = await placed.store.read(before)
    assert [[one.value for one in event.instances] for event in events[-1:]] == [[361]]
    assert len(events) == 2
    assert await values(placed) == [0, 6, 30, 361]


async def test_members_that_are_not_given_stay(placed: Archived) -> None:
    wrong = (await instances(placed))[0]

    given = Instance(LEVEL, wrong.kind, UNSET, unit_code="P1")
    await placed.store.correct(TENANT, Correction(bin_id(1), wrong.seq, given))

    right = (await instances(placed))[0]
    assert (right.value, right.unit_code, right.observed_at) == (0, "P1", wrong.observed_at)


async def test_an_instance_that_was_observed_at_another_time_moves_there(placed: Archived) -> None:
    await put_right(placed, 0, 0, observed_at=FIRST + 31 * HOUR)

    assert await values(placed) == [6, 30, 0, 36]
    await placed.run()
    assert await values(placed) == [6, 30, 0, 36]


async def test_what_was_not_observed_stays_where_it_was_recorded(archived: Archived) -> None:
    for value in (1, 2, 3):
        await archived.store.write(TENANT, [bin_(1, level(value))])
    before = await instances(archived)

    await put_right(archived, 1, 20)
    await put_right(archived, 2, 30)

    assert await values(archived) == [1, 20, 30]
    assert [one.seen_at for one in await instances(archived)] == [one.seen_at for one in before]
    assert (await shown(archived)).value == 30


async def test_the_past_of_an_entity_that_is_gone_can_be_put_right(placed: Archived) -> None:
    await placed.store.write(TENANT, [Change(bin_id(1), Mode.DELETE)])

    await put_right(placed, -1, 37)

    assert await values(placed) == [0, 6, 30, 37]
    assert await placed.store.find(TENANT, bin_id(1)) is None


async def test_datasets_are_told_apart(placed: Archived) -> None:
    await placed.store.write(TENANT, [bin_(1, level(5, FIRST, dataset=OTHER), keep_newest=True)])
    [other] = await instances(placed, dataset=OTHER)

    await placed.store.correct(TENANT, Correction(bin_id(1), other.seq, level(50)))
    with pytest.raises(BadRequestData):
        await put_right(placed, 0, 1, dataset=OTHER)

    assert [one.value for one in await instances(placed, dataset=OTHER)] == [50]
    assert await values(placed) == list(HOURS)


async def test_what_does_not_fit_leaves_the_instance_as_it_is(placed: Archived) -> None:
    wrong = (await instances(placed))[0]

    with pytest.raises(BadRequestData):
        await placed.store.correct(
            TENANT, Correction(bin_id(1), wrong.seq, Instance(LEVEL, Kind.RELATIONSHIP, "urn:x:y"))
        )

    assert (await instances(placed))[0] == wrong


async def test_an_instance_that_is_not_there_is_told_exactly(placed: Archived) -> None:
    await placed.store.write(TENANT, [bin_(1, note("x"))])
    [of_note] = await instances(placed, NOTE)
    gone = (await instances(placed))[0].seq
    await placed.store.erase(TENANT, Erasure(bin_id(1), LEVEL, seq=gone))
    await put_right(placed, 0, 7)

    for _ in range(2):
        for seq in (10**6, gone, of_note.seq):
            with pytest.raises(ResourceNotFound):
                await placed.store.erase(TENANT, Erasure(bin_id(1), LEVEL, seq=seq))
            with pytest.raises(ResourceNotFound):
                await placed.store.correct(TENANT, Correction(bin_id(1), seq, level(1)))
        assert await values(placed) == [7, 30, 36]
        await placed.run()
    for tenant, number in ((TENANT, 404), ("nowhere", 1)):
        with pytest.raises(ResourceNotFound):
            await placed.store.correct(tenant, Correction(bin_id(number), gone, level(1)))


async def test_numbers_go_on_after_a_correction_that_no_event_tells_of(tmp_path: Path) -> None:
    first = await open_file(tmp_path, Ticking())
    await first.store.write(TENANT, [bin_(1, *levels(0, 6), keep_newest=True)])
    await put_right(first, 0, 1)
    await first.close()

    second = await open_file(tmp_path, Ticking())
    await second.store.write(TENANT, [bin_(1, *levels(30), keep_newest=True)])

    assert await values(second) == [1, 6, 30]
    assert len({one.seq for one in await instances(second)}) == 3
    await second.close()


async def test_of_two_corrections_at_once_the_second_is_made_of_what_the_first_has_left(placed: Archived) -> None:
    wrong = (await instances(placed))[1]
    both = [Correction(bin_id(1), wrong.seq, level(value)) for value in (61, 62)]

    await asyncio.gather(*(placed.store.correct(TENANT, one) for one in both))

    assert await values(placed) in ([0, 61, 30, 36], [0, 62, 30, 36])
    assert number_of((await instances(placed))[1]) == wrong.seq


async def test_an_instance_is_known_by_its_first_number_wherever_it_lies(placed: Archived) -> None:
    wrong = (await instances(placed))[1]
    for value in (61, 62, 63):
        await placed.store.correct(TENANT, Correction(bin_id(1), wrong.seq, level(value)))
        await placed.run()
    assert (await values(placed), number_of((await instances(placed))[1])) == ([0, 63, 30, 36], wrong.seq)

    await placed.store.erase(TENANT, Erasure(bin_id(1), LEVEL, seq=wrong.seq))

    assert await values(placed) == [0, 30, 36]


async def test_corrections_hold_while_days_are_moved_and_made_anew(placed: Archived) -> None:
    await placed.store.write(TENANT, [bin_(1, *levels(1, 31), keep_newest=True)])
    wrong = await instances(placed)

    async def put_all_right() -> None:
        for one in wrong:
            await placed.store.correct(TENANT, Correction(bin_id(1), one.seq, level(1000 + one.value)))

    summary, _ = await asyncio.gather(placed.run(), put_all_right())

    for _ in range(2):
        assert summary.problems == ()
        assert await values(placed) == [1000, 1001, 1006, 1030, 1031, 1036]
        assert (await shown(placed)).value == 1036
        summary = await placed.run()
    assert sum(one.file.rows for one in await placed.archive.list_files()) == len(wrong)


async def test_whoever_reads_meanwhile_meets_each_instance_once(placed: Archived) -> None:
    reads: list[int] = []

    async def read_on(until: asyncio.Task[None]) -> None:
        while not until.done():
            reads.append(len(await values(placed)))
            await asyncio.sleep(0)

    async def put_right_again_and_again() -> None:
        for value in range(15):
            await put_right(placed, value % 4, value)

    writing = asyncio.create_task(put_right_again_and_again())
    await asyncio.gather(writing, *(read_on(writing) for _ in range(3)))

    assert set(reads) == {len(HOURS)}
