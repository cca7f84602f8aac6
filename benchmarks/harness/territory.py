"""The entities of the figures: 200 000 air quality stations of four measured attributes and three standing ones."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from benchmarks.harness.http_load import request, run_load
from parvis.kernel.time import SECOND, format_instant

ENTITIES = 200_000
BATCH = 1_000
START = 1_780_000_000 * SECOND
ATTRIBUTES = (("temperature", "CEL"), ("relativeHumidity", "C62"), ("no2", "GQ"), ("batteryLevel", "C62"))


def entity_id(number: int) -> str:
    return f"urn:ngsi-ld:AirQualityObserved:{number:06d}"


def measured(number: int, tick: int, source: random.Random) -> dict[str, Any]:
    """The four attributes that change, observed one second a tick."""
    at = format_instant(START + tick * SECOND)
    return {
        "id": entity_id(number),
        "type": "AirQualityObserved",
        **{
            name: {"type": "Property", "value": round(source.random() * 100, 2), "unitCode": unit, "observedAt": at}
            for name, unit in ATTRIBUTES
        },
    }


def standing(number: int, source: random.Random) -> dict[str, Any]:
    point = [round(-3.4 + source.random() * 0.3, 6), round(47.6 + source.random() * 0.2, 6)]
    return {
        "name": {"type": "Property", "value": f"Station {number}"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": point}},
        "refDevice": {"type": "Relationship", "object": f"urn:ngsi-ld:Device:{number:016x}"},
    }


def upsert(entities: list[dict[str, Any]]) -> bytes:
    body = msgspec.json.encode(entities)
    return request("POST", "/ngsi-ld/v1/entityOperations/upsert?options=update", body)


def load(port: int, count: int = ENTITIES) -> float:
    """Create `count` entities; entities a second."""
    source = random.Random(1)

    def batches() -> Iterator[bytes]:
        for start in range(0, count, BATCH):
            yield upsert(
                [measured(one, 0, source) | standing(one, source) for one in range(start, min(count, start + BATCH))]
            )

    tally = run_load(port, batches(), connections=4)
    if set(tally.statuses) - {201, 204}:
        raise RuntimeError(f"loading was refused: {tally.statuses}")
    return count / tally.seconds
