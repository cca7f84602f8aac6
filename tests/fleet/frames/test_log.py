import asyncio
from collections.abc import Sequence

import pytest

from parvis.fleet.fleet import open_fleet
from parvis.fleet.frames import log as frame_log
from parvis.fleet.model.frame import LoggedFrame, Room
from parvis.fleet.model.refusal import RefusalReason
from parvis.kernel.errors import Overloaded
from tests.fleet.conftest import CALLER, DEVICE, EUI, RECORD, Village, uplink


async def test_the_last_frames_tell_what_came_what_it_meant_and_why_it_was_refused(village: Village) -> None:
    fleet = village.fleet
    await fleet.register(CALLER, [RECORD])
    radio = uplink(1, 40, rssi_dbm=-101.0, snr_db=3.5, gateway="gw-1", spreading_factor=9, way="chirpstack")
    await fleet.take(CALLER, [radio, radio, uplink(2, 255)])
    failed, again, stored = await fleet.list_frames(CALLER, EUI.upper())
    assert stored.uplink == radio
    assert (stored.data, stored.refused) == ({"fill": 40, "battery": 80}, None)
    assert again.refused is not None
    assert again.refused.reason is RefusalReason.DUPLICATE
    assert failed.refused is not None
    assert failed.refused.reason is RefusalReason.MAPPING_FAILED
    assert failed.data == {"fill": "full"}
    assert await village.reopened().list_frames(CALLER, EUI) == [failed, again, stored]


async def test_so_many_are_kept_and_frames_of_unknown_devices_are_not(village: Village) -> None:
    fleet = open_fleet(village.broker, village.store.frames, village.data_dir, room=Room(last=3))
    await fleet.take(CALLER, [uplink(1, 40, hardware_id="70b3d5499e0000ff")])
    await fleet.register(CALLER, [RECORD])
    await fleet.take(CALLER, [uplink(number, 40) for number in range(10)])
    assert [one.uplink.f_cnt for one in await fleet.list_frames(CALLER, EUI)] == [9, 8, 7]
    assert await fleet.list_frames(CALLER, "70b3d5499e0000ff") == []


async def test_it_is_written_in_the_background(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_log, "WRITE_EVERY_S", 0.01)
    running = asyncio.create_task(village.fleet.log.run())
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40)])
    async with asyncio.timeout(5):
        while not await village.store.frames.list_logged("default", EUI, 5):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    running.cancel()


async def test_too_many_at_once_cost_frames_of_the_log_and_nothing_else(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_log, "MOST_QUEUED", 5)
    await village.fleet.register(CALLER, [RECORD])
    assert await village.fleet.take(CALLER, [uplink(number, 40) for number in range(20)]) == [None] * 20
    assert [one.uplink.f_cnt for one in await village.fleet.list_frames(CALLER, EUI)] == [19, 18, 17, 16, 15]


async def test_a_store_that_takes_nothing_stops_the_log_and_nothing_else(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_log, "WRITE_EVERY_S", 0.0)
    await village.fleet.register(CALLER, [RECORD])
    asked = asyncio.Event()

    async def full(frames: Sequence[LoggedFrame], room: Room) -> None:
        asked.set()
        raise Overloaded("The disk is full.")

    with monkeypatch.context() as for_a_while:
        for_a_while.setattr(village.store.frames, "log", full)
        running = asyncio.create_task(village.fleet.log.run())
        assert await village.fleet.take(CALLER, [uplink(1, 40)]) == [None]
        await asked.wait()
    await village.fleet.take(CALLER, [uplink(2, 40)])
    assert [one.uplink.f_cnt for one in await village.fleet.list_frames(CALLER, EUI)] == [2]
    running.cancel()


async def test_a_removed_device_leaves_no_log(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40)])
    await village.fleet.remove(CALLER, DEVICE)
    assert await village.fleet.list_frames(CALLER, EUI) == []
