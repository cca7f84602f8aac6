"""Rows are packed and sent before the entities are locked; whatever happened to one meanwhile, the outcome is right."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from parvis.broker.model.change import Change, Event, Mode, Outcome, Status
from parvis.broker.model.entity import Entity
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.time import system_clock
from parvis.stores.postgres.apply import Applier, Headers
from parvis.stores.postgres.writer import MANY_CHANGES
from tests.contract.territory import BIN, LAMP, LEVEL, NOTE, TENANT, bin_, bin_id, level, note
from tests.stores.postgres.conftest import Pair

BINS = MANY_CHANGES
CHANGED = BINS // 2
"""The bin that somebody else changes."""
Meddle = Callable[[Store], Awaitable[object]]


def measurements(value: int, mode: Mode = Mode.UPSERT_UPDATE) -> list[Change]:
    return [bin_(number, level(value), mode=mode) for number in range(BINS)]


def widen(store: Store) -> Awaitable[object]:
    return store.write(TENANT, [bin_(CHANGED, note("also a lamp"), types=(LAMP,))])


def delete(store: Store) -> Awaitable[object]:
    return store.write(TENANT, [bin_(CHANGED, mode=Mode.DELETE)])


async def bear_again(store: Store) -> None:
    await delete(store)
    await store.write(TENANT, [bin_(CHANGED, note("born again"))])


async def found(store: Store) -> Entity:
    entity = await store.find(TENANT, bin_id(CHANGED))
    assert entity is not None
    return entity


async def levels(store: Store, number: int) -> list[object]:
    past = await store.history(TENANT, bin_id(number), TemporalQuery(limit=1000))
    assert past is not None
    instances = sorted(past.instances.get((LEVEL, ""), []), key=lambda one: one.seq)
    return [one.value for one in instances if one.value is not None]


async def last_event(store: Store) -> Event:
    """Of the changed bin."""
    told: list[Event] = []
    while page := await store.read(told[-1].seq if told else 0):
        told += page
    assert [one.seq for one in told] == list(range(1, len(told) + 1))
    return [one for one in told if one.entity_id == bin_id(CHANGED)][-1]


@pytest.fixture
def holds(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether what was sent ahead could be kept, each time."""
    seen: list[bool] = []
    hold = Applier.hold

    def watched(applier: Applier) -> bool:
        seen.append(hold(applier))
        return seen[-1]

    monkeypatch.setattr(Applier, "hold", watched)
    return seen


@contextmanager
def locked(url: str) -> Iterator[None]:
    """The changed bin is held by somebody until the block ends."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', true)")
        connection.execute("SELECT FROM entity WHERE urn = %s FOR UPDATE", (bin_id(CHANGED),))
        yield


async def waiting(url: str, count: int) -> None:
    """Until `count` writers wait for a lock."""
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'parvis writer' AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(1000):
            if connection.execute(asked).fetchone() == (count,):
                return
            await asyncio.sleep(0.01)
    raise TimeoutError


async def overtaken(pair: Pair, url: str, meddle: Meddle, changes: list[Change]) -> list[Outcome]:
    """`changes` by one process, whose look at the entities was before what the other did, and its lock after it."""
    one, other = pair
    with locked(url):
        first = asyncio.ensure_future(meddle(other))
        await waiting(url, 1)
        second = asyncio.ensure_future(one.write(TENANT, changes))
        await waiting(url, 2)
    await first
    return await second


async def test_what_nobody_else_touches_is_kept_as_it_was_sent(pair: Pair, holds: list[bool]) -> None:
    one, other = pair
    await one.write(TENANT, measurements(1))
    await one.write(TENANT, measurements(2))
    await other.write(TENANT, measurements(3, Mode.APPEND))

    assert holds == [True, True]
    assert await levels(one, 0) == await levels(other, CHANGED) == [1, 2, 3]
    assert (await last_event(one)).types == (BIN,)


async def test_a_type_that_came_in_between_stays_and_is_told(
    pair: Pair, prepared_postgres_url: str, holds: list[bool]
) -> None:
    await pair[0].write(TENANT, measurements(1))

    outcomes = await overtaken(pair, prepared_postgres_url, widen, measurements(2))

    assert {one.status for one in outcomes} == {Status.UPDATED}
    assert holds == [False]
    assert (await found(pair[1])).types == (await last_event(pair[1])).types == (LAMP, BIN)
    assert await levels(pair[1], CHANGED) == await levels(pair[1], 0) == [1, 2]


async def test_an_entity_deleted_in_between_is_born_again_with_what_is_given(
    pair: Pair, prepared_postgres_url: str, holds: list[bool]
) -> None:
    await pair[0].write(TENANT, [bin_(number, level(1), note("old")) for number in range(BINS)])
    old = await found(pair[0])

    outcomes = await overtaken(pair, prepared_postgres_url, delete, measurements(2))

    born = await found(pair[1])
    assert holds == [False]
    assert [one.status for one in outcomes].count(Status.CREATED) == 1
    assert outcomes[CHANGED].status is Status.CREATED
    assert born.find(NOTE) is None
    assert born.created_at > old.created_at


async def test_nothing_is_appended_to_an_entity_deleted_in_between(
    pair: Pair, prepared_postgres_url: str, holds: list[bool]
) -> None:
    await pair[0].write(TENANT, measurements(1))

    outcomes = await overtaken(pair, prepared_postgres_url, delete, measurements(2, Mode.APPEND))

    assert holds == [False]
    assert [one.entity_id for one in outcomes if one.status is Status.FAILED] == [bin_id(CHANGED)]
    assert await pair[1].find(TENANT, bin_id(CHANGED)) is None
    assert await levels(pair[1], 0) == [1, 2]


@pytest.mark.parametrize("meddle", [widen, delete, bear_again])
async def test_what_a_process_remembers_of_an_entity_may_be_old(pair: Pair, meddle: Meddle) -> None:
    one, other = pair
    await one.write(TENANT, measurements(1))
    await meddle(other)
    before = await other.find(TENANT, bin_id(CHANGED))

    outcomes = await one.write(TENANT, measurements(2))

    entity = await found(other)
    assert outcomes[CHANGED].status is (Status.CREATED if before is None else Status.UPDATED)
    assert {key for key in (LEVEL, NOTE) if entity.find(key)} == ({LEVEL} if before is None else {LEVEL, NOTE})
    assert entity.types == (before.types if before else (BIN,)) == (await last_event(one)).types
    assert (await levels(other, CHANGED))[-1] == 2


async def test_entities_that_another_creates_in_between_are_created_once(pair: Pair) -> None:
    one, other = pair
    outcomes = await asyncio.gather(
        one.write(TENANT, measurements(1)),
        other.write(TENANT, measurements(2)[::-1]),
        one.write(TENANT, measurements(3)),
    )

    for number in range(BINS):
        statuses = [outcomes[0][number].status, outcomes[1][::-1][number].status, outcomes[2][number].status]
        assert sorted(one.name for one in statuses) == ["CREATED", "UPDATED", "UPDATED"]
        assert sorted(map(str, await levels(one, number))) == ["1", "2", "3"]
    assert await other.count_types(TENANT) == {BIN: BINS}


async def test_an_instant_without_observed_at_is_that_of_the_lock(
    pair: Pair, prepared_postgres_url: str, holds: list[bool]
) -> None:
    one, _ = pair
    await one.write(TENANT, measurements(1))
    with locked(prepared_postgres_url):
        ahead = asyncio.ensure_future(one.write(TENANT, measurements(2)))
        await waiting(prepared_postgres_url, 1)
        released = system_clock()
    await ahead

    past = await one.history(TENANT, bin_id(CHANGED), TemporalQuery(limit=10))
    assert past is not None
    event = await last_event(one)
    entity = await found(one)
    newest = max(past.instances[LEVEL, ""], key=lambda one: one.seq)
    assert holds == [True]
    assert newest.seen_at > released
    assert newest.modified_at == newest.seen_at == entity.modified_at == event.at == event.instances[0].modified_at


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    monkeypatch.setattr("parvis.stores.postgres.apply.MAX_HEADERS", BINS + 10)
    one, _ = pair
    kept = Headers()
    monkeypatch.setattr(one._writer, "_known", kept)
    for start in range(0, 5 * BINS, BINS):
        await one.write(TENANT, [bin_(start + number, level(1)) for number in range(BINS)])
        assert len(kept.of(1)) <= BINS + 10
    outcomes = await one.write(TENANT, measurements(2))

    assert {outcome.status for outcome in outcomes} == {Status.UPDATED}
