"""One client's connection: bytes in and out, their bounds, and the time it may be silent."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Protocol, cast

import msgspec

from parvis.access.certificates.model import Shown
from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.acl import TopicRights
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.mailbox import Letter
from parvis.connectors.mqtt.session import Session
from parvis.connectors.mqtt.tls import shown_by
from parvis.kernel.identity import Caller
from parvis.kernel.time import SECOND, Clock, Instant
from parvis.mqttwire import codec
from parvis.mqttwire.packets import (
    Connect,
    Packet,
    Properties,
    Property,
    Publish,
    Reason,
    Subscription,
    Version,
)

_LARGEST_PACKET_BYTES = 1 << 28
_ASK_AFTER_S = 300


class Hub(Protocol):
    """What a connection asks of the listener."""

    config: ListenerConfig
    clock: Clock
    answers: "Answers"

    def enter(self, connection: "Connection") -> bool:
        """Whether there is room for one more."""
        ...

    def admit(self, connection: "Connection", connect: Connect) -> Caller | Reason: ...

    def open(self, connection: "Connection", connect: Connect, expiry_s: int) -> "Opening | None":
        """None where it takes a while: the connection is told then."""
        ...

    def publish(self, connection: "Connection | None", session: Session, publish: Publish) -> None: ...

    def subscribe(self, session: Session, subscriptions: list[Subscription]) -> None: ...

    def unsubscribe(self, session: Session, topic_filter: str) -> bool: ...

    def changed(self, session: Session) -> None: ...

    def when_durable(self, session: Session, act: Callable[[], None]) -> None: ...

    def leave(self, connection: "Connection", will: Publish | None) -> None: ...

    def is_full(self, tenant: str) -> bool:
        """Whether nothing more of it is read."""
        ...


class Opening(msgspec.Struct, frozen=True):
    session: Session
    is_resumed: bool


Answers = dict[type, Callable[["Connection", Any], None]]


class Connection(asyncio.Protocol):
    """`in_flight` counts the messages handed on and not yet finished, `unacknowledged` those of them at QoS 1 and 2.

    At the receive maximum nothing more is read.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.in_flight = 0
        self.unacknowledged = 0
        self.client_id = ""
        self.version = Version.V311
        self.caller: Caller | None = None
        self.proof: Shown | None = None
        """The certificate that it came in with."""
        self.session: Session | None = None
        self.rights: TopicRights
        self.publishes_all = False
        self.will: Publish | None = None
        self.asked_expiry_s = 0
        self.tells_reasons = True
        self.aliases: dict[int, str] = {}
        self.address = ""
        self._decoder = codec.Decoder(hub.config.max_packet_bytes)
        self._held: list[Packet] | None = None
        self._their_max_packet_bytes = _LARGEST_PACKET_BYTES
        self._their_aliases = 0
        self._aliases_given: dict[str, int] = {}
        self._loop = asyncio.get_running_loop()
        self._last_heard_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._is_deaf = False
        self._closing = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        _watch_line(transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0].partition("%")[0] if peer else ""
        if not self.hub.enter(self):
            metrics.REFUSED_CONNECTIONS.labels("too_many").inc()
            self._transport.abort()
            return
        self._timer = self._loop.call_later(self.hub.config.connect_timeout_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self.hub.leave(self, self.will)

    def data_received(self, data: bytes) -> None:
        self._last_heard_s = self._loop.time()
        answers = self.hub.answers
        for packet in self._decoder.feed(data):
            if self._closing:
                return
            if self._held is not None:
                self._held.append(packet)
            else:
                answers[type(packet)](self, packet)
        if self.in_flight >= self.hub.config.receive_maximum or self._is_held_back:
            self.pause()

    def hold(self) -> None:
        """Answer nothing more before `go_on`."""
        self._held = []
        self.pause()

    def go_on(self) -> None:
        held, self._held = self._held or [], None
        for packet in held:
            if not self._closing:
                self.hub.answers[type(packet)](self, packet)
        self.resume_if_possible()

    def pause_writing(self) -> None:
        """A client that does not read its answers may ask no more."""
        self._is_deaf = True
        self.pause()

    def resume_writing(self) -> None:
        self._is_deaf = False
        self.write_waiting()
        self.resume_if_possible()

    @property
    def _is_held_back(self) -> bool:
        """Because of all the others."""
        return self.caller is not None and self.hub.is_full(self.caller.tenant)

    @property
    def is_loopback(self) -> bool:
        return bool(self.address) and ip_address(self.address).is_loopback

    def find_certificate(self) -> Shown | None:
        """The verified one of the client, where it has shown one."""
        encrypted = self._transport.get_extra_info("ssl_object") if self._transport else None
        told, der = (encrypted.getpeercert(), encrypted.getpeercert(binary_form=True)) if encrypted else (None, None)
        return shown_by(told, der) if told and der else None

    @property
    def is_closed(self) -> bool:
        return self._closing

    def finish(self, count: int, unacknowledged: int, acknowledgements: bytes) -> None:
        """`count` messages are done with; the client hears so."""
        self.in_flight -= count
        self.unacknowledged -= unacknowledged
        if self._transport is None or self._closing:
            return
        if acknowledgements:
            self._transport.write(acknowledgements)
        self.resume_if_possible()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def write_now(self, publish: Publish) -> bool:
        transport = self._transport
        if transport is None or self._closing or transport.get_write_buffer_size() > self.hub.config.outgoing_bytes:
            return False
        return self._write_publish(publish)

    def write_waiting(self) -> None:
        session = self.session
        if session is None or session.line is not self:
            return
        now = self.hub.clock()
        while self._transport is not None and not self._closing and not self._is_deaf:
            letter = session.mailbox.take_next(now)
            if letter is None:
                break
            self._write_letter(session, letter, now)
        if session.mailbox.expired:
            metrics.EXPIRED.inc(session.mailbox.expired)
            session.mailbox.expired = 0

    def write_again(self) -> None:
        """What an earlier connection of the session has not heard acknowledged (4.4), then what waits."""
        assert self.session is not None
        for letter in self.session.mailbox.rewind():
            self.write(codec.encode_pubrel(letter.packet_id, 0, self.version))
        self.write_waiting()

    def bound_outgoing(self, theirs: Properties) -> None:
        assert self.session is not None
        config = self.hub.config
        window = cast(int, theirs.get(Property.RECEIVE_MAXIMUM, config.outgoing_window))
        self.session.mailbox.window = min(window, config.outgoing_window)
        self._their_max_packet_bytes = cast(int, theirs.get(Property.MAXIMUM_PACKET_SIZE, _LARGEST_PACKET_BYTES))
        self._their_aliases = min(cast(int, theirs.get(Property.TOPIC_ALIAS_MAXIMUM, 0)), config.topic_aliases)

    def close(self, reason: Reason = Reason.SUCCESS, detail: str = "") -> None:
        """End the connection; at 5.0 the client hears why (3.14)."""
        if self._transport is None or self._closing:
            return
        if self.caller is not None and self.version is Version.V5:
            self._transport.write(codec.encode_disconnect(reason, detail))
        self.end()

    def end(self) -> None:
        """Close; a client that does not read what it is still to get is cut off."""
        if self._transport is not None:
            self._closing = True
            self._transport.close()
            self._loop.call_later(self.hub.config.close_timeout_s, self._transport.abort)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        if self._transport is not None and not self._paused and not self._closing:
            self._paused = True
            self._transport.pause_reading()

    def resume_if_possible(self) -> None:
        blocked = self._is_deaf or self._is_held_back or self.in_flight > self.hub.config.receive_maximum // 2
        if self._paused and not blocked and self._held is None:
            self._resume()

    def watch(self, keepalive_s: int) -> None:
        """The client is to be heard of within one and a half times that (3.1.2.10)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if keepalive_s:
            allowed_s = keepalive_s * 1.5
            self._timer = self._loop.call_later(allowed_s, self._check_keepalive, allowed_s)

    def _resume(self) -> None:
        if self._transport is not None and not self._closing:
            self._paused = False
            self._last_heard_s = self._loop.time()
            self._transport.resume_reading()

    def _give_up(self) -> None:
        """No CONNECT came in time."""
        metrics.REFUSED_CONNECTIONS.labels("no_connect").inc()
        self.abort()

    def _check_keepalive(self, allowed_s: float) -> None:
        silent_s = 0.0 if self._paused and not self._is_deaf else self._loop.time() - self._last_heard_s
        if silent_s >= allowed_s:
            self.close(Reason.KEEP_ALIVE_TIMEOUT)
        else:
            self._timer = self._loop.call_later(allowed_s - silent_s, self._check_keepalive, allowed_s)

    def _write_letter(self, session: Session, letter: Letter, now: Instant) -> None:
        assert letter.publish is not None
        properties = letter.publish.properties
        if letter.expires_at is not None:
            left_s = max(1, (letter.expires_at - now) // SECOND)
            properties = {**properties, Property.MESSAGE_EXPIRY_INTERVAL: left_s}
        publish = msgspec.structs.replace(
            letter.publish,
            packet_id=letter.packet_id,
            duplicate=session.mailbox.was_sent_before(letter),
            properties=properties,
        )
        if not self._write_publish(publish):
            session.mailbox.acknowledge(letter.packet_id)

    def _write_publish(self, publish: Publish) -> bool:
        """Whether it is not larger than what the client takes (5.0, 3.1.2.11.4)."""
        named = self._with_alias(publish) if self._their_aliases else publish
        encoded = codec.encode_publish(named, self.version)
        if len(encoded) > self._their_max_packet_bytes:
            metrics.DROPPED.inc()
            if named.topic:
                self._aliases_given.pop(publish.topic, None)
            return False
        metrics.MESSAGES_OUT.inc()
        self.write(encoded)
        return True

    def _with_alias(self, publish: Publish) -> Publish:
        """The first topics a client hears of go by a number afterwards (5.0, 3.3.2.3.4)."""
        alias = self._aliases_given.get(publish.topic)
        if alias is not None:
            properties = {**publish.properties, Property.TOPIC_ALIAS: alias}
            return msgspec.structs.replace(publish, topic="", properties=properties)
        if len(self._aliases_given) >= self._their_aliases:
            return publish
        alias = self._aliases_given[publish.topic] = len(self._aliases_given) + 1
        return msgspec.structs.replace(publish, properties={**publish.properties, Property.TOPIC_ALIAS: alias})


def _watch_line(transport: asyncio.BaseTransport) -> None:
    """A client may ask for no keepalive (3.1.2.10) and lose its power: the system finds out."""
    line = transport.get_extra_info("socket")
    if line is not None and line.family in (socket.AF_INET, socket.AF_INET6):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _ASK_AFTER_S)
