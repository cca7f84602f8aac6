"""Gateways: what frames and their own reports tell of them becomes an entity, once a minute at most."""

from typing import Any

import pytest

from parvis.fleet.model.events import GatewayStats
from parvis.fleet.model.uplink import Reception, Uplink
from parvis.fleet.network import gateways as gateways_module
from parvis.fleet.network.gateways import Gateways, GatewayState, gateway_entity_id, judge_gateway
from parvis.kernel.errors import Overloaded
from parvis.kernel.time import HOUR, MINUTE, SECOND
from tests.fakes.clock import SetClock
from tests.fleet.conftest import CALLER, NOON, Village

CHURCH = "0016c001f153a14c"
CHURCH_ENTITY = gateway_entity_id(CHURCH)
TENANT = "default"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture
def gateways(village: Village, clock: SetClock) -> Gateways:
    return Gateways(village.broker, clock)


def heard(*receptions: Reception, at: int = NOON, **more: Any) -> Uplink:
    return Uplink("70b3d5499e000001", b"\1", 1, 1, at, receptions=receptions, **more)


async def test_a_gateway_that_hears_a_frame_is_an_entity(gateways: Gateways, village: Village) -> None:
    await gateways.take(TENANT, [heard(Reception(CHURCH.upper(), -71, 8.0, -3.2, 48.1))])
    assert await village.value(CHURCH_ENTITY, "hardwareId") == CHURCH
    assert await village.value(CHURCH_ENTITY, "rssi") == -71
    assert await village.value(CHURCH_ENTITY, "snr") == 8
    assert await village.value(CHURCH_ENTITY, "location") == {"type": "Point", "coordinates": [-3.2, 48.1]}
    reported = await village.value(CHURCH_ENTITY, "dateLastValueReported")
    assert reported == {"@type": "DateTime", "@value": "2026-09-21T14:13:20Z"}


async def test_it_is_written_once_a_minute_with_the_mean_of_what_it_heard(
    gateways: Gateways, village: Village, clock: SetClock
) -> None:
    await gateways.take(TENANT, [heard(Reception(CHURCH, -70, 5))])
    for rssi_dbm in (-80, -90, -100):
        clock.advance(20 * SECOND)
        await gateways.take(TENANT, [heard(Reception(CHURCH, rssi_dbm, 5), at=clock())])
    assert await village.values(CHURCH_ENTITY, "rssi") == [-70, -90]
    assert await village.values(CHURCH_ENTITY, "uplinkRate") == [3]


async def test_its_own_reports_are_added_up(gateways: Gateways, village: Village, clock: SetClock) -> None:
    stats = GatewayStats(CHURCH, NOON, 12, 9, 2, -3.2, 48.1)
    await gateways.take(TENANT, (), [stats])
    for _ in range(2):
        clock.advance(30 * SECOND)
        await gateways.take(TENANT, (), [stats])
    assert await village.values(CHURCH_ENTITY, "framesHeard") == [12, 24]
    assert await village.values(CHURCH_ENTITY, "framesValid") == [9, 18]
    assert await village.values(CHURCH_ENTITY, "framesSent") == [2, 4]
    assert len(await village.values(CHURCH_ENTITY, "location")) == 1, "it has not moved"


async def test_what_could_not_be_written_is_written_later(
    gateways: Gateways, village: Village, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Overloaded("full")

    with monkeypatch.context() as patch:
        patch.setattr(village.broker, "write", refuse)
        await gateways.take(TENANT, [heard(Reception(CHURCH, -70, 5))])
    await gateways.take(TENANT, [heard(Reception(CHURCH, -90, 5))])
    assert await village.value(CHURCH_ENTITY, "rssi") == -80


async def test_a_network_whose_clock_is_ahead_hides_nothing(gateways: Gateways, village: Village) -> None:
    await gateways.take(TENANT, [heard(Reception(CHURCH), at=NOON + HOUR)])
    reported = await village.value(CHURCH_ENTITY, "dateLastValueReported")
    assert reported["@value"] == "2026-09-21T14:13:20Z"


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "../etc", "ü"])
async def test_a_name_that_no_gateway_has_makes_no_entity(gateways: Gateways, village: Village, name: str) -> None:
    await gateways.take(TENANT, [heard(Reception(name))])
    assert await village.broker.count_types(CALLER) == {}


async def test_their_number_is_bounded(
    gateways: Gateways, village: Village, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways_module, "MOST_GATEWAYS", 3)
    await gateways.take(TENANT, [heard(*(Reception(f"gateway-{number}") for number in range(5)))])
    (count,) = (await village.broker.count_types(CALLER)).values()
    assert count == 3
    clock.advance(25 * HOUR)
    await gateways.take(TENANT, [heard(Reception("gateway-9"), at=clock())])
    assert await village.value(gateway_entity_id("gateway-9"), "hardwareId") == "gateway-9"


async def test_those_of_one_tenant_take_no_place_of_another(
    gateways: Gateways, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways_module, "MOST_GATEWAYS", 3)
    await village.store.add_tenant("flood")
    await gateways.take("flood", [heard(*(Reception(f"gateway-{number}") for number in range(5)))])
    await gateways.take(TENANT, [heard(Reception(CHURCH))])
    assert await village.value(CHURCH_ENTITY, "hardwareId") == CHURCH


def test_a_gateway_is_silent_after_a_quarter_of_an_hour() -> None:
    assert judge_gateway(None, NOON) is GatewayState.SILENT
    assert judge_gateway(NOON - 15 * MINUTE, NOON) is GatewayState.HEARD
    assert judge_gateway(NOON - 16 * MINUTE, NOON) is GatewayState.SILENT
