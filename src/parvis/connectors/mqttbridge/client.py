"""One connection to a broker, over which messages come and are acknowledged when somebody says so."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import assert_never, cast

from parvis.connectors.mqttbridge.config import BrokerConfig
from parvis.kernel.causes import Cause
from parvis.kernel.errors import Detailed
from parvis.mqttwire.client_codec import DISCONNECT, PINGREQ, ConnAck, PingResp, encode_connect
from parvis.mqttwire.codec import encode_puback
from parvis.mqttwire.packets import Disconnect, Properties, Property, PubAck, Publish, Reason, Version
from parvis.mqttwire.subscriber_codec import Delivered, DeliveryDecoder, SubAck, TooLarge, encode_subscribe
from parvis.mqttwire.wire import MalformedPacket

KEEPALIVE_S = 60
QOS = 1
_PING_EVERY_S = 20.0
_MOST_WAITING_BYTES = 8_388_608
_SUBSCRIBE_ID = 1
_FAILED_FROM = 0x80

Arrival = Publish | TooLarge


class ConnectionEnded(Detailed):
    pass


class Subscriber(asyncio.Protocol):
    """Asks for the session of `client_id`; reads at most `config.window` messages ahead of what is acknowledged."""

    def __init__(self, config: BrokerConfig, client_id: str) -> None:
        self._config = config
        self._decoder = DeliveryDecoder(config.protocol, config.max_message_bytes)
        self._connect = _connect(config, client_id)
        self._loop = asyncio.get_running_loop()
        self._welcome: asyncio.Future[ConnAck] = self._loop.create_future()
        self._subscribed: asyncio.Future[SubAck] = self._loop.create_future()
        self._arrivals: deque[Arrival] = deque()
        self._has_arrivals = asyncio.Event()
        self._unacknowledged = 0
        self._waiting_bytes = 0
        self._is_paused = False
        self._fault = ""
        self._transport: asyncio.Transport
        self._ping: asyncio.TimerHandle | None = None
        self._ping_unanswered = False

    async def begin(self) -> bool:
        """Whether the broker still had the session. Raises ConnectionEnded."""
        answer = await self._welcome
        if answer.reason:
            host = self._config.host
            raise ConnectionEnded(Cause.BROKER_KEEPS_OUT.say(host=host, code=f"0x{answer.reason:02x}"))
        return answer.session_present

    async def subscribe(self, topic_filters: Sequence[str]) -> None:
        """Raises ConnectionEnded where the broker refuses one of them."""
        self._transport.write(encode_subscribe(_SUBSCRIBE_ID, topic_filters, QOS, self._config.protocol))
        answer = await self._subscribed
        refused = [
            f"{one} (code 0x{reason:02x})"
            for one, reason in zip(topic_filters, answer.reasons, strict=False)
            if reason >= _FAILED_FROM
        ]
        if refused or len(answer.reasons) != len(topic_filters):
            raise ConnectionEnded(f"The broker refuses the subscription to {', '.join(refused) or 'some topics'}.")

    async def next_batch(self, most: int) -> list[Arrival]:
        """Messages in the order in which they came, at least one. Raises ConnectionEnded."""
        await self._has_arrivals.wait()
        if self._fault:
            raise ConnectionEnded(self._fault)
        batch = [self._arrivals.popleft() for _ in range(min(most, len(self._arrivals)))]
        if not self._arrivals:
            self._has_arrivals.clear()
        return batch

    def acknowledge(self, batch: Iterable[Arrival]) -> None:
        """In the order in which they came (MQTT-4.6.0-2)."""
        encoded = bytearray()
        for one in batch:
            self._unacknowledged -= 1
            self._waiting_bytes -= _size(one)
            if one.packet_id:
                encoded += encode_puback(one.packet_id, Reason.SUCCESS, self._config.protocol)
        if not self._fault:
            self._transport.write(bytes(encoded))
            self._pace()

    def close(self) -> None:
        """What is not acknowledged comes again over the next connection."""
        if not self._fault:
            self._transport.write(DISCONNECT)
            self._end(Cause.BROKER_GONE.say(), gently=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._connect)

    def data_received(self, data: bytes) -> None:
        try:
            for one in self._decoder.feed(data):
                self._hear(one)
        except MalformedPacket as fault:
            self._end(Cause.NO_MQTT.say(fault=fault.detail))
        self._pace()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Cause.BROKER_CLOSED.say() if exc is None else Cause.BROKEN.say(fault=exc))

    def _hear(self, one: Delivered) -> None:
        match one:
            case Publish(qos=2):
                raise MalformedPacket("a message of QoS 2, which was not subscribed to")
            case Publish() | TooLarge():
                self._arrivals.append(one)
                self._has_arrivals.set()
                self._unacknowledged += 1
                self._waiting_bytes += _size(one)
            case ConnAck():
                self._greet(one)
            case SubAck():
                if not self._subscribed.done():
                    self._subscribed.set_result(one)
            case PingResp():
                self._ping_unanswered = False
            case Disconnect(reason):
                self._end(_farewell(reason))
            case PubAck():
                raise MalformedPacket("an acknowledgement of what was not sent")
            case _:
                assert_never(one)

    def _greet(self, answer: ConnAck) -> None:
        if not self._welcome.done():
            self._welcome.set_result(answer)
        self._ping = self._loop.call_later(_PING_EVERY_S, self._send_ping)

    def _pace(self) -> None:
        is_full = self._unacknowledged >= self._config.window or self._waiting_bytes >= _MOST_WAITING_BYTES
        if is_full is self._is_paused or self._transport.is_closing():
            return
        self._is_paused = is_full
        if is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _send_ping(self) -> None:
        """A broker to which nobody listens just now is not silent."""
        if self._ping_unanswered and not self._is_paused:
            self._end(Cause.BROKER_SILENT.say())
            return
        self._ping_unanswered = not self._is_paused
        self._transport.write(PINGREQ)
        self._ping = self._loop.call_later(_PING_EVERY_S, self._send_ping)

    def _end(self, reason: str, *, gently: bool = False) -> None:
        self._fault = self._fault or reason
        self._arrivals.clear()
        self._has_arrivals.set()
        if self._ping is not None:
            self._ping.cancel()
        if gently:
            self._transport.close()
        else:
            self._transport.abort()
        for waiting in (self._welcome, self._subscribed):
            if not waiting.done():
                waiting.set_exception(ConnectionEnded(reason))
                waiting.exception()


def _connect(config: BrokerConfig, client_id: str) -> bytes:
    properties: Properties = {
        Property.SESSION_EXPIRY_INTERVAL: round(config.session_expiry_h * 3600),
        Property.RECEIVE_MAXIMUM: config.window,
    }
    password = None if config.password is None else config.password.encode()
    return encode_connect(
        config.protocol,
        client_id,
        KEEPALIVE_S,
        config.username,
        password,
        clean_start=False,
        properties=properties if config.protocol is Version.V5 else {},
    )


def _size(arrival: Arrival) -> int:
    return len(arrival.payload) if isinstance(arrival, Publish) else 0


def _farewell(reason: int) -> str:
    if reason == Reason.SESSION_TAKEN_OVER:
        return "Somebody else has connected with the same client_id."
    return Cause.BROKER_LEFT.say(code=f"0x{reason:02x}")
