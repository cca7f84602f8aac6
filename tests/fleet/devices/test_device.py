"""What the platform remembers of each device: little enough for 100 000 of them."""

import gc
import tracemalloc

from parvis.fleet.devices.device import SeenFrames
from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.kernel.time import MINUTE
from tests.fleet.conftest import EUI, NOON


def test_the_frames_that_a_device_has_sent_take_less_than_a_kilobyte() -> None:
    uplinks = [Uplink(EUI, b"", 1, 1000 + number, NOON + number * MINUTE) for number in range(1100)]
    gc.collect()
    tracemalloc.start()
    try:
        devices = [SeenFrames() for _ in range(50)]
        for seen in devices:
            for one in uplinks:
                seen.add(one)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes / len(devices) < 1000


def test_a_counter_beyond_any_radio_is_remembered_like_others() -> None:
    seen = SeenFrames()
    frames = [Uplink(EUI, b"", 1, 2**64 - 1, NOON), Uplink(EUI, b"\2", 1, NO_COUNTER, NOON + MINUTE)]
    for one in frames:
        seen.add(one)
    assert [seen.look(one).name for one in frames] == ["YES", "YES"]
