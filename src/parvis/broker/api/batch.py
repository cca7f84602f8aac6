"""Batch operations (NGSI-LD 1.9.1, 5.6.7 to 5.6.10, 5.6.20 and 6.14 to 6.18).

One entity that cannot be read or written costs only itself: the answer is then 207.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from parvis.broker.api.batch_provision import (
    CREATE,
    DELETE,
    MERGE,
    UPDATE,
    UPSERT,
    UPSERT_BY_UPDATE,
    BatchKind,
    Item,
    Outward,
    send_parts,
)
from parvis.broker.api.provision import Failure
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, json_response
from parvis.broker.api.writing import OVERWRITE_OPTIONS, change_of, merge_reading
from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import decode_batch, parse_entity
from parvis.broker.model.change import Change, Mode, Outcome, Status
from parvis.kernel.errors import AlreadyExists, ParvisError

UPSERT_OPTIONS = frozenset({"replace", "update"})
_TURN = 256
"""Documents read before other requests get their turn."""


class _Batch(msgspec.Struct):
    items: list[Item] = msgspec.field(default_factory=list)
    errors: list[tuple[str, ParvisError]] = msgspec.field(default_factory=list)


async def create_entities(request: Request) -> Response:
    """Batch entity creation (5.6.7)."""
    return await _write(request, CREATE, await _read(request, Mode.CREATE, ENTITY))


async def upsert_entities(request: Request) -> Response:
    """Batch entity upsert (5.6.8)."""
    options = request.parameters.options(UPSERT_OPTIONS)
    is_update = "update" in options
    mode = Mode.UPSERT_UPDATE if is_update else Mode.UPSERT_REPLACE
    kind = UPSERT_BY_UPDATE if is_update else UPSERT
    return await _write(request, kind, await _read(request, mode, ENTITY))


async def update_entities(request: Request) -> Response:
    """Batch entity update (5.6.9)."""
    options = request.parameters.options(OVERWRITE_OPTIONS)
    mode = Mode.UPDATE_NEW if "noOverwrite" in options else Mode.APPEND
    return await _write(request, UPDATE, await _read(request, mode, FRAGMENT))


async def merge_entities(request: Request) -> Response:
    """Batch entity merge (5.6.20)."""
    return await _write(request, MERGE, await _read(request, Mode.MERGE, merge_reading(request.parameters)))


async def delete_entities(request: Request) -> Response:
    """Batch entity delete (5.6.10)."""
    items = decode_batch(await request.body(), str)
    batch, context = _Batch(), await request.shared_context() or await request.link_context()
    for entity_id in items:
        try:
            batch.items.append(Item(Change(check_uri(entity_id, "An entity id"), Mode.DELETE), context))
        except ParvisError as error:
            batch.errors.append((str(entity_id), error))
    return await _write(request, DELETE, batch)


async def _read(request: Request, mode: Mode, reading: Reading) -> _Batch:
    documents = iter(decode_batch(await request.body()))
    shared = await request.shared_context()
    batch = _Batch()
    while turn := list(islice(documents, _TURN)):
        for document in turn:
            try:
                context = await _context_of(request, document, shared)
                parsed = parse_entity(document, context, reading)
                batch.items.append(Item(change_of(parsed, mode), context, parsed, document))
            except ParvisError as error:
                batch.errors.append((_name_of(document), error))
        await asyncio.sleep(0)
    return batch


async def _context_of(request: Request, document: dict[str, Any], shared: Context | None) -> Context:
    if shared is not None and "@context" not in document:
        return shared
    return await request.context_of(document)


def _name_of(document: dict[str, Any]) -> str:
    return str(document.get("id", ""))


async def _write(request: Request, kind: BatchKind, batch: _Batch) -> Response:
    if batch.items:
        await request.begin()
    outward = await send_parts(request, kind, batch.items)
    if outward is not None:
        return await _write_parts(request, batch, outward)
    outcomes = await request.broker.write(request.caller, [item.change for item in batch.items])
    failed = [(one.entity_id, error) for one in outcomes if (error := _error_of(one)) is not None]
    if batch.errors or failed:
        return _partial(outcomes, [*batch.errors, *failed])
    new = list(dict.fromkeys(outcome.entity_id for outcome in outcomes if outcome.status is Status.CREATED))
    return json_response(new, status=201) if new else NO_CONTENT


async def _write_parts(request: Request, batch: _Batch, outward: Outward) -> Response:
    """What stays here, told together with what went elsewhere."""
    outcomes = await request.broker.write(request.caller, outward.changes)
    failures = [Failure(entity_id, error) for entity_id, error in batch.errors] + outward.failures
    failures += [Failure(one.entity_id, error) for one in outcomes if (error := _error_of(one)) is not None]
    done = dict.fromkeys(item.change.entity_id for item in batch.items)
    if failures:
        failed = {one.entity_id for one in failures}
        success = [one for one in done if one not in failed]
        return json_response({"success": success, "errors": [one.document() for one in failures]}, status=207)
    made = outward.created | {one.entity_id for one in outcomes if one.status is Status.CREATED}
    return json_response([one for one in done if one in made], status=201) if made else NO_CONTENT


def _error_of(outcome: Outcome) -> ParvisError | None:
    """An entity of which something was left alone is none of those that were updated (5.6.9.4)."""
    if outcome.error is None and outcome.ignored:
        return AlreadyExists(f"These attributes were there, and stay as they are: {', '.join(outcome.ignored)}.")
    return outcome.error


def _partial(outcomes: Sequence[Outcome], errors: Sequence[tuple[str, ParvisError]]) -> Response:
    """A BatchOperationResult (5.2.16)."""
    success = dict.fromkeys(outcome.entity_id for outcome in outcomes if _error_of(outcome) is None)
    result = {
        "success": list(success),
        "errors": [Failure(entity_id, error).document() for entity_id, error in errors],
    }
    return json_response(result, status=207)
