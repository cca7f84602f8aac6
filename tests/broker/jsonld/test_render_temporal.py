"""Writing histories: every instance, values over time, and aggregates."""

from collections.abc import Sequence
from typing import Any

import msgspec

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.render_temporal import (
    TemporalForm,
    TemporalRepresentation,
    render_aggregates,
    render_history,
)
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import EntityAggregates, EntityHistory
from parvis.broker.query.tree import Method, TimeProperty
from parvis.broker.temporal.buckets import Periods
from parvis.broker.temporal.partials import Partials
from parvis.broker.temporal.sums import Sums, tell
from parvis.kernel.time import HOUR, parse_instant

CONTEXT = Contexts().core
VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
LEVEL, PLACE, STATE = VOCABULARY + "level", "https://uri.etsi.org/ngsi-ld/location", VOCABULARY + "state"
NOON = parse_instant("2026-05-01T12:00:00Z")
POINT = {"type": "Point", "coordinates": [1, 2]}


def level(value: Any, hours: int, dataset: str = "", kind: Kind = Kind.PROPERTY) -> Instance:
    at = NOON + hours * HOUR
    return Instance(LEVEL, kind, value, dataset, at, "CEL", None, at + 1, at + 2, 7 + hours)


def rendered(instances: dict[tuple[str, str], list[Instance]], **options: Any) -> Any:
    history = EntityHistory("urn:a:b", (VOCABULARY + "Bin",), ("/a",), NOON, NOON, None, instances)
    return msgspec.json.decode(render_history(history, CONTEXT, TemporalRepresentation(**options)))


def test_every_instance_has_its_own_identifier() -> None:
    shown = rendered({(LEVEL, ""): [level(1, 0), level(2.5, 1)]})
    assert (shown["id"], shown["type"]) == ("urn:a:b", "Bin")
    assert shown["scope"] == [{"type": "Property", "value": "/a", "observedAt": "2026-05-01T12:00:00Z"}]
    assert shown["level"][1] == {
        "type": "Property",
        "value": 2.5,
        "observedAt": "2026-05-01T13:00:00Z",
        "unitCode": "CEL",
        "instanceId": "urn:ngsi-ld:Instance:8",
    }


def test_a_single_instance_is_an_array_still_in_concise_form_too() -> None:
    place = Instance(PLACE, Kind.GEO_PROPERTY, POINT, seq=3)
    shown = rendered({(PLACE, ""): [place]}, form=TemporalForm.CONCISE)
    assert shown["location"] == [{"value": POINT, "instanceId": "urn:ngsi-ld:Instance:3"}]


def test_temporal_values_are_pairs_of_value_and_time() -> None:
    shown = rendered({(LEVEL, ""): [level(1, 0), level(2, 1)]}, form=TemporalForm.TEMPORAL_VALUES)
    pairs = [[1, "2026-05-01T12:00:00Z"], [2, "2026-05-01T13:00:00Z"]]
    assert shown["level"] == {"type": "Property", "values": pairs}


def test_temporal_values_of_datasets_stand_side_by_side() -> None:
    held = {(LEVEL, ""): [level(1, 0)], (LEVEL, "urn:d:1"): [level(2, 0, "urn:d:1")]}
    shown = rendered(held, form=TemporalForm.TEMPORAL_VALUES)["level"]
    assert [one.get("datasetId") for one in shown] == [None, "urn:d:1"]


def test_temporal_values_follow_a_change_of_kind() -> None:
    held = {(LEVEL, ""): [level(1, 0), level("urn:a:c", 1, kind=Kind.RELATIONSHIP)]}
    shown = rendered(held, form=TemporalForm.TEMPORAL_VALUES)["level"]
    assert [one["type"] for one in shown] == ["Property", "Relationship"]
    assert shown[1]["objects"] == [["urn:a:c", "2026-05-01T13:00:00Z"]]


def test_the_time_is_that_of_the_property_asked_for() -> None:
    options = {"form": TemporalForm.TEMPORAL_VALUES, "time_property": TimeProperty.MODIFIED_AT}
    assert rendered({(LEVEL, ""): [level(1, 0)]}, **options)["level"]["values"] == [[1, "2026-05-01T12:00:00.000002Z"]]


def test_vocabulary_and_languages_are_told_to_the_reader() -> None:
    held = {
        (STATE, ""): [Instance(STATE, Kind.VOCAB_PROPERTY, VOCABULARY + "open", observed_at=NOON)],
        (LEVEL, ""): [level({"fr": "haut", "en": "high"}, 0, kind=Kind.LANGUAGE_PROPERTY)],
    }
    shown = rendered(held, form=TemporalForm.TEMPORAL_VALUES, lang=("en",))
    assert shown["state"]["vocabs"] == [[{"vocab": "open"}, "2026-05-01T12:00:00Z"]]
    assert shown["level"]["values"] == [["high", "2026-05-01T12:00:00Z"]]


def test_system_attributes_tell_the_life_of_the_entity() -> None:
    history = EntityHistory("urn:a:b", (VOCABULARY + "Bin",), (), NOON, NOON, NOON + HOUR, {})
    shown = msgspec.json.decode(render_history(history, CONTEXT, TemporalRepresentation(sys_attrs=True)))
    assert shown["deletedAt"] == "2026-05-01T13:00:00Z"


def aggregated(*periods: Sequence[float | None], dataset: str = "") -> Any:
    """Hourly values from noon on, those of AVG; TOTAL_COUNT counts from 2. An empty period has no instances."""
    spans = Periods([(NOON + hour * HOUR, NOON + (hour + 1) * HOUR) for hour in range(len(periods))])
    sums = Sums.of(
        [Partials.of([*(one for one in some if one is not None), *["x"] * (None in some)]) for some in periods]
    )
    buckets = tell(spans, [(0, sums)], (Method.AVG, Method.TOTAL_COUNT))
    aggregates = EntityAggregates("urn:a:b", (VOCABULARY + "Bin",), {(LEVEL, dataset): buckets})
    return msgspec.json.decode(render_aggregates(aggregates, CONTEXT))["level"]


def test_aggregates_are_triples_and_leave_out_what_has_no_value() -> None:
    assert aggregated([1, 2], [], [None]) == {
        "type": "Property",
        "avg": [[1.5, "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"]],
        "totalCount": [
            [2, "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"],
            [1, "2026-05-01T14:00:00Z", "2026-05-01T15:00:00Z"],
        ],
    }
    assert aggregated([None])["avg"] == []


def test_aggregates_of_several_datasets_are_told_side_by_side() -> None:
    assert aggregated([1], dataset="urn:d:1")["datasetId"] == "urn:d:1"
    hour = Periods([(NOON, NOON + HOUR)])
    of_each = {
        (LEVEL, dataset): tell(hour, [(0, Sums.of([Partials.of([number])]))], (Method.MAX,))
        for number, dataset in enumerate(("", "urn:d:1"))
    }
    shown = msgspec.json.decode(render_aggregates(EntityAggregates("urn:a:b", (VOCABULARY + "Bin",), of_each), CONTEXT))
    assert [(one.get("datasetId"), one["max"][0][0]) for one in shown["level"]] == [(None, 0), ("urn:d:1", 1)]


def test_a_value_beyond_the_doubles_is_null() -> None:
    assert aggregated([1e308, 1e308], [1])["avg"] == [
        [None, "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"],
        [1, "2026-05-01T13:00:00Z", "2026-05-01T14:00:00Z"],
    ]
