"""What several processes are given at once is stored once, and loses nothing."""

import asyncio

from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.time import SECOND, Instant
from tests.contract.territory import LEVEL, NOON, NOTE, TENANT, bin_, bin_id, level, note

TOLD_AT = "https://example.org/measuredAt"


def once(*instances: Instance) -> Change:
    return bin_(1, *instances, keep_newest=True, once=True)


async def told(store: Store, name: str = LEVEL) -> list[object]:
    history = await store.history(TENANT, bin_id(1), TemporalQuery())
    assert history is not None
    return [one.value for one in history.instances.get((name, ""), [])]


async def test_what_is_stored_is_not_stored_again(store: Store) -> None:
    frame = once(level(0.5, NOON), note("full", observed_at=NOON))
    first = await store.write(TENANT, [frame])
    newest = await store.newest()
    second = await store.write(TENANT, [frame])
    assert [one.status for one in (*first, *second)] == [Status.CREATED, Status.UNCHANGED]
    assert (await told(store), await told(store, NOTE)) == ([0.5], ["full"])
    assert await store.newest() == newest, "nothing happened that anybody should hear of"


async def test_those_who_write_it_at_once_store_it_once(store: Store) -> None:
    frame = once(level(1.0, NOON))
    outcomes = await asyncio.gather(*(store.write(TENANT, [frame]) for _ in range(8)))
    statuses = [one.status for (one,) in outcomes]
    assert (statuses.count(Status.CREATED), statuses.count(Status.UNCHANGED)) == (1, 7)
    assert await told(store) == [1.0]


async def test_it_is_found_however_late_it_is(store: Store) -> None:
    frames = [once(level(number, NOON + number * SECOND)) for number in range(20)]
    await store.write(TENANT, frames)
    again = await store.write(TENANT, [frames[3], once(level(3.5, NOON + 3 * SECOND)), once(level(3, NOON + 1))])
    assert [one.status for one in again] == [Status.UNCHANGED, Status.UPDATED, Status.UPDATED]
    assert len(await told(store)) == 22


async def test_of_several_moments_those_that_are_new_are_stored(store: Store) -> None:
    await store.write(TENANT, [once(level(1, NOON), level(2, NOON + SECOND))])
    (outcome,) = await store.write(TENANT, [once(level(2, NOON + SECOND), level(3, NOON + 2 * SECOND))])
    assert outcome.status is Status.UPDATED
    assert await told(store) == [1, 2, 3]


async def test_of_a_moment_that_is_told_of_in_two_parts_nothing_is_lost(store: Store) -> None:
    await store.write(TENANT, [once(level(1, NOON))])
    both = once(level(1, NOON), note("full", observed_at=NOON))
    statuses = [(await store.write(TENANT, [both]))[0].status for _ in range(2)]
    assert statuses == [Status.UPDATED, Status.UNCHANGED]
    assert (await told(store), await told(store, NOTE)) == ([1], ["full"])


async def test_nor_is_it_in_one_transaction(store: Store) -> None:
    both = once(level(1, NOON), note("full", observed_at=NOON))
    outcomes = await store.write(TENANT, [once(level(1, NOON)), both, both])
    assert [one.status for one in outcomes] == [Status.CREATED, Status.UPDATED, Status.UNCHANGED]
    assert (await told(store), await told(store, NOTE)) == ([1], ["full"])


async def test_what_says_no_moment_is_stored_each_time(store: Store) -> None:
    for _ in range(2):
        (outcome,) = await store.write(TENANT, [once(level(1, NOON), note("seen"))])
    assert outcome.status is Status.UPDATED
    assert (await told(store), await told(store, NOTE)) == ([1], ["seen", "seen"])


async def test_of_an_entity_that_is_not_there_it_fails(store: Store) -> None:
    (outcome,) = await store.write(TENANT, [bin_(1, level(1, NOON), mode=Mode.APPEND, types=None, once=True)])
    assert outcome.status is Status.FAILED


async def test_it_is_asked_of_this_tenant_only(store: Store) -> None:
    await store.add_tenant("other")
    frame = once(level(1, NOON))
    outcomes = [await store.write(tenant, [frame]) for tenant in (TENANT, "other")]
    assert [one.status for (one,) in outcomes] == [Status.CREATED, Status.CREATED]


async def test_what_two_clocks_were_corrected_differently_for_is_the_same(store: Store) -> None:
    """The time that the device told stands beside the one it was given."""

    def corrected(value: float, at: Instant, told: str) -> Change:
        extra = {TOLD_AT: {"type": "Property", "value": {"@type": "DateTime", "@value": told}}}
        return bin_(1, level(value, at, extra=extra), keep_newest=True, once=True, told_at=TOLD_AT)

    first, second = "2020-01-01T00:00:00Z", "2020-01-01T00:10:00Z"
    changes = [
        corrected(1, NOON, first),
        corrected(1, NOON + 3 * SECOND, first),
        corrected(1, NOON + 600 * SECOND, second),
        corrected(2, NOON + SECOND, first),
    ]
    outcomes = [(await store.write(TENANT, [change]))[0].status for change in changes]
    assert outcomes == [Status.CREATED, Status.UNCHANGED, Status.UPDATED, Status.UPDATED]
    assert await told(store) == [1, 2, 1]
