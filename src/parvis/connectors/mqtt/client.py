"""One connection to a broker of somebody else, over which messages are published and their acknowledgements awaited."""

import asyncio
from typing import assert_never, cast

from parvis.kernel.causes import Cause
from parvis.kernel.errors import Detailed
from parvis.mqttwire.client_codec import (
    DISCONNECT,
    PINGREQ,
    Answer,
    AnswerDecoder,
    ConnAck,
    PingResp,
    encode_connect,
    encode_pubrel,
)
from parvis.mqttwire.codec import encode_publish
from parvis.mqttwire.packets import (
    Disconnect,
    Properties,
    Property,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    Reason,
    Version,
)
from parvis.mqttwire.wire import MalformedPacket

KEEPALIVE_S = 60
_PING_EVERY_S = 25.0
_LARGEST_PACKET_ID = 65_535
_LARGEST_PACKET_BYTES = 1 << 28
_MOST_UNACKNOWLEDGED = 64
_FAILED_FROM = 0x80


class ConnectionEnded(Detailed):
    pass


class MqttClient(asyncio.Protocol):
    """Clean start; nothing is resent over another connection: who publishes learns of the failure and decides."""

    def __init__(self, version: Version, client_id: str, username: str | None, password: bytes | None) -> None:
        self.version = version
        self.is_open = False
        self.used_at_s = 0.0
        self._connect = encode_connect(version, client_id, KEEPALIVE_S, username, password)
        self._decoder = AnswerDecoder(version)
        self._loop = asyncio.get_running_loop()
        self._welcome: asyncio.Future[int] = self._loop.create_future()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._room = asyncio.Semaphore(_MOST_UNACKNOWLEDGED)
        self._writable = asyncio.Event()
        self._writable.set()
        self._largest_bytes = _LARGEST_PACKET_BYTES
        self._last_id = 0
        self._transport: asyncio.Transport
        self._ping: asyncio.TimerHandle | None = None
        self._ping_unanswered = False

    async def welcome(self) -> int:
        """The CONNACK's code: 0 is a welcome. Raises ConnectionEnded."""
        return await self._welcome

    async def publish(self, topic: str, payload: bytes, qos: int, content_type: str) -> int:
        """The broker's reason code once it has the message, at QoS 0 once it is sent. Raises ConnectionEnded."""
        properties: Properties = {Property.CONTENT_TYPE: content_type} if self.version is Version.V5 else {}
        self.used_at_s = self._loop.time()
        if qos == 0:
            await self._writable.wait()
            return self._send(encode_publish(Publish(topic, payload, properties=properties), self.version))
        async with self._room:
            packet_id = self._next_id()
            answer: asyncio.Future[int] = self._loop.create_future()
            self._waiting[packet_id] = answer
            message = Publish(topic, payload, qos, packet_id=packet_id, properties=properties)
            try:
                refusal = self._send(encode_publish(message, self.version))
                return refusal or await answer
            finally:
                self._waiting.pop(packet_id, None)

    def close(self) -> None:
        if self.is_open:
            self._transport.write(DISCONNECT)
            self._transport.close()
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._connect)

    def data_received(self, data: bytes) -> None:
        try:
            for answer in self._decoder.feed(data):
                self._hear(answer)
        except MalformedPacket as fault:
            self._end(Cause.NO_MQTT.say(fault=fault.detail))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Cause.BROKER_CLOSED.say() if exc is None else Cause.BROKEN.say(fault=exc))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _send(self, packet: bytes) -> int:
        """0, or why it is not sent: the broker would end the connection for what is larger than it takes."""
        if not self.is_open:
            raise ConnectionEnded(Cause.BROKER_GONE.say())
        if len(packet) > self._largest_bytes:
            return Reason.PACKET_TOO_LARGE
        self._transport.write(packet)
        return 0

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % _LARGEST_PACKET_ID + 1
            if self._last_id not in self._waiting:
                return self._last_id

    def _hear(self, answer: Answer) -> None:
        match answer:
            case ConnAck(reason, properties):
                self._begin(reason, properties)
            case PubRec(packet_id, reason) if reason < _FAILED_FROM:
                self._transport.write(encode_pubrel(packet_id))
            case PubRec(packet_id, reason) | PubComp(packet_id, reason) | PubAck(packet_id, reason):
                waiting = self._waiting.get(packet_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reason)
            case PingResp():
                self._ping_unanswered = False
            case Disconnect(reason):
                self._end(Cause.BROKER_LEFT.say(code=f"0x{reason:02x}"))
            case _:
                assert_never(answer)

    def _begin(self, reason: int, properties: Properties) -> None:
        self.is_open = reason == 0
        self.used_at_s = self._loop.time()
        if isinstance(receive_maximum := properties.get(Property.RECEIVE_MAXIMUM), int):
            self._room = asyncio.Semaphore(min(receive_maximum, _MOST_UNACKNOWLEDGED))
        if isinstance(largest_bytes := properties.get(Property.MAXIMUM_PACKET_SIZE), int):
            self._largest_bytes = largest_bytes
        if not self._welcome.done():
            self._welcome.set_result(reason)
        if self.is_open:
            self._ping = self._loop.call_later(_PING_EVERY_S, self._send_ping)

    def _send_ping(self) -> None:
        if self._ping_unanswered:
            self._end(Cause.BROKER_SILENT.say())
            return
        self._ping_unanswered = True
        self._transport.write(PINGREQ)
        self._ping = self._loop.call_later(_PING_EVERY_S, self._send_ping)

    def _end(self, reason: str) -> None:
        self.is_open = False
        self._writable.set()
        if self._ping is not None:
            self._ping.cancel()
        self._transport.abort()
        for waiting in (self._welcome, *self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(ConnectionEnded(reason))
                waiting.exception()
