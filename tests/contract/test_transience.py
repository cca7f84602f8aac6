"""What is kept for a time only (NGSI-LD 1.9.1, 4.22), on every store."""

import asyncio

import pytest
from msgspec import UNSET

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, EventKind, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import Expiring, Store
from parvis.broker.query.tree import EntityQuery, TemporalQuery, TypeIs
from parvis.broker.transience import Transience
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import DAY, HOUR, Instant, format_instant
from tests.contract.territory import BIN, LEVEL, NOON, NOTE, STREET, TENANT, Ticking, bin_, bin_id, level, note

ANN = Caller(TENANT, "ann", Right.READ | Right.WRITE)
LATER = NOON + DAY
BINS = EntityQuery(types=TypeIs(BIN), count=True)


@pytest.fixture
def broker(store: Store, clock: Ticking) -> Broker:
    return Broker(store, Contexts(), clock=clock)


def until(at: Instant, instance: Instance) -> Instance:
    return Instance(
        instance.name, instance.kind, instance.value, instance.dataset, extra={"expiresAt": format_instant(at)}
    )


async def test_where_nothing_ends_nothing_is_looked_for(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, level(1)), bin_(2, mode=Mode.CREATE)])
    assert store.next_expiry is None
    assert not Transience(store, clock).is_due
    assert await store.list_expiring(LATER, 10) == []


async def test_an_entity_is_there_until_it_is_over(store: Store, broker: Broker, clock: Ticking) -> None:
    await broker.write(ANN, [bin_(1, level(1), expires_at=LATER), bin_(2, level(2))])
    assert (store.next_expiry, (await broker.get(ANN, bin_id(1))).expires_at) == (LATER, LATER)
    assert (await broker.query(ANN, BINS)).total == 2

    clock.now = LATER
    page = await broker.query(ANN, BINS)
    assert ([one.id for one in page.entities], page.total) == ([bin_id(2)], 1)
    assert await broker.find(ANN, bin_id(1)) is None
    assert await store.find(TENANT, bin_id(1)) is None
    assert store.next_expiry is None


async def test_the_end_of_an_entity_is_told_once(store: Store, broker: Broker, clock: Ticking) -> None:
    await broker.write(ANN, [bin_(1, level(1), expires_at=LATER)])
    before = await store.newest()
    clock.now = LATER
    assert await broker.find(ANN, bin_id(1)) is None
    await Transience(store, clock).settle()

    [event] = await store.read(before)
    assert (event.kind, event.entity_id, event.removed) == (EventKind.DELETED, bin_id(1), ((LEVEL, ""),))


async def test_its_past_outlives_an_entity(broker: Broker, clock: Ticking) -> None:
    await broker.write(ANN, [bin_(1, level(1), expires_at=LATER)])
    clock.now = LATER
    history = await broker.history(ANN, bin_id(1), TemporalQuery())
    assert [one.value for one in history.instances[(LEVEL, "")]] == [1]
    assert history.deleted_at is not None


async def test_who_is_over_may_come_again(broker: Broker, clock: Ticking) -> None:
    await broker.write(ANN, [bin_(1, level(1), note("old"), expires_at=LATER)])
    clock.now = LATER
    [outcome] = await broker.write(ANN, [bin_(1, level(2), mode=Mode.CREATE)])

    assert outcome.status is Status.CREATED
    entity = await broker.get(ANN, bin_id(1))
    assert [(one.name, one.value) for one in entity.instances] == [(LEVEL, 2)]
    assert (entity.expires_at, entity.due) == (None, None)


async def test_an_attribute_goes_with_its_past_and_the_rest_stays(store: Store, broker: Broker, clock: Ticking) -> None:
    await broker.write(ANN, [bin_(1, until(LATER, level(1)), note("stays"))])
    await broker.write(ANN, [Change(bin_id(1), Mode.PATCH_ATTRIBUTE, (Instance(LEVEL, Kind.PROPERTY, 2),))])
    before = await store.newest()
    assert [one.value for one in (await broker.history(ANN, bin_id(1), TemporalQuery())).instances[(LEVEL, "")]] == [
        1,
        2,
    ]

    clock.now = LATER
    entity = await broker.get(ANN, bin_id(1))
    history = await broker.history(ANN, bin_id(1), TemporalQuery())
    assert [one.name for one in entity.instances] == [NOTE]
    assert set(history.instances) == {(NOTE, "")}
    [event] = await store.read(before)
    assert (event.kind, event.instances, event.removed) == (EventKind.UPDATED, (), ((LEVEL, ""),))


async def test_what_was_told_of_it_before_it_was_to_end_stays(broker: Broker, clock: Ticking) -> None:
    await broker.write(ANN, [bin_(1, level(1), note("stays"))])
    await broker.write(ANN, [bin_(1, until(LATER, level(2)))])
    clock.now = LATER
    history = await broker.history(ANN, bin_id(1), TemporalQuery())
    assert [one.value for one in history.instances[(LEVEL, "")]] == [1]


async def test_one_dataset_ends_without_the_other(broker: Broker, clock: Ticking) -> None:
    other = until(LATER, Instance(LEVEL, Kind.PROPERTY, 2, "urn:ngsi-ld:Dataset:radar"))
    await broker.write(ANN, [bin_(1, level(1), other)])
    clock.now = LATER
    assert [one.value for one in (await broker.get(ANN, bin_id(1))).instances] == [1]


@pytest.mark.parametrize(
    ("mode", "stays"),
    [
        (Mode.UPSERT_UPDATE, True),
        (Mode.APPEND, True),
        (Mode.REPLACE_ATTRIBUTE, True),
        (Mode.REPLACE, True),
        (Mode.PATCH_ATTRIBUTE, False),
        (Mode.MERGE, False),
    ],
)
async def test_who_writes_an_attribute_anew_lets_it_stay(
    store: Store, broker: Broker, clock: Ticking, mode: Mode, stays: bool
) -> None:
    await broker.write(ANN, [bin_(1, until(LATER, level(1)))])
    await broker.write(ANN, [Change(bin_id(1), mode, (Instance(LEVEL, Kind.PROPERTY, 2),), (BIN,))])
    clock.now = LATER
    entity = await broker.get(ANN, bin_id(1))
    assert [one.value for one in entity.instances] == ([2] if stays else [])
    assert await store.list_expiring(LATER + DAY, 10) == []
    assert store.next_expiry is None


@pytest.mark.parametrize(
    ("mode", "given", "left"),
    [
        (Mode.MERGE, UNSET, LATER),
        (Mode.MERGE, None, None),
        (Mode.MERGE, LATER + DAY, LATER + DAY),
        (Mode.UPSERT_UPDATE, UNSET, LATER),
        (Mode.UPSERT_REPLACE, UNSET, None),
        (Mode.REPLACE, UNSET, None),
        (Mode.REPLACE, LATER + DAY, LATER + DAY),
    ],
)
async def test_the_end_of_an_entity_is_set_kept_and_taken_away(
    store: Store, mode: Mode, given: Instant | None, left: Instant | None
) -> None:
    await store.write(TENANT, [bin_(1, level(1), expires_at=LATER)])
    [outcome] = await store.write(TENANT, [bin_(1, level(2), mode=mode, expires_at=given)])
    assert outcome.status is Status.UPDATED
    entity = await store.find(TENANT, bin_id(1))
    assert entity is not None
    assert (entity.expires_at, entity.due) == (left, left)


async def test_an_end_alone_is_a_change_without_history(store: Store, broker: Broker) -> None:
    await store.write(TENANT, [bin_(1, level(1))])
    [outcome] = await store.write(TENANT, [Change(bin_id(1), Mode.MERGE, expires_at=LATER)])
    assert outcome.status is Status.UPDATED
    history = await broker.history(ANN, bin_id(1), TemporalQuery())
    assert [one.value for one in history.instances[(LEVEL, "")]] == [1]


async def test_what_is_due_first_is_told_first_and_no_more_than_asked_for(store: Store) -> None:
    await store.write(TENANT, [bin_(n, level(n), expires_at=LATER - n * HOUR) for n in range(1, 4)])
    assert store.next_expiry == LATER - 3 * HOUR
    assert await store.list_expiring(LATER - HOUR, 2) == [
        Expiring(TENANT, bin_id(3), True),
        Expiring(TENANT, bin_id(2), True),
    ]
    assert await store.list_expiring(LATER - 4 * HOUR, 10) == []


async def test_a_change_that_takes_nothing_away_says_so_and_puts_the_time_right(store: Store) -> None:
    await store.write(TENANT, [bin_(1, until(LATER, level(1)), until(LATER + DAY, note("longer")))])
    await store.write(TENANT, [bin_(1, level(2))])
    assert await store.list_expiring(LATER, 10) == [Expiring(TENANT, bin_id(1), whole=False)]
    [outcome] = await store.write(TENANT, [Change(bin_id(1), Mode.EXPIRE)])

    assert outcome.status is Status.UNCHANGED
    assert await store.list_expiring(LATER, 10) == []
    assert store.next_expiry == LATER + DAY


async def test_many_that_end_together_all_go(store: Store, broker: Broker, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(n, level(n), expires_at=LATER) for n in range(1, 1100)])
    await store.write(TENANT, [bin_(2000, level(1))])
    clock.now = LATER
    assert (await broker.query(ANN, BINS)).total == 1
    assert await broker.count_types(ANN) == {BIN: 1}


async def test_where_nothing_can_be_written_what_is_over_is_still_not_told(
    store: Store, broker: Broker, clock: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(TENANT, [bin_(1, level(1), expires_at=LATER), bin_(2, until(LATER, level(1)), note("stays"))])
    clock.now = LATER

    async def refuse(*_: object) -> None:
        raise Overloaded("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", refuse)
        assert await broker.find(ANN, bin_id(1)) is None
        [left] = (await broker.query(ANN, BINS)).entities
    assert [one.name for one in left.instances] == [NOTE]


async def test_a_removed_scope_leaves_the_rest(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), scopes=("/Port", "/Quay"))])
    [outcome] = await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, scopes=())])
    assert outcome.status is Status.UPDATED
    entity = await store.find(TENANT, bin_id(1))
    assert entity is not None
    assert (entity.scopes, len(entity.instances)) == ((), 1)
    [again] = await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, scopes=())])
    assert again.status is Status.FAILED


async def test_what_is_not_kept_goes(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), note("x"), Instance(STREET, Kind.PROPERTY, "quay"))])
    kept = ((LEVEL, ""), (STREET, ""))
    [outcome] = await store.write(TENANT, [Change(bin_id(1), Mode.KEEP_ATTRIBUTES, removals=kept)])
    assert outcome.status is Status.UPDATED
    entity = await store.find(TENANT, bin_id(1))
    assert entity is not None
    assert [one.name for one in entity.instances] == [LEVEL, STREET]


async def test_it_goes_when_its_time_comes_though_nobody_asks(store: Store, clock: Ticking) -> None:
    transience = Transience(store, clock)
    running = asyncio.create_task(transience.run())
    try:
        before = await store.newest()
        await store.write(TENANT, [bin_(1, level(1), expires_at=LATER)])
        clock.now = LATER
        async with asyncio.timeout(10):
            await store.wait(before + 1)
    finally:
        running.cancel()
    assert [one.kind for one in await store.read(before)] == [EventKind.CREATED, EventKind.DELETED]


async def test_two_that_take_it_away_do_so_once(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(n, level(n), expires_at=LATER) for n in range(1, 30)])
    before = await store.newest()
    clock.now = LATER
    await asyncio.gather(*(Transience(store, clock).settle() for _ in range(3)))
    assert sorted(one.entity_id for one in await store.read(before)) == sorted(bin_id(n) for n in range(1, 30))
