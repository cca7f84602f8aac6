"""The fleet looked at: from frames in the pipeline to findings on the Device entities, over restarts."""

from dataclasses import dataclass
from typing import Any

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.fleet.devices.records import DeviceUpdate, Replacement
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.health.findings import FindingKind
from parvis.fleet.health.watch import BOX, EVERY_S, slot_of
from parvis.fleet.model.frame import DEFAULT_ROOM
from parvis.fleet.model.refusal import RefusalReason, Refused, make_refusal
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.kernel.shelf import Box, Place
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant
from tests.fleet.conftest import BIN, CALLER, DEVICE, EUI, NOON, Village, write_profile

PROFILE = """
[profile]
id = "thermometer"
name = "A thermometer"
entity_type = "IndoorEnvironmentObserved"
codec = ""
[expect]
interval_s = 600
[[attribute]]
field = "t"
name = "temperature"
unit_code = "CEL"
varies_within_h = 6
[[attribute]]
field = "battery"
name = "batteryLevel"
"""
RECORD = DeviceRecord(EUI, "thermometer", BIN, location={"type": "Point", "coordinates": [-3.2041, 48.1007]})


@dataclass
class Surgery:
    village: Village
    now: Instant
    fleet: Fleet

    async def hear(self, at: Instant, t: float, f_cnt: int = NO_COUNTER, session: str = "", **more: Any) -> None:
        self.now = max(self.now, at)
        frame = Uplink(
            EUI, b"", 0, f_cnt, at, session, fields={"t": t, **more}, technology=Technology.LORAWAN, rssi_dbm=-90
        )
        assert await self.fleet.take(CALLER, [frame]) == [None]

    async def find(self, after: Instant = 0) -> list[str]:
        """The findings once all devices were looked at, so long after the last frame."""
        self.now += after
        await self.fleet.health.look()
        return [one["finding"] for one in await self.village.value(DEVICE, "deviceFindings")]

    def restart(self) -> None:
        self.fleet = open_fleet(self.village.broker, self.village.store.frames, self.village.data_dir, clock=self.clock)

    def clock(self) -> Instant:
        return self.now


@pytest.fixture
async def surgery(village: Village) -> Surgery:
    write_profile(village.data_dir, "thermometer", PROFILE, "")
    found = Surgery(village, NOON, village.fleet)
    found.restart()
    await found.fleet.register(CALLER, [RECORD])
    return found


async def test_a_device_that_is_well_is_ok_and_one_that_falls_silent_is_not(surgery: Surgery) -> None:
    for n in range(6):
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n)
    assert await surgery.find(after=MINUTE) == []
    assert await surgery.village.value(DEVICE, "deviceState") == "ok"
    assert await surgery.find(after=HOUR) == ["silent"]
    assert await surgery.village.value(DEVICE, "deviceState") == "silent"
    await surgery.hear(surgery.now, 20)
    assert await surgery.find() == []


async def test_what_is_unchanged_is_not_written_again(surgery: Surgery) -> None:
    await surgery.hear(NOON, 20)
    assert await surgery.fleet.health.look() == 1
    surgery.now += MINUTE
    assert await surgery.fleet.health.look() == 0


async def test_a_stuck_value_is_found_over_a_restart(surgery: Surgery) -> None:
    for n in range(25):
        await surgery.hear(NOON + n * 10 * MINUTE, 21.5)
    await surgery.fleet.health.save()
    surgery.restart()
    for n in range(25, 40):
        await surgery.hear(NOON + n * 10 * MINUTE, 21.5)
    assert await surgery.find() == ["stuckValue"]
    (stuck,) = await surgery.village.value(DEVICE, "deviceFindings")
    assert stuck["figures"]["attribute"] == "temperature"
    await surgery.hear(surgery.now + 10 * MINUTE, 21.6)
    assert await surgery.find() == []


async def test_frames_that_are_adopted_first_after_a_restart_forget_no_statistics(surgery: Surgery) -> None:
    for n in range(10):
        await surgery.hear(NOON + n * 10 * MINUTE, 20)
    waited = Uplink(EUI, b"", 0, NO_COUNTER, NOON + MINUTE, fields={"t": 21})
    unknown = Refused(RefusalReason.UNKNOWN_DEVICE)
    await surgery.fleet.frames.keep([make_refusal(NOON, "default", unknown, waited)], DEFAULT_ROOM)
    await surgery.fleet.health.save()
    surgery.restart()
    await surgery.fleet.held.sweep()
    await surgery.hear(NOON + 10 * 10 * MINUTE, 20)
    statistics = await surgery.fleet.health.get_statistics(surgery.fleet.registry.get("default", EUI))
    assert statistics.frames >= 11


async def test_impossible_values_are_kept_and_found(surgery: Surgery) -> None:
    for n, t in enumerate([20, 21, -300, 20, -300, 21]):
        await surgery.hear(NOON + n * 10 * MINUTE, t)
    assert await surgery.find() == ["impossibleValue"]
    assert -300 in await surgery.village.values(BIN, "temperature")
    assert await surgery.find(after=DAY) == ["silent"]


async def test_the_latest_value_is_found_impossible_at_once(surgery: Surgery) -> None:
    await surgery.hear(NOON, 20)
    await surgery.hear(NOON + 10 * MINUTE, 900)
    assert await surgery.find() == ["impossibleValue"]


async def test_two_radios_with_one_key_are_found_and_a_device_that_joins_anew_is_not(surgery: Surgery) -> None:
    for n in range(8):
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n, n, session=f"session {n // 3}")
    assert await surgery.find() == []
    for n in range(8, 16):
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n, n if n % 2 else n + 500, session=f"radio {n % 2}")
    assert await surgery.find() == ["duplicateKey"]


async def test_loss_is_found_and_heals_when_what_was_missing_comes_late(surgery: Surgery) -> None:
    missing = []
    for n in range(60):
        if n % 2 or n < 5:
            await surgery.hear(NOON + n * 10 * MINUTE, 20 + n, n, session="one")
        else:
            missing.append(n)
    assert await surgery.find() == ["badRadio"]
    for n in missing:
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n, n, session="one")
    assert await surgery.find() == []


async def test_the_last_day_of_a_battery_is_told_once_it_is_the_devices_turn(surgery: Surgery) -> None:
    for day in range(20):
        await surgery.hear(NOON + day * DAY, 20 + day, battery=0.5 - day * 0.01)
    device = surgery.fleet.registry.find("default", EUI)
    assert device is not None
    slot = round(EVERY_S) * SECOND
    surgery.now = (surgery.now // DAY + 1) * DAY
    while surgery.now // slot % (DAY // slot) != slot_of(device):
        surgery.now += slot
    assert "lowBattery" in await surgery.find()
    last = await surgery.village.value(DEVICE, "batteryLastDay")
    assert last["@value"].startswith("2026-11-0")


async def test_quality_is_told_for_each_series_and_found_by_the_asset(surgery: Surgery) -> None:
    for n in range(30):
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n % 3)
    await surgery.find()
    qualities = await surgery.fleet.health.list_qualities("default", BIN)
    assert qualities.keys() == {"temperature"}
    assert qualities["temperature"].score >= 95
    assert await surgery.fleet.health.list_qualities("default", "urn:x:nobody") == {}


async def test_the_quality_of_an_asset_is_that_of_the_device_that_observes_it_now(surgery: Surgery) -> None:
    for n in range(40):
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n % 3 / 10)
    await surgery.find()
    await surgery.fleet.replace(CALLER, EUI, Replacement("70b3d5499e000002"))
    for n in range(40, 60):
        frame = Uplink("70b3d5499e000002", b"", 0, NO_COUNTER, NOON + n * 10 * MINUTE, fields={"t": n / 100})
        assert await surgery.fleet.take(CALLER, [frame]) == [None]
    await surgery.find(after=11 * HOUR)
    device = surgery.fleet.registry.get("default", "70b3d5499e000002")
    own = await surgery.fleet.health.list_qualities("default", device.entity_id)
    assert "temperature" in own
    assert await surgery.fleet.health.list_qualities("default", BIN) == own


async def test_a_device_that_is_out_of_use_is_not_marked_down_for_its_silence(surgery: Surgery) -> None:
    for n in range(40):
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n % 3 / 10)
    await surgery.find()
    before = await surgery.fleet.health.list_qualities("default", BIN)
    await surgery.fleet.update(CALLER, EUI, DeviceUpdate(suspended=True))
    assert await surgery.find(after=7 * DAY) == []
    assert await surgery.fleet.health.list_qualities("default", BIN) == before


async def test_coverage_shows_devices_where_they_are(surgery: Surgery) -> None:
    for n in range(4):
        await surgery.hear(NOON + n * 10 * MINUTE, 20, n * 2, session="one")
    (cell,) = await surgery.fleet.health.list_coverage(CALLER)
    assert (cell.technology, cell.devices, cell.frames, cell.rssi_dbm) == ("lorawan", 1, 4, -90)
    assert cell.loss == pytest.approx(3 / 7, abs=0.001)


async def test_a_deleted_device_does_not_come_back(surgery: Surgery) -> None:
    await surgery.hear(NOON, 20)
    await surgery.village.broker.write(CALLER, [Change(DEVICE, Mode.DELETE)])
    await surgery.fleet.health.look()
    assert await surgery.village.broker.find(CALLER, DEVICE) is None


async def test_statistics_of_a_device_that_is_no_more_are_forgotten_at_the_next_start(surgery: Surgery) -> None:
    await surgery.hear(NOON, 20)
    await surgery.fleet.health.save()
    shelf, box = surgery.village.broker.shelf, Place(Box("default", BOX), b"")
    assert list(await shelf.read(box)) == [EUI.encode()]
    await surgery.village.broker.write(CALLER, [Change(DEVICE, Mode.DELETE)])
    surgery.restart()
    await surgery.fleet.health.look()
    assert await shelf.read(box) == {}


async def test_what_somebody_else_wrote_into_a_device_is_no_fault(surgery: Surgery) -> None:
    expand = surgery.village.broker.contexts.parvis.expand
    wrong = tuple(
        Instance(expand(term), Kind.PROPERTY, "nonsense")
        for term in ("deviceFindings", "dataQuality", "batteryLastDay", "batteryLevel")
    )
    await surgery.village.broker.write(CALLER, [Change(DEVICE, Mode.APPEND, wrong)])
    for n in range(10):
        await surgery.hear(NOON + n * 10 * MINUTE, 20 + n)
    assert await surgery.find(after=2 * HOUR) == [FindingKind.SILENT.value]
