"""A town of three lamps brings its inventory, and asks what a darker night would save."""

from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

import pytest

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.domains.lighting.model.inventory import LightPoint, Place, Technology
from parvis.domains.lighting.model.program import Dimming, Program
from parvis.domains.lighting.rules.consumption import Rates
from parvis.domains.lighting.rules.inventory import InvalidInventory
from parvis.domains.lighting.service import Lighting
from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import OPERATOR, Caller, Right
from parvis.kernel.reach import Area
from parvis.stores.sqlite.store import SqliteStore

PARIS = ZoneInfo("Europe/Paris")
OPERATING = Caller("default", "operator", OPERATOR)
READING = Caller("default", "reader", Right.READ)
FILE = b"""identifiant;armoire;groupe;typeSource;puissance;gradable;latitude;longitude
PL 1;AR-1;centre;LED;40;oui;47.32;5.04
PL 2;AR-1;quartier;SHP;115;non;47.33;5.05
PL 3;AR-1;quartier;SHP;;non;47.34;5.06
"""
USUAL = Program("usual")
DARK = Program("dark", dimmings=(Dimming(23 * 60, 5 * 60, 0),))
RATES = Rates(0.2, 0.05)


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    store = await SqliteStore.open(":memory:")
    yield Broker(store, Contexts())
    await store.close()


@pytest.fixture
def lighting(broker: Broker) -> Lighting:
    return Lighting(broker)


async def test_an_inventory_becomes_light_points_cabinets_and_groups(lighting: Lighting, broker: Broker) -> None:
    brought = await lighting.bring(OPERATING, FILE)
    assert brought.outcomes == {Status.CREATED: 6}
    assert brought.completeness.known["power_w"] == pytest.approx(2 / 3)
    assert (await lighting.list_points(READING))[0] == LightPoint(
        name="PL 1", place=Place(47.32, 5.04), cabinet="AR-1", group="centre", technology=Technology.LED, power_w=40,
        is_dimmable=True,
    )  # fmt: skip
    entity = await broker.get(READING, "urn:ngsi-ld:Streetlight:PL%201")
    cabinet = entity.find(broker.contexts.parvis.expand("refStreetlightControlCabinet"))
    assert cabinet is not None
    assert (await broker.get(READING, cabinet.value)).id == "urn:ngsi-ld:StreetlightControlCabinet:AR-1"


async def test_a_second_file_adds_what_the_first_did_not_know(lighting: Lighting) -> None:
    await lighting.bring(OPERATING, FILE)
    await lighting.bring(OPERATING, b"identifiant;puissance\nPL 3;70\n")
    assert [one.power_w for one in await lighting.list_points(READING)] == [40, 115, 70]
    found = await lighting.measure(READING)
    assert (found.points, found.known["power_w"], found.known["cabinet"]) == (3, 1, 1)


async def test_light_points_of_others_are_read_as_far_as_they_say_the_same(lighting: Lighting, broker: Broker) -> None:
    expand = broker.contexts.parvis.expand
    told = (
        Instance(expand("powerRating"), Kind.PROPERTY, 0.04, unit_code="KWT"),
        Instance(expand("lampTechnology"), Kind.PROPERTY, "candle"),
        Instance(expand("address"), Kind.PROPERTY, {"streetAddress": "Rue de la Liberté"}),
    )
    await broker.write(OPERATING, [Change("urn:x:lamp:1", Mode.CREATE, told, (expand("Streetlight"),))])
    assert await lighting.list_points(READING) == [
        LightPoint(name="urn:x:lamp:1", power_w=40.0, street="Rue de la Liberté")
    ]


async def test_a_program_is_tried_on_its_group_alone(lighting: Lighting) -> None:
    await lighting.bring(OPERATING, FILE)
    before = await lighting.attempt(READING, {}, USUAL, RATES, 2027, PARIS)
    after = await lighting.attempt(READING, {"quartier": DARK}, USUAL, RATES, 2027, PARIS)
    assert (after.points, after.unknown) == (3, 1)
    assert after.years.keys() == {"usual", "dark"}
    saved_kwh = before.years["usual"].kwh - after.years["usual"].kwh - after.years["dark"].kwh
    assert saved_kwh == pytest.approx(365 * 6 * 0.115, abs=0.01)


async def test_two_programs_of_one_name_are_not_tried(lighting: Lighting) -> None:
    with pytest.raises(BadRequestData):
        await lighting.attempt(READING, {"centre": Program("usual", dimmings=DARK.dimmings)}, USUAL, RATES, 2027, PARIS)


async def test_nobody_brings_an_inventory_without_the_right_to_write(lighting: Lighting) -> None:
    with pytest.raises(Forbidden):
        await lighting.bring(READING, FILE)
    assert await lighting.list_points(READING) == []


async def test_what_lies_outside_somebodys_reach_is_refused_by_name_and_the_rest_is_written(
    lighting: Lighting, broker: Broker
) -> None:
    lamps = (Area(frozenset({broker.contexts.parvis.expand("Streetlight")})),)
    lamplighter = Caller("default", "lamplighter", Right.READ | Right.WRITE, reads=lamps, writes=lamps)
    brought = await lighting.bring(lamplighter, FILE)
    assert brought.outcomes == {Status.CREATED: 3, Status.FAILED: 3}
    assert {one.entity_id.split(":")[2] for one in brought.refusals} == {
        "StreetlightControlCabinet",
        "StreetlightGroup",
    }
    assert all(one.reason for one in brought.refusals)
    assert len(await lighting.list_points(READING)) == 3


async def test_a_file_that_is_no_inventory_changes_nothing(lighting: Lighting) -> None:
    with pytest.raises(InvalidInventory):
        await lighting.bring(OPERATING, b"a;b\n1;2\n")
    assert await lighting.list_points(READING) == []


async def test_of_another_tenant_nothing_is_seen(lighting: Lighting, broker: Broker) -> None:
    await broker.add_tenant("elsewhere")
    await lighting.bring(OPERATING, FILE)
    assert await lighting.list_points(Caller("elsewhere", "reader", Right.READ)) == []
