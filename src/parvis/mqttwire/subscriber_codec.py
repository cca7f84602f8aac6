"""The MQTT 3.1.1 and 5.0 wire from a subscriber's side, without I/O."""

from collections.abc import Sequence

import msgspec

from parvis.mqttwire import wire
from parvis.mqttwire.client_codec import Answer, read_answer
from parvis.mqttwire.packets import NO_PROPERTIES, PacketType, Property, Publish, Version
from parvis.mqttwire.wire import MalformedPacket, Reader

_IN_DELIVERY = wire.IN_PUBLISH - {Property.TOPIC_ALIAS}
_IN_SUBACK = frozenset({Property.REASON_STRING, Property.USER_PROPERTY})
_LONGEST_HEAD_BYTES = 5 + 2 + 65_535 + 2
"""Of a PUBLISH up to its packet identifier: what must be read of one that is too large, to acknowledge it."""
_ONLY_IF_NEW = 0x10


class SubAck(msgspec.Struct, frozen=True):
    packet_id: int
    reasons: tuple[int, ...]


class TooLarge(msgspec.Struct, frozen=True):
    """A message larger than is taken: its content was passed over. `packet_id` is 0 at QoS 0."""

    topic: str
    packet_id: int
    size_bytes: int


Delivered = Answer | Publish | SubAck | TooLarge


def encode_subscribe(packet_id: int, topic_filters: Sequence[str], qos: int, version: Version) -> bytes:
    """SUBSCRIBE (3.8). At 5.0 retained messages come only for a subscription that is new (3.8.3.1)."""
    options = bytes([qos | _ONLY_IF_NEW if version is Version.V5 else qos])
    body = wire.two_bytes(packet_id)
    body += wire.write_properties(NO_PROPERTIES) if version is Version.V5 else b""
    body += b"".join(wire.text(one) + options for one in topic_filters)
    return bytes([PacketType.SUBSCRIBE << 4 | 2]) + wire.variable_integer(len(body)) + body


class DeliveryDecoder:
    """Bytes in any portions to what a broker says. Holds no more than `largest_bytes`, or the head of a larger message.

    Raises MalformedPacket, after which nothing can be read any more.
    """

    def __init__(self, version: Version, largest_bytes: int) -> None:
        self._version = version
        self._largest_bytes = largest_bytes
        self._buffer = bytearray()
        self._passing_over_bytes = 0

    def feed(self, data: bytes) -> list[Delivered]:
        self._buffer += data
        delivered: list[Delivered] = []
        while self._pass_over() and (size := self._size_of_first()) is not None:
            if size > self._largest_bytes:
                if (large := self._read_head(size)) is None:
                    break
                delivered.append(large)
                continue
            if len(self._buffer) < size:
                break
            packet = bytes(self._buffer[:size])
            del self._buffer[:size]
            delivered.append(self._read(packet))
        return delivered

    def _pass_over(self) -> bool:
        """Whether the buffer begins with a packet."""
        skipped = min(self._passing_over_bytes, len(self._buffer))
        del self._buffer[:skipped]
        self._passing_over_bytes -= skipped
        return self._passing_over_bytes == 0

    def _size_of_first(self) -> int | None:
        """With its fixed header; None while that is incomplete."""
        length = shift = 0
        for index in range(1, min(5, len(self._buffer))):
            byte = self._buffer[index]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return index + 1 + length
            shift += 7
        if len(self._buffer) >= 5:
            raise MalformedPacket("a remaining length longer than four bytes")
        return None

    def _read_head(self, size: int) -> TooLarge | None:
        first = self._buffer[0]
        if first >> 4 != PacketType.PUBLISH:
            raise MalformedPacket(f"a packet of type {first >> 4} with {size} bytes")
        reader = Reader(bytes(self._buffer[:_LONGEST_HEAD_BYTES]), 1, min(len(self._buffer), size))
        try:
            reader.variable_integer()
            topic = reader.text()
            packet_id = reader.two_bytes() if first & 0x06 else 0
        except MalformedPacket:
            if len(self._buffer) < min(size, _LONGEST_HEAD_BYTES):
                return None
            raise
        self._passing_over_bytes = size
        return TooLarge(topic, packet_id, size)

    def _read(self, packet: bytes) -> Delivered:
        kind = packet[0] >> 4
        if kind == PacketType.PUBLISH:
            return self._read_publish(packet)
        if kind == PacketType.SUBACK:
            return self._read_suback(packet)
        return read_answer(packet, self._version)

    def _read_publish(self, packet: bytes) -> Publish:
        first = packet[0]
        reader = Reader(packet, 1, len(packet))
        reader.variable_integer()
        topic, qos = reader.text(), first >> 1 & 3
        packet_id = reader.two_bytes() if qos else 0
        if not topic or qos == 3 or (qos and not packet_id):
            raise MalformedPacket("a message without a topic, or of a QoS that cannot be")
        is_v5 = self._version is Version.V5
        properties = wire.read_properties(reader, _IN_DELIVERY) if is_v5 else NO_PROPERTIES
        return Publish(topic, reader.rest(), qos, first & 1 == 1, first & 8 == 8, packet_id, properties)

    def _read_suback(self, packet: bytes) -> SubAck:
        reader = Reader(packet, 1, len(packet))
        reader.variable_integer()
        packet_id = reader.two_bytes()
        if self._version is Version.V5:
            wire.read_properties(reader, _IN_SUBACK)
        return SubAck(packet_id, tuple(reader.rest()))
