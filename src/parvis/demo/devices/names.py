"""Ids of entities that several speak of."""

from parvis.demo.land.roads import Road
from parvis.demo.networks.buses import Line, Stop


def building_id(building: int) -> str:
    return f"urn:ngsi-ld:Building:trevalan-{building}"


def route_id(line: Line) -> str:
    return f"urn:ngsi-ld:GtfsRoute:trevalan-{line.id.lower()}"


def stop_id(stop: Stop) -> str:
    return f"urn:ngsi-ld:GtfsStop:trevalan-{stop.id.lower()}"


def road_id(road: Road) -> str:
    return f"urn:ngsi-ld:Road:{road.ref.replace(' ', '').lower()}"


def isle_id(number: int) -> str:
    return f"urn:ngsi-ld:WasteContainerIsle:point-tri-{number:02d}"


def parking_id(slug: str, kind: str) -> str:
    return f"urn:ngsi-ld:OnStreetParking:{slug}-{kind.replace('_', '-')}"
