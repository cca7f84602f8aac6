"""Charging stations against the platform's own central system, in both versions of OCPP."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from parvis.connectors.ocpp.config import OcppConfig
from parvis.connectors.ocpp.records import connector_id
from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind
from parvis.demo.play.stations import Station
from parvis.demo.readings.charging import plugs_of
from parvis.demo.readings.scene import Scene, key_of
from parvis.demo.story.events import Course, Event, EventKind
from parvis.kernel.time import SECOND
from tests.connectors.ocpp.conftest import NOW, open_central
from tests.connectors.town import open_town
from tests.demo.conftest import SetScene

NOW_S = NOW / SECOND
CONFIG = OcppConfig(port=0, password="common", accepts_unlisted=True)


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def station_of(devices: tuple[Device, ...], parity: int) -> Device:
    """One that speaks 1.6 (even) or 2.0.1."""
    return next(one for one in devices if one.kind is Kind.CHARGING and key_of(one.hardware_id) % 2 == parity)


def busy_time_s(device: Device, scene: Scene) -> float:
    """When its first plug charges for ten minutes more."""
    plug = plugs_of(scene.stations[device.link.id], scene.seed)[0]
    times = (NOW_S - 60.0 * minute for minute in range(60, 5000))
    return next(time for time in times if plug.find_session(time) and plug.find_session(time + 600))


@pytest.mark.parametrize("parity", [0, 1], ids=["1.6", "2.0.1"])
async def test_a_session_is_told_from_its_begin_to_its_end(
    parity: int,
    devices: tuple[Device, ...],
    set_scene: SetScene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parvis.demo.play.stations.LOOK_S", 0.02)
    device, scene = station_of(devices, parity), set_scene()
    clock = Clock(busy_time_s(device, scene))
    plug = connector_id(device.hardware_id, "1")
    async with open_town(tmp_path) as town, open_central(town, CONFIG) as central:
        url = f"ws://127.0.0.1:{central.system.port}/ocpp"
        living = asyncio.create_task(Station(device, scene, clock).live(url, CONFIG.password))
        try:
            await town.eventually(plug, "status")
            assert await town.value(plug, "status") in ("Charging", "Occupied")
            clock.now_s += 400
            power = await town.eventually(plug, "activePower")
            assert 0 < float(str(power.value)) < 200
            clock.now_s += 2 * 7200
            async with asyncio.timeout(10):
                while "Available" not in await town.history(plug, "status"):
                    clock.now_s += 60
                    await asyncio.sleep(0.05)
        finally:
            living.cancel()
            with suppress(asyncio.CancelledError):
                await living


async def test_without_current_a_station_hangs_up(
    devices: tuple[Device, ...], set_scene: SetScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.demo.play.stations.LOOK_S", 0.02)
    device, told = station_of(devices, 1), {"en": "It is dark."}
    names = frozenset({device.entity_id})
    dark = Event("dark", EventKind.BLACKOUT, NOW_S, NOW_S + 3600, 1.0, Course.STEP, told, told, names)
    clock = Clock(NOW_S - 60)
    async with open_town(tmp_path) as town, open_central(town, CONFIG) as central:
        url = f"ws://127.0.0.1:{central.system.port}/ocpp"
        living = asyncio.create_task(Station(device, set_scene(dark), clock).live(url, CONFIG.password))
        try:
            await town.eventually(f"urn:ngsi-ld:EVChargingStation:{device.hardware_id}", "firmwareVersion")
            clock.now_s += 120
            async with asyncio.timeout(10):
                while await town.value(f"urn:ngsi-ld:EVChargingStation:{device.hardware_id}", "isConnected"):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        finally:
            living.cancel()
            with suppress(asyncio.CancelledError):
                await living
