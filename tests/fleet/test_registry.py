import pytest
from msgspec.structs import replace

from parvis.broker.model.change import Status
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import OPERATOR, Caller
from tests.fleet.conftest import BIN, CALLER, DEVICE, EUI, RECORD, Village, uplink


async def test_registering_writes_the_device_and_its_asset(village: Village) -> None:
    (outcome,) = await village.fleet.register(CALLER, [RECORD])
    assert (outcome.entity_id, outcome.status) == (DEVICE, Status.CREATED)
    assert await village.value(DEVICE, "devEui") == EUI
    assert await village.value(DEVICE, "deviceProfile") == "bin-sensor"
    assert await village.value(DEVICE, "controlledAsset") == BIN
    assert await village.value(DEVICE, "controlledProperty") == ["fillingLevel"]
    assert await village.value(BIN, "name") == "Market place"
    assert await village.value(BIN, "location") == {"type": "Point", "coordinates": [-3.2, 48.1]}
    asset = await village.broker.get(CALLER, BIN)
    assert asset.types == (village.broker.contexts.default.expand("WasteContainer"),)


async def test_devices_are_known_again_after_a_restart(village: Village) -> None:
    records = [replace(RECORD, dev_eui=f"{n:016x}", entity_id=f"urn:ngsi-ld:WasteContainer:{n}") for n in range(2100)]
    await village.fleet.register(CALLER, records)
    fleet = village.reopened()
    await fleet.registry.load("default")
    assert len(fleet.registry.list_devices("default")) == 2100
    device = fleet.registry.find("default", f"{2099:016x}")
    assert device is not None
    assert device.asset_id == "urn:ngsi-ld:WasteContainer:2099"


async def test_an_asset_may_be_of_another_type_than_its_profile_says(village: Village) -> None:
    await village.fleet.register(CALLER, [replace(RECORD, entity_type="WasteContainerIsle")])
    fleet = village.reopened()
    await fleet.take(CALLER, [uplink(1, 40)])
    asset = await village.broker.get(CALLER, BIN)
    assert asset.types == (village.broker.contexts.default.expand("WasteContainerIsle"),)


async def test_tenants_do_not_share_devices(village: Village) -> None:
    await village.store.add_tenant("neighbour")
    await village.fleet.register(CALLER, [RECORD])
    (refused,) = await village.fleet.take(Caller("neighbour", "key:n", OPERATOR), [uplink(1, 40)])
    assert refused is not None


@pytest.mark.parametrize("dev_eui", ["", "70b3", "70b3d5499e00000g", "70b3d5499e0000011"])
async def test_what_is_no_dev_eui_is_refused_and_nothing_is_written(village: Village, dev_eui: str) -> None:
    with pytest.raises(BadRequestData):
        await village.fleet.register(CALLER, [RECORD, replace(RECORD, dev_eui=dev_eui)])
    assert await village.broker.count_types(CALLER) == {}


async def test_an_unknown_profile_and_an_id_that_is_none_are_refused(village: Village) -> None:
    with pytest.raises(ResourceNotFound):
        await village.fleet.register(CALLER, [replace(RECORD, profile="none")])
    with pytest.raises(BadRequestData):
        await village.fleet.register(CALLER, [replace(RECORD, entity_id="bin 1")])
