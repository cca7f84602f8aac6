"""From query parameters to the one query tree (NGSI-LD 1.9.1, 5.7.2 and 6.4.3.2)."""

from functools import lru_cache

import msgspec

from parvis.broker.api.paging import AskedPage, read_page
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.views import View, read_view
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.query.parse import parse_geo, parse_q, parse_scope_q, parse_types
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.tree import Condition, EntityQuery, GeoQuery
from parvis.kernel.errors import BadRequestData

ANY_TYPE = "*"
"""Every type there is, of the entities held here (6.4.3.2)."""

_GEO_TRIPLE = ("georel", "geometry", "coordinates")


class Prepared(msgspec.Struct, frozen=True):
    """A page of a query with its view."""

    page: AskedPage
    view: View


def prepare(parameters: Parameters, context: Context) -> Prepared:
    page = read_page(read_selection(parameters, context), parameters)
    return Prepared(page, read_view(parameters, context))


prepare_remembered = lru_cache(maxsize=512)(prepare)
"""For the same Parameters object and Context: polling readers ask the same again and again."""


def read_selection(parameters: Parameters, context: Context) -> EntityQuery:
    """Which entities; the page is the caller's. Raises BadRequestData for a query that is too wide (5.7.2.4)."""
    types = parameters.text("type")
    is_local = types == ANY_TYPE or parameters.flag("local")
    scope_q = parameters.text("scopeQ")
    query = EntityQuery(
        tuple(check_uri(one, "An id") for one in parameters.words("id")),
        _pattern(parameters.text("idPattern")),
        None if types is None or types == ANY_TYPE else parse_types(types, context),
        tuple(context.expand(name) for name in parameters.words("attrs")),
        _condition(parameters, context),
        read_geo(parameters, context),
        None if scope_q is None else parse_scope_q(scope_q),
    )
    is_narrow = query.types or query.attrs or query.q or query.geo
    if not is_narrow and not is_local:
        raise BadRequestData("The query is too wide: give type, attrs, q or georel, or local=true for everything here.")
    return query


def _pattern(text: str | None) -> str | None:
    if text is not None:
        pattern_finder(text)
    return text


def _condition(parameters: Parameters, context: Context) -> Condition | None:
    text = parameters.text("q")
    if text is None:
        return None
    return parse_q(text, context, [context.expand(name) for name in parameters.words("expandValues")])


def read_geo(parameters: Parameters, context: Context) -> GeoQuery | None:
    relation, geometry, coordinates = (parameters.text(name) for name in _GEO_TRIPLE)
    if relation is None and geometry is None and coordinates is None:
        return None
    if relation is None or geometry is None or coordinates is None:
        raise BadRequestData("A geo-query takes georel, geometry and coordinates together.")
    return parse_geo(relation, geometry, coordinates, parameters.text("geoproperty"), context)
