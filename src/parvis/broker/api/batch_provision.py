"""Batches that context sources take part in (NGSI-LD 1.9.1, 5.6.7 to 5.6.10, 5.6.20): each source gets one batch."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from parvis.broker.api.distribution import around_of, find_registered
from parvis.broker.api.provision import Failure, cannot, divided, entity_path, kept, names_of
from parvis.broker.api.request import Request
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.parse import ParsedEntity
from parvis.broker.model.change import Change
from parvis.broker.sources.divide import Division, Share
from parvis.broker.sources.forward import Around, LoopDetected
from parvis.broker.sources.model import Operation, Registration
from parvis.broker.sources.provide import Errand, portion, recompacted

_NOT_FORWARDED = frozenset({"local", "type"})


class BatchKind(msgspec.Struct, frozen=True):
    """`single` is the operation that a source without batches takes instead, one entity a call, below the entity's path
    or at that of all entities; `has_options`: with the options of the batch."""

    path: str
    batch: Operation
    single: Operation
    method: str = "POST"
    below: str = ""
    is_of_all: bool = False
    has_options: bool = False


CREATE: Final = BatchKind("create", Operation.CREATE_BATCH, Operation.CREATE_ENTITY, is_of_all=True)
UPSERT: Final = BatchKind("upsert", Operation.UPSERT_BATCH, Operation.REPLACE_ENTITY, "PUT")
UPSERT_BY_UPDATE: Final = BatchKind("upsert", Operation.UPSERT_BATCH, Operation.UPDATE_ENTITY, "PATCH", "/attrs")
UPDATE: Final = BatchKind("update", Operation.UPDATE_BATCH, Operation.APPEND_ATTRS, "POST", "/attrs", has_options=True)
MERGE: Final = BatchKind("merge", Operation.MERGE_BATCH, Operation.MERGE_ENTITY, "PATCH", has_options=True)
DELETE: Final = BatchKind("delete", Operation.DELETE_BATCH, Operation.DELETE_ENTITY, "DELETE")


class Item(msgspec.Struct, frozen=True):
    """One entity of a batch. `document` None: its id alone, to be deleted."""

    change: Change
    context: Context
    parsed: ParsedEntity | None = None
    document: Mapping[str, Any] | None = None


class Outward(msgspec.Struct):
    """What of a batch stays here, what became of the rest, and which entities have parts elsewhere."""

    changes: list[Change] = msgspec.field(default_factory=list)
    failures: list[Failure] = msgspec.field(default_factory=list)
    elsewhere: set[str] = msgspec.field(default_factory=set)
    created: set[str] = msgspec.field(default_factory=set)


async def send_parts(request: Request, kind: BatchKind, items: Sequence[Item]) -> Outward | None:
    """None where no source has a part in it: the batch stays as it is."""
    registered = await find_registered(request)
    provision = request.broker.sources.provision
    if not registered or provision is None or not items:
        return None
    around = await around_of(request, items[0].context)
    operations = [kind.batch, kind.single]
    outward = Outward()
    parts: list[tuple[Item, Share]] = []
    for item in items:
        try:
            division = await _divided(request, around, registered, item, operations)
        except LoopDetected as error:
            outward.failures.append(Failure(item.change.entity_id, error))
            continue
        _keep_here(outward, item, division)
        parts += [(item, share) for share in division.shares]
    if not parts and not outward.failures:
        return None
    _note_unable(outward, parts)
    for done in await provision.send(_errands(request, kind, parts, around), around):
        outward.elsewhere.update(done.errand.entity_ids)
        outward.created.update(done.created)
        outward.failures += [Failure(one, error, done.errand.registration.id) for one, error in done.failures.items()]
    return outward


async def _divided(
    request: Request,
    around: Around,
    registered: Sequence[Registration],
    item: Item,
    operations: Sequence[Operation],
) -> Division:
    types = item.change.types
    if types is None:
        held = await request.broker.find(request.caller, item.change.entity_id)
        types = None if held is None else held.types
    names = () if item.parsed is None else names_of(item.parsed)
    return divided(around, registered, item.change.entity_id, types, names, operations)


def _keep_here(outward: Outward, item: Item, division: Division) -> None:
    if division.is_elsewhere:
        return
    if item.parsed is None:
        outward.changes.append(item.change)
        return
    ours = kept(item.parsed, division.left or None)
    change = msgspec.structs.replace(item.change, instances=ours.instances, removals=ours.removals)
    outward.changes.append(change)


def _note_unable(outward: Outward, parts: Sequence[tuple[Item, Share]]) -> None:
    for item, share in parts:
        if share.operation is None:
            outward.failures.append(Failure(item.change.entity_id, cannot(share), share.registration.id))


def _errands(request: Request, kind: BatchKind, parts: Sequence[tuple[Item, Share]], around: Around) -> list[Errand]:
    query = request.parameters.pairs_without(_NOT_FORWARDED)
    together: dict[str, list[tuple[Item, Share]]] = {}
    errands = []
    for item, share in parts:
        if share.operation is kind.batch:
            together.setdefault(share.registration.id, []).append((item, share))
        elif share.operation is not None:
            errands.append(_single(kind, item, share, query, around.context))
    for some in together.values():
        documents = [_document(item, share, around.context) for item, share in some]
        ids = tuple(dict.fromkeys(item.change.entity_id for item, _ in some))
        path = f"/entityOperations/{kind.path}"
        errands.append(Errand(some[0][1].registration, "POST", path, query, documents, ids))
    return errands


def _single(kind: BatchKind, item: Item, share: Share, query: tuple[tuple[str, str], ...], context: Context) -> Errand:
    entity_id = item.change.entity_id
    path = "/entities" if kind.is_of_all else f"{entity_path(entity_id)}{kind.below}"
    query = query if kind.has_options else ()
    document = None if item.document is None else _document(item, share, context)
    return Errand(share.registration, kind.method, path, query, document, (entity_id,))


def _document(item: Item, share: Share, context: Context) -> Any:
    """In the names of the first entity of the batch, which one header can name for all."""
    if item.document is None:
        return item.change.entity_id
    return recompacted(portion(item.document, share.attrs, item.context), item.context, context)
