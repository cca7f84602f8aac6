"""Light points as entities, in the terms of the Smart Data Models (dataModel.Streetlighting).

There a luminaire's traits stand on a StreetlightModel; French inventories tell them point by point, so here they stand
on the Streetlight. `isDimmable`, `lightingUsage` and `upwardLightRatio` are Parvis' own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import quote, unquote

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Iri, Kind
from parvis.domains.lighting.model.inventory import LightPoint, Place, Technology

STREETLIGHT, CABINET, GROUP = "Streetlight", "StreetlightControlCabinet", "StreetlightGroup"
_PROPERTIES: Mapping[str, tuple[str, str]] = {
    "circuit": ("circuit", ""),
    "technology": ("lampTechnology", ""),
    "power_w": ("powerRating", "WTT"),
    "is_dimmable": ("isDimmable", ""),
    "luminous_flux_lm": ("luminousFlux", "LUM"),
    "color_temperature_k": ("colorTemperature", "KEL"),
    "upward_light_ratio": ("upwardLightRatio", "C62"),
    "height_m": ("lanternHeight", "MTR"),
    "usage": ("lightingUsage", ""),
    "installed": ("dateInstalled", ""),
}
"""Fields with the term and the unit of their property."""
_LINKS = {"cabinet": ("refStreetlightControlCabinet", CABINET), "group": ("refStreetlightGroup", GROUP)}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "technology": Technology,
    "power_w": float,
    "luminous_flux_lm": float,
    "color_temperature_k": float,
    "upward_light_ratio": float,
    "height_m": float,
    "installed": lambda value: date.fromisoformat(value[:10]),
}


def entity_id(kind: str, name: str) -> str:
    return f"urn:ngsi-ld:{kind}:{quote(name, safe='-._~')}"


class LightingTerms:
    def __init__(self, expand: Callable[[str], Iri]) -> None:
        self.streetlight = expand(STREETLIGHT)
        self._types = {kind: expand(kind) for kind in (STREETLIGHT, CABINET, GROUP)}
        self._name, self._location, self._address = expand("name"), expand("location"), expand("address")
        self._properties = {field: (expand(term), unit) for field, (term, unit) in _PROPERTIES.items()}
        self._links = {field: (expand(term), kind) for field, (term, kind) in _LINKS.items()}

    def changes_of(self, points: Iterable[LightPoint]) -> Iterator[Change]:
        """Of each cabinet and group before the first point that names it. What is unknown of a point stays as it is."""
        told: set[str] = set()
        for point in points:
            for field, (_, kind) in self._links.items():
                name = getattr(point, field)
                if name is not None and (linked := entity_id(kind, name)) not in told:
                    told.add(linked)
                    yield self._change(kind, name, ())
            yield self._change(STREETLIGHT, point.name, tuple(self._instances(point)))

    def point_of(self, entity: Entity) -> LightPoint:
        """A value that is none of the field's is unknown."""
        known: dict[str, Any] = {}
        for field, (name, _) in self._properties.items():
            known[field] = _read(field, entity.find(name))
        for field, (name, kind) in self._links.items():
            known[field] = _linked(entity.find(name), kind)
        address = entity.find(self._address)
        street = address.value.get("streetAddress") if address and isinstance(address.value, dict) else None
        name_of_it = entity.id.rpartition(f":{STREETLIGHT}:")[2]
        return LightPoint(name=unquote(name_of_it), place=_place(entity.find(self._location)), street=street, **known)

    def _change(self, kind: str, name: str, instances: tuple[Instance, ...]) -> Change:
        named = Instance(self._name, Kind.PROPERTY, name)
        return Change(entity_id(kind, name), Mode.UPSERT_UPDATE, (named, *instances), (self._types[kind],))

    def _instances(self, point: LightPoint) -> Iterator[Instance]:
        for field, (name, unit) in self._properties.items():
            value = getattr(point, field)
            if value is not None:
                yield Instance(
                    name, Kind.PROPERTY, value.isoformat() if isinstance(value, date) else value, "", None, unit
                )
        for field, (name, kind) in self._links.items():
            linked = getattr(point, field)
            if linked is not None:
                yield Instance(
                    name, Kind.RELATIONSHIP, entity_id(kind, linked), extra={"objectType": self._types[kind]}
                )
        if point.street is not None:
            yield Instance(self._address, Kind.PROPERTY, {"streetAddress": point.street})
        if point.place is not None:
            where = [point.place.longitude_deg, point.place.latitude_deg]
            yield Instance(self._location, Kind.GEO_PROPERTY, {"type": "Point", "coordinates": where})


def _stored(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Technology) else value


def _read(field: str, instance: Instance | None) -> Any:
    if instance is None:
        return None
    try:
        value = _READ[field](instance.value) if field in _READ else instance.value
    except (ValueError, TypeError):
        return None
    return value * 1000 if instance.unit_code == "KWT" else value


def _linked(instance: Instance | None, kind: str) -> str | None:
    if instance is None or not isinstance(instance.value, str):
        return None
    return unquote(instance.value.rpartition(f":{kind}:")[2])


def _place(instance: Instance | None) -> Place | None:
    if instance is None or instance.value.get("type") != "Point":
        return None
    longitude, latitude = instance.value["coordinates"][:2]
    return Place(latitude, longitude)
