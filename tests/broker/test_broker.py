"""Rights are checked at the broker's own door, whoever stands before it."""

from collections.abc import AsyncIterator

import pytest

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import EntityQuery, TemporalQuery, TypeIs
from parvis.kernel.errors import Forbidden, ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, NOBODY, OPERATOR, Caller, Right
from parvis.stores.sqlite.store import SqliteStore

BIN_TYPE, ALARM_TYPE = "https://example.org/Bin", "https://example.org/Alarm"
BIN, ALARM = "urn:ngsi-ld:Bin:1", "urn:ngsi-ld:Alarm:1"
OPERATING = Caller(DEFAULT_TENANT, "operator", OPERATOR)
RESIDENT = Caller(DEFAULT_TENANT, "resident", Right.READ_PUBLIC)
EXCLUDED = Caller(DEFAULT_TENANT, "nobody", NOBODY)


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    yield store
    await store.close()


@pytest.fixture
async def broker(store: SqliteStore) -> Broker:
    broker = Broker(store, Contexts(), frozenset({BIN_TYPE}))
    changes = [Change(BIN, Mode.CREATE, types=(BIN_TYPE,)), Change(ALARM, Mode.CREATE, types=(ALARM_TYPE,))]
    assert [one.status for one in await broker.write(OPERATING, changes)] == [Status.CREATED] * 2
    return broker


async def test_a_resident_reads_public_types_and_learns_of_no_other(broker: Broker) -> None:
    assert (await broker.get(RESIDENT, BIN)).id == BIN
    assert await broker.find(RESIDENT, ALARM) is None
    with pytest.raises(ResourceNotFound):
        await broker.get(RESIDENT, ALARM)
    with pytest.raises(ResourceNotFound):
        await broker.history(RESIDENT, ALARM, TemporalQuery())
    assert [one.id for one in (await broker.query(RESIDENT, EntityQuery())).entities] == [BIN]
    assert (await broker.query(RESIDENT, EntityQuery(types=TypeIs(ALARM_TYPE), count=True))).total == 0
    assert (await broker.count_types(RESIDENT)).keys() == {BIN_TYPE}


async def test_what_a_resident_may_not_see_takes_no_place_among_what_refers_to_an_entity(broker: Broker) -> None:
    bond = (Instance("https://example.org/belongsTo", Kind.RELATIONSHIP, BIN),)
    alarms = [Change(f"urn:ngsi-ld:Alarm:{n}", Mode.CREATE, bond, (ALARM_TYPE,)) for n in range(10, 20)]
    await broker.write(OPERATING, [*alarms, Change("urn:ngsi-ld:Bin:2", Mode.CREATE, bond, (BIN_TYPE,))])
    await broker.take_in_words()
    assert len(await broker.list_referring(OPERATING, BIN, 9)) == 9
    assert [one.id for one in await broker.list_referring(RESIDENT, BIN, 9)] == ["urn:ngsi-ld:Bin:2"]


async def test_where_nothing_is_public_a_resident_finds_nothing(store: SqliteStore, broker: Broker) -> None:
    private = Broker(store, broker.contexts)
    assert (await private.query(RESIDENT, EntityQuery(count=True))).total == 0
    assert await private.find(RESIDENT, BIN) is None
    assert await private.list_referring(RESIDENT, BIN, 9) == []


async def test_an_operator_reads_everything(broker: Broker) -> None:
    assert [one.id for one in (await broker.query(OPERATING, EntityQuery())).entities] == [BIN, ALARM]
    assert (await broker.get(OPERATING, ALARM)).types == (ALARM_TYPE,)


async def test_who_has_no_right_is_refused(broker: Broker) -> None:
    with pytest.raises(Forbidden):
        await broker.find(EXCLUDED, BIN)
    with pytest.raises(Forbidden):
        await broker.query(EXCLUDED, EntityQuery())
    for caller in (RESIDENT, EXCLUDED):
        with pytest.raises(Forbidden):
            await broker.write(caller, [Change(BIN, Mode.DELETE)])
        with pytest.raises(Forbidden):
            await broker.write(caller, [])
