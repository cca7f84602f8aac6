"""Which changes a subscription is told of: every trigger, from the write to the answer of the matcher."""

from collections.abc import AsyncIterator, Collection

import pytest
from msgspec.structs import replace

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import ALL_DATASETS, Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.parse import parse_geo, parse_q, parse_scope_q, parse_types
from parvis.broker.subscriptions.match import Matcher
from parvis.broker.subscriptions.model import (
    Endpoint,
    NotificationParams,
    Occurrence,
    Selector,
    Subscription,
    Trigger,
)
from parvis.broker.subscriptions.occurrence import Occurrences
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Right
from parvis.kernel.time import HOUR, MINUTE, Instant, parse_instant
from parvis.stores.sqlite.store import SqliteStore

NOON = parse_instant("2026-05-01T12:00:00Z")
CONTEXT = Contexts().parvis
BIN, LAMP = CONTEXT.expand("WasteContainer"), CONTEXT.expand("Streetlight")
LEVEL, STATE, PLACE = CONTEXT.expand("fillingLevel"), CONTEXT.expand("status"), CONTEXT.expand("location")
BIN_ID = "urn:ngsi-ld:WasteContainer:1"
RADAR = "urn:ngsi-ld:Dataset:radar"
EVERY = tuple(Trigger)


def level(value: float, observed_at: Instant | None = None, dataset: str = "") -> Instance:
    return Instance(LEVEL, Kind.PROPERTY, value, dataset, observed_at)


def state(value: str) -> Instance:
    return Instance(STATE, Kind.PROPERTY, value)


def place(longitude: float) -> Instance:
    return Instance(PLACE, Kind.GEO_PROPERTY, {"type": "Point", "coordinates": [longitude, 48.0]})


class Quay:
    """A store with a clock that goes on with every write, and one subscription."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.may_read: Collection[str] = (BIN, LAMP)

    async def do(self, mode: Mode, *instances: Instance, **more: object) -> None:
        given = {"types": (BIN,), **more} if mode in (Mode.CREATE, Mode.UPSERT_UPDATE) else more
        change = Change(BIN_ID, mode, instances, **given)  # type: ignore[arg-type]
        [outcome] = await self.store.write(DEFAULT_TENANT, [change])
        assert outcome.error is None

    async def told(self, subscription: Subscription, *, now: Instant = NOON, after: int = 0) -> list[Occurrence]:
        """What it is told of everything that has happened since."""
        matcher = Matcher([subscription], self._see)
        occurrences = Occurrences(self.store, self.store)
        told = []
        for event in await self.store.read(after):
            for compiled in matcher.candidates(event):
                occurrence = await occurrences.find(event, with_previous=True)
                seen = None if occurrence is None else matcher.match(compiled, occurrence, now)
                if seen is not None:
                    told.append(seen)
        return told

    def _see(self, subscription: Subscription, occurrence: Occurrence) -> Occurrence | None:
        is_seen = not set(self.may_read).isdisjoint(occurrence.entity.types)
        return occurrence if is_seen and Right.READ in subscription.reader.rights else None


@pytest.fixture
async def quay() -> AsyncIterator[Quay]:
    now = NOON

    def clock() -> Instant:
        nonlocal now
        now += MINUTE
        return now

    store = await SqliteStore.open(":memory:", clock)
    yield Quay(store)
    await store.close()


def wish(*triggers: Trigger, **more: object) -> Subscription:
    plain = Subscription(
        DEFAULT_TENANT,
        "urn:ngsi-ld:Subscription:1",
        NotificationParams(Endpoint("http://receiver.example/")),
        (Selector(parse_types("WasteContainer", CONTEXT)),),
        triggers=triggers,
        rights=OPERATOR.value,
    )
    return replace(plain, **more)


async def a_life(quay: Quay) -> None:
    """1 created, 2 updated, 3 an attribute more, 4 one less, 5 deleted."""
    await quay.do(Mode.CREATE, level(0.1))
    await quay.do(Mode.PATCH_ATTRIBUTE, level(0.2))
    await quay.do(Mode.APPEND, state("ok"))
    await quay.do(Mode.DELETE_ATTRIBUTE, removals=((STATE, ALL_DATASETS),))
    await quay.do(Mode.DELETE)


@pytest.mark.parametrize(
    ("triggers", "watched", "told"),
    [
        ((), (), [1, 2, 3]),
        ((Trigger.ENTITY_CREATED,), (), [1]),
        ((Trigger.ENTITY_UPDATED,), (), [1, 2, 3, 4, 5]),
        ((Trigger.ENTITY_DELETED,), (), [5]),
        ((Trigger.ATTRIBUTE_CREATED,), (), [1, 3]),
        ((Trigger.ATTRIBUTE_UPDATED,), (), [2]),
        ((Trigger.ATTRIBUTE_DELETED,), (), [4, 5]),
        (EVERY, (), [1, 2, 3, 4, 5]),
        ((), (STATE,), [3]),
        ((Trigger.ENTITY_CREATED,), (STATE,), []),
        ((Trigger.ENTITY_CREATED,), (LEVEL,), [1]),
        ((Trigger.ENTITY_UPDATED,), (STATE,), [3, 4]),
        ((Trigger.ATTRIBUTE_CREATED,), (STATE,), [3]),
        ((Trigger.ATTRIBUTE_UPDATED,), (STATE,), []),
        ((Trigger.ATTRIBUTE_DELETED,), (LEVEL,), [5]),
        ((Trigger.ATTRIBUTE_DELETED,), (STATE,), [4]),
        ((Trigger.ENTITY_DELETED,), (LEVEL,), [5]),
        ((Trigger.ENTITY_DELETED,), (STATE,), []),
    ],
)
async def test_every_trigger(
    quay: Quay, triggers: tuple[Trigger, ...], watched: tuple[str, ...], told: list[int]
) -> None:
    await a_life(quay)
    assert [one.seq for one in await quay.told(wish(*triggers, watched=watched))] == told


async def test_each_mode_of_writing_says_what_was_new(quay: Quay) -> None:
    await quay.do(Mode.UPSERT_UPDATE, level(0.1))
    await quay.do(Mode.UPSERT_UPDATE, level(0.2), state("ok"))
    await quay.do(Mode.REPLACE, level(0.3), types=(BIN,))
    await quay.do(Mode.MERGE, state("full"))
    await quay.do(Mode.UPSERT_REPLACE, state("worn"), types=(BIN,))

    created = await quay.told(wish(Trigger.ATTRIBUTE_CREATED))
    updated = await quay.told(wish(Trigger.ATTRIBUTE_UPDATED))
    deleted = await quay.told(wish(Trigger.ATTRIBUTE_DELETED))

    assert [(one.seq, sorted(name for name, _ in one.created)) for one in created] == [
        (1, [LEVEL]),
        (2, [STATE]),
        (4, [STATE]),
    ]
    assert [one.seq for one in updated] == [2, 3, 5]
    assert [one.seq for one in deleted] == [3, 5]


async def test_an_entity_that_comes_again_is_created_again(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.1))
    await quay.do(Mode.DELETE)
    await quay.do(Mode.CREATE, level(0.2))

    told = await quay.told(wish(Trigger.ENTITY_CREATED, Trigger.ATTRIBUTE_CREATED))

    assert [one.seq for one in told] == [1, 3]
    assert told[1].previous == ()


async def test_every_value_is_told_in_its_order_however_late(quay: Quay) -> None:
    """The store has long moved on when the events are read."""
    for value in (0.1, 0.2, 0.3):
        await quay.do(Mode.UPSERT_UPDATE, level(value), state(f"at {value}"))
    await quay.do(Mode.UPSERT_UPDATE, state("empty"))

    told = await quay.told(wish(watched=(LEVEL,)))

    seen = [(one.entity.find(LEVEL), one.entity.find(STATE)) for one in told]
    assert [(one.value, other.value) for one, other in seen if one and other] == [
        (0.1, "at 0.1"),
        (0.2, "at 0.2"),
        (0.3, "at 0.3"),
    ]
    assert [[one.value for one in occurrence.previous if one.name == LEVEL] for occurrence in told] == [
        [],
        [0.1],
        [0.2],
    ]


async def test_however_far_behind_it_is_known_what_was_before(quay: Quay) -> None:
    for number in range(200):
        await quay.do(Mode.UPSERT_UPDATE, level(number, NOON + number), state(f"at {number}"))

    told = await quay.told(wish(watched=(LEVEL,)))

    for number, occurrence in enumerate(told):
        assert {one.value for one in occurrence.entity.instances} == {number, f"at {number}"}
        before = {number - 1, f"at {number - 1}"} if number else set()
        assert {one.value for one in occurrence.previous} == before


async def test_a_batch_that_writes_an_entity_twice_tells_both_values(quay: Quay) -> None:
    changes = [Change(BIN_ID, Mode.UPSERT_UPDATE, (level(value),), (BIN,)) for value in (0.1, 0.2)]
    await quay.store.write(DEFAULT_TENANT, changes)

    told = await quay.told(wish())

    assert [one.value for occurrence in told for one in occurrence.entity.instances] == [0.1, 0.2]


async def test_a_measurement_that_comes_late_is_history_and_no_change(quay: Quay) -> None:
    told: list[Occurrence] = []
    for measured in ([level(0.5, NOON)], [level(0.1, NOON - HOUR)], [level(0.7, NOON + 1), level(0.6, NOON)]):
        await quay.do(Mode.UPSERT_UPDATE, *measured, keep_newest=True)
        told += await quay.told(wish(), after=await quay.store.newest() - 1)

    assert [one.value for occurrence in told for one in occurrence.entity.instances] == [0.5, 0.7]


async def test_a_condition_is_held_against_the_entity_as_it_was_then(quay: Quay) -> None:
    for value in (0.9, 0.2, 0.95):
        await quay.do(Mode.UPSERT_UPDATE, level(value), state("ok"))
    await quay.do(Mode.UPSERT_UPDATE, level(0.0))

    told = await quay.told(wish(q=parse_q('fillingLevel>0.8;status=="ok"', CONTEXT)))

    assert [one.seq for one in told] == [1, 3]


async def test_a_deleted_entity_is_held_against_the_condition_as_it_last_was(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.9), scopes=("/port",))
    await quay.do(Mode.DELETE)

    full = wish(Trigger.ENTITY_DELETED, q=parse_q("fillingLevel>0.8", CONTEXT), scope=parse_scope_q("/port"))
    empty = replace(full, q=parse_q("fillingLevel<0.1", CONTEXT))

    assert [one.is_deletion for one in await quay.told(full)] == [True]
    assert await quay.told(empty) == []


async def test_place_and_scope_narrow(quay: Quay) -> None:
    await quay.do(Mode.CREATE, place(-3.0), scopes=("/trevalan/port",))
    await quay.do(Mode.APPEND, place(-2.0))

    near = parse_geo("near;maxDistance==100", "Point", [-3.0, 48.0], None, CONTEXT)

    assert [one.seq for one in await quay.told(wish(geo=near))] == [1]
    assert len(await quay.told(wish(scope=parse_scope_q("/trevalan/#")))) == 2
    assert await quay.told(wish(scope=parse_scope_q("/elsewhere"))) == []


@pytest.mark.parametrize(
    ("selectors", "is_told"),
    [
        ((Selector(None),), True),
        ((Selector(parse_types("Streetlight", CONTEXT)),), False),
        ((Selector(parse_types("Streetlight,WasteContainer", CONTEXT)),), True),
        ((Selector(parse_types("WasteContainer;Streetlight", CONTEXT)),), False),
        ((Selector(parse_types("WasteContainer", CONTEXT), BIN_ID),), True),
        ((Selector(parse_types("WasteContainer", CONTEXT), "urn:x:1"),), False),
        ((Selector(parse_types("Streetlight", CONTEXT), BIN_ID),), False),
        ((Selector(None, "urn:x:1"), Selector(None, BIN_ID)), True),
        ((Selector(parse_types("WasteContainer", CONTEXT), None, ":1$"),), True),
        ((Selector(None, None, "^urn:x"),), False),
        ((), True),
    ],
)
async def test_selectors(quay: Quay, selectors: tuple[Selector, ...], is_told: bool) -> None:
    await quay.do(Mode.CREATE, level(0.5))
    assert bool(await quay.told(wish(selectors=selectors, watched=(LEVEL,)))) is is_told


async def test_one_dataset_may_be_enough(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.5))
    await quay.do(Mode.APPEND, level(0.6, dataset=RADAR))

    assert [one.seq for one in await quay.told(wish(datasets=(RADAR,)))] == [2]
    assert [one.seq for one in await quay.told(wish(datasets=("@none",)))] == [1]


async def test_who_may_not_read_it_is_not_told(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.5))
    quay.may_read = (LAMP,)
    assert await quay.told(wish()) == []
    quay.may_read = (BIN,)
    assert await quay.told(wish(rights=Right.WRITE.value)) == []
    assert len(await quay.told(wish())) == 1


async def test_another_tenant_is_not_told(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.5))
    assert await quay.told(wish(tenant="elsewhere")) == []


async def test_paused_and_expired_subscriptions_are_not_told(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.5))

    assert await quay.told(wish(is_active=False)) == []
    assert await quay.told(wish(expires_at=NOON), now=NOON) == []
    assert len(await quay.told(wish(expires_at=NOON), now=NOON - 1)) == 1


async def test_by_the_clock_is_not_by_change(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.5))
    assert await quay.told(wish(interval_s=60)) == []


def others(number: int) -> list[Subscription]:
    """None of them is meant: other bins, types, attributes and tenants, the clock, at rest."""
    kinds = (
        {"selectors": (Selector(parse_types("WasteContainer", CONTEXT), "urn:x:{}"),)},
        {"selectors": (Selector(parse_types("Streetlight", CONTEXT)),)},
        {"watched": (STATE,)},
        {"interval_s": 60.0},
        {"is_active": False},
        {"tenant": "elsewhere"},
    )
    return [wish(**kinds[one % len(kinds)]) for one in range(number)]


async def test_who_is_not_meant_is_not_even_looked_at(quay: Quay) -> None:
    await quay.do(Mode.CREATE, level(0.5))
    [event] = await quay.store.read(0)
    meant = wish(watched=(LEVEL,))

    matcher = Matcher([*others(500), meant, *others(500)], lambda _, occurrence: occurrence)

    assert [one.subscription for one in matcher.candidates(event)] == [meant]
