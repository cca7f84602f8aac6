"""Data messages as Live Objects documents them for its LoRa connector."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.liveobjects.codec import decode_message, encode_command
from parvis.fleet.model.events import Delivery, DeliveryReport, DeviceLocated, Told
from parvis.fleet.model.uplink import Technology, Uplink
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import SECOND, parse_instant
from tests.strategies import documents

EUI = "70b3d5499e000001"
AT = parse_instant("2026-09-21T07:04:05.123Z")
NOW = AT + 60 * SECOND


def lora(**changes: Any) -> dict[str, Any]:
    heard = {
        "devEUI": EUI.upper(),
        "port": 2,
        "fcnt": 17,
        "rssi": -113,
        "snr": -3.5,
        "esp": -116.01,
        "sf": 7,
        "signalLevel": 3,
        "gatewayCnt": 2,
        "ack": False,
        "messageType": "UNCONFIRMED_DATA_UP",
    }
    return {**heard, **changes}


def read(value: Any = None, encoding: str = "", network: Any = None, **changes: Any) -> list[Told]:
    metadata = {
        "connector": "lora",
        "source": f"urn:lo:nsid:lora:{EUI.upper()}",
        "group": {"path": "/", "id": "root"},
        "network": {"lora": lora(**changes)} if network is None else network,
    }
    document: dict[str, Any] = {
        "id": "5e84b188b112b25b2cb6d638",
        "streamId": f"urn:lo:nsid:lora:{EUI.upper()}",
        "timestamp": "2026-09-21T07:04:05.123Z",
        "model": "lora_v0",
        "value": {"payload": "01FF"} if value is None else value,
        "tags": [],
        "extra": {},
        "created": "2026-09-21T07:04:06.000Z",
        "metadata": {**metadata, "encoding": encoding} if encoding else metadata,
    }
    return decode_message(json.dumps(document).encode(), NOW)


def test_a_frame_is_read() -> None:
    assert read(frequency=868.1) == [
        Uplink(
            hardware_id=EUI,
            payload=b"\x01\xff",
            f_port=2,
            f_cnt=17,
            received_at=AT,
            rssi_dbm=-113,
            snr_db=-3.5,
            gateways=2,
            spreading_factor=7,
            technology=Technology.LORAWAN,
            way="liveobjects",
            frequency_hz=868_100_000,
            route="device",
        )
    ]


def test_what_live_objects_has_decoded_itself_is_taken_as_fields() -> None:
    (uplink,) = read({"temperature": 21.5}, encoding="climate_v1")
    assert isinstance(uplink, Uplink)
    assert uplink.fields == {"temperature": 21.5}


def test_a_frame_without_content_has_none() -> None:
    (uplink,) = read({})
    assert isinstance(uplink, Uplink)
    assert (uplink.payload, uplink.fields) == (b"", None)


def test_a_place_and_an_acknowledgement_come_with_the_frame() -> None:
    _, report, place = read(ack=True, location={"lat": 48.1, "lon": -3.2, "alt": 0, "accuracy": 10000})
    assert report == DeliveryReport("", EUI, Delivery.ACKNOWLEDGED, AT)
    assert place == DeviceLocated(EUI, AT, -3.2, 48.1, 10_000, "lora")


def test_messages_of_other_connectors_are_passed_over() -> None:
    assert read(network={}) == []
    mqtt = {"streamId": "s", "value": {"t": 1}, "metadata": {"connector": "mqtt", "source": "urn:lo:nsid:x:y"}}
    assert decode_message(json.dumps(mqtt).encode(), NOW) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"devEUI": "1"},
        {"port": 256},
        {"fcnt": -1},
        {"value": {"payload": "xy"}},
        {"value": {"payload": "00" * 1025}},
        {"value": {"text": "x" * 5000}, "encoding": "own"},
        {"value": [1]},
        {"location": {"lat": 95}},
    ],
)
def test_what_is_no_data_message_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        read(**changes)


def test_a_command_is_written_in_hexadecimal() -> None:
    assert json.loads(encode_command(10, b"\x01\xff", 60, is_confirmed=True)) == {
        "request": {"connector": "lora", "value": {"data": "01ff", "port": 10, "confirmed": True}},
        "policy": {"expirationInSeconds": 60, "ackMode": "NONE"},
    }


MEMBERS = st.sampled_from(
    ["metadata", "network", "lora", "devEUI", "value", "payload", "encoding", "timestamp", "port"]
)
JSON = documents(MEMBERS, st.just(EUI))


@given(st.binary(max_size=100) | st.dictionaries(MEMBERS, JSON).map(lambda one: json.dumps(one).encode()))
def test_whatever_comes_is_read_or_refused(payload: bytes) -> None:
    with suppress(MalformedMessage):
        assert isinstance(decode_message(payload, NOW), list)


@given(JSON)
def test_whatever_a_value_holds_is_read_or_refused(value: Any) -> None:
    with suppress(MalformedMessage):
        assert isinstance(read(value, encoding="own"), list)
