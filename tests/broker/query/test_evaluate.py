"""What queries mean, case by case; the laws are in tests/properties/test_query.py."""

import math
import time
from typing import Any

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.parse import parse_entity
from parvis.broker.model.entity import Entity
from parvis.broker.query.evaluate import holds, matches
from parvis.broker.query.geography import distance_m
from parvis.broker.query.parse import parse_geo, parse_q, parse_scope_q, parse_types
from parvis.broker.query.tree import EntityQuery

CONTEXT = Contexts().core


def entity(attributes: dict[str, Any]) -> Entity:
    parsed = parse_entity({"id": "urn:ngsi-ld:Bin:1", "type": ["Bin", "Thing"], **attributes}, CONTEXT)
    return Entity(parsed.id, parsed.types or (), parsed.instances, parsed.scopes or ())


BIN = entity(
    {
        "scope": ["/town/port"],
        "level": {
            "value": 20,
            "unitCode": "P1",
            "observedAt": "2026-05-01T12:00:00Z",
            "accuracy": {"value": 0.5, "observedAt": "2026-05-01T11:00:00Z"},
        },
        "label": "quay",
        "flag": True,
        "tags": {"value": ["red", 7, False]},
        "address": {"city": {"name": "Trevalan"}},
        "name": {"languageMap": {"fr": "bac", "en": "bin"}},
        "owner": {"object": ["urn:a:b", "urn:a:c"]},
        "temp": [{"value": 1}, {"value": 5, "datasetId": "urn:d:1"}],
        "location": {"type": "Point", "coordinates": [-3.0, 48.0]},
    }
)


@pytest.mark.parametrize(
    "q",
    [
        "level",
        "!nothing",
        "level==20.0",
        "level==10..20",
        "level==1,20",
        "level!=21",
        "level>19.5",
        "level<=20",
        "level.accuracy<1",
        'level.unitCode=="P1"',
        "level.observedAt==2026-05-01T12:00:00Z",
        "level.observedAt>2026-05-01T13:59:00+02:00",
        "level.accuracy.observedAt<2026-05-01T12:00:00Z",
        'label=="quay"',
        'label>"a"',
        "label~=^qu",
        "label!~=^ay",
        "flag==true",
        'tags=="red"',
        "tags==7",
        "tags==false",
        'address[city.name]=="Trevalan"',
        "address[city]",
        'name[fr]=="bac"',
        'name[*]=="bin"',
        "owner==urn:a:c",
        "temp>4",
        "temp<2",
        'temp.datasetId=="urn:d:1"',
        "nothing|level==20;label",
    ],
)
def test_it_holds(q: str) -> None:
    assert holds(parse_q(q, CONTEXT), BIN)


@pytest.mark.parametrize(
    "q",
    [
        "nothing",
        "!level",
        'level=="20"',
        "level==true",
        "level!=20",
        "level==21..30",
        "nothing!=1",
        "nothing!~=x",
        'level>"1"',
        "level~=2",
        "level.nothing",
        "level.observedAt==20",
        "level.observedAt~=2026",
        "flag==1",
        "flag>0",
        "flag!=true",
        "tags==1..9",
        "tags>1",
        "tags~=red",
        "tags!=7",
        "address==1",
        "address[street]",
        "temp!=5",
        "label.unitCode",
        "level;nothing",
    ],
)
def test_it_does_not_hold(q: str) -> None:
    assert not holds(parse_q(q, CONTEXT), BIN)


RECTANGLE = "[[[-4,47],[-2,47],[-2,49],[-4,49],[-4,47]]]"
ELSEWHERE = "[[[10,47],[12,47],[12,49],[10,47]]]"


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates", "answer"),
    [
        ("near;maxDistance==1000", "Point", "[-3.0,48.008]", True),
        ("near;maxDistance==800", "Point", "[-3.0,48.008]", False),
        ("near;minDistance==800", "Point", "[-3.0,48.008]", True),
        ("near;maxDistance==1", "Polygon", RECTANGLE, True),
        ("within", "Polygon", RECTANGLE, True),
        ("within", "Polygon", ELSEWHERE, False),
        ("contains", "Point", "[-3,48]", True),
        ("equals", "Point", "[-3,48]", True),
        ("equals", "Point", "[-3,48.1]", False),
        ("intersects", "LineString", "[[-3,47],[-3,49]]", True),
        ("disjoint", "Polygon", ELSEWHERE, True),
        ("overlaps", "Polygon", RECTANGLE, False),
    ],
)
def test_places_stand_in_relations(georel: str, geometry: str, coordinates: str, answer: bool) -> None:
    geo = parse_geo(georel, geometry, coordinates, None, CONTEXT)
    assert matches(BIN, EntityQuery(geo=geo)) is answer


def test_distances_are_arcs_of_the_sphere() -> None:
    half_a_turn = math.pi * 6_371_008.8
    assert distance_m((0, 0), (180, 0)) == pytest.approx(half_a_turn)
    assert distance_m((-3, 48), (-3, 49)) == pytest.approx(half_a_turn / 180)
    assert distance_m((10, 60), (12, 60)) == pytest.approx(half_a_turn / 180, rel=1e-3)
    assert distance_m((179.5, 0), (-179.5, 0)) == pytest.approx(half_a_turn / 180)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (EntityQuery(), True),
        (EntityQuery(ids=("urn:ngsi-ld:Bin:1",)), True),
        (EntityQuery(ids=("urn:ngsi-ld:Bin:2",)), False),
        (EntityQuery(id_pattern="Bin:[0-9]$"), True),
        (EntityQuery(id_pattern="Lamp"), False),
        (EntityQuery(types=parse_types("Bin;Thing", CONTEXT)), True),
        (EntityQuery(types=parse_types("Lamp,Room", CONTEXT)), False),
        (EntityQuery(attrs=(CONTEXT.expand("level"), "x")), True),
        (EntityQuery(attrs=("x",)), False),
        (EntityQuery(scope=parse_scope_q("/town/#")), True),
        (EntityQuery(scope=parse_scope_q("/+")), False),
        (EntityQuery(geo=parse_geo("disjoint", "Point", "[0,0]", "level", CONTEXT)), False),
    ],
)
def test_an_entity_matches_every_part_or_none(query: EntityQuery, answer: bool) -> None:
    assert matches(BIN, query) is answer


def test_no_pattern_takes_long() -> None:
    held = entity({"label": "a" * 20_000 + "!"})
    condition = parse_q('label~="^(a+)+$"', CONTEXT)
    started = time.perf_counter()
    assert not holds(condition, held)
    assert time.perf_counter() - started < 1


def test_a_polygon_that_crosses_itself_still_has_an_answer() -> None:
    bow_tie = "[[[-4,47],[-2,49],[-2,47],[-4,49],[-4,47]]]"
    geo = parse_geo("intersects", "Polygon", bow_tie, None, CONTEXT)
    assert matches(BIN, EntityQuery(geo=geo))
