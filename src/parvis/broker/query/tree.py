"""The one query tree that API, subscriptions, rules and both SQL translators share. Names are expanded."""

from enum import Enum
from typing import Any

import msgspec

from parvis.kernel.reach import Hidden, Reach
from parvis.kernel.time import Duration, Instant


class Operator(Enum):
    EQUAL = "=="
    UNEQUAL = "!="
    GREATER = ">"
    GREATER_EQUAL = ">="
    LESS = "<"
    LESS_EQUAL = "<="
    MATCH = "~="
    NOT_MATCH = "!~="


ENTITY_TIMES = frozenset({"createdAt", "modifiedAt"})


class Path(msgspec.Struct, frozen=True, tag=True):
    """`name.sub.sub[member.member]` (NGSI-LD 1.9.1, 4.9): an attribute, sub-attributes, a path into the value.

    `subs` are expanded IRIs, or one of the core members observedAt, createdAt, modifiedAt, unitCode, datasetId.
    A name of ENTITY_TIMES alone is the entity's own.
    """

    name: str
    subs: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


class Range(msgspec.Struct, frozen=True, tag=True):
    low: Any
    high: Any


class OneOf(msgspec.Struct, frozen=True, tag=True):
    values: tuple[Any, ...]


Operand = int | float | str | bool | Range | OneOf


class Exists(msgspec.Struct, frozen=True, tag=True):
    path: Path


class Missing(msgspec.Struct, frozen=True, tag=True):
    """Holds where no instance of the attribute has the path: `!name`."""

    path: Path


class Compare(msgspec.Struct, frozen=True, tag=True):
    """Holds where any instance of the attribute holds (for UNEQUAL: where it is there and no instance is equal).

    Relationships are EQUAL or UNEQUAL only: with any other operator they never match (4.9).

    A date-time, date or time operand is kept as its text and compared as text, or as an instant against observedAt,
    createdAt and modifiedAt. Numbers compare with numbers only, text with text only.
    """

    path: Path
    operator: Operator
    operand: Operand


class And(msgspec.Struct, frozen=True, tag=True):
    terms: tuple["Condition", ...]


class Or(msgspec.Struct, frozen=True, tag=True):
    terms: tuple["Condition", ...]


class Linked(msgspec.Struct, frozen=True, tag=True):
    """`name{term}` (4.9): holds where the Relationship leads to an entity for which `term` does, of `types` if given.

    It speaks of other entities: `broker.linked` says which these are, and puts LeadsTo in its place. Until then it
    holds for none.
    """

    name: str
    types: "TypeSelection | None"
    term: "Exists | Missing | Compare | Linked"


class LeadsTo(msgspec.Struct, frozen=True, tag=True):
    """Holds where a Relationship or ListRelationship leads to any of these entities; `is_wanted` false: to none."""

    name: str
    ids: tuple[str, ...]
    is_wanted: bool = True


Condition = Exists | Missing | Compare | And | Or | Linked | LeadsTo


class TypeIs(msgspec.Struct, frozen=True, tag=True):
    iri: str


class AllTypes(msgspec.Struct, frozen=True, tag=True):
    terms: tuple["TypeSelection", ...]


class AnyType(msgspec.Struct, frozen=True, tag=True):
    terms: tuple["TypeSelection", ...]


TypeSelection = TypeIs | AllTypes | AnyType


class GeoRelation(Enum):
    NEAR = "near"
    EQUALS = "equals"
    DISJOINT = "disjoint"
    INTERSECTS = "intersects"
    WITHIN = "within"
    CONTAINS = "contains"
    OVERLAPS = "overlaps"


class GeoQuery(msgspec.Struct, frozen=True):
    """`geometry` is a GeoJSON geometry in WGS 84; distances in metres, for NEAR only (4.10)."""

    relation: GeoRelation
    geometry: dict[str, Any]
    geoproperty: str
    max_distance_m: float | None = None
    min_distance_m: float | None = None


class ScopeQuery(msgspec.Struct, frozen=True):
    """Or of ands of scope patterns, each a path with `+` (one level) or a last `#` (all below), 4.19."""

    alternatives: tuple[tuple[str, ...], ...]


class OrderTerm(msgspec.Struct, frozen=True):
    """By a value that the path leads to, or by a member of the entity (id, type, scope, createdAt, modifiedAt).

    By the distance of a GeoProperty from `reference`, a GeoJSON geometry, where there is one (4.23).
    """

    path: Path
    is_descending: bool = False
    reference: dict[str, Any] | None = None


class Selector(msgspec.Struct, frozen=True):
    """Entities by all that is given (5.2.33)."""

    types: TypeSelection | None = None
    ids: tuple[str, ...] = ()
    id_pattern: str | None = None


class EntityQuery(msgspec.Struct, frozen=True):
    """Which entities (5.7.2), in the order of their first creation, or in that of `order`.

    `after` is the `resume` of the page before, `after_key` its `resume_key`: whatever is written between two pages, no
    entity that stays, and stays in its place in the order, is told twice or left out. Where there are selectors in
    `either`, one of them holds. `within` is how far the rights of the one who asks go.
    """

    ids: tuple[str, ...] = ()
    id_pattern: str | None = None
    types: TypeSelection | None = None
    attrs: tuple[str, ...] = ()
    q: Condition | None = None
    geo: GeoQuery | None = None
    scope: ScopeQuery | None = None
    limit: int = 20
    offset: int = 0
    after: int | None = None
    count: bool = False
    order: tuple[OrderTerm, ...] = ()
    collation: str | None = None
    after_key: tuple[tuple[int, Any], ...] | None = None
    either: tuple[Selector, ...] = ()
    within: Reach = None


class Order(Enum):
    """Of entities."""

    FIRST_KNOWN = "by their first creation"
    ID = "by id"
    ID_DESCENDING = "by id, the last first"


class KnownQuery(msgspec.Struct, frozen=True):
    """Which entities that are, or once were. `after` is the number, or with another order the id, told last.

    `gone_since`: only those that were deleted then or later, in the order of their first creation.
    """

    ids: tuple[str, ...] = ()
    types: TypeSelection | None = None
    order: Order = Order.FIRST_KNOWN
    after: int | str | None = None
    limit: int = 500
    gone_since: Instant | None = None
    within: Reach = None


class TimeRelation(Enum):
    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"


class TimeProperty(Enum):
    OBSERVED_AT = "observedAt"
    CREATED_AT = "createdAt"
    MODIFIED_AT = "modifiedAt"
    DELETED_AT = "deletedAt"


class TemporalQuery(msgspec.Struct, frozen=True):
    """Which instances (4.11); with DELETED_AT, what was deleted, and when.

    No relation: all. BEFORE: t < at. AFTER: t >= at. BETWEEN: at <= t < end. At most `limit` of each attribute, and
    nothing of those that are hidden from the one who asks.
    """

    relation: TimeRelation | None = None
    at: Instant | None = None
    end: Instant | None = None
    time_property: TimeProperty = TimeProperty.OBSERVED_AT
    last_n: int | None = None
    attrs: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    limit: int = 1000
    hides: Hidden | None = None


class Method(Enum):
    TOTAL_COUNT = "totalCount"
    DISTINCT_COUNT = "distinctCount"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    STDDEV = "stddev"
    SUMSQ = "sumsq"


class Aggregation(msgspec.Struct, frozen=True):
    """`period` (0, 0) = one value over the whole range (4.5.19).

    `of_others`: values that are no numbers too, which have to be read for that.
    """

    methods: tuple[Method, ...]
    period: Duration
    of_others: bool = False
