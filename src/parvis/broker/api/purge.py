"""Purge entities (NGSI-LD 1.9.1, 5.6.21 and 6.4.3.3): delete all that match, or some of their attributes."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from parvis.broker.api.distribution import around_of, find_registered
from parvis.broker.api.provision import Failure
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, json_response
from parvis.broker.api.selection import read_selection
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import CORE_MEMBERS
from parvis.broker.model.change import ALL_DATASETS, Change, Mode
from parvis.broker.model.entity import SCOPE, Entity, Iri
from parvis.broker.query.tree import EntityQuery
from parvis.broker.sources.discovery import matches
from parvis.broker.sources.forward import Around, LoopDetected
from parvis.broker.sources.model import Operation, Registration
from parvis.broker.sources.plan import Part, find_operation, plan_query, reachable, source_query_of
from parvis.broker.sources.provide import Errand
from parvis.broker.subscriptions.render import render_types
from parvis.kernel.errors import BadRequestData, Conflict, ResourceNotFound
from parvis.kernel.time import system_clock

PAGE: Final = 500
_PURGING = (Operation.PURGE_ENTITY,)
_NARROWED = frozenset({"local", "type", "id", "idPattern"})


class Purge(msgspec.Struct, frozen=True):
    """What goes of the entities that match: all of each; or all attributes but those to `keep`; or those to `drop`."""

    query: EntityQuery
    keep: tuple[Iri, ...] = ()
    drop: tuple[Iri, ...] = ()


async def purge_entities(request: Request) -> Response:
    """Purge entities (5.6.21)."""
    context = await request.link_context()
    purge = _read(request, context)
    failures = await _purge_elsewhere(request, context, purge)
    success = await _purge_here(request, purge, failures)
    if not failures:
        return NO_CONTENT
    return json_response({"success": success, "errors": [one.document() for one in failures]}, status=207)


def _read(request: Request, context: Context) -> Purge:
    query = read_selection(request.parameters, context)
    keep, drop = (_names(request, name, context) for name in ("keep", "drop"))
    if keep and drop:
        raise BadRequestData("keep and drop exclude each other.")
    return Purge(msgspec.structs.replace(query, limit=PAGE), keep, drop)


def _names(request: Request, parameter: str, context: Context) -> tuple[Iri, ...]:
    given = request.parameters.words(parameter)
    about = [one for one in given if one in CORE_MEMBERS - {"scope"}]
    if about:
        raise BadRequestData(f"{parameter} names attributes: an entity keeps its {about[0]} whatever is purged.")
    return tuple(context.expand(one) for one in given)


async def _purge_here(request: Request, purge: Purge, failures: list[Failure]) -> list[str]:
    """A page after the other: what comes to match meanwhile may stay. The ids of those that are purged."""
    broker, query = request.broker, purge.query
    purged: list[str] = []
    while True:
        page = await broker.query(request.caller, query)
        outcomes = await broker.write(request.caller, [_change(one, purge) for one in page.entities])
        for one in outcomes:
            if one.error is None or isinstance(one.error, ResourceNotFound):
                purged.append(one.entity_id)
            else:
                failures.append(Failure(one.entity_id, one.error))
        if page.resume is None:
            return purged
        query = msgspec.structs.replace(query, after=page.resume)


def _change(entity: Entity, purge: Purge) -> Change:
    if purge.keep:
        return Change(entity.id, Mode.KEEP_ATTRIBUTES, removals=tuple((name, ALL_DATASETS) for name in purge.keep))
    if not purge.drop:
        return Change(entity.id, Mode.DELETE)
    removals = tuple((name, ALL_DATASETS) for name in purge.drop if name != SCOPE)
    return Change(entity.id, Mode.DELETE_ATTRIBUTE, removals=removals, scopes=() if SCOPE in purge.drop else None)


async def _purge_elsewhere(request: Request, context: Context, purge: Purge) -> list[Failure]:
    registered = await find_registered(request)
    provision = request.broker.sources.provision
    if not registered or provision is None:
        return []
    around = await around_of(request, context)
    reached = reachable(registered, around, system_clock())
    unable = list(_unable(reached, purge.query))
    parts = plan_query(reached, purge.query, source_query_of(purge.query), _PURGING)
    if around.is_loop:
        if unable or any(part.registration.mode.is_proxied for part in parts):
            raise LoopDetected("The request has passed this broker before, and what it changes is not held here.")
        return []
    failures = [Failure(_told_of(purge.query, one), _cannot(one), one.id) for one in unable]
    for done in await provision.send([_errand(request, part, around) for part in parts], around):
        failures += [Failure(one, error, done.errand.registration.id) for one, error in done.failures.items()]
    return failures


def _unable(registered: Sequence[Registration], query: EntityQuery) -> Iterator[Registration]:
    """Sources that alone have what is to be purged, and cannot."""
    source = source_query_of(query)
    for one in registered:
        if one.mode.is_proxied and matches(one, source) and find_operation(one, _PURGING) is None:
            yield one


def _cannot(registration: Registration) -> Conflict:
    return Conflict(f"{registration.id} alone has some of what is to be purged, and purges nothing.")


def _errand(request: Request, part: Part, around: Around) -> Errand:
    """Of what the source is registered for, and of nothing else that it has."""
    pairs = list(request.parameters.pairs_without(_NARROWED))
    if part.types is not None:
        pairs.append(("type", render_types(part.types, around.context)))
    if part.ids:
        pairs.append(("id", ",".join(part.ids)))
    if part.id_pattern is not None:
        pairs.append(("idPattern", part.id_pattern))
    return Errand(part.registration, "DELETE", "/entities", tuple(pairs), None, part.ids or (part.registration.id,))


def _told_of(query: EntityQuery, registration: Registration) -> str:
    return query.ids[0] if query.ids else registration.id
