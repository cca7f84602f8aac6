"""Events written by ChirpStack's own messages (the package chirpstack-api), read by ours."""

import json
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from chirpstack_api import common, gw, integration
from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.message import Message as Proto
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.chirpstack.codec import decode_event, decode_gateway_stats, encode_downlink
from parvis.fleet.model.events import (
    Delivery,
    DeliveryReport,
    DeviceFault,
    DeviceJoined,
    DeviceLocated,
    DeviceStatus,
    GatewayStats,
    Told,
)
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import SECOND

EUI = "70b3d5499e000001"
AT = 1_790_000_000 * SECOND
NOW = AT + SECOND
KINDS = ("up", "join", "status", "ack", "txack", "log", "location")
COMMAND = "7c3d2a10-0000-4000-8000-000000000009"
DEVICE = integration.DeviceInfo(application_id="7c3d2a10-0000-4000-8000-000000000003", dev_eui=EUI)


def read(kind: str, event: Proto) -> list[Told]:
    """In both forms."""
    event.time.FromMicroseconds(AT)
    told = decode_event(kind, MessageToJson(event).encode(), NOW)
    assert decode_event(kind, event.SerializeToString(), NOW) == told
    return told


def test_an_uplink() -> None:
    event = integration.UplinkEvent(device_info=DEVICE, dev_addr="00189440", dr=5, f_cnt=17, f_port=85, data=b"\1\xff")
    event.rx_info.append(gw.UplinkRxInfo(gateway_id="0016c001f153a14c", uplink_id=2**31, rssi=-71, snr=8.25))
    event.rx_info[0].location.CopyFrom(common.Location(latitude=48.1, longitude=-3.2, source=common.GPS))
    event.tx_info.frequency = 868_100_000
    event.tx_info.modulation.lora.CopyFrom(gw.LoraModulationInfo(bandwidth=125_000, spreading_factor=7))
    event.device_info.device_class_enabled = common.CLASS_C
    (uplink,) = read("up", event)
    assert isinstance(uplink, Uplink)
    assert uplink.device_class == "C"
    assert (uplink.hardware_id, uplink.payload, uplink.f_port, uplink.f_cnt) == (EUI, b"\1\xff", 85, 17)
    assert (uplink.received_at, uplink.session, uplink.route) == (AT, "00189440", DEVICE.application_id)
    assert (uplink.spreading_factor, uplink.bandwidth_hz, uplink.frequency_hz) == (7, 125_000, 868_100_000)
    (reception,) = uplink.receptions
    assert (reception.rssi_dbm, reception.snr_db, reception.longitude) == (-71, 8.25, -3.2)


def test_a_join_begins_a_session() -> None:
    event = integration.JoinEvent(device_info=DEVICE, dev_addr="00189441")
    assert read("join", event) == [DeviceJoined(EUI, AT, "00189441")]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"margin": 10, "battery_level": 75.5}, DeviceStatus(EUI, AT, 0.755, 10)),
        ({"margin": -3, "external_power_source": True}, DeviceStatus(EUI, AT, None, -3, True)),
        ({"margin": 0, "battery_level_unavailable": True}, DeviceStatus(EUI, AT, None, 0)),
    ],
)
def test_a_status_tells_battery_and_margin(told: dict[str, Any], expected: DeviceStatus) -> None:
    assert read("status", integration.StatusEvent(device_info=DEVICE, **told)) == [expected]


def test_an_acknowledgement_names_its_command() -> None:
    event = integration.AckEvent(device_info=DEVICE, queue_item_id=COMMAND, acknowledged=True)
    assert read("ack", event) == [DeliveryReport(COMMAND, EUI, Delivery.ACKNOWLEDGED, AT)]
    event.acknowledged = False
    (report,) = read("ack", event)
    assert isinstance(report, DeliveryReport)
    assert report.delivery is Delivery.FAILED
    assert read("ack", integration.AckEvent(device_info=DEVICE)) == []


def test_a_transmission_names_its_command_and_the_gateway() -> None:
    event = integration.TxAckEvent(device_info=DEVICE, queue_item_id=COMMAND, gateway_id="0016c001f153a14c")
    assert read("txack", event) == [DeliveryReport(COMMAND, EUI, Delivery.TRANSMITTED, AT, "0016c001f153a14c")]


def test_a_fault_is_told_and_one_that_ends_a_command_ends_it() -> None:
    event = integration.LogEvent(
        device_info=DEVICE, level=integration.ERROR, code=integration.UPLINK_MIC, description="Invalid MIC"
    )
    fault = DeviceFault(EUI, AT, "UPLINK_MIC", "Invalid MIC")
    assert read("log", event) == [fault]
    event.code = integration.DOWNLINK_PAYLOAD_SIZE
    event.description = "too long"
    event.context["queue_item_id"] = COMMAND
    told = read("log", event)
    assert told[1] == DeliveryReport(COMMAND, EUI, Delivery.FAILED, AT, "DOWNLINK_PAYLOAD_SIZE: too long")
    event.level = integration.INFO
    event.code = integration.UNKNOWN
    assert read("log", event) == []


def test_a_location_is_told_with_its_accuracy() -> None:
    event = integration.LocationEvent(
        device_info=DEVICE,
        location=common.Location(latitude=48.1, longitude=-3.2, accuracy=120, source=common.GEO_RESOLVER_TDOA),
    )
    assert read("location", event) == [DeviceLocated(EUI, AT, -3.2, 48.1, 120, "GEO_RESOLVER_TDOA")]


def test_events_of_other_integrations_are_passed_over() -> None:
    assert decode_event("integration", b"whatever", NOW) == []


def test_a_gateway_reports_what_it_counted() -> None:
    stats = gw.GatewayStats(
        gateway_id="0016C001F153A14C", rx_packets_received=12, rx_packets_received_ok=9, tx_packets_emitted=2
    )
    stats.location.CopyFrom(common.Location(latitude=48.1, longitude=-3.2))
    stats.metadata["region_config_id"] = "eu868"
    stats.time.FromMicroseconds(AT)
    told = decode_gateway_stats(MessageToJson(stats).encode(), NOW)
    assert told == [GatewayStats("0016c001f153a14c", AT, 12, 9, 2, -3.2, 48.1)]
    assert decode_gateway_stats(stats.SerializeToString(), NOW) == told


def test_chirpstack_reads_our_commands() -> None:
    command = Parse(encode_downlink(COMMAND, EUI, 10, b"\0\1", is_confirmed=True), integration.DownlinkCommand())
    assert (command.id, command.dev_eui, command.f_port, command.confirmed) == (COMMAND, EUI, 10, True)
    assert command.data == b"\0\1"


@given(
    f_cnt=st.integers(0, 2**32 - 1),
    data=st.binary(max_size=242),
    rssi=st.integers(-150, 20),
    snr=st.floats(-30, 30, width=32),
    micros=st.integers(0, 4 * 10**15),
    name=st.text(max_size=20),
)
def test_both_forms_of_an_uplink_say_the_same(
    f_cnt: int, data: bytes, rssi: int, snr: float, micros: int, name: str
) -> None:
    event = integration.UplinkEvent(device_info=DEVICE, f_cnt=f_cnt, f_port=1, data=data, adr=True)
    event.device_info.device_name = name
    event.rx_info.append(gw.UplinkRxInfo(gateway_id="a", rssi=rssi, snr=snr, context=b"x", crc_status=gw.CRC_OK))
    event.time.FromMicroseconds(micros)
    (as_json,) = decode_event("up", MessageToJson(event).encode(), NOW)
    (as_protobuf,) = decode_event("up", event.SerializeToString(), NOW)
    assert isinstance(as_json, Uplink)
    assert isinstance(as_protobuf, Uplink)
    snr_db = as_protobuf.snr_db
    assert snr_db is not None
    assert as_json.snr_db == pytest.approx(snr_db, rel=1e-6)
    assert (as_json.f_cnt, as_json.payload, as_json.received_at, as_json.rssi_dbm, as_json.device_name) == (
        as_protobuf.f_cnt,
        as_protobuf.payload,
        as_protobuf.received_at,
        as_protobuf.rssi_dbm,
        as_protobuf.device_name,
    )
    assert (as_protobuf.f_cnt, as_protobuf.payload, as_protobuf.rssi_dbm) == (f_cnt, data, rssi)


@given(st.data())
def test_a_damaged_message_is_read_or_refused(draw: st.DataObject) -> None:
    event = integration.UplinkEvent(device_info=DEVICE, f_port=1, data=b"1234", dev_addr="00189440")
    event.time.FromMicroseconds(AT)
    whole = bytearray(event.SerializeToString())
    for _ in range(draw.draw(st.integers(1, 4))):
        whole[draw.draw(st.integers(0, len(whole) - 1))] = draw.draw(st.integers(0, 255))
    with suppress(MalformedMessage):
        decode_event("up", bytes(whole[: draw.draw(st.integers(0, len(whole)))]), NOW)


def test_a_message_that_repeats_without_end_is_refused() -> None:
    event = integration.UplinkEvent(device_info=DEVICE, f_port=1)
    event.rx_info.extend([gw.UplinkRxInfo(gateway_id="a")] * 501)
    for payload in (event.SerializeToString(), MessageToJson(event).encode()):
        with pytest.raises(MalformedMessage):
            decode_event("up", payload, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["deviceInfo", "devEui", "rxInfo"]), inner)
    ),
    max_leaves=10,
)


@given(st.sampled_from(KINDS), st.binary(max_size=200) | JSON.map(lambda one: json.dumps(one).encode()))
def test_whatever_comes_is_read_or_refused(kind: str, payload: bytes) -> None:
    for read_it in (partial(decode_event, kind), decode_gateway_stats):
        with suppress(MalformedMessage):
            assert isinstance(read_it(payload, NOW), list)
