"""A town small enough to see: five objects, two of them worth a look, one silent."""

from collections.abc import Iterator, Sequence
from typing import Any

from parvis.broker.jsonld.context import Context
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.time import HOUR, MINUTE, Instant

FULL_BIN = "urn:ngsi-ld:WasteContainer:market"
HALF_BIN = "urn:ngsi-ld:WasteContainer:school"
SILENT_BIN = "urn:ngsi-ld:WasteContainer:beach"
LEAKING_METER = "urn:ngsi-ld:WaterConsumptionObserved:mill"
STATION = "urn:ngsi-ld:AirQualityObserved:hall"
Place = tuple[float, float]
DEVICE = "urn:ngsi-ld:Device:0254520112345678"


def town(context: Context, now: Instant) -> list[Change]:
    expand = context.expand

    def entity(entity_id: str, type_name: str, place: Place, name: str, commune: str, **values: Any) -> Change:
        instances = [
            Instance(expand("name"), Kind.PROPERTY, name),
            Instance(expand("address"), Kind.PROPERTY, {"streetAddress": f"1 {name}", "addressLocality": commune}),
            Instance(expand("location"), Kind.GEO_PROPERTY, {"type": "Point", "coordinates": list(place)}),
            *(measured(expand(term), *given) for term, given in values.items()),
        ]
        return Change(entity_id, Mode.CREATE, tuple(instances), (expand(type_name),))

    def container(entity_id: str, place: Place, name: str, commune: str, level: float, at: Instant) -> Change:
        kind, filling = ("glass", None), (level, at, "C62")
        return entity(entity_id, "WasteContainer", place, name, commune, storedWasteKind=kind, fillingLevel=filling)

    fresh, old = now - MINUTE, now - 5 * HOUR
    return [
        container(FULL_BIN, (-3.30, 47.71), "Market", "Trevalan", 0.97, fresh),
        container(HALF_BIN, (-3.28, 47.72), "School", "Trevalan", 0.5, fresh),
        container(SILENT_BIN, (-3.20, 47.68), "Beach", "Port", 0.85, old),
        entity(
            LEAKING_METER, "WaterConsumptionObserved", (-3.25, 47.70), "Mill", "Port",
            flow=(120, fresh, "E32"), alarmStopsLeaks=(1, fresh),
        ),
        entity(STATION, "AirQualityObserved", (-3.29, 47.705), "Town hall", "Trevalan", pm25=(8.2, fresh, "GQ"),
               temperature=(18.4, fresh, "CEL")),
    ]  # fmt: skip


def device(context: Context, now: Instant) -> Change:
    expand = context.expand
    instances = (
        Instance(expand("name"), Kind.PROPERTY, "Market sensor"),
        Instance(expand("deviceProfile"), Kind.PROPERTY, "generic-climate"),
        Instance(expand("controlledAsset"), Kind.RELATIONSHIP, FULL_BIN),
        measured(expand("batteryLevel"), 0.15, now - MINUTE, "C62"),
    )
    return Change(DEVICE, Mode.CREATE, instances, (expand("Device"),))


def fill_levels(
    context: Context, entity_id: str, levels: Sequence[float], end: Instant, step: Instant
) -> Iterator[Change]:
    """Readings at equal steps, the last one at `end`."""
    start = end - step * (len(levels) - 1)
    for number, level in enumerate(levels):
        one = measured(context.expand("fillingLevel"), level, start + number * step, "C62")
        yield Change(entity_id, Mode.APPEND, (one,))


def measured(name: str, value: Any, observed_at: Instant | None = None, unit_code: str = "") -> Instance:
    return Instance(name, Kind.PROPERTY, value, observed_at=observed_at, unit_code=unit_code)
