"""Register maps: which registers a kind of device has, how to read them in few requests, and what they say.

A map is `registers.toml` beside the `profile.toml` of the device profile that says what its fields mean.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from parvis.connectors.modbus.codec import Order, RegisterType, UnreadableRegister, Value, count_words, decode, encode
from parvis.fleet.ways.connector import InvalidConnector, find_repeated
from parvis.fleet.ways.profile_files import load_profile_file

MAP_FILE = "registers.toml"
LONGEST_READ_WORDS = 125
LONGEST_READ_BITS = 2000
"""MODBUS Application Protocol V1.1b3, 6.1 to 6.4."""
MOST_REGISTERS = 1000
SIGNIFICANT_DIGITS = 10
_LARGEST_ADDRESS = 0xFFFF
_Word = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class Table(Enum):
    """The four data tables (4.3), each with the function that reads it."""

    COIL = "coil"
    DISCRETE_INPUT = "discrete_input"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def has_bits(self) -> bool:
        return self in (Table.COIL, Table.DISCRETE_INPUT)


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[register]]`: value = raw * scale + offset.

    `address` is that of the protocol, from 0; a manual that writes 40001 or 30001 means 0 of the table holding or
    input. `absent` are raw values that stand for "no value". Of BITS, `bit` takes one (0 is the lowest). `is_writable`
    lets a command write it, between `least` and `most`.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    address: Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_ADDRESS)]
    type: RegisterType = RegisterType.UINT16
    table: Table = Table.HOLDING
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    words: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    bit: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None
    word_order: Order | None = None
    byte_order: Order | None = None
    absent: tuple[int, ...] = ()
    is_writable: bool = False
    least: float | None = None
    most: float | None = None

    @property
    def size(self) -> int:
        """In registers, or in bits of a table that has bits."""
        if self.table.has_bits:
            return 1
        return self.words if self.type is RegisterType.TEXT else count_words(self.type)

    @property
    def end(self) -> int:
        return self.address + self.size


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[example]]`: words by table and address, and the fields they give."""

    fields: dict[str, Any]
    holding: dict[str, _Word] = {}
    input: dict[str, _Word] = {}
    coil: dict[str, _Word] = {}
    discrete_input: dict[str, _Word] = {}

    def words(self) -> "Words":
        tables: dict[Table, dict[str, int]] = {
            Table.HOLDING: self.holding,
            Table.INPUT: self.input,
            Table.COIL: self.coil,
            Table.DISCRETE_INPUT: self.discrete_input,
        }
        return {(table, int(at)): word for table, words in tables.items() for at, word in words.items()}


class MapDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`largest_gap`: registers nobody asked for are read along, up to so many, where it saves a request."""

    register: Annotated[tuple[Register, ...], msgspec.Meta(min_length=1, max_length=MOST_REGISTERS)]
    word_order: Order = "big"
    byte_order: Order = "big"
    largest_gap: Annotated[int, msgspec.Meta(ge=0, le=100)] = 8
    example: tuple[Example, ...] = ()


class Span(msgspec.Struct, frozen=True):
    """Neighbours read by one request."""

    table: Table
    address: int
    count: int


Words = Mapping[tuple[Table, int], int]


class RegisterMap:
    def __init__(self, document: MapDocument) -> None:
        self._document = document
        self.registers = document.register
        self.spans = self._plan(document.largest_gap)

    def split(self, span: Span) -> list[Span]:
        """The span without registers that nobody asked for: some devices answer an error for those."""
        return [
            one
            for one in self._plan(0)
            if one.table is span.table and span.address <= one.address < span.address + span.count
        ]

    def read(self, words: Words) -> dict[str, Value]:
        """The fields of what was read; registers without a value give none."""
        fields: dict[str, Value] = {}
        for register in self.registers:
            raw = [words.get((register.table, at)) for at in range(register.address, register.end)]
            present = [word for word in raw if word is not None]
            if len(present) == len(raw) and (value := self._value(register, present)) is not None:
                fields[register.name] = value
        return fields

    def find_writable(self, name: str) -> Register | None:
        return next((one for one in self.registers if one.name == name and one.is_writable), None)

    def write(self, register: Register, value: Value) -> list[int]:
        """The words that say the value. Raises UnreadableRegister: it is out of bounds, or does not fit."""
        if isinstance(value, str):
            raise UnreadableRegister(f"{value[:50]!r} is no number")
        if register.table.has_bits:
            return [int(bool(value))]
        if not _is_within(value, register):
            raise UnreadableRegister(f"{value} is not between {register.least} and {register.most}")
        raw = (value - register.offset) / register.scale
        if not math.isfinite(raw):
            raise UnreadableRegister(f"{value} does not fit into {register.name}")
        is_whole = not register.type.value.startswith("float")
        return encode(register.type, round(raw) if is_whole else raw, *self._orders(register))

    def _value(self, register: Register, words: Sequence[int]) -> Value | None:
        if register.table.has_bits:
            return bool(words[0])
        try:
            value = decode(register.type, words, *self._orders(register))
        except UnreadableRegister:
            return None
        if value in register.absent:
            return None
        if isinstance(value, str):
            return value
        if register.bit is not None:
            return bool(int(value) >> register.bit & 1)
        return _scaled(register, value)

    def _orders(self, register: Register) -> tuple[Order, Order]:
        return register.word_order or self._document.word_order, register.byte_order or self._document.byte_order

    def _plan(self, largest_gap: int) -> tuple[Span, ...]:
        of_table: dict[Table, list[Register]] = {}
        for register in self.registers:
            of_table.setdefault(register.table, []).append(register)
        return tuple(span for table, registers in of_table.items() for span in _spans(table, registers, largest_gap))


def _spans(table: Table, registers: Iterable[Register], largest_gap: int) -> Iterator[Span]:
    longest = LONGEST_READ_BITS if table.has_bits else LONGEST_READ_WORDS
    start = end = -1
    for register in sorted(registers, key=lambda one: one.address):
        if start < 0:
            start, end = register.address, register.end
        elif register.address - end <= largest_gap and max(end, register.end) - start <= longest:
            end = max(end, register.end)
        else:
            yield Span(table, start, end - start)
            start, end = register.address, register.end
    yield Span(table, start, end - start)


def _scaled(register: Register, value: int | float) -> Value | None:
    """None where scaling leads out of what a number can hold."""
    if isinstance(value, int) and register.scale == 1.0 and register.offset == 0.0:
        return value
    scaled = float(f"{value * register.scale + register.offset:.{SIGNIFICANT_DIGITS}g}")
    return scaled if math.isfinite(scaled) else None


def _is_within(value: float, register: Register) -> bool:
    return (register.least is None or value >= register.least) and (register.most is None or value <= register.most)


def load_map(profile: str, roots: Sequence[Path]) -> RegisterMap:
    """The register map of the first root that has one; its examples must hold.

    Raises:
        InvalidConnector: there is none, or what is wrong with it.
    """
    path, document = load_profile_file(profile, MAP_FILE, roots, MapDocument)
    try:
        fault = check_map(document)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise InvalidConnector(f"{path}: {fault}")
    return RegisterMap(document)


def check_map(document: MapDocument) -> str:
    """What is wrong with the map; nothing where its examples hold."""
    if twice := find_repeated(one.name for one in document.register):
        return f"two registers are named {twice}"
    if wrong := next((fault for one in document.register if (fault := _check(one))), ""):
        return wrong
    registers = RegisterMap(document)
    for number, example in enumerate(document.example, 1):
        fields = registers.read(example.words())
        if fields != example.fields:
            return f"example {number}: read {fields}, expected {example.fields}"
    return ""


def _check(register: Register) -> str:
    if register.end > _LARGEST_ADDRESS + 1:
        return f"{register.name} goes beyond the last address"
    if register.scale == 0:
        return f"{register.name}: a scale of 0 leaves nothing"
    if register.bit is not None and register.type is not RegisterType.BITS:
        return f"{register.name}: only registers of type bits have a bit"
    if register.is_writable and (register.table in (Table.INPUT, Table.DISCRETE_INPUT) or register.bit is not None):
        return f"{register.name}: only whole holding registers and coils can be written"
    return ""
