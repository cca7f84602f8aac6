"""The central system: lets stations in, hears them one after the other, and asks of them what is commanded."""

import asyncio
import base64
import binascii
import hmac
import http
import logging
import re
import ssl
from typing import Any

import msgspec
from ocpp.exceptions import OCPPError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from parvis.connectors.ocpp import metrics, v16, v201
from parvis.connectors.ocpp.commands import ACCEPTED, read_command
from parvis.connectors.ocpp.config import STATION_ID, OcppConfig
from parvis.connectors.ocpp.desk import Desk
from parvis.connectors.ocpp.records import ChargingRecords, NeverStored, NotStored
from parvis.connectors.ocpp.talker import Talker
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.model.uplink import plain_hardware_id
from parvis.kernel.errors import Overloaded, ParvisError

LARGEST_MESSAGE_BYTES = 256 * 1024
MOST_MALFORMED = 20
"""Of one connection: who speaks no OCPP is hung up on."""
ANSWER_WITHIN_S = 12.0
_PING_EVERY_S = 60.0
_MESSAGES_QUEUED = 16
_CLOSE_WITHIN_S = 2.0
_TELL_AGAIN_S = 0.5
_CALL, _CALL_RESULT, _CALL_ERROR = 2, 3, 4
_PROTOCOL_ERROR, _POLICY_VIOLATION = 1002, 1008
_log = logging.getLogger(__name__)


class CentralSystem:
    def __init__(self, config: OcppConfig, records: ChargingRecords) -> None:
        self._config = config
        self._records = records
        self._passwords = {plain_hardware_id(one.id): one.password or config.password for one in config.station}
        self._talkers: dict[str, Talker] = {}
        self._wires: dict[str, ServerConnection] = {}
        self._count = 0
        self._asking: set[str] = set()
        self.server: Server | None = None

    async def run(self) -> None:
        """Until cancelled. Raises ParvisError where it cannot be stored that nobody is connected yet."""
        await self._records.all_away()
        async with serve(
            self._talk,
            self._config.host,
            self._config.port,
            subprotocols=[Subprotocol(one) for one in self._config.protocols],
            process_request=self._admit,
            max_size=LARGEST_MESSAGE_BYTES,
            max_queue=_MESSAGES_QUEUED,
            ping_interval=_PING_EVERY_S,
            ping_timeout=_PING_EVERY_S,
            close_timeout=_CLOSE_WITHIN_S,
            compression=None,
            server_header=None,
            ssl=load_tls(self._config),
        ) as self.server:
            await self.server.serve_forever()

    @property
    def port(self) -> int:
        """Where it listens, once it does."""
        assert self.server is not None
        return int(next(iter(self.server.sockets)).getsockname()[1])

    async def send(self, order: Order) -> None:
        """Ask a command of a station (CommandSender). Raises NotSendable, NotSentNow."""
        try:
            command = read_command(order.payload)
        except ValueError as fault:
            raise NotSendable(f"no command for a charging station: {fault}") from None
        station = order.route or order.hardware_id
        talker = self._talkers.get(plain_hardware_id(station))
        if talker is None:
            raise NotSentNow("the station is not connected to this process")
        self._asking.add(plain_hardware_id(station))
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                status = await talker.obey(command)
        except ValueError as fault:
            raise NotSendable(f"this version of OCPP cannot say it: {fault}") from None
        except OCPPError as fault:
            raise NotSendable(f"the station answers {type(fault).__name__}: {fault.description}") from None
        except (TimeoutError, ConnectionClosed):
            raise NotSentNow("the station did not answer") from None
        finally:
            self._asking.discard(plain_hardware_id(station))
        if status not in ACCEPTED:
            raise NotSendable(f"the station answers {status}")

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Nothing where it may come in; the answer to who may not."""
        station = _station_of(request.path)
        if self._count >= self._config.most_connections:
            return _refuse(connection, http.HTTPStatus.SERVICE_UNAVAILABLE, "too-many-connections")
        if station is None:
            return _refuse(connection, http.HTTPStatus.NOT_FOUND, "no-station-id")
        password = self._passwords.get(plain_hardware_id(station))
        if password is None and self._config.accepts_unlisted:
            password = self._config.password
        if password is None:
            return _refuse(connection, http.HTTPStatus.NOT_FOUND, "unknown-station")
        if password and not _shows(request, station, password):
            response = _refuse(connection, http.HTTPStatus.UNAUTHORIZED, "wrong-password")
            response.headers["WWW-Authenticate"] = 'Basic realm="charging stations"'
            return response
        return None

    async def _talk(self, wire: ServerConnection) -> None:
        assert wire.request is not None
        station = _station_of(wire.request.path)
        assert station is not None
        if wire.subprotocol is None:
            metrics.REFUSED.labels("no-common-version").inc()
            await wire.close(_PROTOCOL_ERROR, "no common version of OCPP")
            return
        self._count += 1
        try:
            await self._hold(station, wire)
        finally:
            self._count -= 1

    async def _hold(self, station: str, wire: ServerConnection) -> None:
        """A station that connects anew takes the place of its older connection, which may be half dead."""
        name = plain_hardware_id(station)
        if (older := self._wires.get(name)) is not None:
            await older.close(_POLICY_VIOLATION, "connected anew")
        desk = Desk(station, wire, self._records, self._config)
        talker: Talker
        if wire.subprotocol == v16.PROTOCOL:
            talker = v16.ChargePoint16(desk, wire)
        else:
            talker = v201.ChargingStation201(desk, wire)
        self._wires[name], self._talkers[name] = wire, talker
        try:
            await self._note_connection(station, True)
            await self._hear(name, talker, wire)
        finally:
            if self._wires.get(name) is wire:
                del self._wires[name], self._talkers[name]
                await self._note_departure(name, station)

    async def _hear(self, name: str, talker: Talker, wire: ServerConnection) -> None:
        malformed = 0
        try:
            async for message in wire:
                fault = self._fault(name, message)
                if not fault:
                    await talker.route_message(message)
                    continue
                metrics.MALFORMED.labels(fault).inc()
                malformed += 1
                if malformed == MOST_MALFORMED:
                    await wire.close(_PROTOCOL_ERROR, "this is no OCPP")
        except ConnectionClosed:
            return

    def _fault(self, name: str, message: str | bytes) -> str:
        """Why a message is not worth a look; an answer that nobody waits for would be kept for ever."""
        kind = _kind(message)
        if kind is None:
            return "malformed"
        if kind in (_CALL_RESULT, _CALL_ERROR) and name not in self._asking:
            return "unasked-answer"
        return ""

    async def _note_departure(self, name: str, station: str) -> None:
        """Until it is stored or the station is back: nothing that it sends later would tell that it was away."""
        while not await self._note_connection(station, False):
            await asyncio.sleep(_TELL_AGAIN_S)
            if name in self._wires or self.server is None or not self.server.is_serving():
                return

    async def _note_connection(self, station: str, is_connected: bool) -> bool:
        """Worth no fault, and whatever becomes of it the station is heard. False: it is worth another try."""
        try:
            await self._records.connected(station, is_connected)
        except (ParvisError, NotStored, NeverStored) as fault:
            told = {"station": station, "reason": str(fault)}
            _log.warning("a connection could not be noted", extra=told)
            return not isinstance(fault, Overloaded | NotStored)
        return True


def load_tls(config: OcppConfig) -> ssl.SSLContext | None:
    """None where the settings have no certificate. Raises OSError: it cannot be read, or its key is another's."""
    if not config.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.certificate, config.key)
    return context


def _station_of(path: str) -> str | None:
    name = path.partition("?")[0].rstrip("/").rpartition("/")[2]
    return name if re.match(STATION_ID, name) else None


def _shows(request: Request, station: str, password: str) -> bool:
    """HTTP Basic: the station's id and its password (OCPP-J 1.6, 6.2; security profile 1)."""
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    try:
        shown = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(shown, f"{station}:{password}".encode())


def _refuse(connection: ServerConnection, status: http.HTTPStatus, reason: str) -> Response:
    metrics.REFUSED.labels(reason).inc()
    return connection.respond(status, f"{reason}\n")


def _kind(message: str | bytes) -> int | None:
    """The message type: 2, 3 or 4 (OCPP-J 1.6, 4.2)."""
    try:
        document: Any = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(document, list) or not 3 <= len(document) <= 5 or not isinstance(document[1], str):
        return None
    if document[0] == _CALL and len(document) == 4 and isinstance(document[2], str) and isinstance(document[3], dict):
        return _CALL
    if document[0] == _CALL_RESULT and len(document) == 3 and isinstance(document[2], dict):
        return _CALL_RESULT
    return _CALL_ERROR if document[0] == _CALL_ERROR and len(document) == 5 else None
