"""What a tenant takes is counted in the transaction that stores it: exactly, also after a kill."""

import pytest

from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.metering import Held, Taken, month_of
from parvis.broker.ports.store import Outrun, Progress, Store
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.time import parse_instant
from tests.contract.territory import Ticking

LAMP = "urn:ngsi-ld:Streetlight:1"
TYPE = "urn:type:Streetlight"


def lamp(number: int = 1, mode: Mode = Mode.UPSERT_UPDATE, values: int = 2) -> Change:
    instances = tuple(Instance(f"urn:name:{one}", Kind.PROPERTY, one, modified_at=1) for one in range(values))
    return Change(f"urn:ngsi-ld:Streetlight:{number}", mode, instances, (TYPE,))


def test_a_month_is_utcs() -> None:
    assert month_of(parse_instant("2026-11-30T23:59:59.999Z")) == "2026-11"
    assert month_of(parse_instant("2026-12-01T00:00:00Z")) == "2026-12"


async def test_each_tenants_changes_and_values_are_counted(store: Store, clock: Ticking) -> None:
    for tenant in ("north", "south"):
        await store.add_tenant(tenant)
    await store.write("north", [lamp(1), lamp(2)])
    await store.write("north", [lamp(1, values=5)])
    await store.write("south", [lamp(1, values=1)])

    month = month_of(clock())
    assert await store.metering.list_taken(month) == {"north": Taken(3, 9), "south": Taken(1, 1)}
    assert await store.metering.list_taken("2001-01") == {}


async def test_what_changes_nothing_counts_for_nothing(store: Store, clock: Ticking) -> None:
    await store.add_tenant("north")
    (made, refused) = await store.write("north", [lamp(1), lamp(9, Mode.APPEND)])
    assert (made.status, refused.status) == (Status.CREATED, Status.FAILED)
    with pytest.raises(Outrun):
        await store.write("north", [lamp(2)], Progress("reaction", before=5, after=6))
    with pytest.raises(NonexistentTenant):
        await store.write("nowhere", [lamp(2)])

    assert await store.metering.list_taken(month_of(clock())) == {"north": Taken(1, 2)}


async def test_what_is_held_is_of_each_tenant(store: Store) -> None:
    for tenant in ("north", "south"):
        await store.add_tenant(tenant)
    await store.write("north", [lamp(1), lamp(2, values=3)])
    await store.write("north", [Change(LAMP, Mode.DELETE)])

    held = await store.metering.list_held()

    assert (held["north"], held["south"]) == (Held(1, 3, 0), Held(0, 0, 0))
