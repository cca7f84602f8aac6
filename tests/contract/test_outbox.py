"""What every store tells those who react."""

import asyncio

import pytest

from parvis.broker.model.change import Change, EventKind, Mode
from parvis.broker.ports.store import Outrun, Progress, Store
from tests.contract.territory import BIN, LEVEL, NOTE, TENANT, bin_, bin_id, level, note


async def test_each_change_is_told_once_and_in_order(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), note("x"))])
    await store.write(TENANT, [bin_(1, level(2)), bin_(2, mode=Mode.DELETE), bin_(1, mode=Mode.DELETE)])

    events = await store.read(0)

    assert [(one.kind, one.entity_id) for one in events] == [
        (EventKind.CREATED, bin_id(1)),
        (EventKind.UPDATED, bin_id(1)),
        (EventKind.DELETED, bin_id(1)),
    ]
    assert [one.seq for one in events] == sorted({one.seq for one in events})
    born, updated, deleted = events
    assert (born.tenant, born.types) == (TENANT, (BIN,))
    assert [(one.name, one.value) for one in born.instances] == [(LEVEL, 1), (NOTE, "x")]
    assert [(one.name, one.value) for one in updated.instances] == [(LEVEL, 2)]
    assert set(deleted.removed) == {(LEVEL, ""), (NOTE, "")}


async def test_reading_goes_on_where_it_stopped(store: Store) -> None:
    await store.write(TENANT, [bin_(number, level(number)) for number in range(5)])

    first = await store.read(0, limit=2)
    rest = await store.read(first[-1].seq)

    assert [one.entity_id for one in first + rest] == [bin_id(number) for number in range(5)]
    assert await store.newest() == rest[-1].seq


async def test_the_oldest_event_still_there_is_known(store: Store) -> None:
    assert await store.oldest() == await store.newest() + 1
    await store.write(TENANT, [bin_(1, level(1)), bin_(2, level(2))])

    assert await store.oldest() == (await store.read(0))[0].seq < await store.newest()


async def test_events_of_a_type_can_be_read_alone(store: Store) -> None:
    sensor = Change("urn:ngsi-ld:Device:1", Mode.CREATE, (note("new"),), ("urn:Device", "urn:Thing"))
    await store.write(TENANT, [bin_(1, level(1)), sensor, bin_(1, level(2))])

    assert [one.entity_id for one in await store.read(0, types=frozenset({"urn:Device"}))] == [sensor.entity_id]
    assert [one.entity_id for one in await store.read(0, types=frozenset({BIN}), limit=1)] == [bin_id(1)]
    assert await store.read(0, types=frozenset({"urn:Nothing"})) == []


async def test_events_about_an_attribute_can_be_read_alone(store: Store) -> None:
    await store.write(TENANT, [bin_(number, level(number)) for number in range(5)])
    await store.write(TENANT, [Change(bin_id(3), Mode.APPEND, (note("full"),))])
    await store.write(TENANT, [Change(bin_id(3), Mode.DELETE_ATTRIBUTE, removals=((note("").name, ""),))])
    await store.write(TENANT, [Change(bin_id(4), Mode.DELETE)])
    about_notes = frozenset({note("").name})

    about = [(one.entity_id, one.kind) for one in await store.read(0, attributes=about_notes)]
    assert about == [(bin_id(3), EventKind.UPDATED), (bin_id(3), EventKind.UPDATED), (bin_id(4), EventKind.DELETED)]
    (first,) = await store.read(0, limit=1, attributes=about_notes, types=frozenset({BIN}))
    assert first.instances[0].value == "full"
    assert len(await store.read(first.seq, limit=2, attributes=about_notes)) == 2
    assert len(await store.read(0, attributes=frozenset({"urn:nothing"}))) == 1


async def test_who_waits_is_woken_by_a_commit(store: Store) -> None:
    waiting = asyncio.create_task(store.wait(await store.newest()))
    await asyncio.sleep(0)
    assert not waiting.done()

    await store.write(TENANT, [bin_(1, level(1))])

    await asyncio.wait_for(waiting, timeout=5)


async def test_a_consumer_finds_its_place_again(store: Store) -> None:
    assert await store.position("subscriptions") == 0

    await store.advance({"subscriptions": 7, "rules": 3})
    await store.retire("rules")

    assert await store.position("subscriptions") == 7
    assert await store.position("rules") == 0


async def test_what_a_reaction_writes_is_written_once(store: Store) -> None:
    first = Progress("rules", before=0, after=4)
    await store.write(TENANT, [bin_(1, level(1))], first)

    with pytest.raises(Outrun):
        await store.write(TENANT, [bin_(1, level(2))], first)

    assert await store.position("rules") == 4
    assert [one.instances[0].value for one in await store.read(0)] == [1]


async def test_a_lease_is_held_by_one_until_it_runs_out(store: Store) -> None:
    assert await store.take("notifier", "one", for_s=60)
    assert not await store.take("notifier", "two", for_s=60)
    assert await store.take("notifier", "one", for_s=0)
    assert await store.take("notifier", "two", for_s=60)
    await store.give_back("notifier", "one")
    assert not await store.take("notifier", "one", for_s=60)
    await store.give_back("notifier", "two")
    assert await store.take("notifier", "one", for_s=60)


async def test_a_refused_change_is_not_told(store: Store) -> None:
    await store.write(TENANT, [Change(bin_id(1), Mode.UPDATE, (level(1),))])

    assert await store.read(0) == []
