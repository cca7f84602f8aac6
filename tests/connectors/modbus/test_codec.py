"""Values in registers, held to what Python's struct says of the same bytes."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.modbus.codec import Order, RegisterType, UnreadableRegister, count_words, decode, encode

orders = st.sampled_from(["big", "little"])
words = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("kind", "given_words", "value"),
    [
        (RegisterType.INT16, [0xFFFE], -2),
        (RegisterType.UINT16, [0xFFFE], 65534),
        (RegisterType.INT32, [0xFFFF, 0xFFFE], -2),
        (RegisterType.UINT32, [0x0001, 0x0000], 65536),
        (RegisterType.INT64, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF], -1),
        (RegisterType.UINT64, [0, 0, 1, 0], 65536),
        (RegisterType.FLOAT32, [0x42F6, 0x0000], 123.0),
        (RegisterType.FLOAT64, [0x405E, 0xC000, 0, 0], 123.0),
        (RegisterType.BCD16, [0x1234], 1234),
        (RegisterType.BCD32, [0x1234, 0x5678], 12345678),
        (RegisterType.BITS, [0b101], 5),
        (RegisterType.TEXT, [0x4D65, 0x7465, 0x7200], "Meter"),
    ],
)
def test_each_type_is_read(kind: RegisterType, given_words: list[int], value: object) -> None:
    assert decode(kind, given_words) == value


def test_words_and_bytes_may_lie_the_other_way_round() -> None:
    assert decode(RegisterType.FLOAT32, [0x0000, 0x42F6], "little") == 123.0
    assert decode(RegisterType.FLOAT32, [0xF642, 0x0000], "big", "little") == 123.0
    assert decode(RegisterType.FLOAT32, [0x0000, 0xF642], "little", "little") == 123.0


@pytest.mark.parametrize(
    ("kind", "given_words"),
    [
        (RegisterType.FLOAT32, [0x7FC0, 0]),
        (RegisterType.FLOAT32, [0x7F80, 0]),
        (RegisterType.BCD16, [0x12AF]),
        (RegisterType.INT16, []),
        (RegisterType.UINT32, [1]),
        (RegisterType.UINT16, [1, 2]),
    ],
)
def test_what_is_no_value_is_told(kind: RegisterType, given_words: list[int]) -> None:
    with pytest.raises(UnreadableRegister):
        decode(kind, given_words)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (RegisterType.UINT16, -1),
        (RegisterType.UINT16, 65536),
        (RegisterType.INT16, 1.5),
        (RegisterType.INT16, math.nan),
        (RegisterType.INT32, math.inf),
        (RegisterType.BCD16, 10_000),
        (RegisterType.BCD16, -1),
        (RegisterType.TEXT, "Meter"),
        (RegisterType.FLOAT32, "hot"),
    ],
)
def test_a_value_that_does_not_fit_is_not_written(kind: RegisterType, value: float | str) -> None:
    with pytest.raises(UnreadableRegister):
        encode(kind, value)


@given(st.integers(-(2**31), 2**31 - 1), orders, orders)
def test_what_is_written_reads_the_same(value: int, word_order: Order, byte_order: Order) -> None:
    assert (
        decode(RegisterType.INT32, encode(RegisterType.INT32, value, word_order, byte_order), word_order, byte_order)
        == value
    )


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), orders, orders)
def test_a_float_that_is_written_reads_the_same(value: float, word_order: Order, byte_order: Order) -> None:
    kind = RegisterType.FLOAT32
    assert decode(kind, encode(kind, value, word_order, byte_order), word_order, byte_order) == value


@given(st.sampled_from([one for one in RegisterType if one is not RegisterType.TEXT]), st.data(), orders, orders)
def test_any_words_give_a_finite_value_or_a_reason(
    kind: RegisterType, data: st.DataObject, word_order: Order, byte_order: Order
) -> None:
    count = count_words(kind)
    some = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=count, max_size=count))
    try:
        value = decode(kind, some, word_order, byte_order)
    except UnreadableRegister:
        return
    assert isinstance(value, int | float)
    assert math.isfinite(value)


@given(st.integers(0, 2**32 - 1))
def test_word_order_big_is_that_of_the_wire(value: int) -> None:
    high, low = struct.unpack(">HH", struct.pack(">I", value))
    assert encode(RegisterType.UINT32, value) == [high, low]
