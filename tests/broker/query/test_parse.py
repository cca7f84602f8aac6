"""Reading q, type selections, scope queries and geo-queries."""

from typing import Any

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.query.parse import parse_geo, parse_q, parse_scope_q, parse_types
from parvis.broker.query.tree import (
    AllTypes,
    And,
    AnyType,
    Compare,
    Condition,
    Exists,
    GeoQuery,
    GeoRelation,
    Missing,
    OneOf,
    Operator,
    Or,
    Path,
    Range,
    TypeIs,
)
from parvis.kernel.errors import BadRequestData, TooComplexQuery

CONTEXT = Contexts().core
VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
A, B = Path(VOCABULARY + "a"), Path(VOCABULARY + "b")
PLACE = "https://uri.etsi.org/ngsi-ld/location"


def a(operator: Operator, operand: Any) -> Compare:
    return Compare(A, operator, operand)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("a", Exists(A)),
        ("!a", Missing(A)),
        ("a==1", a(Operator.EQUAL, 1)),
        ("a!=-1.5e3", a(Operator.UNEQUAL, -1500.0)),
        ('a=="x;|)y\\"z\\\\"', a(Operator.EQUAL, 'x;|)y"z\\')),
        ("a==true", a(Operator.EQUAL, True)),
        ('a=="true"', a(Operator.EQUAL, "true")),
        ("a>2026-05-01T12:00:00Z", a(Operator.GREATER, "2026-05-01T12:00:00Z")),
        ("a<=12:30:00Z", a(Operator.LESS_EQUAL, "12:30:00Z")),
        ("a==urn:ngsi-ld:Room:1", a(Operator.EQUAL, "urn:ngsi-ld:Room:1")),
        ("a==1..2.5", a(Operator.EQUAL, Range(1, 2.5))),
        ('a=="b".."c"', a(Operator.EQUAL, Range("b", "c"))),
        ('a==1,"x",false', a(Operator.EQUAL, OneOf((1, "x", False)))),
        ("a~=^x(y|z)$", a(Operator.MATCH, "^x(y|z)$")),
        ('a!~=";"', a(Operator.NOT_MATCH, ";")),
        ("a.b==1", Compare(Path(A.name, (B.name,)), Operator.EQUAL, 1)),
        ("a.observedAt", Exists(Path(A.name, ("observedAt",)))),
        ("a[b.c]==1", Compare(Path(A.name, (), ("b", "c")), Operator.EQUAL, 1)),
        ("a.b[fr]", Exists(Path(A.name, (B.name,), ("fr",)))),
        ("ngsi-ld:own", Exists(Path("https://uri.etsi.org/ngsi-ld/own"))),
        ("https://example.org/x.y==1", Compare(Path("https://example.org/x.y"), Operator.EQUAL, 1)),
        ("a;b", And((Exists(A), Exists(B)))),
        ("a;b|a", Or((And((Exists(A), Exists(B))), Exists(A)))),
        ("a;(b|a)", And((Exists(A), Or((Exists(B), Exists(A)))))),
        ("((a))", Exists(A)),
    ],
)
def test_q_reads_as_its_tree(text: str, condition: Condition) -> None:
    assert parse_q(text, CONTEXT) == condition


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("a=", 1),
        ("a==", 3),
        ("a==x y", 3),
        ('a=="x', 5),
        ("a;", 2),
        ("(a", 2),
        ("a)", 1),
        ("a..b", 4),
        ("a[b", 3),
        ("a[]", 2),
        ("a b", 1),
        ("a>true", 6),
        ('a==1.."x"', 9),
        ("a~=", 3),
    ],
)
def test_what_is_no_q_is_refused_with_the_position(text: str, position: int) -> None:
    with pytest.raises(BadRequestData) as refusal:
        parse_q(text, CONTEXT)
    assert refusal.value.extras["position"] == position


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{1,99999}", "x" * 600])
def test_a_pattern_that_cannot_be_searched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequestData):
        parse_q(f'a~="{pattern}"', CONTEXT)


@pytest.mark.parametrize("text", ["(" * 100 + "a", ";".join(["a"] * 300), "a==" + ",".join(["1"] * 300), "a" * 20_000])
def test_a_query_has_bounds(text: str) -> None:
    with pytest.raises(TooComplexQuery):
        parse_q(text, CONTEXT)


def test_values_of_vocabularies_can_be_expanded() -> None:
    assert parse_q('a=="open"', CONTEXT, [A.name]) == a(Operator.EQUAL, VOCABULARY + "open")


def test_types_are_selected_by_or_and_and() -> None:
    x, y, z = (TypeIs(VOCABULARY + name) for name in "XYZ")
    assert parse_types("X", CONTEXT) == x
    assert parse_types("X,Y|Z", CONTEXT) == AnyType((x, y, z))
    assert parse_types("(X|Y);Z", CONTEXT) == AllTypes((AnyType((x, y)), z))


@pytest.mark.parametrize("text", ["", "X,", ";X", "(X", "X)", "X Y"])
def test_what_is_no_type_selection_is_refused(text: str) -> None:
    with pytest.raises(BadRequestData):
        parse_types(text, CONTEXT)


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("/a/b", (("/a/b",),)),
        ("a", (("/a",),)),
        ("/a/+/c,/b/#", (("/a/+/c",), ("/b/#",))),
        ("/a;(/b|/c)", (("/a", "/b"), ("/a", "/c"))),
        ("/#", (("/#",),)),
    ],
)
def test_scope_queries_become_alternatives(text: str, alternatives: tuple[tuple[str, ...], ...]) -> None:
    assert parse_scope_q(text).alternatives == alternatives


@pytest.mark.parametrize("text", ["", "/", "/a//b", "/#/a", "/a+", "/a#"])
def test_what_is_no_scope_query_is_refused(text: str) -> None:
    with pytest.raises(BadRequestData):
        parse_scope_q(text)


def test_alternatives_of_scopes_have_a_bound() -> None:
    with pytest.raises(TooComplexQuery):
        parse_scope_q(";".join(["(/a|/b|/c|/d)"] * 5))


def test_a_geo_query_is_about_the_location_unless_it_says_otherwise() -> None:
    point = {"type": "Point", "coordinates": [-3, 48.5]}
    near = parse_geo("near;maxDistance==2000.5", "Point", "[-3,48.5]", None, CONTEXT)
    assert near == GeoQuery(GeoRelation.NEAR, point, PLACE, 2000.5)
    within = parse_geo("intersects", "Point", [-3, 48.5], "a", CONTEXT)
    assert within == GeoQuery(GeoRelation.INTERSECTS, point, A.name)


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates"),
    [
        ("beside", "Point", "[1,2]"),
        ("near", "Point", "[1,2]"),
        ("near;maxDistance=5", "Point", "[1,2]"),
        ("near;maxDistance==-5", "Point", "[1,2]"),
        ("near;maxDistance==5;maxDistance==6", "Point", "[1,2]"),
        ("near;maxDistance==5;minDistance==1", "Point", "[1,2]"),
        ("near;maxDistance==0", "Point", "[1,2]"),
        ("within;maxDistance==5", "Point", "[1,2]"),
        ("within", "Circle", "[1,2]"),
        ("within", "Point", "[1,2"),
        ("within", "Point", "[1,200]"),
        ("within", "Polygon", "[[[0,0],[1,0],[1,1],[0,1]]]"),
    ],
)
def test_what_is_no_geo_query_is_refused(georel: str, geometry: str, coordinates: str) -> None:
    with pytest.raises(BadRequestData):
        parse_geo(georel, geometry, coordinates, None, CONTEXT)
