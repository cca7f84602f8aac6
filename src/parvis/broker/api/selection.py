"""From query parameters to the one query tree (NGSI-LD 1.9.1, 5.7.2 and 6.4.3.2)."""

from functools import lru_cache

import msgspec

from parvis.broker.api.paging import AskedPage, read_page
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.views import View, read_view
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.render import CORE_MEMBERS, Representation
from parvis.broker.query.order import parse_order
from parvis.broker.query.parse import parse_geo, parse_q, parse_scope_q, parse_types
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.tree import Condition, EntityQuery, GeoQuery, Selector
from parvis.broker.sources.discovery import attributes_of
from parvis.kernel.errors import BadRequestData

ANY_TYPE = "*"
"""Every type there is, of the entities held here (6.4.3.2)."""

SELECTORS = "entities"
"""Alternatives of a query in a body (5.2.23), as JSON; no route knows it as a parameter."""
SYSTEM_ATTRIBUTES = ("createdAt", "modifiedAt", "expiresAt", "deletedAt", "observedAt")
_GEO_TRIPLE = ("georel", "geometry", "coordinates")


class Prepared(msgspec.Struct, frozen=True):
    """A page of a query with its view."""

    page: AskedPage
    view: View


def prepare(parameters: Parameters, context: Context) -> Prepared:
    view = read_view(parameters, context)
    levels = 0 if view.linking is None else view.linking.levels
    selection = read_selection(parameters, context, levels)
    page = read_page(_in_order(_with_picked(selection, view.representation), parameters, context), parameters)
    return Prepared(page, view)


def _in_order(selection: EntityQuery, parameters: Parameters, context: Context) -> EntityQuery:
    text, collation = parameters.text("orderBy"), parameters.text("collation")
    if text is None:
        return selection
    order = parse_order(text, parameters.text("orderFrom"), parameters.text("orderGeometry"), collation, context)
    return msgspec.structs.replace(selection, order=order, collation=collation)


def _with_picked(selection: EntityQuery, representation: Representation) -> EntityQuery:
    """Where only attributes are picked, entities without any of these have nothing to show."""
    pick = representation.pick
    if not pick or pick & CORE_MEMBERS:
        return selection
    return msgspec.structs.replace(selection, attrs=tuple(sorted(pick - representation.omit)))


prepare_remembered = lru_cache(maxsize=512)(prepare)
"""For the same Parameters object and Context: polling readers ask the same again and again."""


def read_selection(parameters: Parameters, context: Context, levels: int = 0) -> EntityQuery:
    """Which entities; the page is the caller's. Raises BadRequestData for a query that is too wide (5.7.2.4).

    `levels` is how far q may ask about linked entities.
    """
    types = parameters.text("type")
    if types == ANY_TYPE and "local" in parameters and not parameters.flag("local"):
        raise BadRequestData("type=* asks for what is held here: local is not false with it.")
    check_source_filter(parameters, context)
    is_local = types == ANY_TYPE or parameters.flag("local")
    scope_q = parameters.text("scopeQ")
    query = EntityQuery(
        tuple(check_uri(one, "An id") for one in parameters.words("id")),
        _pattern(parameters.text("idPattern")),
        None if types is None or types == ANY_TYPE else parse_types(types, context),
        tuple(context.expand(name) for name in parameters.words("attrs")),
        _condition(parameters, context, levels),
        read_geo(parameters, context),
        None if scope_q is None else parse_scope_q(scope_q),
        either=_either(parameters.text(SELECTORS), context),
    )
    if not is_local and not _is_narrow(query, context):
        raise BadRequestData("The query is too wide: give type, attrs, q or georel, or local=true for everything here.")
    return query


def _either(text: str | None, context: Context) -> tuple[Selector, ...]:
    if text is None:
        return ()
    selectors = msgspec.json.decode(text, type=list[tuple[str, list[str], str]])
    return tuple(
        Selector(
            None if types == ANY_TYPE else parse_types(types, context),
            tuple(check_uri(one, "An id") for one in ids),
            _pattern(pattern or None),
        )
        for types, ids, pattern in selectors
    )


def _pattern(text: str | None) -> str | None:
    if text is not None:
        pattern_finder(text)
    return text


def _is_narrow(query: EntityQuery, context: Context) -> bool:
    """By a type, a place, or an attribute that is none of the system's (5.7.2.4)."""
    if query.types or query.geo:
        return True
    named = {*query.attrs, *(() if query.q is None else attributes_of(query.q))}
    return not named <= {*SYSTEM_ATTRIBUTES, *(context.expand(name) for name in SYSTEM_ATTRIBUTES)}


def check_source_filter(parameters: Parameters, context: Context) -> None:
    """Raises BadRequestData for a csf that cannot be understood."""
    if (csf := parameters.text("csf")) is not None:
        parse_q(csf, context)


def _condition(parameters: Parameters, context: Context, levels: int) -> Condition | None:
    text = parameters.text("q")
    if text is None:
        return None
    return parse_q(text, context, [context.expand(name) for name in parameters.words("expandValues")], levels)


def read_geo(parameters: Parameters, context: Context) -> GeoQuery | None:
    relation, geometry, coordinates = (parameters.text(name) for name in _GEO_TRIPLE)
    if relation is None and geometry is None and coordinates is None:
        return None
    if relation is None or geometry is None or coordinates is None:
        raise BadRequestData("A geo-query takes georel, geometry and coordinates together.")
    return parse_geo(relation, geometry, coordinates, parameters.text("geoproperty"), context)
