import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.mqttdevice.codec import decode_frame, decode_outcome, decode_up, encode_command
from parvis.fleet.commands.downlink import Order
from parvis.fleet.model.events import Delivery
from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import SECOND

NOW = 1_790_000_000 * SECOND
UP = "device/0011AABB/up"


def test_an_object_is_the_fields_themselves() -> None:
    (uplink,) = decode_up(UP, b' {"fill": 42, "battery": {"level": 87}}', NOW)
    assert uplink.hardware_id == "0011aabb"
    assert uplink.fields == {"fill": 42, "battery": {"level": 87}}
    assert (uplink.received_at, uplink.measured_at, uplink.f_cnt) == (NOW, None, NO_COUNTER)


def test_an_object_may_say_its_time_and_number() -> None:
    (uplink,) = decode_up(UP, b'{"fields": {"fill": 1}, "time": "2026-09-21T15:33:20+02:00", "counter": 7}', NOW)
    assert (uplink.fields, uplink.measured_at, uplink.f_cnt) == ({"fill": 1}, 1_789_997_600 * SECOND, 7)


def test_what_was_measured_without_a_connection_comes_together() -> None:
    uplinks = decode_up(UP, b'[{"fields": {"a": 1}, "time": "2026-09-21T13:00:00Z"}, {"fields": {"a": 2}}]', NOW)
    assert [one.fields for one in uplinks] == [{"a": 1}, {"a": 2}]


def test_other_bytes_are_a_frame_for_the_codec() -> None:
    assert decode_up(UP, b"\x01\x02", NOW) == [
        Uplink("0011aabb", b"\x01\x02", 1, NO_COUNTER, NOW, way="mqttdevice", route="down")
    ]
    assert decode_frame("device/0011aabb/up/12", b"{}", NOW)[0].f_port == 12


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b'{"fields": {}, "time": "yesterday"}',
        b'{"fields": {}, "time": "2026-09-21T13:00:00"}',
        b'{"fields": {}, "counter": -1}',
        b'{"fields": {}, "colour": 1}',
        b"[1]",
        b'[{"a": 1}]',
        b"[" + b'{"fields":{}},' * 1000 + b'{"fields":{}}]',
        b'{"a": "\xff"}',
        b'{"a":' * 20_000,
        b'{"a": 1}' + b" " * 65_536,
        bytes(1025),
    ],
)
def test_what_is_none_of_it_is_told(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_up(UP, payload, NOW)


@pytest.mark.parametrize("port", ["0", "224", "x", "-1", "٣", "1" * 5000])
def test_a_port_is_a_number_from_1_to_223(port: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_frame(f"device/a/up/{port}", b"", NOW)


def test_a_device_says_what_became_of_a_command() -> None:
    report = decode_outcome("device/0011AABB/ack", b'{"id": "c1", "state": "failed", "detail": "no power"}', NOW)
    assert (report.command_id, report.hardware_id, report.delivery, report.detail) == (
        "c1",
        "0011aabb",
        Delivery.FAILED,
        "no power",
    )
    for payload in (b"", b'{"id": "c1", "state": "eaten"}', b"{" * 9):
        with pytest.raises(MalformedMessage):
            decode_outcome("device/a/ack", payload, NOW)


def test_a_command_is_json() -> None:
    order = Order("c1", "default", "0011aabb", "", 5, b"\x01\xff", True, expires_in_s=60)
    assert encode_command(order) == b'{"id":"c1","port":5,"payload":"Af8=","confirm":true}'


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,fieldstmcounr 0123.eE-\\u', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    for read in (decode_up, decode_outcome):
        try:
            read(UP, payload, NOW)
        except MalformedMessage:
            continue
