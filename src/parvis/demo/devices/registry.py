"""What the platform must be told about each device before it can place its readings."""

from parvis.demo.devices.installation import Device


def device_records(devices: list[Device]) -> list[dict[str, object]]:
    """One record a device; `attributes` are key-values of the entity it feeds."""
    return [
        {
            "hardware_id": device.dev_eui,
            "profile": device.profile,
            "entity_id": device.entity_id,
            "entity_type": device.entity_type,
            "name": device.name,
            "location": {"type": "Point", "coordinates": [device.lon, device.lat]},
            "attributes": device.attributes,
        }
        for device in devices
    ]
