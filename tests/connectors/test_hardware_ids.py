"""However a door is told an EUI, it is the device that is known by its sixteen digits in lower case."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parvis.connectors.bacnet.config import BacnetDevice
from parvis.connectors.chirpstack import codec as chirpstack
from parvis.connectors.coap.registrations import find_hardware_id
from parvis.connectors.liveobjects import codec as liveobjects
from parvis.connectors.mbus.config import Meter
from parvis.connectors.modbus.config import ModbusConfig, ModbusDevice
from parvis.connectors.mqtt.acl import NO_RULES, rights_of
from parvis.connectors.mqtt.tls import names_of
from parvis.connectors.mqttdevice.codec import hardware_id_of as told_by_topic
from parvis.connectors.ocpp.config import OcppConfig
from parvis.connectors.thingsstack import codec as thingsstack
from parvis.fleet.model.uplink import EUI, Uplink, plain_hardware_id
from parvis.fleet.ways.connector import InvalidConnector, read_config
from parvis.kernel.identity import Caller, Right
from tests.connectors.town import open_town

KNOWN = "70b3d5499e000001"
TOLD = [
    "70b3d5499e000001",
    "70B3D5499E000001",
    "70:B3:D5:49:9E:00:00:01",
    "70-b3-d5-49-9e-00-00-01",
    "70B3.D549.9E00.0001",
]


def chirpstack_hears(eui: str) -> str:
    event = {"deviceInfo": {"devEui": eui}, "fCnt": 1, "fPort": 1, "data": "AA=="}
    return chirpstack.decode_uplink(msgspec.json.encode(event), 0).hardware_id


def things_stack_hears(eui: str) -> str:
    message = {"end_device_ids": {"dev_eui": eui}, "uplink_message": {"f_port": 1, "f_cnt": 1, "frm_payload": "AA=="}}
    return _only(thingsstack.decode_message(msgspec.json.encode(message), 0, ""))


def live_objects_hears(eui: str) -> str:
    lora = {"devEUI": eui, "port": 1, "fcnt": 1}
    message = {"metadata": {"network": {"lora": lora}}, "value": {"payload": "00"}, "streamId": "urn:lo:nsid:lora:x"}
    return _only(liveobjects.decode_message(msgspec.json.encode(message), 0))


def _only(told: list[Any]) -> str:
    (uplink,) = [one for one in told if isinstance(one, Uplink)]
    return uplink.hardware_id


def mqtt_hears(eui: str) -> str:
    """A key of the one device may publish there."""
    topic = f"device/{eui}/up"
    rights = rights_of(Caller("default", "key:1", Right.INGEST, KNOWN), "any", NO_RULES)
    assert rights.publish(topic)
    assert not rights.publish(f"device/{eui[:-1]}2/up")
    return told_by_topic(topic)


DOORS: dict[str, Callable[[str], str | None]] = {
    "chirpstack": chirpstack_hears,
    "thingsstack": things_stack_hears,
    "liveobjects": live_objects_hears,
    "mqtt": mqtt_hears,
    "certificate": lambda eui: names_of({"subject": ((("commonName", eui),),)})[0],
    "lwm2m": find_hardware_id,
    "lwm2m-urn": lambda eui: find_hardware_id(f"urn:dev:mac:{eui}"),
    "modbus": lambda eui: ModbusDevice(eui, "10.0.0.1", "meter").hardware_id,
    "bacnet": lambda eui: BacnetDevice(eui, 1, "ahu").hardware_id,
    "mbus": lambda eui: Meter(eui, "10.0.0.1", 10001, address=1).hardware_id,
}


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("door", DOORS)
def test_every_door_knows_the_device_by_the_same_name(door: str, told: str) -> None:
    assert re.fullmatch(EUI, told)
    assert DOORS[door](told) == KNOWN == plain_hardware_id(told)


@pytest.mark.parametrize("told", ["70b3d5499e00000", "70b3d5499e0000011", "70b3d5499e00000g", "70::b3d5499e000001", ""])
def test_what_is_no_eui_is_refused_by_lorawan(told: str) -> None:
    for door in ("chirpstack", "thingsstack", "liveobjects"):
        with pytest.raises(Exception, match=r"Expected|match"):
            DOORS[door](told)


async def test_two_writings_of_one_name_are_one_device_of_the_settings(tmp_path: Path) -> None:
    stations = ({"id": "CP-1"}, {"id": "cp-1"})
    with pytest.raises(msgspec.ValidationError, match="same id"):
        msgspec.convert({"station": stations}, OcppConfig)
    async with open_town(tmp_path) as town:
        table = {"device": [{"hardware_id": "a b", "host": "h", "profile": "p"}]}
        with pytest.raises(InvalidConnector, match="hardware identifier"):
            read_config(town.surroundings(table), ModbusConfig)
