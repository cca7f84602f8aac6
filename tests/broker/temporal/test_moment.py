"""The territory at an instant of its past, as a caller may see it."""

from collections.abc import AsyncIterator, Iterable

import pytest

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import AttributeKey, Entity, Instance, Kind
from parvis.broker.query.tree import AnyType, TypeIs
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import DEFAULT_TENANT, NOBODY, OPERATOR, Caller, Right
from parvis.kernel.time import DAY, HOUR, Instant
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import BIN, LAMP, LEVEL, NOON, NOTE, PLACE, Ticking, bin_, bin_id, level, note, place

OPERATING = Caller(DEFAULT_TENANT, "operator", OPERATOR)
RESIDENT = Caller(DEFAULT_TENANT, "resident", Right.READ_PUBLIC)
EXCLUDED = Caller(DEFAULT_TENANT, "nobody", NOBODY)
EVERYTHING = AnyType((TypeIs(BIN), TypeIs(LAMP)))
SIX = NOON - DAY


def judged(_entity: Entity) -> Iterable[AttributeKey]:
    return ((LEVEL, ""), (PLACE, ""))


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:", Ticking())
    yield store
    await store.close()


@pytest.fixture
def broker(store: SqliteStore) -> Broker:
    return Broker(store, Contexts(), frozenset({BIN}))


async def at(broker: Broker, moment: Instant, caller: Caller = OPERATING, most: int = 100) -> dict[str, Entity]:
    found = (await broker.list_moment(caller, EVERYTHING, moment, judged, most)).entities
    return {one.id: one for one in found}


async def fill(broker: Broker, number: int, *hours: int) -> None:
    readings = (level(hour, SIX + hour * HOUR) for hour in hours)
    change = bin_(number, *readings, note("at the port"), place(1, 2), keep_newest=True)
    await broker.write(OPERATING, [change])


async def test_what_is_measured_is_told_as_it_was_and_the_rest_as_it_is(broker: Broker) -> None:
    await fill(broker, 1, 0, 1, 2, 3)

    then = (await at(broker, SIX + 2 * HOUR))[bin_id(1)]

    shown = {one.name: one.value for one in then.instances}
    assert (shown[LEVEL], shown[NOTE]) == (2, "at the port")
    assert shown[PLACE] == {"type": "Point", "coordinates": [1, 2]}


async def test_what_was_not_there_yet_is_left_out(broker: Broker) -> None:
    await fill(broker, 1, 5)

    assert await at(broker, SIX) == {}
    assert list(await at(broker, SIX + 5 * HOUR)) == [bin_id(1)]


async def test_what_was_there_and_silent_has_no_value(broker: Broker, store: SqliteStore) -> None:
    await broker.write(OPERATING, [bin_(1, note("new"))])
    created = (await broker.get(OPERATING, bin_id(1))).created_at
    await fill(broker, 1, 48)

    then = (await at(broker, created))[bin_id(1)]
    assert then.find(LEVEL) is None
    assert then.find(NOTE) is not None


async def test_what_moves_is_where_it_was(broker: Broker) -> None:
    for hour in range(3):
        spot = {"type": "Point", "coordinates": [hour, 0]}
        seen = Instance(PLACE, Kind.GEO_PROPERTY, spot, observed_at=SIX + hour * HOUR)
        await broker.write(OPERATING, [bin_(1, seen)])

    then = (await at(broker, SIX + HOUR))[bin_id(1)].find(PLACE)
    assert then is not None
    assert then.value["coordinates"] == [1, 0]


async def test_what_was_deleted_since_was_there(broker: Broker) -> None:
    await fill(broker, 1, 0, 1)
    await broker.write(OPERATING, [Change(bin_id(1), Mode.DELETE)])

    then = (await at(broker, SIX + HOUR))[bin_id(1)].find(LEVEL)
    assert then is not None
    assert then.value == 1


async def test_rights_are_those_of_today(broker: Broker) -> None:
    await fill(broker, 1, 0)
    lamp = Change("urn:ngsi-ld:Streetlight:1", Mode.CREATE, (level(7, SIX),), (LAMP,))
    gone = Change("urn:ngsi-ld:Streetlight:2", Mode.CREATE, (level(7, SIX),), (LAMP,))
    await broker.write(OPERATING, [lamp, gone, Change(gone.entity_id, Mode.DELETE)])

    assert set(await at(broker, SIX)) == {bin_id(1), lamp.entity_id, gone.entity_id}
    assert set(await at(broker, SIX, RESIDENT)) == {bin_id(1)}
    with pytest.raises(Forbidden):
        await at(broker, SIX, EXCLUDED)


async def test_no_more_are_read_than_are_wanted(broker: Broker) -> None:
    for number in range(5):
        await fill(broker, number, 0)

    assert len(await at(broker, SIX, most=3)) == 3
