"""Values in registers: 16-bit words, in whichever order the maker chose.

MODBUS Application Protocol V1.1b3, 4.2: a register is big-endian; how larger values lie in several is left open.
"""

import math
import struct
from collections.abc import Sequence
from enum import Enum
from typing import Literal, assert_never

from parvis.kernel.errors import Detailed

Value = int | float | bool | str
Order = Literal["big", "little"]


class RegisterType(Enum):
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BCD16 = "bcd16"
    BCD32 = "bcd32"
    BITS = "bits"
    TEXT = "text"


_FORMATS = {
    RegisterType.INT16: ">h",
    RegisterType.UINT16: ">H",
    RegisterType.INT32: ">i",
    RegisterType.UINT32: ">I",
    RegisterType.INT64: ">q",
    RegisterType.UINT64: ">Q",
    RegisterType.FLOAT32: ">f",
    RegisterType.FLOAT64: ">d",
}
_BCD_DIGITS = {RegisterType.BCD16: 4, RegisterType.BCD32: 8}


class UnreadableRegister(Detailed):
    """The words are no value of the type."""


def count_words(kind: RegisterType) -> int:
    """How many registers a value takes; a text says so itself."""
    match kind:
        case RegisterType.BITS | RegisterType.TEXT:
            return 1
        case RegisterType.BCD16 | RegisterType.BCD32:
            return _BCD_DIGITS[kind] // 4
        case (
            RegisterType.INT16
            | RegisterType.UINT16
            | RegisterType.INT32
            | RegisterType.UINT32
            | RegisterType.INT64
            | RegisterType.UINT64
            | RegisterType.FLOAT32
            | RegisterType.FLOAT64
        ):
            return struct.calcsize(_FORMATS[kind]) // 2
        case _:
            assert_never(kind)


def decode(kind: RegisterType, words: Sequence[int], word_order: Order = "big", byte_order: Order = "big") -> Value:
    """Raises UnreadableRegister."""
    octets = _to_bytes(words, word_order, byte_order)
    if kind is RegisterType.TEXT:
        return octets.split(b"\0")[0].decode("latin-1").strip()
    if kind is RegisterType.BITS:
        return int.from_bytes(octets, "big")
    if kind in _BCD_DIGITS:
        return _from_bcd(octets)
    if len(words) != count_words(kind):
        raise UnreadableRegister(f"{kind.value} takes {count_words(kind)} registers, not {len(words)}")
    (value,) = struct.unpack(_FORMATS[kind], octets)
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableRegister("not a number")
    assert isinstance(value, int | float)
    return value


def encode(kind: RegisterType, value: Value, word_order: Order = "big", byte_order: Order = "big") -> list[int]:
    """The words to write. Raises UnreadableRegister for a value that does not fit in."""
    try:
        octets = _encode(kind, value)
    except (struct.error, TypeError, ValueError, OverflowError):
        raise UnreadableRegister(f"{str(value)[:50]!r} does not fit into {kind.value}") from None
    words = [int.from_bytes(octets[at : at + 2], byte_order) for at in range(0, len(octets), 2)]
    return words if word_order == "big" else words[::-1]


def _encode(kind: RegisterType, value: Value) -> bytes:
    if kind is RegisterType.TEXT or isinstance(value, str):
        raise TypeError
    if kind is RegisterType.BITS:
        return struct.pack(">H", value)
    if kind in _BCD_DIGITS:
        digits = f"{_whole(value):0{_BCD_DIGITS[kind]}d}"
        if len(digits) > _BCD_DIGITS[kind] or value < 0:
            raise ValueError
        return bytes.fromhex(digits)
    return struct.pack(_FORMATS[kind], value if kind.value.startswith("float") else _whole(value))


def _whole(value: int | float) -> int:
    if value != int(value):
        raise ValueError
    return int(value)


def _to_bytes(words: Sequence[int], word_order: Order, byte_order: Order) -> bytes:
    ordered = words if word_order == "big" else words[::-1]
    return b"".join(word.to_bytes(2, byte_order) for word in ordered)


def _from_bcd(octets: bytes) -> int:
    digits = octets.hex()
    if not digits.isdecimal():
        raise UnreadableRegister(f"{digits} is no binary-coded decimal")
    return int(digits)
