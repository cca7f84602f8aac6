"""The Query of a POST (NGSI-LD 1.9.1, 5.2.23): the same query in a body, read as if it were parameters."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from parvis.broker.api.parameters import Parameters
from parvis.broker.api.selection import ANY_TYPE
from parvis.kernel.errors import BadRequestData, OperationNotSupported


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
    aggrMethods: list[str] = []  # noqa: N815
    aggrPeriodDuration: str = ""  # noqa: N815


class QueryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["Query"]
    entities: list[Selector] = []
    attrs: list[str] = []
    pick: list[str] = []
    omit: list[str] = []
    datasetId: list[str] = []  # noqa: N815
    q: str = ""
    expandValues: list[str] = []  # noqa: N815
    geoQ: GeoQ | None = None  # noqa: N815
    scopeQ: str = ""  # noqa: N815
    temporalQ: TemporalQ | None = None  # noqa: N815
    lang: str = ""
    context: Any = msgspec.field(default=None, name="@context")


def query_parameters(document: dict[str, Any], url: Parameters) -> Parameters:
    """The parameters that a Query and its URL come to together.

    Raises:
        BadRequestData: it is no Query.
        OperationNotSupported: its selectors cannot be asked for at once.
    """
    try:
        body = msgspec.convert(document, QueryBody)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"The body is no Query: {error}.") from None
    return url.joined(dict(_pairs(body)))


def _pairs(body: QueryBody) -> Iterator[tuple[str, str]]:
    yield from _selection(body.entities).items()
    for name in ("attrs", "pick", "omit", "datasetId", "expandValues"):
        if words := getattr(body, name):
            yield name, ",".join(words)
    for name in ("q", "scopeQ", "lang"):
        if text := getattr(body, name):
            yield name, text
    if body.geoQ is not None:
        yield from _geo(body.geoQ)
    if body.temporalQ is not None:
        yield from _temporal(body.temporalQ)


def _selection(selectors: Sequence[Selector]) -> dict[str, str]:
    """Selectors are alternatives. Several fit into one query where they differ in type alone, or in id alone."""
    types = list(dict.fromkeys(one.type for one in selectors))
    ids = [_ids(one) for one in selectors]
    patterns = [one.id_pattern for one in selectors]
    if len(selectors) > 1 and any(patterns):
        raise OperationNotSupported("An idPattern stands in a query with one selector only: send one query for each.")
    if len(types) > 1 and any(ids):
        raise OperationNotSupported("Selectors with an id need the same type: send one query for each type.")
    found = {"idPattern": "".join(patterns)} if any(patterns) else {}
    if all(ids) and ids:
        found["id"] = ",".join(one for some in ids for one in some)
    if types:
        found["type"] = ANY_TYPE if ANY_TYPE in types else "|".join(f"({one})" for one in types)
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
    for name in ("timerel", "timeAt", "endTimeAt", "timeproperty", "aggrPeriodDuration"):
        if text := getattr(temporal, name):
            yield name, text
    if temporal.lastN is not None:
        yield "lastN", str(temporal.lastN)
    if temporal.aggrMethods:
        yield "aggrMethods", ",".join(temporal.aggrMethods)
