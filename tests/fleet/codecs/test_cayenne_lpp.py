"""Cayenne LPP, against the frames that another library makes (pycayennelpp)."""

from collections.abc import Callable

import pytest
from cayennelpp import LppFrame

from parvis.broker.jsonld.contexts import Contexts
from parvis.fleet.codecs.codec import CodecFailure, CodecFault, Decoded, Downlink
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.profile import PACKAGED_PROFILES, check_profile, load_profile

PROFILE = load_profile(PACKAGED_PROFILES / "cayenne-lpp", Contexts().parvis.expand)


def decode(payload: bytes) -> object:
    assert PROFILE.codec is not None
    (result,) = PROFILE.codec.decode([Uplink("0101", payload, 1, 0, 0)])
    return result.data if isinstance(result, Decoded) else result


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (lambda frame: frame.add_digital_input(1, 1), {"digital_in": 1}),
        (lambda frame: frame.add_digital_output(1, 255), {"digital_out": 255}),
        (lambda frame: frame.add_analog_input(1, -12.34), {"analog_in": -12.34}),
        (lambda frame: frame.add_analog_output(1, 327.67), {"analog_out": 327.67}),
        (lambda frame: frame.add_generic(1, 4294967295), {"generic": 4294967295}),
        (lambda frame: frame.add_luminosity(1, 65535), {"illuminance": 65535}),
        (lambda frame: frame.add_presence(1, 1), {"presence": 1}),
        (lambda frame: frame.add_temperature(1, -40.5), {"temperature": -40.5}),
        (lambda frame: frame.add_humidity(1, 99.5), {"relative_humidity": 99.5}),
        (lambda frame: frame.add_accelerometer(1, 1.5, -2.25, 0), {"accelerometer": {"x": 1.5, "y": -2.25, "z": 0}}),
        (lambda frame: frame.add_barometer(1, 1013.5), {"barometric_pressure": 1013.5}),
        (lambda frame: frame.add_voltage(1, 230.25), {"voltage": 230.25}),
        (lambda frame: frame.add_current(1, 1.5), {"current": 1.5}),
        (lambda frame: frame.add_frequency(1, 868100000), {"frequency": 868100000}),
        (lambda frame: frame.add_percentage(1, 87), {"percentage": 87}),
        (lambda frame: frame.add_altitude(1, -12), {"altitude": -12}),
        (lambda frame: frame.add_load(1, -5.125), {"load": -5.125}),
        (lambda frame: frame.add_concentration(1, 415), {"concentration": 415}),
        (lambda frame: frame.add_power(1, 3500), {"power": 3500}),
        (lambda frame: frame.add_distance(1, 1234.5), {"distance": 1234.5}),
        (lambda frame: frame.add_energy(1, 98765.25), {"energy": 98765.25}),
        (lambda frame: frame.add_direction(1, 359), {"direction": 359}),
        (lambda frame: frame.add_unix_time(1, 1700000000), {"unix_time": 1700000000}),
        (lambda frame: frame.add_gyrometer(1, 1.5, -2.25, 0), {"gyrometer": {"x": 1.5, "y": -2.25, "z": 0}}),
        (lambda frame: frame.add_colour(1, 255, 0, 128), {"colour": {"red": 255, "green": 0, "blue": 128}}),
        (
            lambda frame: frame.add_gps(1, 48.125, -1.5, 31.25),
            {"gps": {"latitude": 48.125, "longitude": -1.5, "altitude": 31.25}},
        ),
        (lambda frame: frame.add_switch(1, 1), {"switch": 1}),
    ],
)
def test_every_published_type_is_read(add: Callable[[LppFrame], None], expected: object) -> None:
    frame = LppFrame()
    add(frame)
    assert decode(bytes(frame)) == expected


def test_a_type_that_comes_twice_is_told_by_its_channel() -> None:
    frame = LppFrame()
    frame.add_temperature(3, 21.5)
    frame.add_temperature(7, 5.5)
    frame.add_switch(1, 0)
    assert decode(bytes(frame)) == {"temperature": 21.5, "temperature_7": 5.5, "switch": 0}


@pytest.mark.parametrize("payload", ["01ff00", "0167", "016700", "01"])
def test_what_is_cut_off_or_unknown_is_refused(payload: str) -> None:
    result = decode(bytes.fromhex(payload))
    assert isinstance(result, CodecFailure)
    assert result.fault is CodecFault.REPORTED_ERRORS


async def test_a_value_goes_to_its_channel() -> None:
    assert await PROFILE.encode_downlink({"switch_2": True}) == Downlink(1, b"\x02\x00\x64\xff")
    for nonsense in ({}, {"value": 1}, {"value_255": 1}, {"value_1": "x"}, {"value_1": 1000}):
        result = await PROFILE.encode_downlink(nonsense)
        assert isinstance(result, CodecFailure)
        assert result.fault is CodecFault.REPORTED_ERRORS


def test_its_examples_hold() -> None:
    assert check_profile(PROFILE) == []
