"""Batch operations (NGSI-LD 1.9.1, 5.6.7 to 5.6.10, 5.6.20 and 6.14 to 6.18).

One entity that cannot be read or written costs only itself: the answer is then 207.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from parvis.broker.api.media import Media
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, json_response
from parvis.broker.api.writing import OVERWRITE_OPTIONS, change_of, patch_reading
from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import decode_batch, parse_entity
from parvis.broker.model.change import Change, Mode, Outcome, Status
from parvis.kernel.errors import BadRequestData, ParvisError

UPSERT_OPTIONS = frozenset({"replace", "update"})
_TURN = 256
"""Documents read before other requests get their turn."""


class _Batch(msgspec.Struct):
    changes: list[Change] = msgspec.field(default_factory=list)
    errors: list[tuple[str, ParvisError]] = msgspec.field(default_factory=list)


async def create_entities(request: Request) -> Response:
    """Batch entity creation (5.6.7)."""
    return await _write(request, await _read(request, Mode.CREATE, ENTITY))


async def upsert_entities(request: Request) -> Response:
    """Batch entity upsert (5.6.8)."""
    options = request.parameters.options(UPSERT_OPTIONS)
    mode = Mode.UPSERT_UPDATE if "update" in options else Mode.UPSERT_REPLACE
    return await _write(request, await _read(request, mode, ENTITY))


async def update_entities(request: Request) -> Response:
    """Batch entity update (5.6.9)."""
    options = request.parameters.options(OVERWRITE_OPTIONS)
    mode = Mode.UPDATE_NEW if "noOverwrite" in options else Mode.APPEND
    return await _write(request, await _read(request, mode, FRAGMENT))


async def merge_entities(request: Request) -> Response:
    """Batch entity merge (5.6.20)."""
    return await _write(request, await _read(request, Mode.MERGE, patch_reading(request.parameters)))


async def delete_entities(request: Request) -> Response:
    """Batch entity delete (5.6.10)."""
    batch = _Batch()
    for entity_id in decode_batch(await request.body()):
        try:
            batch.changes.append(Change(check_uri(entity_id, "An entity id"), Mode.DELETE))
        except ParvisError as error:
            batch.errors.append((str(entity_id), error))
    return await _write(request, batch)


async def _read(request: Request, mode: Mode, reading: Reading) -> _Batch:
    documents = iter(decode_batch(await request.body()))
    shared = None if request.content_media is Media.JSON_LD else await request.link_context()
    batch = _Batch()
    while turn := list(islice(documents, _TURN)):
        for document in turn:
            try:
                context = await _context_of(request, document, shared)
                batch.changes.append(change_of(parse_entity(document, context, reading), mode))
            except ParvisError as error:
                batch.errors.append((_name_of(document), error))
        await asyncio.sleep(0)
    return batch


async def _context_of(request: Request, document: Any, shared: Context | None) -> Context:
    if not isinstance(document, dict):
        raise BadRequestData("Every member of a batch is to be a JSON object.")
    if shared is not None and "@context" not in document:
        return shared
    return await request.context_of(document)


def _name_of(document: Any) -> str:
    return str(document.get("id", "")) if isinstance(document, dict) else ""


async def _write(request: Request, batch: _Batch) -> Response:
    outcomes = await request.broker.write(request.caller, batch.changes)
    failed = [(outcome.entity_id, outcome.error) for outcome in outcomes if outcome.error is not None]
    if batch.errors or failed:
        return _partial(outcomes, [*batch.errors, *failed])
    new = list(dict.fromkeys(outcome.entity_id for outcome in outcomes if outcome.status is Status.CREATED))
    return json_response(new, status=201) if new else NO_CONTENT


def _partial(outcomes: Sequence[Outcome], errors: Sequence[tuple[str, ParvisError]]) -> Response:
    """A BatchOperationResult (5.2.16)."""
    success = dict.fromkeys(outcome.entity_id for outcome in outcomes if outcome.error is None)
    result = {
        "success": list(success),
        "errors": [{"entityId": entity_id, "error": error.problem()} for entity_id, error in errors],
    }
    return json_response(result, status=207)
