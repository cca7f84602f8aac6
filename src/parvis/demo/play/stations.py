"""Charging stations as they speak OCPP to their central system: half of them 1.6, half 2.0.1.

Messages by OCPP 1.6 edition 2, chapters 4 and 6, and OCPP 2.0.1 part 2, chapter 1; framed as OCPP-J has it.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from parvis.demo.devices.device import Device
from parvis.demo.play.chirpstack import rfc3339
from parvis.demo.readings.charging import Plug, Session, plugs_of
from parvis.demo.readings.scene import Scene, key_of
from parvis.demo.story.events import Effects

log = logging.getLogger("parvis.demo.player")
CALL, RESULT, ERROR = 2, 3, 4
ANSWER_WITHIN_S = 30.0
HEARTBEAT_S, METERED_S = 900.0, 300.0
"""By the devices' clock; never more often than LOOK_S of real time."""
LOOK_S = 2.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 3.0, 60.0
IDENTITY_TAG = "04A2B9C17E5D80"
Clock = Callable[[], float]
Payload = dict[str, Any]


class Wire:
    """One OCPP-J connection: calls are answered one after the other, in both directions."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[str, asyncio.Future[Payload]] = {}

    async def call(self, action: str, payload: Payload) -> Payload:
        """Raises OSError where the central system has no answer."""
        number = str(next(self._numbers))
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(msgspec.json.encode([CALL, number, action, payload]).decode())
        try:
            return await asyncio.wait_for(answer, ANSWER_WITHIN_S)
        except TimeoutError as error:
            raise OSError(f"{action} was not answered") from error
        finally:
            del self._answers[number]

    async def hear(self) -> None:
        """Until the connection ends. What the central system asks for is refused: nobody stands at the plug."""
        async for text in self._socket:
            message = msgspec.json.decode(text)
            if message[0] == CALL:
                refusal = [ERROR, message[1], "NotSupported", "a demonstration's station", {}]
                await self._socket.send(msgspec.json.encode(refusal).decode())
            elif message[1] in self._answers:
                self._settle(self._answers[message[1]], message)

    def _settle(self, answer: asyncio.Future[Payload], message: Sequence[Any]) -> None:
        if answer.done():
            return
        if message[0] == RESULT:
            answer.set_result(message[2])
        else:
            answer.set_exception(OSError(f"{message[2]}: {message[3]}"))


class Dialect(Protocol):
    """What a station says of itself and its plugs, in one version."""

    protocol: str

    async def boot(self, wire: Wire, device: Device) -> None: ...

    async def status(self, wire: Wire, plug: Plug, status: str, time_s: float) -> None: ...

    async def begin(self, wire: Wire, plug: Plug, session: Session, time_s: float) -> str: ...

    async def meter(self, wire: Wire, plug: Plug, session: Session, transaction: str, time_s: float) -> None: ...

    async def end(self, wire: Wire, plug: Plug, session: Session, transaction: str, time_s: float) -> None: ...


class Ocpp16:
    protocol = "ocpp1.6"

    async def boot(self, wire: Wire, device: Device) -> None:
        told = {
            "chargePointVendor": "Trevalan Instruments",
            "chargePointModel": "TI-CS16",
            "chargePointSerialNumber": device.hardware_id[:25],
            "firmwareVersion": "2.4.1",
        }
        await wire.call("BootNotification", told)

    async def status(self, wire: Wire, plug: Plug, status: str, time_s: float) -> None:
        told = {
            "connectorId": plug.number,
            "errorCode": "NoError",
            "status": "Charging" if status == "Occupied" else status,
            "timestamp": moment(time_s),
        }
        await wire.call("StatusNotification", told)

    async def begin(self, wire: Wire, plug: Plug, session: Session, time_s: float) -> str:
        told = {
            "connectorId": plug.number,
            "idTag": IDENTITY_TAG,
            "meterStart": plug.meter_wh(session, session.begins_s),
            "timestamp": moment(time_s),
        }
        answer = await wire.call("StartTransaction", told)
        return str(answer["transactionId"])

    async def meter(self, wire: Wire, plug: Plug, session: Session, transaction: str, time_s: float) -> None:
        told = {
            "connectorId": plug.number,
            "transactionId": int(transaction),
            "meterValue": [{"timestamp": moment(time_s), "sampledValue": _samples_16(plug, session, time_s)}],
        }
        await wire.call("MeterValues", told)

    async def end(self, wire: Wire, plug: Plug, session: Session, transaction: str, time_s: float) -> None:
        told = {
            "transactionId": int(transaction),
            "idTag": IDENTITY_TAG,
            "meterStop": plug.meter_wh(session, time_s),
            "timestamp": moment(time_s),
            "reason": "EVDisconnected",
        }
        await wire.call("StopTransaction", told)


class Ocpp201:
    """`seqNo` begins anew with each transaction."""

    protocol = "ocpp2.0.1"

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    async def boot(self, wire: Wire, device: Device) -> None:
        station = {
            "vendorName": "Trevalan Instruments",
            "model": "TI-CS201",
            "serialNumber": device.hardware_id[:25],
            "firmwareVersion": "5.0.3",
        }
        await wire.call("BootNotification", {"reason": "PowerUp", "chargingStation": station})

    async def status(self, wire: Wire, plug: Plug, status: str, time_s: float) -> None:
        told = {"timestamp": moment(time_s), "connectorStatus": status, "evseId": plug.number, "connectorId": 1}
        await wire.call("StatusNotification", told)

    async def begin(self, wire: Wire, plug: Plug, session: Session, time_s: float) -> str:
        transaction = f"{plug.number}-{int(session.begins_s)}"
        token = {"idToken": IDENTITY_TAG, "type": "ISO14443"}
        more = {"idToken": token, "evse": {"id": plug.number, "connectorId": 1}}
        await self._event(wire, "Started", "CablePluggedIn", (plug, session, transaction), time_s, more)
        return transaction

    async def meter(self, wire: Wire, plug: Plug, session: Session, transaction: str, time_s: float) -> None:
        await self._event(wire, "Updated", "MeterValuePeriodic", (plug, session, transaction), time_s, {})

    async def end(self, wire: Wire, plug: Plug, session: Session, transaction: str, time_s: float) -> None:
        await self._event(wire, "Ended", "EVDeparted", (plug, session, transaction), time_s, {})
        self._numbers.pop(transaction, None)

    async def _event(
        self, wire: Wire, kind: str, trigger: str, of: tuple[Plug, Session, str], time_s: float, more: Mapping[str, Any]
    ) -> None:
        plug, session, transaction = of
        number = self._numbers.get(transaction, 0)
        self._numbers[transaction] = number + 1
        info: Payload = {"transactionId": transaction, "chargingState": "Charging"}
        if kind == "Ended":
            info = {"transactionId": transaction, "stoppedReason": "EVDisconnected"}
        told = {
            "eventType": kind,
            "timestamp": moment(time_s),
            "triggerReason": trigger,
            "seqNo": number,
            "transactionInfo": info,
            "meterValue": [{"timestamp": moment(time_s), "sampledValue": _samples_201(plug, session, time_s)}],
            **more,
        }
        await wire.call("TransactionEvent", told)


def moment(time_s: float) -> str:
    return rfc3339(int(time_s) * 1_000_000)


def _measured(plug: Plug, session: Session, time_s: float) -> list[tuple[str, float, str]]:
    return [
        ("Energy.Active.Import.Register", plug.meter_wh(session, time_s), "Wh"),
        ("Power.Active.Import", round(1000 * session.power_kw), "W"),
        ("SoC", session.charge_percent(time_s), "Percent"),
    ]


def _samples_16(plug: Plug, session: Session, time_s: float) -> list[Payload]:
    told = _measured(plug, session, time_s)
    return [{"measurand": name, "value": str(value), "unit": unit} for name, value, unit in told]


def _samples_201(plug: Plug, session: Session, time_s: float) -> list[Payload]:
    told = _measured(plug, session, time_s)
    return [{"measurand": name, "value": value, "unitOfMeasure": {"unit": unit}} for name, value, unit in told]


@dataclass
class _Charging:
    session: Session
    transaction: str
    metered_at_s: float


@dataclass
class Station:
    """One station, from its first word to the player's end; without current it is away."""

    device: Device
    scene: Scene
    clock: Clock
    speed: float = 1.0
    _charging: dict[int, _Charging] = field(default_factory=dict)
    _told: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = self.scene.stations[self.device.link.id]
        self._plugs = plugs_of(known, self.scene.seed)
        self._dialect: Dialect = Ocpp201() if key_of(self.device.hardware_id) % 2 else Ocpp16()

    def effects(self) -> Effects:
        return self.scene.effects_on(self.device)(np.array([self.clock()]))

    async def live(self, url: str, password: str) -> None:
        """Connects, and again when it was hung up on; until cancelled."""
        pause_s = SHORTEST_PAUSE_S
        while True:
            if self.effects().powered[0]:
                try:
                    await self._hold(url, password)
                    pause_s = SHORTEST_PAUSE_S
                except (OSError, WebSocketException, InvalidHandshake) as error:
                    log.debug("station %s: %r", self.device.hardware_id, error)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 1.5 * pause_s)

    async def _hold(self, url: str, password: str) -> None:
        name = self.device.hardware_id
        shown = base64.b64encode(f"{name}:{password}".encode()).decode()
        async with connect(
            f"{url}/{name}",
            subprotocols=[Subprotocol(self._dialect.protocol)],
            additional_headers={"Authorization": f"Basic {shown}"},
            compression=None,
            proxy=None,
        ) as socket:
            wire = Wire(socket)
            hearing = asyncio.create_task(wire.hear())
            try:
                await self._talk(wire)
            finally:
                hearing.cancel()

    async def _talk(self, wire: Wire) -> None:
        """Until its current is gone."""
        await self._dialect.boot(wire, self.device)
        self._told.clear()
        beat_at_s = self.clock()
        while self.effects().powered[0]:
            for plug in self._plugs:
                await self._look(wire, plug)
            if self.clock() - beat_at_s >= HEARTBEAT_S:
                await wire.call("Heartbeat", {})
                beat_at_s = self.clock()
            await asyncio.sleep(LOOK_S)

    async def _look(self, wire: Wire, plug: Plug) -> None:
        now_s = self.clock()
        working = bool(self.effects().working[0])
        session = plug.find_session(now_s) if working else None
        running = self._charging.get(plug.number)
        if running is not None and running.session != session:
            await self._dialect.end(wire, plug, running.session, running.transaction, now_s)
            del self._charging[plug.number]
            running = None
        if session is not None and running is None:
            transaction = await self._dialect.begin(wire, plug, session, now_s)
            running = self._charging[plug.number] = _Charging(session, transaction, now_s)
        if running is not None and now_s - running.metered_at_s >= max(METERED_S, 5 * LOOK_S * self.speed):
            running.metered_at_s = now_s
            await self._dialect.meter(wire, plug, running.session, running.transaction, now_s)
        await self._show(wire, plug, "Occupied" if session else "Available" if working else "Faulted")

    async def _show(self, wire: Wire, plug: Plug, status: str) -> None:
        if self._told.get(plug.number) != status:
            await self._dialect.status(wire, plug, status, self.clock())
            self._told[plug.number] = status
