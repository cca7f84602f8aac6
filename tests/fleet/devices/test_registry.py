import asyncio
from collections.abc import Iterable
from time import thread_time
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.broker.model.change import Change, Event, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.registry import Registry, device_id
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import OPERATOR, Caller
from tests.fleet.conftest import BIN, CALLER, DEVICE, EUI, RECORD, Village, eventually, uplink


async def test_registering_writes_the_device_and_its_asset(village: Village) -> None:
    (outcome,) = await village.fleet.register(CALLER, [RECORD])
    assert (outcome.entity_id, outcome.status) == (DEVICE, Status.CREATED)
    assert await village.value(DEVICE, "hardwareId") == EUI
    assert await village.value(DEVICE, "deviceProfile") == "bin-sensor"
    assert await village.value(DEVICE, "controlledAsset") == BIN
    assert await village.value(DEVICE, "controlledProperty") == ["fillingLevel"]
    assert await village.value(BIN, "name") == "Market place"
    assert await village.value(BIN, "location") == {"type": "Point", "coordinates": [-3.2, 48.1]}
    asset = await village.broker.get(CALLER, BIN)
    assert asset.types == (village.broker.contexts.parvis.expand("WasteContainer"),)


async def test_devices_are_known_again_after_a_restart(village: Village) -> None:
    records = [
        replace(RECORD, hardware_id=f"{n:016x}", entity_id=f"urn:ngsi-ld:WasteContainer:{n}") for n in range(2100)
    ]
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
    assert asset.types == (village.broker.contexts.parvis.expand("WasteContainerIsle"),)


async def test_tenants_do_not_share_devices(village: Village) -> None:
    await village.store.add_tenant("neighbour")
    await village.fleet.register(CALLER, [RECORD])
    (refused,) = await village.fleet.take(Caller("neighbour", "key:n", OPERATOR), [uplink(1, 40)])
    assert refused is not None


@pytest.mark.parametrize("grouping", ["-", ":", " ", "."])
async def test_an_eui_is_one_device_however_its_digits_are_grouped(village: Village, grouping: str) -> None:
    grouped = grouping.join(EUI[at : at + 2] for at in range(0, 16, 2)).upper()
    (outcome,) = await village.fleet.register(CALLER, [replace(RECORD, hardware_id=grouped)])
    assert (outcome.entity_id, await village.value(DEVICE, "hardwareId")) == (DEVICE, EUI)
    assert await village.fleet.take(CALLER, [uplink(1, 40)]) == [None]
    assert (await village.fleet.get_device(CALLER, grouped)).hardware_id == EUI


@pytest.mark.parametrize("hardware_id", ["", "70b", "70b3 d549", "urn:70b3d5499e00", "-70b3d549", "7" * 65])
async def test_what_is_no_hardware_id_is_refused_and_nothing_is_written(village: Village, hardware_id: str) -> None:
    with pytest.raises(BadRequestData):
        await village.fleet.register(CALLER, [RECORD, replace(RECORD, hardware_id=hardware_id)])
    assert await village.broker.count_types(CALLER) == {}


async def test_an_unknown_profile_and_an_id_that_is_none_are_refused(village: Village) -> None:
    with pytest.raises(ResourceNotFound):
        await village.fleet.register(CALLER, [replace(RECORD, profile="none")])
    with pytest.raises(BadRequestData):
        await village.fleet.register(CALLER, [replace(RECORD, entity_id="bin 1")])


@pytest.mark.parametrize(
    "location", [{"foo": 1}, {"type": "Point", "coordinates": ["x", 1]}, {"type": "Point", "coordinates": [400, 1]}]
)
async def test_a_place_that_is_none_is_refused_and_nothing_is_written(village: Village, location: Any) -> None:
    with pytest.raises(BadRequestData):
        await village.fleet.register(CALLER, [replace(RECORD, location=location)])
    assert await village.broker.count_types(CALLER) == {}


@pytest.mark.parametrize("told", [["urn:type:A", "urn:type:B"], [], 5, None])
async def test_whatever_somebody_writes_as_object_type_the_devices_can_be_loaded(village: Village, told: Any) -> None:
    await village.fleet.register(CALLER, [RECORD])
    asset = Instance(village.broker.contexts.parvis.expand("controlledAsset"), Kind.RELATIONSHIP, BIN)
    changed = replace(asset, extra={"objectType": told})
    await village.broker.write(CALLER, [Change(DEVICE, Mode.MERGE, (changed,))])
    fleet = village.reopened()
    await fleet.registry.load("default")
    device = fleet.registry.find("default", EUI)
    assert device is not None
    strings = [one for one in told or [] if isinstance(one, str)] if isinstance(told, list) else []
    assert device.asset_types == (tuple(strings) or (device.profile.entity_type,))


async def test_following_goes_on_after_a_fault(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis.fleet.fleet._FOLLOW_AGAIN_AFTER_S", 0.01)
    healthy, faults = Registry.follow, iter([OSError("the disk is gone for a moment")])

    async def follow(registry: Registry, events: Iterable[Event]) -> list[Device]:
        for fault in faults:
            raise fault
        return await healthy(registry, events)

    monkeypatch.setattr(Registry, "follow", follow)
    await village.fleet.registry.load("default")
    following = asyncio.create_task(village.fleet.follow())
    await asyncio.sleep(0)
    await village.reopened().registry.register(CALLER, [RECORD])
    await eventually(lambda: village.fleet.registry.find("default", EUI) is not None)
    following.cancel()


async def test_who_follows_reads_the_devices_anew_when_events_are_gone_unread(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    doze, wait = asyncio.Event(), village.store.wait

    async def wait_long(after: int) -> None:
        await doze.wait()
        await wait(after)

    elsewhere, other_eui = village.reopened(), "70b3d5499e000002"
    await elsewhere.register(CALLER, [RECORD])
    await village.fleet.registry.load("default")
    await village.fleet.take(CALLER, [uplink(1, 40, hardware_id=other_eui)])
    monkeypatch.setattr(village.store, "wait", wait_long)
    following = asyncio.create_task(village.fleet.follow())
    await asyncio.sleep(0)
    await elsewhere.registry.register(CALLER, [replace(RECORD, hardware_id=other_eui)])
    await village.broker.write(CALLER, [Change(DEVICE, Mode.DELETE)])
    for _ in range(2):
        await village.broker.write(
            CALLER, [Change("urn:ngsi-ld:Building:1", Mode.UPSERT_UPDATE, (), ("urn:Building",))]
        )
    await _prune(village)
    doze.set()
    await eventually(lambda: village.fleet.registry.find("default", EUI) is None)
    assert village.fleet.registry.find("default", other_eui) is not None
    await village.none_is_refused()
    assert await village.value(BIN, "fillingLevel") == 0.4
    following.cancel()


async def _prune(village: Village) -> None:
    """As the store does with settled events that no consumer waits for; the newest stays."""
    await village.store._writer.run(
        lambda connection: connection.execute("DELETE FROM outbox WHERE seq < (SELECT max(seq) FROM outbox)")
    )


async def test_the_same_list_again_adds_nothing_to_the_history(village: Village) -> None:
    for _ in range(2):
        outcomes = await village.fleet.register(CALLER, [RECORD])
        assert [one.error for one in outcomes] == [None]
    assert await village.values(BIN, "storedWasteKind") == [["glass"]]
    assert await village.values(DEVICE, "deviceProfile") == ["bin-sensor"]


async def test_of_two_devices_at_one_asset_the_last_one_names_it_however_often_they_come(
    village: Village,
) -> None:
    lines = [RECORD, replace(RECORD, hardware_id="70b3d5499e000002", name="Market place, north")]
    for _ in range(2):
        await village.fleet.register(CALLER, lines)
        assert await village.value(BIN, "name") == "Market place, north"


async def test_an_entity_that_is_given_another_hardware_id_is_no_longer_known_by_the_one_before(
    village: Village,
) -> None:
    await village.fleet.register(CALLER, [RECORD])
    registry, name = village.fleet.registry, village.broker.contexts.parvis.expand("hardwareId")
    for hardware_id in ("70b3d5499e0000ff", "70b3d5499e0000fe", EUI):
        other = Instance(name, Kind.PROPERTY, hardware_id)
        await village.broker.write(CALLER, [Change(DEVICE, Mode.MERGE, (other,))])
        await registry.refresh("default", DEVICE)
        assert [one.hardware_id for one in registry.list_devices("default")] == [hardware_id]
    await village.broker.write(CALLER, [Change(DEVICE, Mode.DELETE)])
    await registry.refresh("default", DEVICE)
    assert registry.list_devices("default") == []


async def test_thousands_of_devices_that_go_at_once_are_forgotten_in_a_moment(village: Village) -> None:
    registry = village.fleet.registry
    records = [replace(RECORD, hardware_id=f"{n:016x}") for n in range(4_000)]
    await village.fleet.register(CALLER, records)
    began_s = thread_time()
    for record in records:
        registry._forget("default", device_id(record.hardware_id))
    assert thread_time() - began_s < 0.2
    assert registry.list_devices("default") == []
