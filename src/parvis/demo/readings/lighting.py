"""Cabinets of street lighting: which of their circuits burn, what they take."""

from collections.abc import Callable, Mapping

import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.nature.calendar import moments
from parvis.demo.nature.chance import Bools, Floats, Times, drift
from parvis.demo.nature.energy import Running
from parvis.demo.networks.lighting import Circuit
from parvis.demo.readings.scene import Columns, Read, Scene, key_of
from parvis.demo.story.events import Effects, Place

IDLE_W = 18.0
"""Of the cabinet's own control."""
DIMMED = 0.5


def cabinet(device: Device, scene: Scene) -> Read:
    """A circuit whose cable is gone takes nothing; a cabinet without current still tells so, from its battery."""
    cabinet = scene.cabinets[device.link.id]
    circuits = [scene.networks.lighting.circuits[number] for number in cabinet.circuits]
    on_circuit = {one.id: _effects_on(one, device, scene) for one in circuits}
    key, effects_on = key_of(device.hardware_id), scene.effects_on(device)

    def burning(times: Times) -> Mapping[str, Floats]:
        dark = scene.nature.weather.at(times).sun.is_dark
        alive = effects_on(times).powered
        hour = moments(times).hour
        return {one.id: _level(one, hour) * (dark & alive & on_circuit[one.id](times).powered) for one in circuits}

    def power_w(times: Times) -> Floats:
        lit = burning(times)
        alive = effects_on(times).powered
        lamps = sum((one.power_w * lit[one.id] for one in circuits), np.zeros(len(times)))
        return alive * (IDLE_W + lamps * (1 + 0.015 * drift(scene.seed, key, times, 1800)))

    energy = Running(lambda times: power_w(times) / 1000, scene.nature.meters_count_from_s)

    def read(times: Times, effects: Effects) -> Columns:
        lit, power = burning(times), power_w(times)
        count = sum(((one > 0).astype(np.float64) for one in lit.values()), np.zeros(len(times)))
        wanted = _wanted(circuits, scene.nature.weather.at(times).sun.is_dark, moments(times).hour)
        state = np.where(effects.powered, np.where(count < wanted, "circuitFault", "ok"), "powerFailure")
        return {
            "power_w": np.rint(power),
            "energy_kwh": np.round(energy.at(times), 1),
            "voltage_v": np.round(effects.powered * (232 + 2 * drift(scene.seed, key + 1, times, 1200)), 1),
            "circuits_lit": count,
            "power_state": np.where(count > 0, "on", "off").astype(object),
            "state": state.astype(object),
            "fault": (state != "ok").astype(np.int64),
        }

    return read


def _effects_on(circuit: Circuit, device: Device, scene: Scene) -> Callable[[Times], Effects]:
    return scene.effects_at(Place(frozenset({f"circuit:{circuit.id}"}), device.x, device.y))


def _level(circuit: Circuit, hour: Floats) -> Floats:
    """0..1 of its power at that hour of the night."""
    found = np.ones(len(hour))
    if circuit.dims_at_night:
        found[(hour >= 23) | (hour < 5)] = DIMMED
    if circuit.off_at_night:
        found[(hour >= 23.5) | (hour < 5.5)] = 0.0
    return found


def _wanted(circuits: list[Circuit], dark: Bools, hour: Floats) -> Floats:
    each = ((_level(one, hour) > 0) & dark for one in circuits)
    return sum((one.astype(np.float64) for one in each), np.zeros(len(hour)))
