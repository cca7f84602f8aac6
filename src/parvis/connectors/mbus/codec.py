"""Telegrams of wired M-Bus: frames of the link layer (EN 13757-2) and variable data structures (EN 13757-3).

Nothing here trusts what was sent: every length is checked, and what is no telegram raises MalformedTelegram.
"""

import math
import re
import struct
from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec

from parvis.connectors.mbus.units import (
    Meaning,
    Quantity,
    find_first_extension,
    find_primary,
    find_second_extension,
    qualify,
)
from parvis.kernel.errors import Detailed

ACK = b"\xe5"
START_SHORT, START_LONG, STOP = 0x10, 0x68, 0x16
SND_NKE, REQ_UD2, SND_UD, RSP_UD = 0x40, 0x5B, 0x53, 0x08
FRAME_COUNT_BIT = 0x20
FROM_MASTER = 0x40
NETWORK_LAYER = 253
"""The address of whichever meter was selected by its secondary address (EN 13757-3, 12.3)."""
_CI_SELECT, _CI_LONG_HEADER, _CI_SHORT_HEADER, _CI_NO_HEADER, _CI_ERROR = 0x52, 0x72, 0x7A, 0x78, 0x70
_EXTENSION = 0x80
_MOST_EXTENSIONS = 10
"""DIFE and VIFE each (6.3.2)."""
MOST_RECORDS = 250
_LONGEST_NAME = 40


class MalformedTelegram(Detailed):
    pass


class Function(Enum):
    INSTANT = 0
    MAXIMUM = 1
    MINIMUM = 2
    ERROR = 3


class Record(msgspec.Struct, frozen=True):
    """`value` is in the unit that the quantity's name carries; None where the meter has no value."""

    quantity: Quantity
    value: float | int | str | None
    function: Function = Function.INSTANT
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    suffixes: tuple[str, ...] = ()


class Telegram(msgspec.Struct, frozen=True):
    """`identification`, `manufacturer`, `version` and `medium` are the secondary address; empty or 0 without header."""

    address: int
    identification: str
    manufacturer: str
    version: int
    medium: int
    status: int
    records: tuple[Record, ...]
    is_more_to_come: bool = False


class Frame(msgspec.Struct, frozen=True):
    """A long frame: control field, address, control information and data."""

    control: int
    address: int
    information: int
    data: bytes


def encode_short(control: int, address: int) -> bytes:
    return bytes([START_SHORT, control, address, control + address & 0xFF, STOP])


def encode_long(control: int, address: int, information: int, data: bytes) -> bytes:
    body = bytes([control, address, information]) + data
    return bytes([START_LONG, len(body), len(body), START_LONG]) + body + bytes([sum(body) & 0xFF, STOP])


def encode_selection(secondary: str) -> bytes:
    """Select by secondary address, 16 hexadecimal digits: identification, manufacturer, version, medium.

    F in the identification and FF elsewhere stand for any (EN 13757-3, 12.3).
    """
    identification = bytes.fromhex(secondary[:8])[::-1]
    manufacturer = bytes.fromhex(secondary[8:12])[::-1]
    rest = bytes.fromhex(secondary[12:16])
    return encode_long(SND_UD, NETWORK_LAYER, _CI_SELECT, identification + manufacturer + rest)


def decode_frame(octets: bytes) -> Frame:
    """Raises MalformedTelegram."""
    if len(octets) < 9 or octets[0] != START_LONG or octets[3] != START_LONG:
        raise MalformedTelegram("no long frame")
    length = octets[1]
    if octets[2] != length or len(octets) != length + 6 or octets[-1] != STOP:
        raise MalformedTelegram(f"{len(octets)} bytes where the frame says {length + 6}")
    body = octets[4:-2]
    if sum(body) & 0xFF != octets[-2]:
        raise MalformedTelegram("the checksum is wrong")
    return Frame(body[0], body[1], body[2], bytes(body[3:]))


def decode_telegram(octets: bytes) -> Telegram:
    """Raises MalformedTelegram."""
    frame = decode_frame(octets)
    if frame.information == _CI_LONG_HEADER:
        return _with_long_header(frame)
    if frame.information == _CI_SHORT_HEADER:
        _need(frame.data, 4)
        _check_plain(frame.data[2:4])
        records, more = _read_records(frame.data[4:])
        return Telegram(frame.address, "", "", 0, 0, frame.data[1], records, more)
    if frame.information == _CI_NO_HEADER:
        records, more = _read_records(frame.data)
        return Telegram(frame.address, "", "", 0, 0, 0, records, more)
    if frame.information == _CI_ERROR:
        raise MalformedTelegram(f"the meter answers application error {frame.data[:1].hex() or 'unspecified'}")
    raise MalformedTelegram(f"control information {frame.information:02x}h is not read")


def _with_long_header(frame: Frame) -> Telegram:
    data = frame.data
    _need(data, 12)
    _check_plain(data[10:12])
    records, more = _read_records(data[12:])
    return Telegram(
        address=frame.address,
        identification=data[3::-1].hex(),
        manufacturer=_manufacturer(int.from_bytes(data[4:6], "little")),
        version=data[6],
        medium=data[7],
        status=data[9],
        records=records,
        is_more_to_come=more,
    )


def _manufacturer(code: int) -> str:
    """Three letters of five bits each (EN 13757-7, 7.5.2); else the number itself."""
    letters = [code >> shift & 31 for shift in (10, 5, 0)]
    if all(1 <= letter <= 26 for letter in letters):
        return "".join(chr(64 + letter) for letter in letters)
    return f"{code:04x}"


_LAST_MODE = 15
"""What is beyond is no mode: meters from before the field had this meaning leave anything there."""


def _check_plain(configuration: bytes) -> None:
    """The mode of encryption is in bits 8 to 12 of the configuration field (EN 13757-7, 7.5.6)."""
    if 0 < configuration[1] & 0x1F <= _LAST_MODE:
        raise MalformedTelegram(f"the telegram is encrypted (mode {configuration[1] & 0x1F})")


def _need(octets: bytes, count: int) -> None:
    if len(octets) < count:
        raise MalformedTelegram("the telegram ends too early")


class _Reader:
    """Takes bytes off the front."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._octets)

    def take(self, count: int) -> bytes:
        taken = self._octets[self._at : self._at + count]
        _need(taken, count)
        self._at += count
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def extensions(self, first: int) -> list[int]:
        """The bytes that follow while each says that another does."""
        found: list[int] = []
        last = first
        while last & _EXTENSION:
            if len(found) == _MOST_EXTENSIONS:
                raise MalformedTelegram("too many extensions of one record")
            last = self.byte()
            found.append(last)
        return found


_FILLER, _MANUFACTURER, _MORE = 0x2F, 0x0F, 0x1F


def _read_records(octets: bytes) -> tuple[tuple[Record, ...], bool]:
    """The records, and whether another telegram has more. What a maker keeps to himself (0Fh) is passed over."""
    reader = _Reader(octets)
    records: list[Record] = []
    while not reader.is_done:
        dif = reader.byte()
        if dif == _FILLER:
            continue
        if dif in (_MANUFACTURER, _MORE):
            return tuple(records), dif == _MORE
        if len(records) == MOST_RECORDS:
            raise MalformedTelegram("too many records")
        records += _read_record(reader, dif)
    return tuple(records), False


def _read_record(reader: _Reader, dif: int) -> Iterator[Record]:
    """None of a quantity that is not known here."""
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    for index, dife in enumerate(reader.extensions(dif)):
        storage |= (dife & 15) << (4 * index + 1)
        tariff |= (dife >> 4 & 3) << (2 * index)
        subunit |= (dife >> 6 & 1) << index
    quantity, vifes = _read_value_information(reader)
    field = dif & 15
    raw = _read_value(reader, field, quantity)
    if quantity is None or field in (0, 8):
        return
    qualified = qualify(vifes)
    value = _scaled(raw, quantity, qualified.exponent)
    yield Record(quantity, value, Function(dif >> 4 & 3), storage, tariff, subunit, qualified.suffixes)


_VIF_TEXT, _VIF_FIRST, _VIF_SECOND, _VIF_MANUFACTURER = 0x7C, 0xFB, 0xFD, 0x7F


def _read_value_information(reader: _Reader) -> tuple[Quantity | None, list[int]]:
    """The quantity, None where it is not known, and the VIFEs that qualify it."""
    vif = reader.byte()
    if vif & 0x7F == _VIF_TEXT:
        quantity = _named(reader.take(reader.byte()))  # before the VIFEs: so meters have it
        return quantity, reader.extensions(vif)
    vifes = reader.extensions(vif)
    if vif & 0x7F == _VIF_MANUFACTURER:
        return None, vifes
    if vif == _VIF_FIRST:
        return find_first_extension(vifes[0] & 0x7F), vifes[1:]
    if vif == _VIF_SECOND:
        return find_second_extension(vifes[0] & 0x7F), vifes[1:]
    return find_primary(vif & 0x7F), vifes


def _named(octets: bytes) -> Quantity:
    """A unit that the meter spells out itself, last letter first."""
    words = re.findall("[a-z0-9]+", octets[::-1].decode("latin-1").lower())
    return Quantity("_".join(["custom", *words])[:_LONGEST_NAME])


_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
_BCD_BYTES = {9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
_REAL, _VARIABLE = 5, 13


def _read_value(reader: _Reader, field: int, quantity: Quantity | None) -> Any:
    """As the data field says (table 4); None where there is none."""
    if field in _INTEGER_BYTES:
        octets = reader.take(_INTEGER_BYTES[field])
        if quantity is not None and quantity.meaning is Meaning.TIME:
            return decode_time(octets)
        return _decode_integer(octets)
    if field in _BCD_BYTES:
        return _decode_bcd(reader.take(_BCD_BYTES[field]), quantity)
    if field == _REAL:
        return _decode_real(reader.take(4))
    if field == _VARIABLE:
        return _read_variable(reader, quantity)
    if field == 15:
        raise MalformedTelegram("a special function where a record should be")
    return None


def _decode_integer(octets: bytes) -> int | None:
    """The lowest value stands for none (Annex B, type B)."""
    value = int.from_bytes(octets, "little", signed=True)
    return None if value == -1 << 8 * len(octets) - 1 else value


def _decode_real(octets: bytes) -> float | None:
    value: float = struct.unpack("<f", octets)[0]
    return value if math.isfinite(value) else None


def _read_variable(reader: _Reader, quantity: Quantity | None) -> Any:
    """By its LVAR (table 5)."""
    length = reader.byte()
    if length < 0xC0:
        return reader.take(length)[::-1].decode("latin-1").strip("\0 ")
    if length < 0xCA:
        return _decode_bcd(reader.take(length - 0xC0), quantity)
    if 0xD0 <= length < 0xDA:
        value = _decode_bcd(reader.take(length - 0xD0), quantity)
        return -value if isinstance(value, int) else value
    if 0xE0 <= length < 0xF0:
        return int.from_bytes(reader.take(length - 0xE0), "little", signed=True)
    if 0xF0 <= length < 0xF5:
        return int.from_bytes(reader.take(4 * (length - 0xEC)), "little", signed=True)
    raise MalformedTelegram(f"length {length:02x}h is reserved")


def _decode_bcd(octets: bytes, quantity: Quantity | None) -> int | str | None:
    """Least significant byte first; an F as the highest digit is a minus (Annex B, type A). Else it is no value."""
    digits = octets[::-1].hex()
    if quantity is not None and quantity.meaning is Meaning.IDENTIFICATION:
        return digits
    sign = -1 if digits.startswith("f") else 1
    digits = digits[1:] if sign < 0 else digits
    return sign * int(digits) if digits.isdecimal() else None


def decode_time(octets: bytes) -> str | None:
    """Types F, G, I and J of Annex B, in ISO 8601 without a zone: the meter's own clock. None where it is invalid."""
    if len(octets) == 2:
        return _date(octets)
    if len(octets) == 4:
        return _date_and_time(octets[0] & 0x3F, octets[1], octets[2:], octets[0] & 0x80)
    if len(octets) == 6:
        return _date_and_time(octets[1] & 0x3F, octets[2], octets[3:5], octets[1] & 0x80, octets[0] & 0x3F)
    if len(octets) == 3 and octets[2] & 0x1F < 24 and octets[1] & 0x3F < 60 and octets[0] & 0x3F < 60:
        return f"{octets[2] & 0x1F:02d}:{octets[1] & 0x3F:02d}:{octets[0] & 0x3F:02d}"
    return None


_CENTURY_BEFORE = 81
"""Two digits of a year from here on are of the century before."""


def _date(octets: bytes) -> str | None:
    day, month = octets[0] & 0x1F, octets[1] & 0x0F
    year = octets[0] >> 5 | octets[1] >> 4 << 3
    if not (1 <= day <= 31 and 1 <= month <= 12 and year < 100):
        return None
    return f"{year + (1900 if year >= _CENTURY_BEFORE else 2000)}-{month:02d}-{day:02d}"


def _date_and_time(minute: int, hour: int, day: bytes, invalid: int, second: int = 0) -> str | None:
    date = _date(day)
    hours = hour & 0x1F
    if invalid or date is None or hours > 23 or minute > 59 or second > 59:
        return None
    return f"{date}T{hours:02d}:{minute:02d}:{second:02d}"


def _scaled(raw: Any, quantity: Quantity, exponent: int) -> float | int | str | None:
    if raw is None or isinstance(raw, str) or quantity.meaning is not Meaning.NUMBER:
        return raw if raw is None or isinstance(raw, str) else str(raw)
    power = quantity.exponent + exponent
    if power == 0 and quantity.factor == 1.0:
        return raw if isinstance(raw, int | float) else None
    scaled = raw * 10**power if power >= 0 else raw / 10**-power
    return float(f"{scaled * quantity.factor:.12g}")
