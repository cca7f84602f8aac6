"""Two processes write to one database at the same time, and to the same entities."""

import asyncio
import random
from itertools import pairwise

import psycopg

from parvis.broker.model.change import Change, Event, Mode, Status
from parvis.broker.model.entity import Instance
from parvis.broker.ports.store import Outrun, Progress, Store
from parvis.broker.query.tree import EntityQuery, TemporalQuery, TypeIs
from parvis.kernel.errors import AlreadyExists
from parvis.stores.postgres.store import PostgresStore
from tests.contract.territory import BIN, LEVEL, NOON, NOTE, TENANT, bin_, bin_id, level, note

Pair = tuple[PostgresStore, PostgresStore]
BINS = 12
WRITERS = 4
ROUNDS = 12


async def history(store: Store, number: int, name: str = LEVEL) -> list[Instance]:
    found = await store.history(TENANT, bin_id(number), TemporalQuery(limit=100_000))
    assert found is not None
    return sorted(found.instances.get((name, ""), []), key=lambda one: one.seq)


async def present(store: Store, number: int, name: str = LEVEL) -> Instance:
    entity = await store.find(TENANT, bin_id(number))
    assert entity is not None
    found = entity.find(name)
    assert found is not None
    return found


async def test_every_acknowledged_write_is_in_the_history_once_and_in_the_order_of_commits(pair: Pair) -> None:
    async def write(store: Store, writer: int) -> None:
        source = random.Random(writer)
        for turn in range(ROUNDS):
            mark = writer * 1000 + turn
            numbers = source.sample(range(BINS), BINS // 2)
            outcomes = await store.write(TENANT, [bin_(number, level(mark)) for number in numbers])
            assert {one.status for one in outcomes} <= {Status.CREATED, Status.UPDATED}
            acknowledged.extend((number, mark) for number in numbers)

    acknowledged: list[tuple[int, int]] = []
    await asyncio.gather(*(write(pair[writer % 2], writer) for writer in range(WRITERS)))

    told: list[tuple[int, int]] = []
    for number in range(BINS):
        instances = await history(pair[0], number)
        told += [(number, one.value) for one in instances]
        assert (await present(pair[1], number)).value == instances[-1].value
        for writer in range(WRITERS):
            mine = [one.value for one in instances if one.value // 1000 == writer]
            assert mine == sorted(mine)
    assert sorted(told) == sorted(acknowledged)


async def test_an_entity_is_created_by_one_of_those_who_try(pair: Pair) -> None:
    there = [bin_(number, level(1), mode=Mode.CREATE) for number in range(40)]

    outcomes = await asyncio.gather(pair[0].write(TENANT, there), pair[1].write(TENANT, there[::-1]))

    first, second = outcomes[0], outcomes[1][::-1]
    for one, other in zip(first, second, strict=True):
        assert {one.status, other.status} == {Status.CREATED, Status.FAILED}
        assert isinstance(one.error or other.error, AlreadyExists)
    assert await pair[0].count_types(TENANT) == {BIN: 40}


async def test_no_update_is_lost_where_changes_meet_what_is_stored(pair: Pair) -> None:
    await pair[0].write(TENANT, [bin_(number, note({"born": 1})) for number in range(3)])

    async def merge(store: Store, writer: int) -> None:
        for turn in range(ROUNDS):
            member = {f"by{writer}": turn, f"at{writer}-{turn}": True}
            await store.write(TENANT, [bin_(number, note(member), mode=Mode.MERGE) for number in range(3)])

    await asyncio.gather(*(merge(pair[writer % 2], writer) for writer in range(WRITERS)))

    members = {f"at{writer}-{turn}" for writer in range(WRITERS) for turn in range(ROUNDS)}
    latest = {f"by{writer}": ROUNDS - 1 for writer in range(WRITERS)}
    for number in range(3):
        value = (await present(pair[0], number, NOTE)).value
        assert value == {"born": 1, **dict.fromkeys(members, True), **latest}


async def test_the_newest_observation_stands_whoever_brings_it(pair: Pair) -> None:
    source = random.Random(5)
    times = [NOON + source.randrange(10_000) for _ in range(WRITERS * ROUNDS)]

    async def measure(store: Store, mine: list[int]) -> None:
        for at in mine:
            await store.write(TENANT, [bin_(1, level(at - NOON, at), keep_newest=True)])

    await asyncio.gather(*(measure(pair[writer % 2], times[writer::WRITERS]) for writer in range(WRITERS)))

    assert (await present(pair[0], 1)).observed_at == max(times)
    assert sorted(one.observed_at or 0 for one in await history(pair[1], 1)) == sorted(times)


async def test_what_was_deleted_by_one_is_not_half_alive_by_the_other(pair: Pair, prepared_postgres_url: str) -> None:
    async def delete(store: Store) -> None:
        for _ in range(ROUNDS):
            await store.write(TENANT, [bin_(number, mode=Mode.DELETE) for number in range(4)])

    async def measure(store: Store) -> None:
        for turn in range(ROUNDS):
            changes = [Change(bin_id(number), Mode.APPEND, (level(turn),)) for number in range(4)]
            await store.write(TENANT, changes)
            await store.write(TENANT, [bin_(number, note("born again")) for number in range(4)])

    await asyncio.gather(delete(pair[0]), measure(pair[1]))
    await pair[0].write(TENANT, [bin_(number, mode=Mode.DELETE) for number in range(4)])

    assert (await pair[1].query(TENANT, EntityQuery(types=TypeIs(BIN)))).entities == ()
    with psycopg.connect(prepared_postgres_url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', false)")
        assert connection.execute("SELECT count(*) FROM attribute").fetchone() == (0,)


async def test_a_reaction_of_two_processes_has_its_effects_once(pair: Pair) -> None:
    async def react(store: Store) -> int:
        wins = 0
        while (at := await store.position("counter")) < 30:
            try:
                await store.write(TENANT, [bin_(1, level(at))], Progress("counter", before=at, after=at + 1))
                wins += 1
            except Outrun:
                await asyncio.sleep(0)
        return wins

    wins = await asyncio.gather(react(pair[0]), react(pair[1]))

    assert sum(wins) == 30
    assert [one.value for one in await history(pair[0], 1)] == list(range(30))


async def test_who_follows_the_outbox_misses_nothing_while_both_write(pair: Pair) -> None:
    expected = WRITERS * ROUNDS * 3
    told: list[Event] = []

    async def follow(store: Store) -> None:
        after = 0
        while len(told) < expected:
            await store.wait(after)
            for event in await store.read(after, limit=7):
                told.append(event)
                after = event.seq

    async def write(store: Store, writer: int) -> None:
        for turn in range(ROUNDS):
            marks = [note(f"{writer}/{turn}/{part}") for part in range(3)]
            changes = [bin_(writer * 10 + part, one) for part, one in enumerate(marks)]
            await store.write(TENANT, changes)

    following = asyncio.create_task(follow(pair[0]))
    await asyncio.gather(*(write(pair[writer % 2], writer) for writer in range(WRITERS)))
    await asyncio.wait_for(following, timeout=20)

    assert [one.seq for one in told] == list(range(1, expected + 1))
    assert len({one.instances[0].value for one in told}) == expected
    assert all(earlier.instances[0].seq < later.instances[0].seq for earlier, later in pairwise(told))


async def test_names_and_tenants_of_one_are_known_to_the_other_at_once(pair: Pair) -> None:
    one, other = pair
    await one.add_tenant("quimperven")
    for turn in range(5):
        new = Instance(f"https://example.org/new-{turn}", level(1).kind, turn, dataset=f"urn:dataset:{turn}")
        await one.write("quimperven", [bin_(turn, new, types=(f"https://example.org/Type{turn}",))])
        entity = await other.find("quimperven", bin_id(turn))
        page = await other.query("quimperven", EntityQuery(types=TypeIs(f"https://example.org/Type{turn}")))

        assert entity is not None
        assert entity.find(*new.key) is not None
        assert [found.id for found in page.entities] == [bin_id(turn)]
    assert "quimperven" in await other.list_tenants()


async def test_the_same_new_name_from_both_has_one_number(pair: Pair, prepared_postgres_url: str) -> None:
    def new(turn: int) -> Instance:
        return Instance(f"https://example.org/shared-{turn}", level(1).kind, turn)

    for turn in range(6):
        await asyncio.gather(pair[0].write(TENANT, [bin_(1, new(turn))]), pair[1].write(TENANT, [bin_(2, new(turn))]))

    with psycopg.connect(prepared_postgres_url) as connection:
        names = connection.execute("SELECT count(*), count(DISTINCT text) FROM word").fetchone()
    assert names == (6, 6)


async def test_events_that_everyone_was_told_of_are_deleted(pair: Pair) -> None:
    one, other = pair
    await one.write(TENANT, [bin_(number, level(number)) for number in range(10)])
    await one.advance({"rules": 6, "live": 8})

    await one.prune(await one.newest())

    assert (await other.oldest(), await other.newest()) == (7, 10)
    await other.retire("rules")
    await other.retire("live")
    await other.prune(await other.newest())
    assert await other.oldest() == 10
