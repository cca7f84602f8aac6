"""The Query of a POST (NGSI-LD 1.9.1, 5.2.23): the same query in a body, read as if it were parameters."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from parvis.broker.api.parameters import Parameters
from parvis.broker.api.selection import ANY_TYPE, SELECTORS
from parvis.kernel.errors import BadRequestData

Filled = Annotated[list[str], msgspec.Meta(min_length=1)]


class Selector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """EntitySelector (5.2.33)."""

    type: str
    id: str | list[str] = ""
    id_pattern: str = msgspec.field(default="", name="idPattern")


class GeoQ(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """GeoQuery (5.2.13)."""

    georel: str
    geometry: str
    coordinates: Any
    geoproperty: str = ""


class TemporalQ(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TemporalQuery (5.2.21)."""

    timerel: str = ""
    timeAt: str = ""  # noqa: N815
    endTimeAt: str = ""  # noqa: N815
    timeproperty: str = ""
    lastN: int | None = None  # noqa: N815
    aggrMethods: list[str] | str = []  # noqa: N815
    aggrPeriodDuration: str = ""  # noqa: N815


class AggregationParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AggregationParams (5.2.44)."""

    aggrMethods: list[str] | str  # noqa: N815
    aggrPeriodDuration: str = ""  # noqa: N815


class OrderingParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """OrderingParams (5.2.43)."""

    orderBy: Filled  # noqa: N815
    coordinates: list[Any] = []
    geometry: str = ""
    collation: str = ""


class QueryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Query (5.2.23)."""

    type: Literal["Query"]
    entities: Annotated[list[Selector], msgspec.Meta(min_length=1)] | None = None
    attrs: Filled | None = None
    pick: Filled | None = None
    omit: Filled | None = None
    datasetId: Filled | None = None  # noqa: N815
    q: str = ""
    expandValues: Filled | None = None  # noqa: N815
    geoQ: GeoQ | None = None  # noqa: N815
    scopeQ: str = ""  # noqa: N815
    csf: str = ""
    temporalQ: TemporalQ | None = None  # noqa: N815
    aggrParams: AggregationParams | None = None  # noqa: N815
    lang: str = ""
    join: str = ""
    joinLevel: Annotated[int, msgspec.Meta(ge=1)] | None = None  # noqa: N815
    containedBy: list[str] = []  # noqa: N815
    ordering: OrderingParams | None = None
    entityMap: bool | None = None  # noqa: N815
    entityMapLifetime: str = ""  # noqa: N815
    splitEntities: bool | None = None  # noqa: N815
    context: Any = msgspec.field(default=None, name="@context")


def query_parameters(document: dict[str, Any], url: Parameters, *, is_temporal: bool = False) -> Parameters:
    """The parameters that a Query and its URL come to together; `is_temporal` where it may have a temporalQ.

    Raises:
        BadRequestData: it is no Query.
    """
    try:
        body = msgspec.convert(document, QueryBody)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"The body is no Query: {error}.") from None
    if not is_temporal and (body.temporalQ is not None or body.aggrParams is not None):
        raise BadRequestData("A temporalQ belongs to a query of the temporal evolution only.")
    return url.joined(dict(_pairs(body)))


def _pairs(body: QueryBody) -> Iterator[tuple[str, str]]:
    yield from _selection(body.entities or ()).items()
    for name in ("attrs", "pick", "omit", "datasetId", "expandValues", "containedBy"):
        if words := getattr(body, name):
            yield name, ",".join(words)
    for name in ("q", "scopeQ", "csf", "lang", "join", "entityMapLifetime"):
        if text := getattr(body, name):
            yield name, text
    for name in ("entityMap", "splitEntities", "joinLevel"):
        if (given := getattr(body, name)) is not None:
            yield name, str(given).lower()
    yield from _parts(body)


def _parts(body: QueryBody) -> Iterator[tuple[str, str]]:
    if body.geoQ is not None:
        yield from _geo(body.geoQ)
    if body.temporalQ is not None:
        yield from _temporal(body.temporalQ)
    if body.aggrParams is not None:
        yield from _aggregation(body.aggrParams.aggrMethods, body.aggrParams.aggrPeriodDuration)
    if body.ordering is not None:
        yield from _ordering(body.ordering)


def _ordering(ordering: OrderingParams) -> Iterator[tuple[str, str]]:
    yield "orderBy", ",".join(ordering.orderBy)
    if ordering.coordinates:
        yield "orderFrom", msgspec.json.encode(ordering.coordinates).decode()
    if ordering.geometry:
        yield "orderGeometry", ordering.geometry
    if ordering.collation:
        yield "collation", ordering.collation


def _selection(selectors: Sequence[Selector]) -> dict[str, str]:
    """Selectors are alternatives. Those that differ in type alone, or in id alone, are one."""
    types = list(dict.fromkeys(one.type for one in selectors))
    union = ANY_TYPE if ANY_TYPE in types else "|".join(f"({one})" for one in types)
    ids = [_ids(one) for one in selectors]
    patterns = ["" if one.id else one.id_pattern for one in selectors]  # id takes precedence (5.2.33)
    is_mixed = any(ids) and not all(ids)
    if len(selectors) > 1 and (any(patterns) or (any(ids) and (len(types) > 1 or is_mixed))):
        either = [(one.type, some, pattern) for one, some, pattern in zip(selectors, ids, patterns, strict=True)]
        return {"type": union, SELECTORS: msgspec.json.encode(either).decode()}
    found = {"idPattern": "".join(patterns)} if any(patterns) else {}
    if all(ids) and ids:
        found["id"] = ",".join(one for some in ids for one in some)
    if types:
        found["type"] = union
    return found


def _ids(selector: Selector) -> list[str]:
    if isinstance(selector.id, list):
        return selector.id
    return [selector.id] if selector.id else []


def _geo(geo: GeoQ) -> Iterator[tuple[str, str]]:
    coordinates = geo.coordinates
    yield "georel", geo.georel
    yield "geometry", geo.geometry
    yield "coordinates", coordinates if isinstance(coordinates, str) else msgspec.json.encode(coordinates).decode()
    if geo.geoproperty:
        yield "geoproperty", geo.geoproperty


def _temporal(temporal: TemporalQ) -> Iterator[tuple[str, str]]:
    for name in ("timerel", "timeAt", "endTimeAt", "timeproperty"):
        if text := getattr(temporal, name):
            yield name, text
    if temporal.lastN is not None:
        yield "lastN", str(temporal.lastN)
    yield from _aggregation(temporal.aggrMethods, temporal.aggrPeriodDuration)


def _aggregation(methods: list[str] | str, period: str) -> Iterator[tuple[str, str]]:
    """Methods are an array, or one text with commas (5.2.21): who names any wants them told."""
    if methods:
        yield "format", "aggregatedValues"
        yield "aggrMethods", methods if isinstance(methods, str) else ",".join(methods)
    if period:
        yield "aggrPeriodDuration", period
