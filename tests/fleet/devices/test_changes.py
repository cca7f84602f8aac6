"""A device in the years after it was registered: named, grouped, suspended, replaced, removed."""

import pytest
from msgspec.structs import replace

from parvis.fleet.devices.device import Standing
from parvis.fleet.devices.records import DeviceRecord, DeviceUpdate, Replacement
from parvis.fleet.devices.selection import DeviceFilter, Facets
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Technology
from parvis.kernel.errors import AlreadyExists, BadRequestData, ParvisError, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from tests.fleet.conftest import BIN, CALLER, DEVICE, EUI, RECORD, Village, uplink

NEW_EUI = "70b3d5499e0000bb"
FULL_RECORD = replace(
    RECORD,
    technology="lorawan",
    groups=("north", "bins"),
    tags=("2026",),
    expected_interval_s=600.0,
    serial_number="SN1",
    manufacturer="Maker",
    model="M1",
)


async def test_what_is_registered_is_known_after_a_restart_and_exported(village: Village) -> None:
    await village.fleet.register(CALLER, [FULL_RECORD])
    fleet = village.reopened()
    device = await fleet.get_device(CALLER, DEVICE)
    assert (device.technology, device.groups, device.tags) == (Technology.LORAWAN, ("north", "bins"), ("2026",))
    assert device.expected_interval_s == 600.0
    (record,) = await fleet.list_records(CALLER)
    assert record == replace(FULL_RECORD, hardware_id=EUI, entity_type="WasteContainer", attributes={})
    assert await village.value(DEVICE, "manufacturerName") == "Maker"


async def test_what_is_told_changes_what_is_left_out_stays_what_is_empty_goes(village: Village) -> None:
    await village.fleet.register(CALLER, [FULL_RECORD])
    update = DeviceUpdate(name="Church", groups=(), tags=("2027", "2027"), location=None)
    device = await village.fleet.update(CALLER, EUI.upper(), update)
    assert (device.name, device.groups, device.tags) == ("Church", (), ("2027",))
    assert (device.technology, device.expected_interval_s) == (Technology.LORAWAN, 600.0)
    assert await village.value(DEVICE, "location") is None
    assert await village.value(DEVICE, "deviceGroup") is None
    assert await village.value(DEVICE, "serialNumber") == "SN1"


@pytest.mark.parametrize(
    "update",
    [
        DeviceUpdate(technology="smoke"),
        DeviceUpdate(tags=("x" * 65,)),
        DeviceUpdate(groups=tuple(map(str, range(33)))),
        DeviceUpdate(expected_interval_s=-1.0),
        DeviceUpdate(expected_interval_s=float("nan")),
        DeviceUpdate(profile="none"),
        DeviceUpdate(entity_id="no urn"),
        DeviceUpdate(location={"type": "Point", "coordinates": [400, 0]}),
        DeviceUpdate(name="x" * 300),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(village: Village, update: DeviceUpdate) -> None:
    await village.fleet.register(CALLER, [FULL_RECORD])
    before = await village.broker.get(CALLER, DEVICE)
    with pytest.raises((BadRequestData, ResourceNotFound)):
        await village.fleet.update(CALLER, EUI, update)
    assert await village.broker.get(CALLER, DEVICE) == before


async def test_a_device_that_moves_feeds_another_object(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    church = "urn:ngsi-ld:WasteContainer:church"
    await village.fleet.update(CALLER, EUI, DeviceUpdate(entity_id=church))
    await village.fleet.take(CALLER, [uplink(1, 70)])
    assert await village.value(church, "fillingLevel") == 0.7
    assert await village.value(BIN, "fillingLevel") is None


async def test_a_suspended_device_is_refused_until_it_is_used_again(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.update(CALLER, EUI, DeviceUpdate(suspended=True))
    for fleet in (village.fleet, village.reopened()):
        (refused,) = await fleet.take(CALLER, [uplink(1, 40)])
        assert refused is not None
        assert refused.reason is RefusalReason.SUSPENDED
    await village.fleet.update(CALLER, EUI, DeviceUpdate(suspended=False))
    assert await village.fleet.take(CALLER, [uplink(2, 40)]) == [None]


async def test_a_broken_device_is_replaced_and_its_object_keeps_its_history(village: Village) -> None:
    await village.fleet.register(CALLER, [FULL_RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40)])
    await village.fleet.take(CALLER, [uplink(2, 55, hardware_id=NEW_EUI)])

    new = await village.fleet.replace(CALLER, EUI, Replacement(NEW_EUI.upper(), serial_number="SN2"))

    assert (new.hardware_id, new.asset_id, new.name, new.groups) == (NEW_EUI, BIN, "Market place", ("north", "bins"))
    await village.fleet.take(CALLER, [uplink(3, 60, hardware_id=NEW_EUI)])
    (refused,) = await village.fleet.take(CALLER, [uplink(4, 1)])
    assert refused is not None
    assert refused.reason is RefusalReason.REPLACED
    assert await village.values(BIN, "fillingLevel") == [0.4, 0.55, 0.6], "what came of the new one before is adopted"
    assert await village.value(DEVICE, "replacedBy") == new.entity_id
    assert await village.value(new.entity_id, "replaces") == DEVICE
    assert await village.value(new.entity_id, "serialNumber") == "SN2"
    assert await village.value(new.entity_id, "location") == RECORD.location
    restarted = village.reopened()
    assert (await restarted.get_device(CALLER, EUI)).standing is Standing.REPLACED
    (refused,) = await restarted.take(CALLER, [uplink(5, 1)])
    assert refused is not None
    assert refused.reason is RefusalReason.REPLACED


async def test_a_replacement_may_be_asked_for_again_and_not_for_another(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    first = await village.fleet.replace(CALLER, EUI, Replacement(NEW_EUI))
    again = await village.fleet.replace(CALLER, EUI, Replacement(NEW_EUI))
    assert again.entity_id == first.entity_id
    for taken in ("70b3d5499e0000cc", EUI):
        with pytest.raises(AlreadyExists):
            await village.fleet.replace(CALLER, EUI, Replacement(taken))
    with pytest.raises(AlreadyExists):
        await village.fleet.replace(CALLER, NEW_EUI, Replacement(NEW_EUI))


async def test_a_registered_device_takes_nobodys_place(village: Village) -> None:
    other = replace(RECORD, hardware_id=NEW_EUI, entity_id="urn:ngsi-ld:WasteContainer:2")
    await village.fleet.register(CALLER, [RECORD, other])
    with pytest.raises(AlreadyExists):
        await village.fleet.replace(CALLER, EUI, Replacement(NEW_EUI))
    assert (await village.fleet.get_device(CALLER, EUI)).standing is Standing.ACTIVE


async def test_a_repaired_device_may_be_registered_anew(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.replace(CALLER, EUI, Replacement(NEW_EUI))
    church = "urn:ngsi-ld:WasteContainer:church"
    await village.fleet.register(CALLER, [replace(RECORD, entity_id=church)])
    assert await village.fleet.take(CALLER, [uplink(1, 40)]) == [None]
    assert await village.value(church, "fillingLevel") == 0.4


async def test_a_removed_device_is_unknown_and_its_object_stays(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40)])
    await village.fleet.remove(CALLER, EUI)
    (refused,) = await village.fleet.take(CALLER, [uplink(2, 50)])
    assert refused is not None
    assert refused.reason is RefusalReason.UNKNOWN_DEVICE
    assert await village.values(BIN, "fillingLevel") == [0.4]
    with pytest.raises(ResourceNotFound):
        await village.fleet.remove(CALLER, EUI)


async def test_who_may_only_read_changes_nothing(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    reader = Caller("default", "user:r", Right.READ)
    for change in (
        village.fleet.update(reader, EUI, DeviceUpdate(name="x")),
        village.fleet.replace(reader, EUI, Replacement(NEW_EUI)),
        village.fleet.remove(reader, EUI),
    ):
        with pytest.raises(ParvisError, match="write"):
            await change


async def test_devices_are_found_by_group_tag_profile_technology_standing_and_words(village: Village) -> None:
    def record(number: int, **more: object) -> DeviceRecord:
        base = replace(RECORD, hardware_id=f"{number:016x}", entity_id=f"urn:ngsi-ld:WasteContainer:{number}")
        return replace(base, name=f"Bin {number}", **more)

    await village.fleet.register(
        CALLER,
        [
            record(1, groups=("north",), technology="lorawan"),
            record(2, groups=("north", "quay"), tags=("old",), technology="sigfox"),
            record(3, technology="lorawan"),
        ],
    )
    await village.fleet.update(CALLER, f"{3:016x}", DeviceUpdate(suspended=True))

    async def named(**which: object) -> list[str]:
        return [one.name for one in await village.fleet.list_devices(CALLER, DeviceFilter(**which))]  # type: ignore[arg-type]

    assert await named() == ["Bin 1", "Bin 2", "Bin 3"]
    assert await named(group="north") == ["Bin 1", "Bin 2"]
    assert await named(group="north", tag="old") == ["Bin 2"]
    assert await named(technology=Technology.LORAWAN) == ["Bin 1", "Bin 3"]
    assert await named(standing=Standing.SUSPENDED) == ["Bin 3"]
    assert await named(search="QUAY") == ["Bin 2"]
    assert await named(search="0000000000000003") == ["Bin 3"]
    assert await named(profile="other") == []
    facets = Facets.of(await village.fleet.list_devices(CALLER))
    assert facets.groups == {"north": 2, "quay": 1}
    assert facets.standings == {Standing.ACTIVE: 2, Standing.SUSPENDED: 1}
