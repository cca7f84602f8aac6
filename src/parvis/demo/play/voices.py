"""What a device says when its turn has come, in the words of its way in."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind, Way
from parvis.demo.play.chirpstack import NetworkServer, Uplink, rfc3339
from parvis.demo.play.radio import Gateway, Radio
from parvis.demo.play.schedule import Turn
from parvis.demo.readings.layouts import LAYOUTS
from parvis.demo.readings.scene import Scene
from parvis.demo.readings.table import sensor_of

MEASURED_EVERY_S = 60
"""Devices measure on the minute: what nature is then is worked out once for all of them."""
US_PER_S = 1_000_000
NOT_KNOWN = float("nan")
Row = Mapping[str, Any]


class Publication(NamedTuple):
    """An MQTT message."""

    topic: str
    payload: bytes


class Document(NamedTuple):
    """A reading to be pushed over HTTP."""

    body: Row


Message = Publication | Document


class Voices:
    """Of all devices but the charging stations, which hold a conversation of their own."""

    def __init__(self, devices: Sequence[Device], scene: Scene, gateways: Sequence[Gateway]) -> None:
        self._devices = devices
        self._counted: dict[int, int] = {}
        self._alarms: Counter[int] = Counter()
        self._radio = Radio(gateways, scene.seed)
        self._server = NetworkServer([one for one in devices if one.way is Way.LORAWAN])
        self.take_up(scene)

    def take_up(self, scene: Scene) -> None:
        """From now on the scene is another: somebody has set off an event."""
        self._sensors = [sensor_of(device, scene) for device in self._devices]

    def alarm(self, turn: Turn) -> Message | None:
        """Out of turn: frames after it bear one number more. None where nothing of it gets through."""
        self._alarms[turn.who] += 1
        return self._say(turn._replace(counted=self._counted.get(turn.who, turn.counted - 2)), self._alarms[turn.who])

    def message(self, turn: Turn) -> Message | None:
        """None where nothing of it gets through. What is told of the past was counted before any alarm."""
        newest = self._counted.get(turn.who, turn.counted)
        self._counted[turn.who] = max(newest, turn.counted)
        return self._say(turn, self._alarms[turn.who] if turn.counted >= newest else 0)

    def _say(self, turn: Turn, alarms: int) -> Message | None:
        device = self._devices[turn.who]
        row = self._read(turn)
        if row is None:
            return None
        match device.way:
            case Way.LORAWAN:
                return self._frame(device, turn, row, alarms)
            case Way.MQTT:
                told = {"fields": row, "time": rfc3339(_us(turn.time_s))}
                return Publication(f"device/{device.hardware_id}/up", msgspec.json.encode(told))
            case Way.HTTP:
                return Document({"device": device.hardware_id, "time": rfc3339(_us(turn.time_s)), "values": row})
            case Way.OCPP:
                raise ValueError(f"{device.hardware_id} speaks OCPP")

    def _read(self, turn: Turn) -> Row | None:
        step_s = 1 if self._devices[turn.who].kind is Kind.BUS else MEASURED_EVERY_S
        told = self._sensors[turn.who].tell(np.array([turn.time_s // step_s * step_s]))
        if not told.heard[0]:
            return None
        return {name: _plain(column[0]) for name, column in told.columns.items()}

    def _frame(self, device: Device, turn: Turn, row: Row, alarms: int) -> Publication:
        frame = LAYOUTS[device.kind].frame(
            {name: float("nan") if value is None else value for name, value in row.items()}
        )
        heard = self._radio.receptions(device, turn.who, turn.slot)
        counted = turn.counted + alarms
        uplink = Uplink(_us(turn.time_s), device.hardware_id, frame.f_port, frame.payload, counted, heard)
        return Publication(*self._server.message(uplink))


def _us(time_s: float) -> int:
    return int(time_s * US_PER_S)


def _plain(value: Any) -> Any:
    """As JSON has it; a number that is none is left out by being null."""
    if isinstance(value, np.floating | float):
        number = float(value)
        return None if np.isnan(number) else int(number) if number.is_integer() else number
    return value.item() if isinstance(value, np.generic) else value
