"""A stretch of one series gives way to a few values that stand for it, in one transaction, wherever it lies."""

import pytest

from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import TemporalQuery
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.instance import FoundOutdated
from parvis.broker.temporal.mark import Mark
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import DAY, HOUR
from tests.contract.archiving import Archived
from tests.contract.territory import LEVEL, NOTE, TENANT, bin_, bin_id, level, note
from tests.contract.test_corrections import FIRST, archived, levels, placed

__all__ = ["archived", "placed"]
DAY_ONE = Erasure(bin_id(1), LEVEL, "", since=FIRST, before=FIRST + DAY)
OVER = {"https://example.org/over": {"type": "Property", "value": "P1D"}}


async def told(archived: Archived) -> list[tuple[object, int]]:
    history = await archived.store.history(TENANT, bin_id(1), TemporalQuery())
    assert history is not None
    return [(one.value, (one.seen_at - FIRST) // HOUR) for one in history.instances.get((LEVEL, ""), [])]


async def condense(archived: Archived, *instances: Instance) -> None:
    await archived.store.condense(TENANT, DAY_ONE, instances, await archived.store.mark(TENANT, DAY_ONE))


async def test_values_give_way_to_what_stands_for_them(placed: Archived) -> None:
    before = await placed.store.find(TENANT, bin_id(1))
    newest = await placed.store.newest()

    await condense(placed, level(3.0, FIRST, extra=OVER))

    for _ in range(2):
        assert await told(placed) == [(3.0, 0), (30, 30), (36, 36)]
        history = await placed.store.history(TENANT, bin_id(1), TemporalQuery())
        assert history is not None
        assert history.instances[LEVEL, ""][0].extra == OVER
        await placed.run()
    assert await placed.store.find(TENANT, bin_id(1)) == before, "the present stays"
    assert await placed.store.newest() == newest, "no event tells of it"


async def test_what_comes_later_stays_beside_it(placed: Archived) -> None:
    await condense(placed, level(3.0, FIRST))
    await placed.store.write(TENANT, [bin_(1, *levels(6), keep_newest=True)])
    assert await told(placed) == [(3.0, 0), (6, 6), (30, 30), (36, 36)]

    await condense(placed, level(4.0, FIRST))
    assert await told(placed) == [(4.0, 0), (30, 30), (36, 36)]


async def test_nothing_is_done_where_something_has_changed_since_the_mark(placed: Archived) -> None:
    async def refuse(mark: Mark) -> None:
        before = await told(placed)
        with pytest.raises(FoundOutdated):
            await placed.store.condense(TENANT, DAY_ONE, [level(3.0, FIRST)], mark)
        assert await told(placed) == before

    mark = await placed.store.mark(TENANT, DAY_ONE)
    await placed.store.write(TENANT, [bin_(1, *levels(6), keep_newest=True)])
    await refuse(mark)
    await placed.run()
    await refuse(mark)
    mark = await placed.store.mark(TENANT, DAY_ONE)
    await placed.store.erase(TENANT, Erasure(bin_id(1), LEVEL, "", since=FIRST + 6 * HOUR, before=FIRST + 7 * HOUR))
    await refuse(mark)


async def test_changes_elsewhere_are_no_reason_to_refuse(placed: Archived) -> None:
    mark = await placed.store.mark(TENANT, DAY_ONE)
    await placed.store.write(TENANT, [bin_(1, *levels(60), note("beside"), keep_newest=True)])
    await placed.store.erase(TENANT, Erasure(bin_id(1), LEVEL, "", since=FIRST + DAY, before=FIRST + 2 * DAY))

    await placed.store.condense(TENANT, DAY_ONE, [level(3.0, FIRST)], mark)

    assert await told(placed) == [(3.0, 0), (60, 60)]


async def test_where_there_is_nothing_to_give_way_nothing_is_written(archived: Archived) -> None:
    await archived.store.write(TENANT, [bin_(1, level(30, FIRST + 30 * HOUR))])

    with pytest.raises(ResourceNotFound):
        await condense(archived, level(3.0, FIRST))

    assert await told(archived) == [(30, 30)]


async def test_an_attribute_is_taken_away_only_where_it_was_seen_before(archived: Archived) -> None:
    await archived.store.write(TENANT, [bin_(1, level(30, FIRST), note("young"))])
    at = FIRST + HOUR

    async def take_away(name: str, before: int) -> Status:
        change = Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((name, "*"),), seen_before=before)
        [outcome] = await archived.store.write(TENANT, [change])
        return outcome.status

    assert await take_away(LEVEL, FIRST) is Status.UNCHANGED
    assert await take_away(NOTE, at) is Status.UNCHANGED, "it was never observed, and recorded later than that"
    assert await take_away(LEVEL, at) is Status.UPDATED
    entity = await archived.store.find(TENANT, bin_id(1))
    assert entity is not None
    assert [one.name for one in entity.instances] == [NOTE]
