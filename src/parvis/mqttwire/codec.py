"""The MQTT 3.1.1 and 5.0 wire without I/O: bytes to packets as a server reads them, answers to bytes."""

from collections.abc import Callable, Iterable

from parvis.mqttwire import wire
from parvis.mqttwire.packets import (
    NO_PROPERTIES,
    Connect,
    Disconnect,
    Malformed,
    Packet,
    PacketType,
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
from parvis.mqttwire.wire import MalformedPacket, Reader

LARGEST_CONNECT_BYTES = 16_384
"""Who is not known yet may make the server hold no more."""
_PINGREQ = PingReq()
_CONNECT_FLAGS_WITHOUT_WILL = 0x38


class Decoder:
    """Bytes in any portions to packets. The first Malformed ends the stream."""

    __slots__ = ("_buffer", "_needed", "_stopped", "max_packet_bytes", "version")

    def __init__(self, max_packet_bytes: int) -> None:
        self.max_packet_bytes = max_packet_bytes
        self.version: Version | None = None
        self._buffer = bytearray()
        self._needed = 0
        self._stopped = False

    def feed(self, data: bytes) -> list[Packet]:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        packets: list[Packet] = []
        if not self._stopped:
            try:
                self._read_packets(data, packets)
            except MalformedPacket as error:
                self._stopped = True
                packets.append(Malformed(error.reason, error.detail))
        return packets

    def _read_packets(self, data: bytes, packets: list[Packet]) -> None:
        at, end = 0, len(data)
        while at + 1 < end:
            first, length, body = data[at], data[at + 1], at + 2
            if length > 0x7F:
                length, body = self._long_length(data, at + 1)
            stop = body + length
            if body == 0 or stop > end:
                break
            if first & 0xF0 == 0x30 and self.version is not None:
                packets.append(_read_publish(data, first, body, stop, self.version))
            else:
                packets.append(self._read_other(data, first, body, stop))
            at = stop
        if at < end:
            self._keep(data, at)

    def _long_length(self, data: bytes, at: int) -> tuple[int, int]:
        """Length and start of the body; the start is 0 while the length itself is incomplete."""
        length = shift = 0
        for index in range(at, min(at + 4, len(data))):
            byte = data[index]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                if length > self._limit_bytes:
                    raise MalformedPacket(f"a packet of {length} bytes", Reason.PACKET_TOO_LARGE)
                return length, index + 1
            shift += 7
        if len(data) - at >= 4:
            raise MalformedPacket("a remaining length longer than four bytes")
        return 0, 0

    @property
    def _limit_bytes(self) -> int:
        return LARGEST_CONNECT_BYTES if self.version is None else self.max_packet_bytes

    def _keep(self, data: bytes, at: int) -> None:
        """Keep the beginning of a packet, and note how much it takes to read on."""
        self._buffer += data[at:]
        self._needed = 2
        if len(data) - at > 1:
            length, body = data[at + 1], 2
            if length > 0x7F:
                length, start = self._long_length(data, at + 1)
                body = start - at if start else len(data) - at + 1
            self._needed = body + length

    def _read_other(self, data: bytes, first: int, body: int, stop: int) -> Packet:
        kind, flags = first >> 4, first & 0x0F
        if self.version is None:
            if kind != PacketType.CONNECT:
                raise MalformedPacket("the first packet is no CONNECT", Reason.PROTOCOL_ERROR)
            connect = _read_connect(Reader(data, body, stop), flags)
            self.version = connect.version
            return connect
        read = _READERS.get(kind)
        if read is None:
            raise MalformedPacket(f"a packet of type {kind} has no place here", Reason.PROTOCOL_ERROR)
        if flags != _FLAGS.get(kind, 0):
            raise MalformedPacket(f"flags 0x{flags:x} at packet type {kind}")
        reader = Reader(data, body, stop)
        packet = read(reader, self.version)
        if not reader.finished:
            raise MalformedPacket("the packet is longer than its fields")
        return packet


def _read_publish(data: bytes, first: int, start: int, stop: int, version: Version) -> Publish:
    """PUBLISH (3.3), the packet of the hot path."""
    qos = (first >> 1) & 3
    at = start + 2
    topic_end = at + (data[start] << 8 | data[start + 1]) if at <= stop else stop + 1
    if topic_end + (2 if qos else 0) > stop:
        raise MalformedPacket("the packet ends within its header")
    topic = wire.decode_text(data[at:topic_end])
    packet_id = 0
    at = topic_end
    if qos:
        packet_id = data[at] << 8 | data[at + 1]
        at += 2
    properties = NO_PROPERTIES
    if version is Version.V5:
        if at < stop and data[at] == 0:
            at += 1
        else:
            properties, at = _publish_properties(Reader(data, at, stop))
    if qos == 3 or (first & 8 and not qos) or (qos and not packet_id):
        raise MalformedPacket("a QoS, DUP flag or packet identifier that cannot be")
    if "+" in topic or "#" in topic or not (topic or Property.TOPIC_ALIAS in properties):
        raise MalformedPacket(f"no topic name: {topic!r}", Reason.TOPIC_NAME_INVALID)
    return Publish(topic, data[at:stop], qos, first & 1 == 1, first & 8 == 8, packet_id, properties)


def _publish_properties(reader: Reader) -> tuple[Properties, int]:
    properties = wire.read_properties(reader, wire.IN_PUBLISH)
    if Property.SUBSCRIPTION_IDENTIFIER in properties:
        raise MalformedPacket("a subscription identifier from a client", Reason.PROTOCOL_ERROR)
    return properties, reader.at


def _read_connect(reader: Reader, flags: int) -> Connect:
    """CONNECT (3.1)."""
    if flags:
        raise MalformedPacket("flags at CONNECT")
    version = _read_version(reader)
    connect_flags, keepalive_s = reader.byte(), reader.two_bytes()
    has_will = bool(connect_flags & 0x04)
    if connect_flags & 1 or (not has_will and connect_flags & _CONNECT_FLAGS_WITHOUT_WILL):
        raise MalformedPacket("connect flags that cannot be")
    if version is Version.V311 and connect_flags & 0xC0 == 0x40:
        raise MalformedPacket("a password without a user name")
    properties = wire.read_properties(reader, wire.IN_CONNECT) if version is Version.V5 else NO_PROPERTIES
    connect = Connect(
        version=version,
        client_id=reader.text(),
        clean_start=bool(connect_flags & 0x02),
        keepalive_s=keepalive_s,
        properties=properties,
        will=_read_will(reader, connect_flags, version) if has_will else None,
        username=reader.text() if connect_flags & 0x80 else None,
        password=reader.binary() if connect_flags & 0x40 else None,
    )
    if not reader.finished:
        raise MalformedPacket("CONNECT is longer than its fields")
    return connect


def _read_version(reader: Reader) -> Version:
    if reader.binary() != b"MQTT":
        raise MalformedPacket("another protocol than MQTT", Reason.UNSUPPORTED_PROTOCOL_VERSION)
    level = reader.byte()
    if level not in (Version.V311, Version.V5):
        raise MalformedPacket(f"protocol level {level}", Reason.UNSUPPORTED_PROTOCOL_VERSION)
    return Version(level)


def _read_will(reader: Reader, connect_flags: int, version: Version) -> Publish:
    qos = (connect_flags >> 3) & 3
    if qos == 3:
        raise MalformedPacket("a will of QoS 3")
    properties = wire.read_properties(reader, wire.IN_WILL) if version is Version.V5 else NO_PROPERTIES
    topic = reader.text()
    if not topic or "+" in topic or "#" in topic:
        raise MalformedPacket("a will without a topic name", Reason.TOPIC_NAME_INVALID)
    return Publish(topic, reader.binary(), qos, bool(connect_flags & 0x20), properties=properties)


def _packet_id(reader: Reader) -> int:
    packet_id = reader.two_bytes()
    if packet_id == 0:
        raise MalformedPacket("a packet identifier of zero", Reason.PROTOCOL_ERROR)
    return packet_id


def _acknowledgement(packet: type[PubAck]) -> Callable[[Reader, Version], PubAck]:
    """PUBACK and its kin (3.4 to 3.7)."""

    def read(reader: Reader, version: Version) -> PubAck:
        packet_id, reason = _packet_id(reader), 0
        if version is Version.V5 and not reader.finished:
            reason = reader.byte()
            if not reader.finished:
                wire.read_properties(reader, wire.IN_ACKNOWLEDGEMENT)
        return packet(packet_id, reason)

    return read


def _read_subscribe(reader: Reader, version: Version) -> Subscribe:
    """SUBSCRIBE (3.8)."""
    packet_id = _packet_id(reader)
    is_v5 = version is Version.V5
    properties = wire.read_properties(reader, wire.IN_SUBSCRIBE) if is_v5 else NO_PROPERTIES
    identifier = _subscription_identifier(properties)
    subscriptions = []
    while not reader.finished:
        subscriptions.append(_read_subscription(reader, version, identifier))
    if not subscriptions:
        raise MalformedPacket("SUBSCRIBE without a filter", Reason.PROTOCOL_ERROR)
    return Subscribe(packet_id, tuple(subscriptions), properties)


def _subscription_identifier(properties: Properties) -> int:
    """0 where there is none."""
    given = properties.get(Property.SUBSCRIPTION_IDENTIFIER, [0])
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], int):
        raise MalformedPacket("more than one subscription identifier", Reason.PROTOCOL_ERROR)
    return given[0]


def _read_subscription(reader: Reader, version: Version, identifier: int) -> Subscription:
    topic_filter, options = reader.text(), reader.byte()
    reserved = 0xC0 if version is Version.V5 else 0xFC
    if options & reserved or options & 3 == 3 or options & 0x30 == 0x30:
        raise MalformedPacket("subscription options that cannot be")
    no_local, retain_as_published = bool(options & 4), bool(options & 8)
    return Subscription(topic_filter, options & 3, no_local, retain_as_published, options >> 4, identifier)


def _read_unsubscribe(reader: Reader, version: Version) -> Unsubscribe:
    packet_id = _packet_id(reader)
    if version is Version.V5:
        wire.read_properties(reader, wire.IN_UNSUBSCRIBE)
    filters = []
    while not reader.finished:
        filters.append(reader.text())
    if not filters:
        raise MalformedPacket("UNSUBSCRIBE without a filter", Reason.PROTOCOL_ERROR)
    return Unsubscribe(packet_id, tuple(filters))


def _read_pingreq(_reader: Reader, _version: Version) -> PingReq:
    return _PINGREQ


def _read_disconnect(reader: Reader, version: Version) -> Disconnect:
    reason, properties = 0, NO_PROPERTIES
    if version is Version.V5 and not reader.finished:
        reason = reader.byte()
        if not reader.finished:
            properties = wire.read_properties(reader, wire.IN_DISCONNECT)
    return Disconnect(reason, properties)


_READERS: dict[int, Callable[[Reader, Version], Packet]] = {
    PacketType.PUBACK: _acknowledgement(PubAck),
    PacketType.PUBREC: _acknowledgement(PubRec),
    PacketType.PUBREL: _acknowledgement(PubRel),
    PacketType.PUBCOMP: _acknowledgement(PubComp),
    PacketType.SUBSCRIBE: _read_subscribe,
    PacketType.UNSUBSCRIBE: _read_unsubscribe,
    PacketType.PINGREQ: _read_pingreq,
    PacketType.DISCONNECT: _read_disconnect,
}
_FLAGS: dict[int, int] = {PacketType.PUBREL: 2, PacketType.SUBSCRIBE: 2, PacketType.UNSUBSCRIBE: 2}

PINGRESP = bytes([PacketType.PINGRESP << 4, 0])


def _packet(kind: PacketType, body: bytes, flags: int = 0) -> bytes:
    return bytes([kind << 4 | flags]) + wire.variable_integer(len(body)) + body


def _properties(version: Version, properties: Properties = NO_PROPERTIES) -> bytes:
    return wire.write_properties(properties) if version is Version.V5 else b""


def encode_connack(
    code: int, version: Version, session_present: bool = False, properties: Properties = NO_PROPERTIES
) -> bytes:
    """CONNACK (3.2); `code` is a return code at 3.1.1, a reason code at 5.0."""
    return _packet(PacketType.CONNACK, bytes([session_present, code]) + _properties(version, properties))


def encode_publish(publish: Publish, version: Version) -> bytes:
    flags = publish.duplicate << 3 | publish.qos << 1 | publish.retain
    packet_id = wire.two_bytes(publish.packet_id) if publish.qos else b""
    header = wire.text(publish.topic) + packet_id + _properties(version, publish.properties)
    return _packet(PacketType.PUBLISH, header + publish.payload, flags)


def encode_puback(packet_id: int, reason: int, version: Version, reason_string: str = "") -> bytes:
    """At 3.1.1 there is no reason: it can only say that all is well."""
    return _acknowledge(0x40, packet_id, reason, version, reason_string)


def encode_pubrec(packet_id: int, reason: int, version: Version, reason_string: str = "") -> bytes:
    return _acknowledge(0x50, packet_id, reason, version, reason_string)


def encode_pubrel(packet_id: int, reason: int, version: Version) -> bytes:
    return _acknowledge(0x62, packet_id, reason, version, "")


def encode_pubcomp(packet_id: int, reason: int, version: Version) -> bytes:
    return _acknowledge(0x70, packet_id, reason, version, "")


def _acknowledge(first: int, packet_id: int, reason: int, version: Version, reason_string: str) -> bytes:
    if not reason or version is not Version.V5:
        return bytes((first, 2)) + packet_id.to_bytes(2)
    said = wire.write_properties({Property.REASON_STRING: reason_string}) if reason_string else b""
    return bytes((first,)) + wire.variable_integer(3 + len(said)) + packet_id.to_bytes(2) + bytes((reason,)) + said


def encode_suback(packet_id: int, reasons: Iterable[int], version: Version) -> bytes:
    return _packet(PacketType.SUBACK, wire.two_bytes(packet_id) + _properties(version) + bytes(reasons))


def encode_unsuback(packet_id: int, reasons: Iterable[int], version: Version) -> bytes:
    codes = bytes(reasons) if version is Version.V5 else b""
    return _packet(PacketType.UNSUBACK, wire.two_bytes(packet_id) + _properties(version) + codes)


def encode_disconnect(reason: int, reason_string: str = "") -> bytes:
    """DISCONNECT from the server (5.0 only, 3.14)."""
    said = wire.write_properties({Property.REASON_STRING: reason_string}) if reason_string else b""
    return _packet(PacketType.DISCONNECT, bytes([reason]) + said)
