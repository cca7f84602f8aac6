"""One client's connection: its packets, its window, its end."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Protocol, cast

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.outgoing import Outgoing
from parvis.kernel.identity import Caller, Right
from parvis.mqttwire import codec
from parvis.mqttwire.packets import (
    Connect,
    Disconnect,
    Malformed,
    PingReq,
    Properties,
    Property,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Reason,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
)
from parvis.mqttwire.topics import is_filter, matches, split_shared

_KEEPALIVE_GRACE = 1.5
# CONNACK return codes of 3.1.1 (3.2.2.3)
_RETURN_CODES = {
    Reason.UNSUPPORTED_PROTOCOL_VERSION: 1,
    Reason.CLIENT_IDENTIFIER_NOT_VALID: 2,
    Reason.SERVER_UNAVAILABLE: 3,
    Reason.BAD_USER_NAME_OR_PASSWORD: 4,
    Reason.NOT_AUTHORIZED: 5,
}


class Hub(Protocol):
    """What a connection asks of the listener."""

    config: ListenerConfig

    def enter(self, connection: "Connection") -> bool:
        """Whether there is room for one more."""
        ...

    def admit(self, connection: "Connection", connect: Connect) -> Caller | Reason: ...

    def publish(self, connection: "Connection", publish: Publish) -> None: ...

    def subscribe(self, connection: "Connection", subscription: Subscription, is_new: bool) -> None: ...

    def unsubscribe(self, connection: "Connection", topic_filter: str) -> None: ...

    def leave(self, connection: "Connection") -> None: ...

    @property
    def is_full(self) -> bool: ...


class Connection(asyncio.Protocol):
    """`in_flight` counts the messages handed on and not yet finished, `unacknowledged` those of them at QoS 1.

    At the receive maximum nothing more is read.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.in_flight = 0
        self.unacknowledged = 0
        self.client_id = ""
        self.version = Version.V311
        self.caller: Caller | None = None
        self._may_deliver = False
        self.subscriptions: dict[str, Subscription] = {}
        self._decoder = codec.Decoder(hub.config.max_packet_bytes)
        self._will: Publish | None = None
        self._outgoing = Outgoing(hub.config.outgoing_window, hub.config.outgoing_messages)
        self._their_max_packet_bytes = hub.config.max_packet_bytes
        self._loop = asyncio.get_running_loop()
        self._last_heard_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._is_deaf = False
        self._closing = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
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
        self.hub.leave(self)
        if self._will is not None and self._may_publish(self._will):
            self._hand_on(self._will)

    def data_received(self, data: bytes) -> None:
        self._last_heard_s = self._loop.time()
        for packet in self._decoder.feed(data):
            if self._closing:
                return
            _ANSWERS[type(packet)](self, packet)
        if self.in_flight >= self.hub.config.receive_maximum or self.hub.is_full:
            self.pause()

    def pause_writing(self) -> None:
        """A client that does not read its answers may ask no more."""
        self._is_deaf = True
        self.pause()

    def resume_writing(self) -> None:
        self._is_deaf = False
        self.resume_if_possible()

    @property
    def is_loopback(self) -> bool:
        address = self._transport.get_extra_info("peername") if self._transport else None
        return address is not None and ip_address(address[0].partition("%")[0]).is_loopback

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

    def deliver(self, publish: Publish, origin: "Connection | None" = None) -> None:
        """Send a message if one of the subscriptions wants it, once, at the highest QoS of them."""
        wanted = [
            one
            for topic_filter, one in self.subscriptions.items()
            if matches(topic_filter, publish.topic) and not (one.no_local and origin is self)
        ]
        if wanted:
            qos = min(publish.qos, max(one.qos for one in wanted))
            retain = publish.retain and any(one.retain_as_published for one in wanted)
            self.send(Publish(publish.topic, publish.payload, qos, retain, properties=publish.properties))

    def send(self, publish: Publish) -> bool:
        """Whether it is on its way or waits for it."""
        if self._transport is None or self._closing:
            return False
        if self._transport.get_write_buffer_size() > self.hub.config.outgoing_bytes:
            metrics.DROPPED.inc()
            return False
        try:
            now = self._outgoing.offer(publish)
        except OverflowError:
            metrics.DROPPED.inc()
            return False
        if now is not None:
            self._write_publish(now)
        return True

    def close(self, reason: Reason = Reason.SUCCESS) -> None:
        """End the connection; at 5.0 the client hears why (3.14)."""
        if self._transport is None or self._closing:
            return
        if self.caller is not None and self.version is Version.V5:
            self._transport.write(codec.encode_disconnect(reason))
        self._end(self._transport)

    def forget_will(self) -> None:
        """A client is not gone because the server goes."""
        self._will = None

    def _end(self, transport: asyncio.Transport) -> None:
        """Close; a client that does not read what it is still to get is cut off."""
        self._closing = True
        transport.close()
        self._loop.call_later(self.hub.config.close_timeout_s, transport.abort)

    def resume_if_possible(self) -> None:
        blocked = self._is_deaf or self.hub.is_full or self.in_flight > self.hub.config.receive_maximum // 2
        if self._paused and not blocked:
            self._resume()

    def _write_publish(self, publish: Publish) -> None:
        encoded = codec.encode_publish(publish, self.version)
        if self._transport is None:
            return
        if len(encoded) > self._their_max_packet_bytes:
            metrics.DROPPED.inc()
            self._on_puback(PubAck(publish.packet_id))
            return
        metrics.MESSAGES_OUT.inc()
        self._transport.write(encoded)

    def pause(self) -> None:
        if self._transport is not None and not self._paused and not self._closing:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and not self._closing:
            self._paused = False
            self._last_heard_s = self._loop.time()
            self._transport.resume_reading()

    def _give_up(self) -> None:
        """No CONNECT came in time."""
        if self._transport is not None:
            metrics.REFUSED_CONNECTIONS.labels("no_connect").inc()
            self._transport.abort()

    def _check_keepalive(self, allowed_s: float) -> None:
        silent_s = 0.0 if self._paused and not self._is_deaf else self._loop.time() - self._last_heard_s
        if silent_s >= allowed_s:
            self.close(Reason.KEEP_ALIVE_TIMEOUT)
        else:
            self._timer = self._loop.call_later(allowed_s - silent_s, self._check_keepalive, allowed_s)

    def _on_connect(self, connect: Connect) -> None:
        self.version = connect.version
        self.client_id = connect.client_id
        admitted = self.hub.admit(self, connect)
        if isinstance(admitted, Reason):
            self._refuse(admitted)
            return
        self.caller = admitted
        self._may_deliver = admitted.may_deliver
        self._will = connect.will
        self._bound_outgoing(connect.properties)
        self._write(codec.encode_connack(0, self.version, properties=self._offer(connect)))
        self._watch(connect.keepalive_s)

    def _refuse(self, reason: Reason) -> None:
        metrics.REFUSED_CONNECTIONS.labels(reason.name.lower()).inc()
        code = reason if self.version is Version.V5 else _RETURN_CODES.get(reason, 5)
        self._write(codec.encode_connack(code, self.version))
        self.close()

    def _bound_outgoing(self, theirs: Properties) -> None:
        config = self.hub.config
        window = cast(int, theirs.get(Property.RECEIVE_MAXIMUM, config.outgoing_window))
        self._outgoing = Outgoing(min(window, config.outgoing_window), config.outgoing_messages)
        self._their_max_packet_bytes = cast(int, theirs.get(Property.MAXIMUM_PACKET_SIZE, 1 << 28))

    def _offer(self, connect: Connect) -> Properties:
        """What the server can do (5.0, 3.2.2.3): no sessions kept, QoS 0 and 1, subscriptions plain and shared."""
        offered: Properties = {
            Property.SESSION_EXPIRY_INTERVAL: 0,
            Property.RECEIVE_MAXIMUM: self.hub.config.receive_maximum,
            Property.MAXIMUM_QOS: 1,
            Property.MAXIMUM_PACKET_SIZE: self.hub.config.max_packet_bytes,
            Property.SUBSCRIPTION_IDENTIFIER_AVAILABLE: 0,
            Property.SHARED_SUBSCRIPTION_AVAILABLE: 1,
        }
        if not connect.client_id:
            offered[Property.ASSIGNED_CLIENT_IDENTIFIER] = self.client_id
        return offered

    def _watch(self, keepalive_s: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if keepalive_s:
            allowed_s = keepalive_s * _KEEPALIVE_GRACE
            self._timer = self._loop.call_later(allowed_s, self._check_keepalive, allowed_s)

    def _on_publish(self, publish: Publish) -> None:
        if publish.qos == 2:
            self._protocol_error(Reason.QOS_NOT_SUPPORTED)
        elif self.version is Version.V5 and self.unacknowledged >= self.hub.config.receive_maximum:
            self._protocol_error(Reason.RECEIVE_MAXIMUM_EXCEEDED)
        elif not self._may_publish(publish):
            self._refuse_publish(publish)
        else:
            self._hand_on(publish)

    def _may_publish(self, publish: Publish) -> bool:
        return publish.topic[0] != "$" and self._may_deliver

    def _hand_on(self, publish: Publish) -> None:
        self.in_flight += 1
        self.unacknowledged += publish.packet_id > 0
        self.hub.publish(self, publish)

    def _refuse_publish(self, publish: Publish) -> None:
        """At 3.1.1 a refusal can only be told by closing (3.3.5)."""
        if self.version is Version.V311:
            self.close()
        elif publish.qos:
            self._write(codec.encode_puback(publish.packet_id, Reason.NOT_AUTHORIZED, self.version))

    def _on_puback(self, puback: PubAck) -> None:
        following = self._outgoing.acknowledge(puback.packet_id)
        if following is not None:
            self._write_publish(following)

    def _on_subscribe(self, subscribe: Subscribe) -> None:
        if Property.SUBSCRIPTION_IDENTIFIER in subscribe.properties:
            self._protocol_error(Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED)
            return
        if any(one.no_local and one.topic_filter.startswith("$share/") for one in subscribe.subscriptions):
            self._protocol_error(Reason.PROTOCOL_ERROR)  # 5.0, 3.8.3.1
            return
        reasons = [self._judge_subscription(one) for one in subscribe.subscriptions]
        codes = reasons if self.version is Version.V5 else [min(reason, 0x80) for reason in reasons]
        self._write(codec.encode_suback(subscribe.packet_id, codes, self.version))
        for subscription, reason in zip(subscribe.subscriptions, reasons, strict=True):
            if reason < Reason.UNSPECIFIED_ERROR:
                is_new = subscription.topic_filter not in self.subscriptions
                self.subscriptions[subscription.topic_filter] = subscription
                self.hub.subscribe(self, subscription, is_new)

    def _judge_subscription(self, subscription: Subscription) -> int:
        if not _is_subscribable(subscription.topic_filter):
            return Reason.TOPIC_FILTER_INVALID
        if self.caller is None or not self.caller.may(Right.READ):
            return Reason.NOT_AUTHORIZED
        if len(self.subscriptions) >= self.hub.config.max_subscriptions:
            return Reason.QUOTA_EXCEEDED
        return min(subscription.qos, 1)

    def _on_unsubscribe(self, unsubscribe: Unsubscribe) -> None:
        reasons = [
            Reason.SUCCESS if self.subscriptions.pop(one, None) else Reason.NO_SUBSCRIPTION_EXISTED
            for one in unsubscribe.topic_filters
        ]
        for one in unsubscribe.topic_filters:
            self.hub.unsubscribe(self, one)
        self._write(codec.encode_unsuback(unsubscribe.packet_id, reasons, self.version))

    def _on_pingreq(self, _pingreq: PingReq) -> None:
        self._write(codec.PINGRESP)

    def _on_disconnect(self, disconnect: Disconnect) -> None:
        if disconnect.reason == Reason.SUCCESS:
            self._will = None
        if self._transport is not None:
            self._end(self._transport)

    def _on_malformed(self, malformed: Malformed) -> None:
        self._protocol_error(malformed.reason)

    def _on_qos_2(self, _packet: PubAck) -> None:
        self._protocol_error(Reason.PROTOCOL_ERROR)

    def _protocol_error(self, reason: Reason) -> None:
        metrics.PROTOCOL_ERRORS.labels(reason.name.lower()).inc()
        if self.caller is None and reason is Reason.UNSUPPORTED_PROTOCOL_VERSION:
            self._write(codec.encode_connack(1, Version.V311))
        self.close(reason)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _is_subscribable(topic_filter: str) -> bool:
    try:
        return split_shared(topic_filter) is not None or is_filter(topic_filter)
    except ValueError:
        return False


_ANSWERS: dict[type, Callable[[Connection, Any], None]] = {
    Connect: Connection._on_connect,
    Publish: Connection._on_publish,
    PubAck: Connection._on_puback,
    PubRec: Connection._on_qos_2,
    PubRel: Connection._on_qos_2,
    PubComp: Connection._on_qos_2,
    Subscribe: Connection._on_subscribe,
    Unsubscribe: Connection._on_unsubscribe,
    PingReq: Connection._on_pingreq,
    Disconnect: Connection._on_disconnect,
    Malformed: Connection._on_malformed,
}
