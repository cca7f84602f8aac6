"""Entities for readers of earlier versions (NGSI-LD 1.9.1, 4.3.6.8)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.earlier_versions import amended, read_version
from parvis.broker.jsonld.render import Form, Representation, render_entity
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.kernel.time import parse_instant
from tests.strategies import entities

NOON = parse_instant("2026-05-01T12:00:00Z")
CONTEXT = Contexts().parvis
BIN, LAMP, LEVEL, STATE = (CONTEXT.expand(name) for name in ("WasteContainer", "Streetlight", "fillingLevel", "status"))
RADAR = "urn:ngsi-ld:Dataset:radar"
VERSIONS = [(1, minor) for minor in range(10)]


def shown(version: tuple[int, int], *instances: Instance) -> dict[str, Any]:
    entity = Entity("urn:ngsi-ld:WasteContainer:1", (BIN, LAMP), instances, ("/port",), NOON, NOON, NOON)
    body = render_entity(amended(entity, version, CONTEXT), CONTEXT, Representation(sys_attrs=True))
    return {name: member for name, member in json.loads(body).items() if name not in ("id", "createdAt", "modifiedAt")}


def bare(attribute: Any) -> Any:
    return {name: member for name, member in attribute.items() if name not in ("createdAt", "modifiedAt")}


def test_members_of_the_entity() -> None:
    assert shown((1, 9)).keys() == {"type", "scope", "expiresAt"}
    assert shown((1, 8)).keys() == {"type", "scope"}
    assert shown((1, 3)) == {"type": ["WasteContainer", "Streetlight"]}
    assert shown((1, 0)) == {"type": "WasteContainer"}


@pytest.mark.parametrize(
    ("kind", "value", "since", "earlier"),
    [
        (Kind.VOCAB_PROPERTY, STATE, (1, 8), {"type": "Property", "value": "status"}),
        (Kind.JSON_PROPERTY, {"type": "x"}, (1, 8), {"type": "Property", "value": {"type": "x"}}),
        (Kind.LIST_PROPERTY, [1, 2], (1, 8), {"type": "Property", "value": [1, 2]}),
        (Kind.LIST_RELATIONSHIP, ["urn:a:1"], (1, 8), {"type": "Relationship", "object": ["urn:a:1"]}),
        (Kind.LANGUAGE_PROPERTY, {"fr": "plein"}, (1, 4), {"type": "Property", "value": {"fr": "plein"}}),
    ],
)
def test_kinds(kind: Kind, value: Any, since: tuple[int, int], earlier: dict[str, Any]) -> None:
    instance = Instance(STATE, kind, value, created_at=NOON, modified_at=NOON)

    assert bare(shown((since[0], since[1] - 1), instance)["status"]) == earlier
    assert bare(shown(since, instance)["status"])["type"] != earlier["type"]


def test_what_stands_beside_a_value() -> None:
    unit = {"type": "VocabProperty", "vocab": "high", "unitCode": "P1", "observedAt": "2026-05-01T12:00:00Z"}
    extra = {"expiresAt": "2027-01-01T00:00:00Z", "valueType": "xsd:int", STATE: unit}
    level = Instance(LEVEL, Kind.PROPERTY, 1, RADAR, NOON, "P1", extra, NOON, NOON)

    assert bare(shown((1, 8), level)["fillingLevel"]).keys() == {
        *("type", "value", "datasetId", "observedAt", "unitCode", "status")
    }
    told = bare(shown((1, 0), level)["fillingLevel"])
    assert told == {"type": "Property", "value": 1, "status": {"type": "Property", "value": "high"}}


def test_of_several_instances_the_default_one_is_left() -> None:
    instances = (Instance(LEVEL, Kind.PROPERTY, 1), Instance(LEVEL, Kind.PROPERTY, 2, RADAR))

    assert len(shown((1, 3), *instances)["fillingLevel"]) == 2
    assert shown((1, 2), *instances)["fillingLevel"]["value"] == 1
    assert shown((1, 2), instances[1])["fillingLevel"]["value"] == 2


@given(entities("urn:ngsi-ld:Bin:1"), st.sampled_from(VERSIONS), st.sampled_from(VERSIONS))
def test_an_earlier_version_after_a_later_one_is_the_earlier_one(
    entity: Entity, one: tuple[int, int], other: tuple[int, int]
) -> None:
    least = min(one, other)

    assert plain(amended(amended(entity, one, CONTEXT), other, CONTEXT)) == plain(amended(entity, least, CONTEXT))
    assert amended(entity, (1, 9), CONTEXT) is entity


def plain(entity: Entity) -> Any:
    return json.loads(render_entity(entity, CONTEXT, Representation(Form.NORMALIZED, sys_attrs=True)))


def test_a_version_is_read_by_its_parts() -> None:
    assert read_version("1.10") > read_version("1.9")
