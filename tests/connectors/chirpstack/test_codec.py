"""Events as ChirpStack v4 writes them: what has its default is left out."""

import base64
import json
from typing import Any

import pytest

from parvis.connectors.chirpstack.codec import decode_uplink
from parvis.fleet.model.uplink import MOST_RECEPTIONS, Reception, Technology, Uplink
from parvis.fleet.ways.intake import MalformedMessage
from parvis.kernel.time import parse_instant

NOW = 1_790_000_000_000_000


def event(**changes: Any) -> dict[str, Any]:
    return {
        "deduplicationId": "7c3d2a10-0000-4000-8000-000000000001",
        "time": "2026-09-21T07:04:05.123456789+00:00",
        "deviceInfo": {
            "tenantId": "7c3d2a10-0000-4000-8000-000000000002",
            "tenantName": "Trevalan",
            "applicationId": "7c3d2a10-0000-4000-8000-000000000003",
            "applicationName": "Bins",
            "deviceProfileId": "7c3d2a10-0000-4000-8000-000000000004",
            "deviceProfileName": "Fill level",
            "deviceName": "Market place",
            "devEui": "70B3D5499E000001",
            "tags": {"round": "north"},
        },
        "devAddr": "00189440",
        "adr": True,
        "dr": 5,
        "fCnt": 17,
        "fPort": 85,
        "confirmed": False,
        "data": base64.b64encode(b"\x01\xff").decode(),
        "object": {"ignored": 1},
        "rxInfo": [
            {"gatewayId": "0016c001f153a14c", "uplinkId": 1, "rssi": -110, "snr": -3.5, "context": "E3OWOQ=="},
            {"gatewayId": "0016c001f153a14d", "uplinkId": 2, "rssi": -71, "snr": 8, "crcStatus": "CRC_OK"},
        ],
        "txInfo": {"frequency": 868100000, "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 7}}},
        "regionConfigId": "eu868",
        **changes,
    }


def read(document: Any) -> Uplink:
    return decode_uplink(json.dumps(document).encode(), NOW)


def test_an_event_is_read_with_its_best_reception() -> None:
    assert read(event()) == Uplink(
        hardware_id="70b3d5499e000001",
        payload=b"\x01\xff",
        f_port=85,
        f_cnt=17,
        received_at=parse_instant("2026-09-21T07:04:05.123457Z"),
        session="00189440",
        rssi_dbm=-71,
        snr_db=8,
        gateway="0016c001f153a14d",
        device_name="Market place",
        network_profile="Fill level",
        gateways=2,
        spreading_factor=7,
        technology=Technology.LORAWAN,
        way="chirpstack",
        receptions=(Reception("0016c001f153a14d", -71, 8), Reception("0016c001f153a14c", -110, -3.5)),
        frequency_hz=868_100_000,
        bandwidth_hz=125_000,
        data_rate=5,
        device_class="A",
        route="7c3d2a10-0000-4000-8000-000000000003",
    )


def test_what_is_left_out_has_its_default() -> None:
    bare = {"deviceInfo": {"devEui": "70b3d5499e000001"}}
    assert read(bare) == Uplink(
        "70b3d5499e000001",
        b"",
        0,
        0,
        NOW,
        gateways=0,
        technology=Technology.LORAWAN,
        way="chirpstack",
        data_rate=0,
        device_class="A",
    )


def test_of_very_many_gateways_the_best_are_told() -> None:
    heard = [{"gatewayId": f"{number:016x}", "rssi": -120 + number, "snr": 1} for number in range(40)]
    uplink = read(event(rxInfo=heard))
    assert uplink.gateways == 40
    assert [one.rssi_dbm for one in uplink.receptions] == list(range(-81, -81 - MOST_RECEPTIONS, -1))


def test_a_gateway_has_the_place_it_is_given_and_none_at_zero() -> None:
    heard = [
        {"gatewayId": "a", "rssi": -1, "location": {"latitude": 48.1, "longitude": -3.2, "altitude": 80}},
        {"gatewayId": "b", "rssi": -2, "location": {}},
    ]
    first, second = read(event(rxInfo=heard)).receptions
    assert (first.longitude, first.latitude) == (-3.2, 48.1)
    assert (second.longitude, second.latitude) == (None, None)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-09-21T07:04:05Z", "2026-09-21T07:04:05Z"),
        ("2026-09-21T09:04:05.5+02:00", "2026-09-21T07:04:05.5Z"),
    ],
)
def test_times_may_have_any_zone_and_precision(time: str, expected: str) -> None:
    assert read(event(time=time)).received_at == parse_instant(expected)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        event(deviceInfo={"devEui": "1"}),
        event(data="***"),
        event(time="yesterday"),
        event(time="2026-09-21T07:04:05"),
        event(fCnt=-1),
        event(fPort=256),
        event(rxInfo={}),
    ],
)
def test_what_is_no_uplink_event_is_told(document: Any) -> None:
    with pytest.raises(MalformedMessage):
        read(document)


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b'{"deviceInfo":{"devEui":"\xff"}}'])
def test_what_is_no_json_is_told(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_uplink(payload, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": base64.b64encode(bytes(1025)).decode()},
        {"devAddr": "0" * 201},
        {"deviceInfo": {"devEui": "70B3D5499E000001", "deviceName": "x" * 201}},
        {"rxInfo": [{"gatewayId": "0" * 201}]},
    ],
)
def test_nothing_in_an_event_may_be_of_any_size(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        read(event(**changes))
