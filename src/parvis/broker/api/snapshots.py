"""Snapshots over HTTP (NGSI-LD 1.9.1, 5.16, 6.3.22, 6.36 to 6.38)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from parvis.broker.api.media import Media
from parvis.broker.api.parameters import NO_PARAMETERS, Parameters, read_lifetime
from parvis.broker.api.query_body import query_parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, created, document_response
from parvis.broker.api.selection import Prepared, prepare
from parvis.broker.api.whole_query import find_everything
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.ports.store import EntityPage
from parvis.broker.query.evaluate import holds
from parvis.broker.query.parse import parse_q
from parvis.broker.query.tree import EntityQuery
from parvis.broker.rights import check_everywhere
from parvis.broker.snapshots import Frozen, Snapshot, SnapshotStatus, bounded
from parvis.broker.sources.discovery import attributes_of
from parvis.kernel.errors import BadRequestData, OperationNotSupported, ParvisError
from parvis.kernel.identity import Right
from parvis.kernel.time import format_instant

SNAPSHOT_HEADER: Final = b"ngsild-snapshot"
MOST_QUERIES: Final = 16
_log = logging.getLogger(__name__)
_Priority = Annotated[int, msgspec.Meta(ge=0, le=10)]
_NOT_DONE = ("snapshotTemporalQueries", "endpoint", "receiverInfo")


class SnapshotBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a Snapshot (5.2.41) a client says."""

    type: Literal["Snapshot"]
    snapshotQueries: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1, max_length=MOST_QUERIES)]  # noqa: N815
    id: str | None = None
    snapshotPriority: _Priority = 5  # noqa: N815
    snapshotLifetime: str | None = None  # noqa: N815
    context: Any = msgspec.field(default=None, name="@context")


class CloneBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["Snapshot"]
    id: str | None = None
    snapshotPriority: _Priority | None = None  # noqa: N815
    snapshotLifetime: str | None = None  # noqa: N815
    context: Any = msgspec.field(default=None, name="@context")


class SnapshotChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    snapshotPriority: _Priority | None = None  # noqa: N815
    snapshotLifetime: str | None = None  # noqa: N815
    context: Any = msgspec.field(default=None, name="@context")


class _Asked(msgspec.Struct, frozen=True):
    parameters: Parameters
    prepared: Prepared


async def create_snapshot(request: Request) -> Response:
    """Create snapshot (5.16.1): its queries are carried out in the background."""
    check_everywhere(request.caller, Right.WRITE)
    document, context = await request.document()
    _refuse_what_is_not_done(document)
    body = _read(document, SnapshotBody)
    asked = [_asked(one, context) for one in body.snapshotQueries]
    snapshots, tenant = request.broker.snapshots, request.caller.tenant
    made = snapshots.new(
        body.snapshotQueries,
        _id(body.id),
        body.snapshotPriority,
        read_lifetime(body.snapshotLifetime, "snapshotLifetime"),
    )
    await snapshots.add(tenant, made)
    snapshots.start(_fill(request, made, asked, context))
    return created(_location(request, made))


async def clone_snapshot(request: Request) -> Response:
    """Clone snapshot (5.16.2)."""
    check_everywhere(request.caller, Right.WRITE)
    snapshots, tenant = request.broker.snapshots, request.caller.tenant
    original = await _asked_for(request)
    document, _ = await request.document()
    body = _read(document, CloneBody)
    priority = original.priority if body.snapshotPriority is None else body.snapshotPriority
    made = snapshots.new(
        original.queries, _id(body.id), priority, read_lifetime(body.snapshotLifetime, "snapshotLifetime")
    )
    made = replace(made, status=original.status, results=original.results)
    if original.status is SnapshotStatus.PREPARING:
        raise OperationNotSupported("The snapshot is still being prepared: clone it when it is there.")
    await snapshots.add(tenant, made)
    await snapshots.keep(tenant, await snapshots.fill(tenant, made, await snapshots.entities(tenant, original)))
    return created(_location(request, made))


async def retrieve_snapshot(request: Request) -> Response:
    """Retrieve snapshot status (5.16.3)."""
    media, context = request.accepted(), await request.link_context()
    return document_response(_document(await _asked_for(request)), media, context)


async def update_snapshot(request: Request) -> Response:
    """Update snapshot status (5.16.4): what the broker found, and what it was asked, stays as it is."""
    check_everywhere(request.caller, Right.WRITE)
    media = request.accepted()
    known = await _asked_for(request)
    document, context = await request.document()
    change = _read(document, SnapshotChange)
    if change.snapshotPriority is not None:
        known = replace(known, priority=change.snapshotPriority)
    if change.snapshotLifetime is not None:
        known = replace(
            known, expires_at=known.created_at + bounded(read_lifetime(change.snapshotLifetime, "snapshotLifetime"))
        )
    await request.broker.snapshots.keep(request.caller.tenant, known)
    return document_response(_document(known), media, context)


async def delete_snapshot(request: Request) -> Response:
    """Delete snapshot (5.16.5)."""
    check_everywhere(request.caller, Right.WRITE)
    await request.broker.snapshots.drop(request.caller.tenant, await _asked_for(request))
    return NO_CONTENT


async def purge_snapshots(request: Request) -> Response:
    """Purge snapshots (5.16.7): those whose members `q` holds for."""
    check_everywhere(request.caller, Right.WRITE)
    text, context = request.parameters.text("q"), request.broker.contexts.core
    if text is None:
        raise BadRequestData("A purge says which snapshots, with q over their members.")
    condition, members = parse_q(text, context), {context.expand(name): name for name in _MEMBERS}
    if not set(attributes_of(condition)) <= members.keys():
        raise BadRequestData(f"The q of a purge speaks of members of snapshots: {', '.join(_MEMBERS)}.")
    snapshots, tenant = request.broker.snapshots, request.caller.tenant
    for one in await snapshots.list_all(tenant):
        if holds(condition, _as_entity(one, members)):
            await snapshots.drop(tenant, one)
    return NO_CONTENT


class Opened:
    """A snapshot that a request reads in, as its caller may."""

    def __init__(self, request: Request, snapshot: Snapshot, frozen: Frozen) -> None:
        self._request = request
        self._frozen = frozen
        self.header = (SNAPSHOT_HEADER, snapshot.id.encode())

    def find(self, entity_id: str) -> Entity | None:
        found = self._frozen.find(entity_id)
        return None if found is None else self._request.broker.shown(self._request.caller, found)

    async def query(self, query: EntityQuery) -> EntityPage:
        """Raises Forbidden."""
        sight = self._request.broker.sight(self._request.caller)
        return await self._frozen.query(sight.entities(query), sight.shown)


async def open_snapshot(request: Request) -> Opened:
    """The snapshot that the header names (6.3.22): what it was asked for is told by what is in it.

    Raises ResourceNotFound, and Forbidden for who reads a part only.
    """
    check_everywhere(request.caller, Right.READ)
    tenant = request.caller.tenant
    snapshot = await request.broker.snapshots.get(tenant, request.headers[SNAPSHOT_HEADER].decode("latin-1"))
    return Opened(request, snapshot, await request.broker.snapshots.open(tenant, snapshot))


async def _fill(request: Request, made: Snapshot, asked: Sequence[_Asked], context: Context) -> None:
    snapshots, tenant = request.broker.snapshots, request.caller.tenant
    found: dict[str, Entity] = {}
    results = [await _find(request, one, context, found) for one in asked]
    try:
        filled = await snapshots.fill(tenant, made, list(found.values()))
        if await snapshots.find(tenant, made.id) is not None:
            await snapshots.keep(tenant, replace(filled, status=_together(results), results=results))
    except ParvisError as failure:
        _log.warning("a snapshot could not be kept: %s", failure)
        await snapshots.keep(tenant, replace(made, status=SnapshotStatus.FAILURE, results=results))


async def _find(request: Request, asked: _Asked, context: Context, found: dict[str, Entity]) -> SnapshotStatus:
    try:
        whole = await find_everything(request, asked.parameters, asked.prepared, context, Media.JSON_LD)
    except ParvisError as failure:
        _log.warning("a query of a snapshot failed: %s", failure)
        return SnapshotStatus.FAILURE
    found.update((one.id, one) for one in whole.entities)
    return SnapshotStatus.SUCCESS if whole.entities else SnapshotStatus.EMPTY


def _together(results: Sequence[SnapshotStatus]) -> SnapshotStatus:
    """Partial where some queries have found something and others have not (5.16.1.4)."""
    kinds = set(results)
    if SnapshotStatus.SUCCESS in kinds:
        return SnapshotStatus.SUCCESS if len(kinds) == 1 else SnapshotStatus.PARTIAL
    return SnapshotStatus.EMPTY if SnapshotStatus.EMPTY in kinds else SnapshotStatus.FAILURE


def _asked(document: dict[str, Any], context: Context) -> _Asked:
    parameters = query_parameters(document, NO_PARAMETERS)
    return _Asked(parameters, prepare(parameters, context))


async def _asked_for(request: Request) -> Snapshot:
    check_everywhere(request.caller, Right.READ)
    return await request.broker.snapshots.get(request.caller.tenant, check_uri(request.args[0], "A snapshot's id"))


_Body = TypeVar("_Body", SnapshotBody, CloneBody, SnapshotChange)


def _read(document: dict[str, Any], kind: type[_Body]) -> _Body:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"The body is no Snapshot as it is wanted here: {error}.") from None


def _refuse_what_is_not_done(document: Mapping[str, Any]) -> None:
    for member in _NOT_DONE:
        if member in document:
            raise OperationNotSupported(f"Snapshots know no {member} here.")


def _id(given: str | None) -> str | None:
    return None if given is None else check_uri(given, "A snapshot's id")


def _location(request: Request, snapshot: Snapshot) -> str:
    return f"{request.base}/snapshots/{quote(snapshot.id, safe=':')}"


def _document(snapshot: Snapshot) -> dict[str, Any]:
    """As 5.2.41 has it."""
    details = [{"resultStatus": one.value} for one in snapshot.results]
    return {
        "id": snapshot.id,
        "type": "Snapshot",
        "snapshotStatus": snapshot.status.value,
        "snapshotQueries": list(snapshot.queries),
        **({"snapshotQueriesDetails": details} if details else {}),
        "snapshotPriority": snapshot.priority,
        "createdAt": format_instant(snapshot.created_at),
        "expiresAt": format_instant(snapshot.expires_at),
        "lastUsedAt": format_instant(snapshot.last_used_at),
    }


_MEMBERS = ("snapshotStatus", "snapshotPriority", "createdAt", "expiresAt", "lastUsedAt")


def _as_entity(snapshot: Snapshot, members: Mapping[str, str]) -> Entity:
    told = _document(snapshot)
    instances = tuple(Instance(iri, Kind.PROPERTY, told[name]) for iri, name in members.items())
    return Entity(snapshot.id, ("Snapshot",), instances, (), snapshot.created_at, snapshot.last_used_at)
