"""Telegrams read as EN 13757-3 says, and as another library reads them."""

import logging
import math
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.mbus.codec import (
    Frame,
    MalformedTelegram,
    Record,
    Telegram,
    decode_frame,
    decode_telegram,
    decode_time,
    encode_long,
    encode_selection,
    encode_short,
)
from parvis.connectors.mbus.mapping import map_fields, name_of
from tests.connectors.mbus.telegrams import FIRST, HEAT, WATER, answer


def fields(records: str, **more: Any) -> dict[str, Any]:
    """Those of records alone, without the status of the meter."""
    named = map_fields([decode_telegram(answer(records, **more))])
    return {name: value for name, value in named.items() if not name.startswith(("is_", "has_"))}


def test_the_documented_example_is_read() -> None:
    telegram = decode_telegram(WATER)
    assert (telegram.address, telegram.identification, telegram.manufacturer) == (2, "12345678", "PAD")
    assert (telegram.version, telegram.medium, telegram.status) == (1, 7, 0)
    assert map_fields([telegram]) == {
        "is_power_low": False,
        "has_permanent_error": False,
        "has_temporary_error": False,
        "volume_m3": 12.565,
        "volume_flow_m3_per_h_max_storage_5": 0.113,
        "energy_wh_tariff_2_unit_1": 218_370,
    }


def test_a_heat_meter_is_read() -> None:
    named = map_fields([decode_telegram(HEAT)])
    assert named["energy_wh"] == 123_456_000
    assert named["volume_m3"] == 6543.21
    assert named["power_w"] == 68_900
    assert named["volume_flow_m3_per_h"] == 1.234
    assert (named["flow_temperature_c"], named["return_temperature_c"]) == (71.3, 49.2)
    assert named["temperature_difference_k"] == 22.12
    assert named["time"] == "2026-09-17T11:30:00"
    assert named["energy_wh_storage_1"] == 120_000_000
    assert named["time_storage_1"] == "2026-12-31"
    assert named["power_w_max"] == 125_000
    assert named["fabrication_number"] == "10203040"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ("01 5b ec", {"flow_temperature_c": -20}),
        ("02 65 f6 ff", {"external_temperature_c": -0.1}),
        ("0a 65 10 f0", {"external_temperature_c": -0.1}),
        ("02 65 00 80", {}),
        ("0a 5a ff ff", {}),
        ("05 2b 00 00 9a 42", {"power_w": 77}),
        ("05 2b 00 00 c0 7f", {}),
        ("04 20 3c 00 00 00", {"on_time_s": 60}),
        ("04 22 02 00 00 00", {"on_time_s": 7200}),
        ("02 fd 48 e6 08", {"voltage_v": 227.8}),
        ("02 fd 59 d2 04", {"current_a": 0.1234 * 10}),
        ("04 fb 00 05 00 00 00", {"energy_wh": 500_000}),
        ("04 fb 09 05 00 00 00", {"energy_j": 5_000_000_000}),
        ("02 fb 1a c8 01", {"relative_humidity_percent": 45.6}),
        ("04 83 3b 10 00 00 00", {"energy_wh_forward": 16}),
        ("04 83 3c 10 00 00 00", {"energy_wh_backward": 16}),
        ("04 83 7d 10 00 00 00", {"energy_wh": 16_000}),
        ("04 83 75 10 00 00 00", {"energy_wh": 1.6}),
        ("02 fd c8 fc 01 e6 08", {"voltage_v_l1": 227.8}),
        ("02 fd c8 fc 02 e6 08", {"voltage_v_l2": 227.8}),
        ("04 83 22 10 00 00 00", {"energy_wh_vife_22": 16}),
        ("02 fc 03 48 52 25 74 d4 11", {"custom_rh": 45.64}),
        ("0d fd 11 03 43 42 41", {"customer": "ABC"}),
        ("0d 03 c2 34 12", {"energy_wh": 1234}),
        ("0d 03 d2 34 12", {"energy_wh": -1234}),
        ("0d 03 e1 10", {"energy_wh": 16}),
        ("04 03 01 00 00 00 04 03 02 00 00 00", {"energy_wh": 1, "energy_wh_2": 2}),
        ("2f 2f 01 5b 14 2f", {"flow_temperature_c": 20}),
        ("01 5b 14 0f ff ff ff", {"flow_temperature_c": 20}),
        ("00 5b 08 5b", {}),
        ("04 7f 01 02 03 04 01 5b 14", {"flow_temperature_c": 20}),
    ],
)
def test_each_kind_of_record_is_read(records: str, expected: dict[str, Any]) -> None:
    found = fields(records)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_the_status_of_a_meter_is_told() -> None:
    named = map_fields([decode_telegram(answer("01 5b 14", status=0x0C))])
    assert (named["is_power_low"], named["has_permanent_error"], named["has_temporary_error"]) == (True, True, False)


def test_that_more_is_to_come_is_told() -> None:
    assert decode_telegram(FIRST).is_more_to_come
    assert not decode_telegram(HEAT).is_more_to_come


@pytest.mark.parametrize(
    ("octets", "time"),
    [
        ("5f 3c", "2026-12-31"),
        ("00 00", None),
        ("1e 0b 51 39", "2026-09-17T11:30:00"),
        ("9e 0b 51 39", None),
        ("0f 1e 0b 51 39 00", "2026-09-17T11:30:15"),
        ("0f 1e 0b", "11:30:15"),
        ("3f 3f 1f", None),
    ],
)
def test_times_are_those_of_the_meter(octets: str, time: str | None) -> None:
    assert decode_time(bytes.fromhex(octets)) == time


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "no long frame"),
        (b"\xe5", "no long frame"),
        (HEAT[:-1], "bytes where"),
        (HEAT[:-2] + b"\x00\x16", "checksum"),
        (encode_long(8, 1, 0x72, b"123"), "too early"),
        (encode_long(8, 1, 0x73, b"123"), "73h is not read"),
        (encode_long(8, 1, 0x70, b"\x08"), "application error 08"),
        (answer("01 5b 14", config=0x0500), "encrypted"),
        (answer("04 03 01"), "too early"),
        (answer("84" + "80" * 11 + "00 03 01 00 00 00"), "too many extensions"),
        (answer("3f 03 01"), "special function"),
        (answer("0d 03 fb 00"), "reserved"),
    ],
)
def test_what_is_no_telegram_is_told(octets: bytes, reason: str) -> None:
    with pytest.raises(MalformedTelegram, match=reason):
        decode_telegram(octets)


def test_questions_are_encoded() -> None:
    assert encode_short(0x5B, 1).hex(" ") == "10 5b 01 5c 16"
    assert encode_selection("1020304004430704").hex(" ") == "68 0b 0b 68 53 fd 52 40 30 20 10 43 04 07 04 94 16"


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=252))
def test_a_frame_that_is_written_reads_the_same(control: int, address: int, information: int, data: bytes) -> None:
    octets = encode_long(control, address, information, data)
    assert decode_frame(octets) == Frame(control, address, information, data)


@given(st.binary(max_size=260))
def test_noise_is_a_reason(octets: bytes) -> None:
    with pytest.raises(MalformedTelegram):
        decode_telegram(octets)


@given(st.binary(max_size=240))
def test_any_records_in_a_sound_frame_give_values_or_a_reason(records: bytes) -> None:
    try:
        named = map_fields([decode_telegram(answer(records.hex()))])
    except MalformedTelegram:
        return
    for value in named.values():
        assert isinstance(value, int | str) or math.isfinite(value)


@pytest.fixture(scope="module")
def another_library() -> Iterator[Any]:
    """pyMeterBus sets up the root logger when it is imported."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import meterbus
    yield meterbus
    root.handlers, level = before[0], before[1]
    root.setLevel(level)


@pytest.mark.parametrize("octets", [WATER, HEAT], ids=["water", "heat"])
def test_another_library_reads_the_same_numbers(octets: bytes, another_library: Any) -> None:
    theirs = another_library.load(octets).records
    ours = decode_telegram(octets).records
    numbers = [float(one.value) for one in theirs if not isinstance(one.value, str) and one.unit != "none"]
    assert [pytest.approx(float(one)) for one in numbers] == [
        one.value for one in ours if isinstance(one.value, int | float)
    ]


def test_names_keep_apart_what_is_not_the_present_value() -> None:
    (record,) = decode_telegram(answer("da 02 3b 13 01")).records
    assert isinstance(record, Record)
    assert name_of(record) == "volume_flow_m3_per_h_max_storage_5"


def test_a_telegram_without_header_is_read() -> None:
    telegram = decode_telegram(encode_long(8, 3, 0x78, bytes.fromhex("01 5b 14")))
    assert isinstance(telegram, Telegram)
    assert (telegram.address, telegram.identification) == (3, "")
    assert map_fields([telegram])["flow_temperature_c"] == 20
