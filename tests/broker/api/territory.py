"""A territory small enough to see: two bins, a lamp, a meter."""

from typing import Any

from parvis.kernel.time import parse_instant

NOON = parse_instant("2026-05-01T12:00:00Z")
BIN = "urn:ngsi-ld:WasteContainer:port-1"
BIN_2 = "urn:ngsi-ld:WasteContainer:port-2"
LAMP = "urn:ngsi-ld:Streetlight:quay-1"
METER = "urn:ngsi-ld:WaterConsumptionObserved:dma-a"


def bin_at_the_port(entity_id: str = BIN, level: float = 0.4, **more: Any) -> dict[str, Any]:
    return {
        "id": entity_id,
        "type": "WasteContainer",
        "fillingLevel": {
            "type": "Property",
            "value": level,
            "unitCode": "C62",
            "observedAt": "2026-05-01T08:00:00Z",
        },
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-3.1, 48.2]}},
        **more,
    }


def lamp(**more: Any) -> dict[str, Any]:
    return {
        "id": LAMP,
        "type": "Streetlight",
        "powerState": {"type": "Property", "value": "on"},
        "refDevice": {"type": "Relationship", "object": "urn:ngsi-ld:Device:lamp-1"},
        **more,
    }
