"""What the platform must be told about each device before it can place its readings."""

from collections.abc import Iterable

from parvis.broker.model.entity import Json
from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind, Way
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.uplink import Technology

MAKER = "Trevalan Instruments"
TECHNOLOGY = {
    Way.LORAWAN: Technology.LORAWAN,
    Way.MQTT: Technology.CELLULAR,
    Way.HTTP: Technology.CELLULAR,
    Way.OCPP: Technology.CELLULAR,
}


def device_records(devices: Iterable[Device]) -> list[DeviceRecord]:
    """One record a device; `attributes` are key-values of the entity it feeds."""
    return [
        DeviceRecord(
            hardware_id=device.hardware_id,
            profile=device.profile,
            entity_id=device.entity_id,
            entity_type=device.entity_type,
            name=device.name,
            location=_location(device),
            attributes=dict(device.attributes),
            technology=TECHNOLOGY[device.way].value,
            groups=(device.commune,),
            manufacturer=MAKER,
            expected_interval_s=float(device.period_s) if device.kind is Kind.CHARGING else 0.0,
        )
        for device in devices
    ]


def _location(device: Device) -> dict[str, Json] | None:
    """A bus tells itself where it is; registered anew at each start, it would be back in its depot."""
    return None if device.kind is Kind.BUS else {"type": "Point", "coordinates": [device.lon, device.lat]}
