"""The process that runs codecs nobody vouches for: `python -m parvis.fleet.codecs.worker`.

It reads requests from its standard input and writes answers to its standard output. Before the first codec runs it
gives up what it could do harm with: it opens no further file or socket, writes no file, starts no process.
"""

import resource
import struct
import sys
from collections import OrderedDict
from typing import Any, BinaryIO

import msgspec

from parvis.fleet.codecs.codec import Codec, CodecFailure, CodecFault, CodecResult, Decoded, Downlink, InvalidCodec
from parvis.fleet.codecs.program import Routine
from parvis.fleet.model.uplink import Uplink

MEMORY_BYTES = 768 << 20
"""Of addresses, most of which the interpreter takes and never touches."""
CPU_S = 3600
"""In one life; the platform starts another."""
LONGEST_MESSAGE_BYTES = 16 << 20
_CODECS_KEPT = 16
_OPEN_FILES = 3
_LENGTH = struct.Struct(">I")


class Frame(msgspec.Struct, frozen=True, array_like=True):
    f_port: int
    received_at: int
    payload: bytes


class Request(msgspec.Struct, frozen=True, array_like=True):
    """`frames` to decode, or `data` to encode for the device."""

    source: str
    normalizes: bool = False
    frames: tuple[Frame, ...] = ()
    data: dict[str, Any] | None = None


_Packed = tuple[dict[str, Any] | None, tuple[str, ...], str, str]
"""Data, warnings, fault, detail."""


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """One of `decoded` for each frame, or what was encoded."""

    decoded: tuple[_Packed, ...] = ()
    f_port: int = 0
    payload: bytes = b""
    warnings: tuple[str, ...] = ()
    fault: str = ""
    detail: str = ""


def read_message(stream: BinaryIO) -> bytes | None:
    """The next one; None at the end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    return stream.read(length) if length <= LONGEST_MESSAGE_BYTES else None


def framed(message: bytes) -> bytes:
    return _LENGTH.pack(len(message)) + message


def length_of(head: bytes) -> int:
    (length,) = _LENGTH.unpack(head)
    return int(length)


def as_result(data: dict[str, Any] | None, warnings: tuple[str, ...], fault: str, detail: str) -> CodecResult:
    return CodecFailure(CodecFault[fault], detail) if data is None else Decoded(data, warnings)


def main() -> None:
    _give_up_rights()
    codecs: OrderedDict[tuple[str, bool], Codec | CodecFailure] = OrderedDict()
    read = msgspec.msgpack.Decoder(Request).decode
    while (message := read_message(sys.stdin.buffer)) is not None:
        answer = _answer(codecs, read(message))
        sys.stdout.buffer.write(framed(_encoded_answer(answer)))
        sys.stdout.buffer.flush()


def _encoded_answer(answer: Answered) -> bytes:
    """MessagePack has no numbers beyond 64 bits, as a codec may give; they are no measurements."""
    try:
        return msgspec.msgpack.encode(answer)
    except (OverflowError, ValueError):
        bad = (None, (), CodecFault.BAD_RESULT.name, "a whole number of more than 64 bits, or text that is none")
        return msgspec.msgpack.encode(Answered(tuple(_sendable(one, bad) for one in answer.decoded)))


def _sendable(packed: _Packed, otherwise: _Packed) -> _Packed:
    try:
        msgspec.msgpack.encode(packed)
    except (OverflowError, ValueError):
        return otherwise
    return packed


def _give_up_rights() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _answer(codecs: OrderedDict[tuple[str, bool], Codec | CodecFailure], request: Request) -> Answered:
    codec = _find_codec(codecs, request)
    if isinstance(codec, CodecFailure):
        failed = (None, (), codec.fault.name, codec.detail)
        return Answered((failed,) * len(request.frames), fault=codec.fault.name, detail=codec.detail)
    if request.data is not None:
        return _encoded(codec.encode_downlink(request.data))
    frames = [Uplink("", one.payload, one.f_port, 0, one.received_at) for one in request.frames]
    return Answered(tuple(_packed(one) for one in codec.decode(frames)))


def _find_codec(codecs: OrderedDict[tuple[str, bool], Codec | CodecFailure], request: Request) -> Codec | CodecFailure:
    key = (request.source, request.normalizes)
    if key not in codecs:
        needs = Routine.DECODE_UPLINK if request.data is None else Routine.ENCODE_DOWNLINK
        try:
            codecs[key] = Codec(request.source, needs=needs, normalizes=request.normalizes)
        except InvalidCodec as error:
            codecs[key] = CodecFailure(CodecFault.THREW, error.detail)
        if len(codecs) > _CODECS_KEPT:
            codecs.popitem(last=False)
    codecs.move_to_end(key)
    return codecs[key]


def _packed(result: CodecResult) -> _Packed:
    if isinstance(result, Decoded):
        return (result.data, result.warnings, "", "")
    return (None, (), result.fault.name, result.detail)


def _encoded(result: Downlink | CodecFailure) -> Answered:
    if isinstance(result, CodecFailure):
        return Answered(fault=result.fault.name, detail=result.detail)
    return Answered(f_port=result.f_port, payload=result.payload, warnings=result.warnings)


if __name__ == "__main__":
    main()
