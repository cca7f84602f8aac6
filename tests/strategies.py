"""Small worlds for property tests: entities and conditions over the same few names and values, so that they meet."""

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from parvis.broker.model.entity import TYPE_NAMES, VALUE_MEMBERS, Entity, Instance, Kind, in_order
from parvis.broker.query.tree import (
    And,
    Compare,
    Condition,
    EntityQuery,
    Exists,
    GeoQuery,
    GeoRelation,
    LeadsTo,
    Missing,
    OneOf,
    Operator,
    Or,
    Path,
    Range,
    Selector,
    TypeIs,
)
from parvis.kernel.time import SECOND, format_instant

VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
NAMES = tuple(VOCABULARY + name for name in ("level", "state", "owner"))
PLACE = "https://uri.etsi.org/ngsi-ld/location"
SUB_NAMES = tuple(VOCABULARY + name for name in ("accuracy", "by"))
TYPES = tuple(VOCABULARY + name for name in ("Bin", "Lamp", "Room"))
MEMBERS = ("fr", "en", "city")
DATASETS = ("", "urn:ngsi-ld:Dataset:a", "urn:ngsi-ld:Dataset:b")
_START = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z


def documents(names: st.SearchStrategy[str], *more: st.SearchStrategy[Any], nan: bool = True) -> st.SearchStrategy[Any]:
    """JSON of any shape, with members of these names; `more` are further leaves."""
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=nan) | st.text(max_size=20)
    return st.recursive(
        st.one_of(plain, *more),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


numbers = st.one_of(st.integers(-1, 2), st.sampled_from([-0.5, 1.0, 2.5, 1e300]))
texts = st.sampled_from(["", "a", "b", "ab", "B", "été", "true", "1", "urn:ngsi-ld:Room:1", 'quo"te;|)\\'])
scalars = st.one_of(numbers, texts, st.booleans())
instants = st.integers(0, 5).map(lambda hours: _START + hours * 3600 * SECOND)
uris = st.sampled_from(["urn:ngsi-ld:Room:1", "urn:ngsi-ld:Room:2", "https://example.org/b"])
unit_codes = st.sampled_from(["", "CEL", "P1"])

json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*MEMBERS, "value", "type"]), inner, max_size=3)
    ),
    max_leaves=6,
)

longitudes = st.integers(-40, 40).map(lambda step: step / 8)
latitudes = st.integers(-16, 16).map(lambda step: 48 + step / 8)
positions = st.tuples(longitudes, latitudes).map(list)
points = positions.map(lambda at: {"type": "Point", "coordinates": at})


def _rectangle(corner: list[float], width: int, height: int) -> dict[str, Any]:
    west, south = corner
    east, north = west + width / 8, south + height / 8
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


polygons = st.builds(_rectangle, positions, st.integers(1, 16), st.integers(1, 8))
lines = st.lists(positions, min_size=2, max_size=4, unique_by=tuple).map(
    lambda along: {"type": "LineString", "coordinates": along}
)
geometries = st.one_of(points, polygons, lines)

_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.PROPERTY: st.one_of(numbers, texts, st.booleans(), json_values),
    Kind.GEO_PROPERTY: geometries,
    Kind.RELATIONSHIP: st.one_of(uris, st.lists(uris, min_size=1, max_size=2, unique=True)),
    Kind.LANGUAGE_PROPERTY: st.dictionaries(
        st.sampled_from(["fr", "en"]), st.sampled_from(["mairie", "town hall"]), min_size=1
    ),
    Kind.VOCAB_PROPERTY: st.sampled_from([VOCABULARY + "open", VOCABULARY + "shut"]),
    Kind.JSON_PROPERTY: st.dictionaries(st.sampled_from(SUB_NAMES), scalars, max_size=2),
    Kind.LIST_PROPERTY: st.lists(scalars, max_size=3),
    Kind.LIST_RELATIONSHIP: st.lists(uris, max_size=2),
}
kinds = st.one_of(st.just(Kind.PROPERTY), st.sampled_from(list(Kind)))


def _units_of(kind: Kind) -> st.SearchStrategy[str]:
    return unit_codes if kind in (Kind.PROPERTY, Kind.LIST_PROPERTY) else st.just("")


@st.composite
def sub_attributes(draw: st.DrawFn) -> dict[str, Any]:
    """A sub-attribute in the normalized JSON of `Instance.extra`."""
    kind = draw(kinds)
    body: dict[str, Any] = {"type": TYPE_NAMES[kind], VALUE_MEMBERS[kind]: draw(_VALUES[kind])}
    if draw(st.booleans()):
        body["observedAt"] = format_instant(draw(instants))
    if unit_code := draw(_units_of(kind)):
        body["unitCode"] = unit_code
    return body


extras = st.one_of(st.none(), st.dictionaries(st.sampled_from(SUB_NAMES), sub_attributes(), min_size=1, max_size=2))


@st.composite
def instances(draw: st.DrawFn, name: str, dataset: str = "") -> Instance:
    kind = Kind.GEO_PROPERTY if name == PLACE else draw(kinds)
    return Instance(
        name,
        kind,
        draw(_VALUES[kind]),
        dataset,
        draw(st.one_of(st.none(), instants)),
        draw(_units_of(kind)),
        draw(extras),
        draw(instants),
        draw(instants),
    )


@st.composite
def entities(draw: st.DrawFn, entity_id: str = "urn:ngsi-ld:Bin:1") -> Entity:
    names = draw(st.lists(st.sampled_from([*NAMES, PLACE]), min_size=1, max_size=4, unique=True))
    held = [
        draw(instances(name, dataset))
        for name in names
        for dataset in draw(st.lists(st.sampled_from(DATASETS), min_size=1, max_size=2, unique=True))
    ]
    types = tuple(sorted(draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True))))
    scopes = tuple(draw(st.lists(st.sampled_from(["/a", "/a/b", "/c"]), max_size=2, unique=True)))
    return Entity(entity_id, types, in_order(held), scopes, draw(instants), draw(instants))


@st.composite
def paths(draw: st.DrawFn) -> Path:
    name = draw(st.sampled_from(NAMES))
    match draw(st.integers(0, 9)):
        case 0:
            return Path(name, (draw(st.sampled_from(["unitCode", "datasetId", "modifiedAt", "createdAt"])),))
        case 1:
            return Path(name, ("observedAt",))
        case 2:
            below = draw(st.sampled_from([(), ("observedAt",), ("unitCode",)]))
            return Path(name, (draw(st.sampled_from(SUB_NAMES)), *below))
        case 3:
            return Path(name, (), draw(st.sampled_from([("fr",), ("city", "en"), ("*",)])))
        case _:
            return Path(name)


moments = instants.map(format_instant)
ranges = st.one_of(
    st.builds(Range, numbers, numbers), st.builds(Range, texts, texts), st.builds(Range, moments, moments)
)
one_ofs = st.lists(st.one_of(scalars, moments), min_size=2, max_size=3).map(lambda values: OneOf(tuple(values)))
_ORDERS = [Operator.GREATER, Operator.GREATER_EQUAL, Operator.LESS, Operator.LESS_EQUAL]

comparisons = st.one_of(
    st.builds(Compare, paths(), st.sampled_from(_ORDERS), st.one_of(numbers, texts, moments)),
    st.builds(
        Compare,
        paths(),
        st.sampled_from([Operator.EQUAL, Operator.UNEQUAL]),
        st.one_of(numbers, texts, st.booleans(), st.one_of(moments, uris), ranges, one_ofs),
    ),
    st.builds(
        Compare,
        paths(),
        st.sampled_from([Operator.MATCH, Operator.NOT_MATCH]),
        st.sampled_from(["^a", "b$", "(a|b)+", "[A-Z]", "."]),
    ),
)
leads = st.builds(
    LeadsTo, st.sampled_from(NAMES), st.lists(st.one_of(uris, texts), max_size=2).map(tuple), st.booleans()
)
terms: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Exists, paths()), st.builds(Missing, paths()), comparisons, comparisons
)


def _joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several))


conditions: st.SearchStrategy[Condition] = st.recursive(terms, _joined, max_leaves=5)
entity_times = st.sampled_from(["createdAt", "modifiedAt"]).map(Path)
time_terms = st.one_of(
    st.builds(Exists, entity_times),
    st.builds(Missing, entity_times),
    st.builds(Compare, entity_times, st.sampled_from([*_ORDERS, Operator.EQUAL, Operator.UNEQUAL]), moments),
)
store_conditions: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(terms, leads, time_terms), _joined, max_leaves=5
)
"""With what stands for terms about linked entities, once these are known."""

geo_queries = st.one_of(
    st.builds(
        GeoQuery,
        st.just(GeoRelation.NEAR),
        points,
        st.just(PLACE),
        st.sampled_from([10_000.0, 100_000.0]),
        st.sampled_from([None, 5_000.0]),
    ),
    st.builds(
        GeoQuery,
        st.sampled_from([one for one in GeoRelation if one is not GeoRelation.NEAR]),
        geometries,
        st.just(PLACE),
    ),
)
selectors = st.builds(
    Selector,
    st.one_of(st.none(), st.sampled_from(TYPES).map(TypeIs)),
    st.one_of(st.just(()), st.sampled_from(["urn:ngsi-ld:Bin:0", "urn:ngsi-ld:Bin:1"]).map(lambda one: (one,))),
    st.sampled_from([None, "[02]$"]),
)
entity_queries = st.builds(
    EntityQuery,
    types=st.one_of(st.none(), st.sampled_from(TYPES).map(TypeIs)),
    q=st.one_of(st.none(), store_conditions),
    geo=st.one_of(st.none(), geo_queries),
    either=st.one_of(st.just(()), st.lists(selectors, max_size=2).map(tuple)),
)


def _leaves(value: Any, members: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Scalars within a value, each with the members that lead to it (those of arrays: to the array)."""
    if isinstance(value, dict):
        for member, part in value.items():
            yield from _leaves(part, (*members, member))
    elif isinstance(value, list):
        yield from ((members, part) for part in value if not isinstance(part, dict | list))
    else:
        yield members, value


def _targets(entity: Entity) -> Iterator[tuple[Path, Any]]:
    for one in entity.instances:
        for members, leaf in _leaves(one.value):
            if "value" not in members and "coordinates" not in members:
                yield Path(one.name, (), members), leaf
        yield Path(one.name, ("modifiedAt",)), format_instant(one.modified_at)
        if one.observed_at is not None:
            yield Path(one.name, ("observedAt",)), format_instant(one.observed_at)
        for sub, body in (one.extra or {}).items():
            if body["type"] == "Property" and not isinstance(body["value"], dict | list):
                yield Path(one.name, (sub,)), body["value"]


def _operands(value: Any) -> list[Any]:
    """The value itself, its neighbours, and what a careless comparison would take for it."""
    match value:
        case bool():
            return [value, int(value), str(value).lower(), OneOf((not value, value))]
        case int() | float():
            around = [Range(value, value + 1), Range(value - 1, value), Range(value + 1, value + 2)]
            return [value, value + 1, value - 1, float(value), bool(value), str(value), OneOf(("a", value)), *around]
        case _:
            return [value, value + "a", value[:-1], Range(value, value + "z"), Range("", value), OneOf((1, value))]


@st.composite
def conditions_about(draw: st.DrawFn, held: Sequence[Entity]) -> Condition:
    """A condition that is near to what the entities hold, so that it often holds and often just fails to."""
    targets = [target for entity in held for target in _targets(entity)]
    if not targets or draw(st.integers(0, 5)) == 0:
        return draw(conditions)
    path, value = draw(st.sampled_from(targets))
    operand = draw(st.sampled_from(_operands(value)))
    is_scalar = not isinstance(operand, bool | Range | OneOf)
    operators = [Operator.EQUAL, Operator.UNEQUAL, *(_ORDERS if is_scalar else [])]
    return Compare(path, draw(st.sampled_from(operators)), operand)
