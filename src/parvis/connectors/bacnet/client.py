"""The platform as a device on BACnet/IP: one port, through which it asks controllers and hears their changes."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from bacpypes3.apdu import ErrorRejectAbortNack, SubscribeCOVRequest
from bacpypes3.basetypes import ErrorType
from bacpypes3.errors import ExecutionError
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.device import DeviceObject
from bacpypes3.pdu import Address, IPv4Address
from bacpypes3.primitivedata import ObjectIdentifier

from parvis.connectors.bacnet.config import BacnetConfig, BacnetDevice
from parvis.connectors.bacnet.mapping import Point, Value, open_value, read_value, write_value
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.fleet.ways.polling import NoAnswer
from parvis.kernel.identity import Caller
from parvis.kernel.time import Clock, system_clock
from parvis.kernel.trouble import Trouble

WAY = "bacnet"
DEFAULT_PORT = 47808
POINTS_AT_ONCE = 20
"""Of one request: an answer fits into one APDU of 480 octets, which any controller on BACnet/IP can send."""
GATHER_S = 0.2
"""Changes that come within so much make one reading."""
_STORE_AGAIN_AFTER_S = 2.0
_TRIES = 2
_PRESENT_VALUE = "present-value"
_log = logging.getLogger(__name__)
logging.getLogger("bacpypes3").setLevel(logging.CRITICAL)
"""It writes a traceback for every broken datagram, which anybody on the network may send."""

OnChange = Callable[[str, Any], None]
"""Told the object and its new value."""


class _Application(NormalApplication):  # type: ignore[misc]
    """Reads others; of itself it tells its name, and lets nobody change anything."""

    def __init__(self, device: Any, address: Any) -> None:
        super().__init__(device, address)
        self.listeners: dict[tuple[str, int], OnChange] = {}

    async def do_UnconfirmedCOVNotificationRequest(self, apdu: Any) -> None:  # noqa: N802 (the library's name)
        listener = self.listeners.get((str(apdu.pduSource), int(apdu.subscriberProcessIdentifier)))
        if listener is None:
            return
        for told in apdu.listOfValues:
            if str(told.propertyIdentifier) == _PRESENT_VALUE:
                listener(_name(apdu.monitoredObjectIdentifier), open_value(told.value))

    async def do_WritePropertyRequest(self, apdu: Any) -> None:  # noqa: N802
        raise ExecutionError("property", "write-access-denied")

    async def do_WritePropertyMultipleRequest(self, apdu: Any) -> None:  # noqa: N802
        raise ExecutionError("property", "write-access-denied")

    async def do_DeviceCommunicationControlRequest(self, apdu: Any) -> None:  # noqa: N802
        raise ExecutionError("services", "service-request-denied")


class BacnetPort:
    """The UDP port of the process that leads."""

    def __init__(self, config: BacnetConfig) -> None:
        self._config = config
        self._application: _Application | None = None

    @property
    def is_open(self) -> bool:
        return self._application is not None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Raises OSError: the address is not this machine's, or the port is somebody else's."""
        await self._open()
        try:
            yield
        finally:
            await self._close()

    async def _open(self) -> None:
        _check_free(self._config.address)
        device = DeviceObject(
            objectIdentifier=f"device,{self._config.instance}",
            objectName="Parvis",
            vendorIdentifier=0,
            maxApduLengthAccepted=1476,
            segmentationSupported="segmented-both",
            maxSegmentsAccepted=16,
            apduTimeout=int(self._config.timeout_s * 1000 / _TRIES),
            numberOfApduRetries=_TRIES - 1,
        )
        application = _Application(device, IPv4Address(self._config.address))
        server = application.normal.server
        try:
            await asyncio.gather(*server._transport_tasks)
        except BaseException:
            application.close()
            raise
        self._application = application

    async def _close(self) -> None:
        if self._application is not None:
            self._application.close()
            self._application = None
            await asyncio.sleep(0)

    async def find(self, instance: int) -> Any:
        """Where a device is, by its number (Who-Is). Raises NoAnswer."""
        found = await self._wait(self._running().who_is(instance, instance, timeout=self._config.timeout_s))
        if not found:
            raise NoAnswer(f"no device {instance} answers")
        return found[0].pduSource

    async def read_several(self, address: Any, points: Sequence[Point]) -> dict[str, Value]:
        """By one request. Raises NoAnswer, ErrorRejectAbortNack where the device cannot do so."""
        wanted: list[Any] = []
        for point in points:
            wanted += [point.identifier, [_PRESENT_VALUE]]
        answers = await self._wait(self._running().read_property_multiple(address, wanted))
        if isinstance(answers, ErrorRejectAbortNack):
            raise answers
        by_object = {point.object: point for point in points}
        values: dict[str, Value] = {}
        for identifier, _property, _index, value in answers or ():
            told = by_object.get(_name(identifier))
            if told is not None and (plain := read_value(told, value)) is not None:
                values[told.name] = plain
        return values

    async def read_one(self, address: Any, point: Point) -> Value | None:
        """None where the device has no such object, or no value. Raises NoAnswer."""
        try:
            value = await self._wait(self._running().read_property(address, point.identifier, _PRESENT_VALUE))
        except ErrorRejectAbortNack as fault:
            if _is_silence(fault):
                raise NoAnswer(str(fault)) from None
            return None
        return None if isinstance(value, ErrorType) else read_value(point, value)

    async def write(self, address: Any, point: Point, value: Value | None) -> None:
        """Raises ValueError, NoAnswer, ErrorRejectAbortNack."""
        ready = write_value(point, value)
        application = self._running()
        answer = await self._wait(
            application.write_property(address, point.identifier, _PRESENT_VALUE, ready, priority=point.priority)
        )
        if isinstance(answer, ErrorRejectAbortNack):
            raise answer

    async def subscribe(self, address: Any, process: int, point: Point, on_change: OnChange) -> None:
        """Raises NoAnswer, ErrorRejectAbortNack where the device does not tell changes of this."""
        application = self._running()
        application.listeners[str(address), process] = on_change
        request = SubscribeCOVRequest(
            subscriberProcessIdentifier=process,
            monitoredObjectIdentifier=point.identifier,
            issueConfirmedNotifications=False,
            lifetime=self._config.subscribe_for_s,
            destination=address,
        )
        answer = await self._wait(application.request(request))
        if isinstance(answer, ErrorRejectAbortNack):
            raise answer

    async def _wait(self, answer: Any) -> Any:
        """The library tries again by itself; this ends what it does not."""
        try:
            async with asyncio.timeout(self._config.timeout_s * 2):
                return await answer
        except ErrorRejectAbortNack as fault:
            if _is_silence(fault):
                raise NoAnswer(str(fault)) from None
            raise
        except TimeoutError:
            raise NoAnswer(f"nothing within {self._config.timeout_s * 2:g} s") from None

    def _running(self) -> Any:
        if self._application is None:
            raise NoAnswer("the port is closed")
        return self._application


def _check_free(address: str) -> None:
    """The library would share the port, or wait for the address, without a word. Raises OSError."""
    network, _, port = address.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((network.partition("/")[0], int(port or DEFAULT_PORT)))


def _is_silence(fault: Any) -> bool:
    """The library's own words for it."""
    return "no-response" in str(fault) or "tsm-timeout" in str(fault)


def _name(identifier: Any) -> str:
    return str(ObjectIdentifier(identifier))


class BacnetReader:
    def __init__(
        self, device: BacnetDevice, points: Sequence[Point], port: BacnetPort, clock: Clock = system_clock
    ) -> None:
        self.device = device
        self.points = tuple(points)
        self.port = port
        self._clock = clock
        self._found: Any = Address(device.address) if device.address else None
        self._reads_several = True

    async def address(self) -> Any:
        if self._found is None:
            self._found = await self.port.find(self.device.instance)
        return self._found

    def forget_address(self) -> None:
        """It may have another one when it is back."""
        if not self.device.address:
            self._found = None

    async def read(self) -> list[Uplink]:
        """What the controller says now. Raises NoAnswer."""
        try:
            values = await self._read()
        except NoAnswer:
            self.forget_address()
            raise
        if not values:
            raise NoAnswer(f"{self.device.hardware_id} has a value of none of its points")
        return [self.uplink(values)]

    async def _read(self) -> dict[str, Value]:
        address = await self.address()
        values: dict[str, Value] = {}
        for start in range(0, len(self.points), POINTS_AT_ONCE):
            values |= await self._read_chunk(address, self.points[start : start + POINTS_AT_ONCE])
        return values

    async def _read_chunk(self, address: Any, points: Sequence[Point]) -> dict[str, Value]:
        """Point by point where a device cannot read several, or refuses all for the sake of one."""
        if self._reads_several:
            try:
                return await self.port.read_several(address, points)
            except ErrorRejectAbortNack as fault:
                self._reads_several = False
                _log.info("read point by point", extra={"device": self.device.hardware_id, "reason": str(fault)})
        values = {point.name: await self.port.read_one(address, point) for point in points}
        return {name: value for name, value in values.items() if value is not None}

    def uplink(self, values: Mapping[str, Value]) -> Uplink:
        return Uplink(
            self.device.hardware_id,
            msgspec.json.encode(values),
            0,
            NO_COUNTER,
            self._clock(),
            fields=dict(values),
            technology=Technology.WIRED,
            way=WAY,
            route=self.device.hardware_id,
        )


class BacnetFollower:
    """Asks a controller to tell changes, and hands them in; what it does not tell is read in turn all the same."""

    def __init__(self, reader: BacnetReader, process: int, fleet: Fleet, caller: Caller, subscribe_for_s: int) -> None:
        self._reader = reader
        self._process = process
        self._fleet = fleet
        self._caller = caller
        self._every_s = subscribe_for_s / 2
        self._points = {point.object: point for point in reader.points}
        self._changed: dict[str, Value] = {}
        self._has_changed = asyncio.Event()
        self._refused: set[str] = set()
        self._storage = Trouble(f"{WAY}: changes of {reader.device.hardware_id} cannot be stored")

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_subscribed())
            tasks.create_task(self._hand_in())

    async def _keep_subscribed(self) -> None:
        while True:
            await self.subscribe()
            await asyncio.sleep(self._every_s)

    async def subscribe(self) -> None:
        """To every point that has not been refused."""
        try:
            address = await self._reader.address()
            for point in self._reader.points:
                if point.object not in self._refused:
                    await self._subscribe(address, point)
        except NoAnswer:
            return
        except Exception:
            _log.exception("changes cannot be followed", extra={"device": self._reader.device.hardware_id})

    async def _subscribe(self, address: Any, point: Point) -> None:
        try:
            await self._reader.port.subscribe(address, self._process, point, self._note)
        except ErrorRejectAbortNack as fault:
            self._refused.add(point.object)
            _log.info(
                "changes are not told: the point is read in turn",
                extra={"device": self._reader.device.hardware_id, "point": point.name, "reason": str(fault)},
            )

    def _note(self, name: str, value: Any) -> None:
        point = self._points.get(name)
        if point is not None and (plain := read_value(point, value)) is not None:
            self._changed[point.name] = plain
            self._has_changed.set()

    async def _hand_in(self) -> None:
        """One value a point waits at most: while the platform cannot store, the newest takes the place of the last."""
        while True:
            await self._has_changed.wait()
            await asyncio.sleep(GATHER_S)
            self._has_changed.clear()
            changed, self._changed = self._changed, {}
            try:
                await self._fleet.take(self._caller, [self._reader.uplink(changed)])
            except Exception as fault:
                self._storage.note(fault)
                self._changed = changed | self._changed
                self._has_changed.set()
                await asyncio.sleep(_STORE_AGAIN_AFTER_S)
            else:
                self._storage.is_over()


class PointCommands:
    """Commands such as `{"set_point_c": 20.5, "override": null}` (CommandSender)."""

    def __init__(self, readers: Iterable[BacnetReader]) -> None:
        self._readers = {reader.device.hardware_id: reader for reader in readers}

    async def send(self, order: Order) -> None:
        """Raises NotSendable, NotSentNow."""
        reader = self._readers.get(order.hardware_id)
        if reader is None:
            raise NotSendable("the settings of the connector have no such device")
        writes = _read_writes(reader, order.payload)
        if not reader.port.is_open:
            raise NotSentNow("another process speaks with the controllers")
        try:
            address = await reader.address()
            for point, value in writes:
                await reader.port.write(address, point, value)
        except ErrorRejectAbortNack as fault:
            raise NotSendable(f"the device answers {fault}") from None
        except NoAnswer as fault:
            reader.forget_address()
            raise NotSentNow(fault.detail) from None


def _read_writes(reader: BacnetReader, payload: bytes) -> list[tuple[Point, Value | None]]:
    """Raises NotSendable, before anything is written."""
    points = {point.name: point for point in reader.points}
    try:
        values = msgspec.json.decode(payload, type=dict[str, int | float | bool | None])
        for name, value in values.items():
            if name not in points:
                raise ValueError(f"there is no point {name[:64]}")
            write_value(points[name], value)
    except (ValueError, UnicodeDecodeError) as fault:
        raise NotSendable(f"no values for points: {fault}") from None
    return [(points[name], value) for name, value in values.items()]
