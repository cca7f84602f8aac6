"""The MQTT 3.1.1 and 5.0 wire from a client's side, without I/O: its requests to bytes, a server's bytes to answers."""

import msgspec

from parvis.mqttwire import wire
from parvis.mqttwire.packets import (
    NO_PROPERTIES,
    Disconnect,
    PacketType,
    Properties,
    Property,
    PubAck,
    PubComp,
    PubRec,
    Version,
)
from parvis.mqttwire.wire import MalformedPacket, Reader

LARGEST_ANSWER_BYTES = 16_384
PINGREQ = bytes([PacketType.PINGREQ << 4, 0])
DISCONNECT = bytes([PacketType.DISCONNECT << 4, 0])
_CLEAN_START, _USERNAME, _PASSWORD = 0x02, 0x80, 0x40
_IN_CONNACK = frozenset(Property)
_ACKNOWLEDGEMENTS = {PacketType.PUBACK: PubAck, PacketType.PUBREC: PubRec, PacketType.PUBCOMP: PubComp}


class ConnAck(msgspec.Struct, frozen=True):
    """`reason` is a return code at 3.1.1, a reason code at 5.0; 0 is a welcome."""

    reason: int
    properties: Properties = NO_PROPERTIES
    session_present: bool = False


class PingResp(msgspec.Struct, frozen=True):
    pass


Answer = ConnAck | PubAck | PubRec | PubComp | PingResp | Disconnect


def encode_connect(
    version: Version,
    client_id: str,
    keepalive_s: int,
    username: str | None,
    password: bytes | None,
    *,
    clean_start: bool = True,
    properties: Properties = NO_PROPERTIES,
) -> bytes:
    """CONNECT (3.1) without a will; `properties` are for 5.0 only."""
    flags = (
        (_CLEAN_START if clean_start else 0)
        | (_USERNAME if username is not None else 0)
        | (_PASSWORD if password is not None else 0)
    )
    body = wire.text("MQTT") + bytes([version, flags]) + wire.two_bytes(keepalive_s)
    body += wire.write_properties(properties) if version is Version.V5 else b""
    body += wire.text(client_id)
    body += b"" if username is None else wire.text(username)
    body += b"" if password is None else wire.binary(password)
    return bytes([PacketType.CONNECT << 4]) + wire.variable_integer(len(body)) + body


def encode_pubrel(packet_id: int) -> bytes:
    return b"\x62\x02" + packet_id.to_bytes(2)


class AnswerDecoder:
    """Bytes in any portions to answers. Raises MalformedPacket."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        self._buffer += data
        answers: list[Answer] = []
        while (end := self._end_of_first()) is not None:
            packet = bytes(self._buffer[:end])
            del self._buffer[:end]
            answers.append(read_answer(packet, self._version))
        return answers

    def _end_of_first(self) -> int | None:
        if len(self._buffer) < 2:
            return None
        head = Reader(bytes(self._buffer[:5]), 1, min(5, len(self._buffer)))
        try:
            length = head.variable_integer()
        except MalformedPacket:
            if len(self._buffer) < 5:
                return None
            raise
        if length > LARGEST_ANSWER_BYTES:
            raise MalformedPacket(f"an answer of {length} bytes")
        end = head.at + length
        return end if len(self._buffer) >= end else None


def read_answer(packet: bytes, version: Version) -> Answer:
    """A whole packet. Raises MalformedPacket."""
    reader = Reader(packet, 0, len(packet))
    kind = reader.byte() >> 4
    reader.variable_integer()
    if kind == PacketType.CONNACK:
        flags, reason = reader.byte(), reader.byte()
        return ConnAck(reason, _properties(reader, version), bool(flags & 1))
    if kind in _ACKNOWLEDGEMENTS:
        packet_id = reader.two_bytes()
        reason = 0 if reader.finished else reader.byte()
        return _ACKNOWLEDGEMENTS[PacketType(kind)](packet_id, reason)
    if kind == PacketType.PINGRESP:
        return PingResp()
    if kind == PacketType.DISCONNECT:
        return Disconnect(0 if reader.finished else reader.byte())
    raise MalformedPacket(f"a packet of type {kind} has no place here")


def _properties(reader: Reader, version: Version) -> Properties:
    if version is not Version.V5 or reader.finished:
        return NO_PROPERTIES
    return wire.read_properties(reader, _IN_CONNACK)
