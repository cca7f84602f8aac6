"""From what was read of a request to changes, and from outcomes to the answer."""

from collections.abc import Collection, Iterable, Sequence
from urllib.parse import quote

import msgspec

from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, created, json_response
from parvis.broker.jsonld.attribute import MERGE, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import ParsedEntity
from parvis.broker.model.change import Change, Mode, Outcome
from parvis.broker.model.entity import Entity, Iri
from parvis.broker.query.parse import parse_types
from parvis.broker.query.selection import types_hold
from parvis.kernel.errors import BadRequestData, ResourceNotFound

OVERWRITE_OPTIONS = frozenset({"noOverwrite"})
PATCH_OPTIONS = frozenset({"normalized", "concise", "simplified", "keyValues"})
SIMPLIFIED = frozenset({"simplified", "keyValues"})
_SIMPLIFIED_MERGE = msgspec.structs.replace(MERGE, simplified=True)


async def apply(request: Request, change: Change, context: Context) -> Outcome:
    """Write one change. Raises what made it fail."""
    [outcome] = await apply_all(request, [change], context)
    return outcome


async def apply_all(request: Request, changes: Sequence[Change], context: Context) -> list[Outcome]:
    """Write changes of one entity, which is of the `type` that the URL may name. Raises what made the first fail."""
    if "type" in request.parameters:
        await find_typed(request, changes[0].entity_id, context)
    outcomes = await request.broker.write(request.caller, changes)
    if outcomes[0].error is not None:
        raise outcomes[0].error
    return outcomes


async def find_typed(request: Request, entity_id: str, context: Context) -> Entity:
    """The entity, if it is of the `type` that the URL may name: else it is not the target (5.6, 5.7.1.4)."""
    entity = await request.broker.get(request.caller, entity_id)
    check_types(request, entity.types, context)
    return entity


def check_types(request: Request, types: Collection[Iri], context: Context) -> None:
    asked = request.parameters.text("type")
    if asked is not None and not types_hold(parse_types(asked, context), types):
        raise ResourceNotFound(f"There is no entity {request.args[0]} of type {asked}.")


def change_of(parsed: ParsedEntity, mode: Mode) -> Change:
    return Change(
        parsed.id,
        mode,
        parsed.instances,
        parsed.types,
        parsed.scopes,
        parsed.removals,
        expected_kind_open=parsed.is_kind_open,
        expires_at=parsed.expires_at,
    )


def merge_reading(parameters: Parameters) -> Reading:
    """How the body of a merge is meant (NGSI-LD 1.9.1, 6.3.7)."""
    if "options" not in parameters and "format" not in parameters:
        return MERGE
    return MERGE if SIMPLIFIED.isdisjoint(parameters.options(PATCH_OPTIONS)) else _SIMPLIFIED_MERGE


def dataset_to_delete(request: Request) -> str | None:
    """Which instance of an attribute: "" for the default one, None for every one."""
    dataset = request.parameters.text("datasetId")
    if not request.parameters.flag("deleteAll"):
        return "" if dataset is None else check_uri(dataset, "datasetId")
    if dataset is not None:
        raise BadRequestData("deleteAll and datasetId exclude each other.")
    return None


def entity_created(request: Request, entity_id: str, collection: str = "entities") -> Response:
    return created(f"{request.base}/{collection}/{quote(entity_id, safe=':')}")


def update_result(given: Iterable[Iri], ignored: Collection[Iri], reason: str) -> Response:
    """204, or 207 with an UpdateResult where attributes were left alone (5.2.18); names are IRIs there (6.3.6)."""
    if not ignored:
        return NO_CONTENT
    updated = dict.fromkeys(name for name in given if name not in ignored)
    result = {
        "updated": list(updated),
        "notUpdated": [{"attributeName": name, "reason": reason} for name in ignored],
    }
    return json_response(result, status=207)
