"""From what was read of a request to changes, and from outcomes to the answer."""

from collections.abc import Collection, Iterable
from urllib.parse import quote

from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, created, json_response
from parvis.broker.jsonld.attribute import PATCH, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.parse import ParsedEntity
from parvis.broker.model.change import Change, Mode, Outcome
from parvis.broker.model.entity import Iri

OVERWRITE_OPTIONS = frozenset({"noOverwrite"})
PATCH_OPTIONS = frozenset({"normalized", "concise", "simplified", "keyValues"})
SIMPLIFIED = frozenset({"simplified", "keyValues"})
_SIMPLIFIED_PATCH = Reading(simplified=True, partial=True, patch=True)


async def apply(request: Request, change: Change) -> Outcome:
    """Write one change. Raises what made it fail."""
    [outcome] = await request.broker.write(request.caller, [change])
    if outcome.error is not None:
        raise outcome.error
    return outcome


def change_of(parsed: ParsedEntity, mode: Mode) -> Change:
    return Change(
        parsed.id,
        mode,
        parsed.instances,
        parsed.types,
        parsed.scopes,
        parsed.removals,
        expected_kind_open=parsed.is_kind_open,
    )


def patch_reading(parameters: Parameters) -> Reading:
    """How the body of a patch or merge is meant (NGSI-LD 1.9.1, 6.3.7)."""
    if "options" not in parameters and "format" not in parameters:
        return PATCH
    return PATCH if SIMPLIFIED.isdisjoint(parameters.options(PATCH_OPTIONS)) else _SIMPLIFIED_PATCH


def entity_created(request: Request, entity_id: str, collection: str = "entities") -> Response:
    return created(f"{request.base}/{collection}/{quote(entity_id, safe=':')}")


def update_result(given: Iterable[Iri], ignored: Collection[Iri], context: Context, reason: str) -> Response:
    """204, or 207 with an UpdateResult where attributes were left alone (5.2.18)."""
    if not ignored:
        return NO_CONTENT
    updated = dict.fromkeys(name for name in given if name not in ignored)
    result = {
        "updated": [context.compact(name) for name in updated],
        "notUpdated": [{"attributeName": context.compact(name), "reason": reason} for name in ignored],
    }
    return json_response(result, status=207)
