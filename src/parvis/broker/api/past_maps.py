"""Queries of the past by an entity map, where context sources have a part (NGSI-LD 1.9.1, 5.7.4.4, 5.14.5)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from parvis.broker.api.entity_maps import (
    MAP_HEADER,
    Sources,
    find_named,
    list_past_ids_here,
    location_header,
    map_lifetime,
    wants_new_map,
)
from parvis.broker.api.offsets import Window, read_window
from parvis.broker.api.paging import COUNT_HEADER
from parvis.broker.api.parameters import MAX_LIMIT, Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers, Response
from parvis.broker.entity_maps import HERE, EntityMap
from parvis.broker.jsonld.context import Context
from parvis.kernel.errors import TooManyResults

Answering = Callable[[Request, Parameters], Awaitable[Response]]
"""What all brokers together answer, as one list."""

ASKED_AT_ONCE: Final = 100
"""So many ids go into one address."""
_NOT_ASKED: Final = frozenset({"limit", "offset", "count", "entityMap", "entityMapLifetime"})
_OF_PAGES: Final = frozenset({b"link", COUNT_HEADER})


async def past_page_by_map(
    request: Request, parameters: Parameters, context: Context, sources: Sequence[str], answer: Answering
) -> Response | None:
    """The page by the map that the request names, or by a new one; None where it asks for none.

    `sources` are the registrations that are asked. Raises TooManyResults.
    """
    window, plain = read_window(parameters), request.without(MAP_HEADER)
    whole = Parameters(dict(parameters.pairs_without(_NOT_ASKED)))
    known = await find_named(request)
    if known is not None:
        return await _page(request, plain, known, window, whole, answer)
    if not wants_new_map(request, parameters):
        return None
    response = await answer(plain, whole.joined({"limit": str(MAX_LIMIT)}))
    documents = _documents(response)
    if documents is None:
        return response
    if len(documents) >= MAX_LIMIT:
        raise TooManyResults(f"A map of the past of several brokers holds less than {MAX_LIMIT} entities.")
    here = await list_past_ids_here(plain, whole, context)
    found = _where([str(one["id"]) for one in documents], here, sources)
    made = await request.broker.entity_maps.make(request.caller, found, map_lifetime(parameters))
    shown = documents[window.offset : window.offset + window.limit]
    return _told(request, made, window, replace(response, status=201), shown, len(documents))


async def _page(
    request: Request, plain: Request, known: EntityMap, window: Window, whole: Parameters, answer: Answering
) -> Response:
    """Of the entities of the map alone, in its order, whatever the brokers would find by now."""
    asked = whole.words("id")
    fitting = [one for one in known.sources if not asked or one in asked]
    wanted = fitting[window.offset : window.offset + window.limit]
    response, found = Response(200, b"[]"), dict[str, Any]()
    for start in range(0, len(wanted), ASKED_AT_ONCE):
        some = wanted[start : start + ASKED_AT_ONCE]
        response = await answer(plain, whole.joined({"id": ",".join(some), "limit": str(len(some))}))
        documents = _documents(response)
        if documents is None:
            return response
        found.update((str(one["id"]), one) for one in documents)
    shown = [found[one] for one in wanted if one in found]
    return _told(request, known, window, response, shown, len(fitting))


def _told(
    request: Request, known: EntityMap, window: Window, response: Response, shown: Sequence[Any], total: int
) -> Response:
    headers: Headers = tuple(one for one in response.headers if one[0] not in _OF_PAGES)
    pages = window.headers(request, total, request.accepted())
    return replace(
        response,
        body=msgspec.json.encode(shown),
        headers=(*headers, *pages, location_header(request, known)),
    )


def _documents(response: Response) -> list[Any] | None:
    """None where it is a problem."""
    told = msgspec.json.decode(response.body) if response.status < 300 else None
    return told if isinstance(told, list) else None


def _where(found: Sequence[str], here: Sequence[str], sources: Sequence[str]) -> Sources:
    held = set(here)
    return {one: (HERE, *sources) if one in held else tuple(sources) for one in found}
