"""Messages as The Things Stack v3 documents them ("Data Formats"): what is empty is left out."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.thingsstack.codec import CORRELATION, decode_message, encode_downlinks
from parvis.fleet.model.events import Delivery, DeliveryReport, DeviceJoined, DeviceLocated, DeviceStatus, Told
from parvis.fleet.model.uplink import Reception, Technology, Uplink
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import SECOND, parse_instant
from tests.strategies import documents

EUI = "70b3d5499e000001"
RECEIVED = "2026-09-21T07:04:05.123456789Z"
AT = parse_instant("2026-09-21T07:04:05.123457Z")
NOW = AT + 60 * SECOND
COMMAND = "7c3d2a10-0000-4000-8000-000000000009"
DEVICE = {
    "device_id": "bin-market",
    "application_ids": {"application_id": "bins"},
    "dev_eui": EUI.upper(),
    "join_eui": "0000000000000000",
    "dev_addr": "260B1234",
}
FRAME: dict[str, Any] = {
    "session_key_id": "AXA50",
    "f_port": 85,
    "f_cnt": 17,
    "frm_payload": "Af8=",
    "decoded_payload": {"ignored": 1},
    "rx_metadata": [
        {
            "gateway_ids": {"gateway_id": "town-hall", "eui": "0016C001F153A14C"},
            "timestamp": 4058875412,
            "rssi": -110,
            "channel_rssi": -110,
            "snr": -3.5,
            "uplink_token": "x",
        },
        {
            "gateway_ids": {"gateway_id": "packetbroker"},
            "packet_broker": {"forwarder_gateway_eui": "0016C001F153A14D", "forwarder_gateway_id": "church"},
            "rssi": -71,
            "snr": 8,
            "location": {"latitude": 48.1, "longitude": -3.2, "altitude": 80, "source": "SOURCE_REGISTRY"},
        },
        {"gateway_ids": {"gateway_id": "without-eui"}, "snr": 1},
    ],
    "settings": {
        "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7, "coding_rate": "4/5"}},
        "frequency": "868300000",
        "timestamp": 4058875412,
    },
    "received_at": RECEIVED,
    "consumed_airtime": "0.056576s",
    "network_ids": {"net_id": "000013", "tenant_id": "ttn", "cluster_id": "eu1"},
}


def read(tenant_id: str = "", **message: Any) -> list[Told]:
    document = {"end_device_ids": DEVICE, "correlation_ids": ["as:up:01"], "received_at": RECEIVED, **message}
    return decode_message(json.dumps(document).encode(), NOW, tenant_id)


def downlink(*correlation_ids: str) -> dict[str, Any]:
    return {"f_port": 10, "frm_payload": "AQ==", "correlation_ids": ["as:downlink:01", *correlation_ids]}


OURS = downlink(CORRELATION + COMMAND)


def test_an_uplink_is_read_with_every_gateway_the_best_first() -> None:
    assert read(uplink_message=FRAME, tenant_id="ttn") == [
        Uplink(
            hardware_id=EUI,
            payload=b"\x01\xff",
            f_port=85,
            f_cnt=17,
            received_at=AT,
            session="260B1234",
            rssi_dbm=-71,
            snr_db=8,
            gateway="0016c001f153a14d",
            device_name="bin-market",
            gateways=3,
            spreading_factor=7,
            technology=Technology.LORAWAN,
            way="thingsstack",
            receptions=(
                Reception("0016c001f153a14d", -71, 8, -3.2, 48.1),
                Reception("0016c001f153a14c", -110, -3.5),
                Reception("without-eui", None, 1),
            ),
            frequency_hz=868_300_000,
            bandwidth_hz=125_000,
            route="bins@ttn/bin-market",
        )
    ]


def test_what_is_left_out_has_its_default() -> None:
    bare = {"end_device_ids": {"dev_eui": EUI}, "uplink_message": {}}
    (uplink,) = decode_message(json.dumps(bare).encode(), NOW)
    assert isinstance(uplink, Uplink)
    assert (uplink.received_at, uplink.f_port, uplink.f_cnt, uplink.payload, uplink.route) == (NOW, 0, 0, b"", "")


def test_the_last_battery_level_is_dated_when_the_device_told_it() -> None:
    battery = {"f_cnt": 3, "value": 94.88189, "received_at": "2026-09-20T00:00:00Z"}
    _, status = read(uplink_message={**FRAME, "last_battery_percentage": battery})
    assert status == DeviceStatus(EUI, parse_instant("2026-09-20T00:00:00Z"), 0.9488)


def test_a_join_begins_a_session() -> None:
    accept = {"session_key_id": "AXBSH1", "received_at": RECEIVED}
    assert read(join_accept=accept) == [DeviceJoined(EUI, AT, "260B1234")]


def test_a_solved_location_is_told_with_its_accuracy() -> None:
    place = {"latitude": 48.1, "longitude": -3.2, "accuracy": 15, "source": "SOURCE_WIFI_RSSI_GEOLOCATION"}
    told = read(location_solved={"service": "lora-cloud", "location": place})
    assert told == [DeviceLocated(EUI, AT, -3.2, 48.1, 15, "SOURCE_WIFI_RSSI_GEOLOCATION")]
    assert read(location_solved={"service": "lora-cloud", "location": {}}) == []


@pytest.mark.parametrize(
    ("kind", "content", "delivery", "detail"),
    [
        ("downlink_sent", OURS, Delivery.TRANSMITTED, ""),
        ("downlink_ack", OURS, Delivery.ACKNOWLEDGED, ""),
        ("downlink_nack", OURS, Delivery.NOT_ACKNOWLEDGED, ""),
        (
            "downlink_failed",
            {"downlink": OURS, "error": {"namespace": "pkg/as", "name": "no_session", "message_format": "no session"}},
            Delivery.FAILED,
            "no session",
        ),
        (
            "downlink_queue_invalidated",
            {"downlinks": [downlink(), OURS], "last_f_cnt_down": 7},
            Delivery.FAILED,
            "the session ended before it was sent",
        ),
    ],
)
def test_what_becomes_of_a_command_is_told(kind: str, content: Any, delivery: Delivery, detail: str) -> None:
    assert read(**{kind: content}) == [DeliveryReport(COMMAND, EUI, delivery, AT, detail)]


@pytest.mark.parametrize(
    "message",
    [
        {"downlink_sent": downlink("somebody:else")},
        {"downlink_queued": OURS},
        {"service_data": {"service": "lora-cloud", "data": {}}},
        {"uplink_message": FRAME, "simulated": True},
        {},
    ],
)
def test_what_is_of_no_use_here_is_passed_over(message: dict[str, Any]) -> None:
    assert read(**message) == []


@pytest.mark.parametrize(
    "message",
    [
        {"end_device_ids": {"device_id": "no-eui"}, "uplink_message": FRAME},
        {"uplink_message": {**FRAME, "frm_payload": "***"}},
        {"uplink_message": {**FRAME, "f_port": 256}},
        {"uplink_message": {**FRAME, "settings": {"frequency": "much"}}},
        {"uplink_message": {**FRAME, "frm_payload": "A" * 1400}},
        {"received_at": "yesterday"},
        {"location_solved": {"location": {"latitude": 91}}},
    ],
)
def test_what_is_no_message_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        read(**message)


def test_a_command_can_be_told_again_by_its_correlation() -> None:
    body = json.loads(encode_downlinks(COMMAND, 10, b"\x01", is_confirmed=True))
    (queued,) = body["downlinks"]
    assert queued == {
        "f_port": 10,
        "frm_payload": "AQ==",
        "confirmed": True,
        "priority": "NORMAL",
        "correlation_ids": ["parvis:command:" + COMMAND],
    }


MEMBERS = st.sampled_from([*FRAME, "uplink_message", "end_device_ids", "dev_eui", "downlink_ack", "location", "rssi"])
JSON = documents(MEMBERS)


@given(st.binary(max_size=100) | st.dictionaries(MEMBERS, JSON).map(lambda one: json.dumps(one).encode()))
def test_whatever_comes_is_read_or_refused(payload: bytes) -> None:
    with suppress(MalformedMessage):
        assert isinstance(decode_message(payload, NOW), list)


@given(JSON)
def test_whatever_a_frame_holds_is_read_or_refused(frame: Any) -> None:
    document = json.dumps({"end_device_ids": DEVICE, "uplink_message": frame}).encode()
    with suppress(MalformedMessage):
        assert isinstance(decode_message(document, NOW), list)
