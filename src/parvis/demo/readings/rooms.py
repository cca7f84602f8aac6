"""The air of rooms in public buildings."""

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.chance import Times
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects


def room(device: Device, scene: Scene) -> Read:
    """`place` is what the room is used for: a kind of building, or kind and room."""
    key = key_of(device.hardware_id)

    def read(times: Times, effects: Effects) -> Columns:
        air = scene.nature.rooms.climate(times, device.place, key)
        return {
            "temperature_c": np.round(air.temperature_c, 2),
            "humidity_percent": np.round(2 * air.humidity_percent) / 2,
            "co2_ppm": np.rint(air.co2_ppm),
            "illuminance_lx": np.rint(air.illuminance_lx),
            "people": np.minimum(air.people, 255),
        }

    return read
