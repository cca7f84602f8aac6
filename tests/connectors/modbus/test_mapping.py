"""Register maps: few requests, and every fault of a map told when it is loaded."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.modbus.codec import RegisterType, UnreadableRegister
from parvis.connectors.modbus.mapping import (
    LONGEST_READ_WORDS,
    MapDocument,
    Register,
    RegisterMap,
    Span,
    Table,
    load_map,
)
from parvis.fleet.profiles.profile import PACKAGED_PROFILES
from parvis.fleet.ways.connector import InvalidConnector


def registers(*addresses: int, largest_gap: int = 8) -> RegisterMap:
    return RegisterMap(MapDocument(tuple(Register(f"r{at}", at) for at in addresses), largest_gap=largest_gap))


def test_neighbours_share_a_request_across_small_gaps() -> None:
    assert registers(0, 1, 5, 200).spans == (Span(Table.HOLDING, 0, 6), Span(Table.HOLDING, 200, 1))


def test_a_span_splits_into_what_was_asked_for() -> None:
    one = registers(0, 1, 5)
    assert one.split(one.spans[0]) == [Span(Table.HOLDING, 0, 2), Span(Table.HOLDING, 5, 1)]


@given(st.sets(st.integers(0, 2000), min_size=1, max_size=200), st.integers(0, 100))
def test_every_register_is_read_once_within_the_limits(addresses: set[int], largest_gap: int) -> None:
    spans = registers(*addresses, largest_gap=largest_gap).spans
    read = [at for span in spans for at in range(span.address, span.address + span.count)]
    assert len(read) == len(set(read))
    assert addresses <= set(read)
    assert all(span.count <= LONGEST_READ_WORDS for span in spans)


def test_fields_are_scaled_and_absent_ones_left_out() -> None:
    document = MapDocument(
        (
            Register("temperature", 0, RegisterType.INT16, scale=0.1, absent=(-32768,)),
            Register("outside", 1, RegisterType.INT16, scale=0.1, absent=(-32768,)),
            Register("is_open", 2, RegisterType.BITS, bit=3),
            Register("pump", 0, table=Table.COIL),
            Register("unread", 9),
        )
    )
    words = {(Table.HOLDING, 0): 215, (Table.HOLDING, 1): 0x8000, (Table.HOLDING, 2): 8, (Table.COIL, 0): 1}
    assert RegisterMap(document).read(words) == {"temperature": 21.5, "is_open": True, "pump": True}


@given(
    st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4),
    st.sampled_from(RegisterType),
    st.floats(allow_nan=False, allow_infinity=False).filter(bool),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_words_and_scales_give_a_finite_value_or_none(
    words: list[int], kind: RegisterType, scale: float, offset: float
) -> None:
    one = RegisterMap(MapDocument((Register("a", 0, kind, scale=scale, offset=offset, words=2),)))
    for value in one.read({(Table.HOLDING, at): word for at, word in enumerate(words)}).values():
        assert isinstance(value, str) or math.isfinite(value)


def test_a_set_point_is_written_within_its_bounds() -> None:
    one = Register("set_point", 4, RegisterType.INT16, scale=0.1, is_writable=True, least=5, most=25)
    document = RegisterMap(MapDocument((one,)))
    assert document.find_writable("set_point") == one
    assert document.write(one, 20.5) == [205]
    for value in (4.9, 25.1, "warm", math.nan, math.inf):
        with pytest.raises(UnreadableRegister):
            document.write(one, value)


def test_registers_that_may_not_be_written_are_not_found() -> None:
    assert registers(1).find_writable("r1") is None


def write(root: Path, text: str) -> None:
    folder = root / "boiler"
    folder.mkdir()
    (folder / "registers.toml").write_text(text)


ONE = '[[register]]\nname = "a"\naddress = 1\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "register"),
        ("[[register", "registers.toml"),
        (ONE + 'type = "complex"', "complex"),
        (ONE + "adress = 2", "adress"),
        (ONE + ONE, "two registers are named a"),
        (ONE + "scale = 0", "scale of 0"),
        (ONE + "bit = 3", "type bits"),
        (ONE + 'table = "input"\nis_writable = true', "can be written"),
        ('[[register]]\nname = "a"\naddress = 65535\ntype = "int32"', "last address"),
        (ONE + "[[example]]\nholding = { 1 = 7 }\nfields = { a = 8 }", "example 1"),
        (ONE + "[[example]]\nholding = { one = 7 }\nfields = { a = 8 }", "registers.toml"),
        (ONE + "[[example]]\nholding = { 1 = 700000 }\nfields = { a = 8 }", "registers.toml"),
    ],
)
def test_what_is_wrong_with_a_map_is_told(tmp_path: Path, text: str, fault: str) -> None:
    write(tmp_path, text)
    with pytest.raises(InvalidConnector, match=fault):
        load_map("boiler", [tmp_path])


def test_a_map_that_is_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidConnector, match="boiler"):
        load_map("boiler", [tmp_path])


@pytest.mark.parametrize("folder", sorted(PACKAGED_PROFILES.glob("*/registers.toml")), ids=lambda one: one.parent.name)
def test_packaged_maps_hold_their_examples(folder: Path) -> None:
    assert load_map(folder.parent.name, [PACKAGED_PROFILES]).registers
