"""What the server answers to each packet of a client (MQTT 3.1.1 and 5.0, chapters 3 and 4)."""

from functools import partial

import msgspec

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.acl import rights_of
from parvis.connectors.mqtt.connection import Answers, Connection, Opening
from parvis.connectors.mqtt.session import FOR_EVER_S, Session
from parvis.mqttwire import codec
from parvis.mqttwire.packets import (
    NO_PROPERTIES,
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
from parvis.mqttwire.topics import is_filter, split_shared

# CONNACK return codes of 3.1.1 (3.2.2.3)
_RETURN_CODES = {
    Reason.UNSUPPORTED_PROTOCOL_VERSION: 1,
    Reason.CLIENT_IDENTIFIER_NOT_VALID: 2,
    Reason.SERVER_UNAVAILABLE: 3,
    Reason.BAD_USER_NAME_OR_PASSWORD: 4,
    Reason.NOT_AUTHORIZED: 5,
    Reason.QUOTA_EXCEEDED: 3,
}
_FAILED_FROM = Reason.UNSPECIFIED_ERROR
_OF_ONE_HOP = frozenset({Property.TOPIC_ALIAS, Property.SUBSCRIPTION_IDENTIFIER})
"""Properties of a PUBLISH that are not forwarded."""


def on_connect(connection: Connection, connect: Connect) -> None:
    connection.version = connect.version
    connection.client_id = connect.client_id
    connection.tells_reasons = connect.properties.get(Property.REQUEST_PROBLEM_INFORMATION, 1) == 1
    if Property.AUTHENTICATION_METHOD in connect.properties:
        return _refuse(connection, Reason.BAD_AUTHENTICATION_METHOD, "Sign in with a password, which is an API key.")
    if Property.AUTHENTICATION_DATA in connect.properties:
        return _protocol_error(connection, Reason.PROTOCOL_ERROR)
    admitted = connection.hub.admit(connection, connect)
    if isinstance(admitted, Reason):
        return _refuse(connection, admitted)
    connection.caller = admitted
    connection.rights = rights_of(admitted, connection.client_id, connection.hub.config.rules)
    connection.publishes_all = connection.rights.publishes_all
    connection.asked_expiry_s = _asked_expiry_s(connect)
    expiry_s = min(connection.asked_expiry_s, connection.hub.config.longest_session_s)
    opening = connection.hub.open(connection, connect, expiry_s)
    if opening is None:
        connection.hold()
    else:
        welcome(connection, connect, opening)
    return None


def welcome(connection: Connection, connect: Connect, opening: Opening) -> None:
    """CONNACK (3.2), and what an earlier connection of the session has left to do."""
    session = connection.session = opening.session
    session.line = connection
    connection.will = _will_of(connection, connect)
    connection.bound_outgoing(connect.properties)
    keepalive_s = _allowed_keepalive_s(connection, connect)
    offered = _offer(connection, connect, session, keepalive_s) if connect.version is Version.V5 else NO_PROPERTIES
    connection.write(codec.encode_connack(0, connect.version, opening.is_resumed, offered))
    connection.watch(keepalive_s)
    if opening.is_resumed:
        for topic_filter in list(session.subscriptions):
            if not connection.rights.subscribe(topic_filter):
                connection.hub.unsubscribe(session, topic_filter)
        connection.write_again()


def _asked_expiry_s(connect: Connect) -> int:
    """How long the session is to outlive the connection; at 3.1.1 one that is not clean does so for ever (3.1.2.4)."""
    if connect.version is Version.V311:
        return 0 if connect.clean_start else FOR_EVER_S
    expiry_s = connect.properties.get(Property.SESSION_EXPIRY_INTERVAL, 0)
    return expiry_s if isinstance(expiry_s, int) else 0


def _will_of(connection: Connection, connect: Connect) -> Publish | None:
    """None also where the client may not publish it: it is as with any other message of this client."""
    if connect.will is None:
        return None
    if not _may_publish(connection, connect.will.topic):
        metrics.NOT_ALLOWED.labels("will").inc()
        return None
    return connect.will


def _allowed_keepalive_s(connection: Connection, connect: Connect) -> int:
    """At 5.0 the server may set one of its own (3.2.2.3.14)."""
    most_s = connection.hub.config.max_keepalive_s
    if connect.version is Version.V5 and not 0 < connect.keepalive_s <= most_s:
        return most_s
    return connect.keepalive_s


def _offer(connection: Connection, connect: Connect, session: Session, keepalive_s: int) -> Properties:
    """What the server can do, and what it has decided instead of the client (5.0, 3.2.2.3)."""
    config = connection.hub.config
    offered: Properties = {
        Property.RECEIVE_MAXIMUM: config.receive_maximum,
        Property.MAXIMUM_PACKET_SIZE: config.max_packet_bytes,
        Property.TOPIC_ALIAS_MAXIMUM: config.topic_aliases,
    }
    if session.expiry_s != connection.asked_expiry_s:
        offered[Property.SESSION_EXPIRY_INTERVAL] = session.expiry_s
    if not connect.client_id:
        offered[Property.ASSIGNED_CLIENT_IDENTIFIER] = connection.client_id
    if keepalive_s != connect.keepalive_s:
        offered[Property.SERVER_KEEP_ALIVE] = keepalive_s
    return offered


def _refuse(connection: Connection, reason: Reason, detail: str = "") -> None:
    metrics.REFUSED_CONNECTIONS.labels(reason.name.lower()).inc()
    version = connection.version
    code = reason if version is Version.V5 else _RETURN_CODES.get(reason, 5)
    said: Properties = {Property.REASON_STRING: detail} if detail else NO_PROPERTIES
    connection.write(codec.encode_connack(code, version, properties=said))
    connection.close()


def on_publish(connection: Connection, publish: Publish) -> None:
    if publish.properties:
        named = _without_alias(connection, publish)
        if named is None:
            return _protocol_error(connection, Reason.TOPIC_ALIAS_INVALID)
        publish = named
    if publish.qos and connection.version is Version.V5 and _is_beyond_maximum(connection):
        return _protocol_error(connection, Reason.RECEIVE_MAXIMUM_EXCEEDED)
    if len(publish.topic) > connection.hub.config.max_topic_characters:
        return _refuse_publish(connection, publish, Reason.TOPIC_NAME_INVALID, "The topic is too long.")
    if publish.topic[0] == "$" or not (connection.publishes_all or connection.rights.publish(publish.topic)):
        detail = f"This key may not publish to {publish.topic}."
        return _refuse_publish(connection, publish, Reason.NOT_AUTHORIZED, detail)
    session = connection.session
    assert session is not None
    if publish.qos == 2 and not session.begin_taking(publish.packet_id):
        return _answer_again(connection, session, publish.packet_id)
    connection.in_flight += 1
    connection.unacknowledged += publish.packet_id > 0
    connection.hub.publish(connection, session, publish)
    return None


def _is_beyond_maximum(connection: Connection) -> bool:
    assert connection.session is not None
    most = connection.hub.config.receive_maximum
    return connection.unacknowledged >= most or connection.session.unreleased >= most


def _without_alias(connection: Connection, publish: Publish) -> Publish | None:
    """None for an alias that was not offered or stands for nothing (5.0, 3.3.2.3.4)."""
    properties = publish.properties
    topic = publish.topic
    alias = properties.get(Property.TOPIC_ALIAS)
    if isinstance(alias, int):
        if alias > connection.hub.config.topic_aliases:
            return None
        if topic:
            connection.aliases[alias] = topic
        topic = connection.aliases.get(alias, "")
        if not topic:
            return None
    forwarded = {key: value for key, value in properties.items() if key not in _OF_ONE_HOP}
    return msgspec.structs.replace(publish, topic=topic, properties=forwarded)


def _may_publish(connection: Connection, topic: str) -> bool:
    is_short = len(topic) <= connection.hub.config.max_topic_characters
    return is_short and topic[0] != "$" and connection.rights.publish(topic)


def _refuse_publish(connection: Connection, publish: Publish, reason: Reason, detail: str) -> None:
    """At 3.1.1 a refusal can only be told by closing (3.3.5)."""
    metrics.NOT_ALLOWED.labels("publish").inc()
    if connection.version is Version.V311:
        connection.close()
        return
    detail = detail if connection.tells_reasons else ""
    if publish.qos == 1:
        connection.write(codec.encode_puback(publish.packet_id, reason, Version.V5, detail))
    elif publish.qos == 2:
        connection.write(codec.encode_pubrec(publish.packet_id, reason, Version.V5, detail))


def _answer_again(connection: Connection, session: Session, packet_id: int) -> None:
    """A QoS 2 message that is here already; while it is not durable its PUBREC is still to come."""
    if packet_id in session.taken:
        connection.write(codec.encode_pubrec(packet_id, 0, connection.version))


def on_pubrel(connection: Connection, pubrel: PubRel) -> None:
    """The client may use the packet identifier again once it is durable that the server will not take it for old."""
    session = connection.session
    assert session is not None
    was_taken = session.release(pubrel.packet_id)
    reason = Reason.SUCCESS if was_taken else Reason.PACKET_IDENTIFIER_NOT_FOUND
    answer = codec.encode_pubcomp(pubrel.packet_id, reason, connection.version)
    connection.hub.when_durable(session, partial(connection.write, answer))


def on_puback(connection: Connection, puback: PubAck) -> None:
    assert connection.session is not None
    connection.session.mailbox.acknowledge(puback.packet_id)
    connection.write_waiting()


def on_pubrec(connection: Connection, pubrec: PubRec) -> None:
    session = connection.session
    assert session is not None
    if pubrec.reason >= _FAILED_FROM:
        on_puback(connection, pubrec)
        return
    reason = Reason.SUCCESS if session.mailbox.receive(pubrec.packet_id) else Reason.PACKET_IDENTIFIER_NOT_FOUND
    answer = codec.encode_pubrel(pubrec.packet_id, reason, connection.version)
    connection.hub.when_durable(session, partial(connection.write, answer))


def on_pubcomp(connection: Connection, pubcomp: PubComp) -> None:
    assert connection.session is not None
    connection.session.mailbox.complete(pubcomp.packet_id)
    connection.write_waiting()


def on_subscribe(connection: Connection, subscribe: Subscribe) -> None:
    session = connection.session
    assert session is not None
    if any(one.no_local and one.topic_filter.startswith("$share/") for one in subscribe.subscriptions):
        return _protocol_error(connection, Reason.PROTOCOL_ERROR)  # 5.0, 3.8.3.1
    room = connection.hub.config.max_subscriptions - len(session.subscriptions)
    reasons: list[int] = []
    granted: list[Subscription] = []
    for one in subscribe.subscriptions:
        is_known = one.topic_filter in session.subscriptions
        reason = _judge(connection, one, has_room=is_known or len(granted) < room)
        reasons.append(reason)
        if reason < _FAILED_FROM:
            granted.append(one)
    codes = reasons if connection.version is Version.V5 else [min(reason, 0x80) for reason in reasons]
    answer = codec.encode_suback(subscribe.packet_id, codes, connection.version)
    if not session.is_kept:
        connection.write(answer)
        connection.hub.subscribe(session, granted)
        return None
    connection.hub.subscribe(session, granted)
    connection.hub.when_durable(session, partial(connection.write, answer))
    return None


def _judge(connection: Connection, subscription: Subscription, *, has_room: bool) -> int:
    """The QoS that is granted, or why none is (3.9.3)."""
    topic_filter, config = subscription.topic_filter, connection.hub.config
    is_long = len(topic_filter) > config.max_topic_characters or topic_filter.count("/") >= config.max_topic_levels
    if is_long or not _is_subscribable(topic_filter):
        return Reason.TOPIC_FILTER_INVALID
    if not connection.rights.subscribe(topic_filter):
        metrics.NOT_ALLOWED.labels("subscribe").inc()
        return Reason.NOT_AUTHORIZED
    return subscription.qos if has_room else Reason.QUOTA_EXCEEDED


def on_unsubscribe(connection: Connection, unsubscribe: Unsubscribe) -> None:
    session = connection.session
    assert session is not None
    reasons = [
        Reason.SUCCESS if connection.hub.unsubscribe(session, one) else Reason.NO_SUBSCRIPTION_EXISTED
        for one in unsubscribe.topic_filters
    ]
    answer = codec.encode_unsuback(unsubscribe.packet_id, reasons, connection.version)
    connection.hub.when_durable(session, partial(connection.write, answer))


def on_pingreq(connection: Connection, _pingreq: PingReq) -> None:
    connection.write(codec.PINGRESP)


def on_disconnect(connection: Connection, disconnect: Disconnect) -> None:
    """At 5.0 the client may say anew how long the session is kept, unless it was not to be at all (3.14.2.2.2)."""
    expiry_s = disconnect.properties.get(Property.SESSION_EXPIRY_INTERVAL)
    if isinstance(expiry_s, int) and connection.session is not None:
        if expiry_s and not connection.asked_expiry_s:
            return _protocol_error(connection, Reason.PROTOCOL_ERROR)
        if connection.session.is_kept:
            connection.session.expiry_s = min(expiry_s, connection.hub.config.longest_session_s)
    if disconnect.reason == Reason.SUCCESS:
        connection.will = None
    connection.end()
    return None


def on_malformed(connection: Connection, malformed: Malformed) -> None:
    _protocol_error(connection, malformed.reason, malformed.detail)


def _protocol_error(connection: Connection, reason: Reason, detail: str = "") -> None:
    metrics.PROTOCOL_ERRORS.labels(reason.name.lower()).inc()
    if connection.caller is None and reason is Reason.UNSUPPORTED_PROTOCOL_VERSION:
        connection.write(codec.encode_connack(1, Version.V311))
    connection.close(reason, detail if connection.tells_reasons else "")


def _is_subscribable(topic_filter: str) -> bool:
    try:
        return split_shared(topic_filter) is not None or is_filter(topic_filter)
    except ValueError:
        return False


ANSWERS: Answers = {
    Connect: on_connect,
    Publish: on_publish,
    PubAck: on_puback,
    PubRec: on_pubrec,
    PubRel: on_pubrel,
    PubComp: on_pubcomp,
    Subscribe: on_subscribe,
    Unsubscribe: on_unsubscribe,
    PingReq: on_pingreq,
    Disconnect: on_disconnect,
    Malformed: on_malformed,
}
