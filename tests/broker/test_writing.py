"""What waits for a store's one thread: bounded, in order, and everybody is answered."""

import asyncio
import queue

import pytest

from parvis.broker import writing
from parvis.broker.model.change import Change, Mode, Outcome
from parvis.broker.writing import Call, WriteQueue
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import DEFAULT_TENANT


def changes(number: int) -> list[Change]:
    return [Change(f"urn:x:{one}", Mode.APPEND) for one in range(number)]


async def waiting(front: WriteQueue[str], *sizes: int) -> list["asyncio.Task[list[Outcome]]"]:
    tasks = [asyncio.create_task(front.write(DEFAULT_TENANT, changes(size), None)) for size in sizes]
    await asyncio.sleep(0)
    return tasks


def sizes_of(group: list[Call]) -> list[int]:
    return [len(call.changes) for call in group]


def first_call(front: WriteQueue[str]) -> Call:
    item = front.get(0)
    assert isinstance(item, Call)
    return item


async def test_calls_that_wait_share_a_group_up_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_GROUP_CHANGES", 5)
    front = WriteQueue[str]()
    tasks = await waiting(front, 2, 2, 2, 2)

    groups = [front.group(first_call(front)), front.group(first_call(front))]

    assert list(map(sizes_of, groups)) == [[2, 2, 2], [2]]
    for group in groups:
        front.answer([(call, []) for call in group])
    assert await asyncio.gather(*tasks) == [[]] * 4
    assert front.pending_changes == 0


async def test_what_else_is_to_be_done_keeps_its_place() -> None:
    front = WriteQueue[str]()
    before = await waiting(front, 1)
    front.put("look")
    after = await waiting(front, 1)

    group = front.group(first_call(front))

    assert sizes_of(group) == [1]
    assert front.get(0) == "look"
    front.answer([(call, []) for call in (*group, first_call(front))])
    await asyncio.gather(*before, *after)
    with pytest.raises(queue.Empty):
        front.get(0)


async def test_one_call_larger_than_the_bound_is_taken_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_PENDING_CHANGES", 3)
    front = WriteQueue[str]()
    [large] = await waiting(front, 4)

    with pytest.raises(Overloaded, match="4 changes wait"):
        await front.write(DEFAULT_TENANT, changes(1), None)

    front.answer([(first_call(front), [])])
    assert await large == []


async def test_who_still_waits_at_the_end_is_told() -> None:
    front = WriteQueue[str]()
    first, second = await waiting(front, 1, 1)
    front.put("look")
    front.is_closed = True

    left = front.drain()

    front.answer([(call, Overloaded("It has stopped.")) for call in left if isinstance(call, Call)])
    for task in (first, second):
        with pytest.raises(Overloaded, match="stopped"):
            await task
    with pytest.raises(Overloaded, match="closing"):
        await front.write(DEFAULT_TENANT, changes(1), None)


async def test_the_answer_to_who_no_longer_waits_is_dropped() -> None:
    front = WriteQueue[str]()
    [task] = await waiting(front, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    front.answer([(first_call(front), [])])

    assert front.pending_changes == 0
