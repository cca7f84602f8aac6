"""Attributes of one entity (NGSI-LD 1.9.1, 5.6.2 to 5.6.5, 5.6.19, 6.6 and 6.7)."""

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from parvis.broker.api.provision import Undertaking, entity_path, everywhere, kept, names_of
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response
from parvis.broker.api.writing import (
    OVERWRITE_OPTIONS,
    apply,
    apply_all,
    change_of,
    dataset_to_delete,
    merge_reading,
    update_result,
)
from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT, PATCH
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import ParsedEntity, parse_attribute, parse_fragment
from parvis.broker.model.change import ALL_DATASETS, Change, Mode
from parvis.broker.model.entity import SCOPE, Iri
from parvis.broker.sources.model import Operation
from parvis.kernel.errors import BadRequestData


async def append_attributes(request: Request) -> Response:
    """Append attributes (5.6.3)."""
    [entity_id] = request.args
    keep = "noOverwrite" in request.parameters.options(OVERWRITE_OPTIONS)
    document, context = await request.document()
    parsed = parse_fragment(document, entity_id, context, FRAGMENT)

    async def here(left: tuple[Iri, ...] | None) -> Response:
        ours = kept(parsed, left)
        outcome = await apply(request, change_of(ours, Mode.APPEND_NEW if keep else Mode.APPEND), context)
        given = [one.name for one in ours.instances]
        return update_result(given, outcome.ignored, "The attribute exists already.")

    names, path = names_of(parsed), f"{entity_path(entity_id)}/attrs"
    undertaking = Undertaking(
        Operation.APPEND_ATTRS, entity_id, "POST", path, None, names, document, tells_attributes=True
    )
    return await everywhere(request, context, undertaking, here)


async def update_attributes(request: Request) -> Response:
    """Update attributes (5.6.2): overwrite or append what is given, delete what is "urn:ngsi-ld:null"."""
    [entity_id] = request.args
    document, context = await request.document()
    parsed = parse_fragment(document, entity_id, context, PATCH)
    _check_values(parsed)

    async def here(left: tuple[Iri, ...] | None) -> Response:
        ours = kept(parsed, left)
        mode = Mode.APPEND if ours.scopes is None else Mode.UPDATE
        deletions = [Change(entity_id, Mode.DELETE_ATTRIBUTE, removals=(one,)) for one in ours.removals]
        changes = [change_of(replace(ours, removals=()), mode), *deletions]
        updated, *deleted = await apply_all(request, changes, context)
        missing = [name for (name, _), one in zip(ours.removals, deleted, strict=True) if one.error is not None]
        missing += updated.ignored
        given = [one.name for one in ours.instances] + [name for name, _ in ours.removals]
        return update_result(given, missing, "The entity has no such attribute.")

    names, path = names_of(parsed), f"{entity_path(entity_id)}/attrs"
    undertaking = Undertaking(
        Operation.UPDATE_ENTITY, entity_id, "PATCH", path, None, names, document, tells_attributes=True
    )
    return await everywhere(request, context, undertaking, here)


def _check_values(parsed: ParsedEntity) -> None:
    """An update replaces: unlike a partial update, it takes whole attributes."""
    missing = next((one.name for one in parsed.instances if one.value is UNSET), None)
    if missing is not None:
        raise BadRequestData(f"The attribute {missing} needs a value.")


async def patch_attribute(request: Request) -> Response:
    """Partial attribute update (5.6.4). A value of "urn:ngsi-ld:null" deletes that instance."""
    entity_id, name = request.args
    document, context = await request.document()
    _refuse_scope(name, context)
    reading = msgspec.structs.replace(merge_reading(request.parameters), merge=False)
    parsed = parse_attribute(name, document, entity_id, context, reading)
    mode = Mode.PATCH_ATTRIBUTE if parsed.instances else Mode.DELETE_ATTRIBUTE
    return await _change_one(request, context, change_of(parsed, mode), Operation.UPDATE_ATTRS, "PATCH", document)


async def replace_attribute(request: Request) -> Response:
    """Replace attribute (5.6.19)."""
    entity_id, name = request.args
    document, context = await request.document()
    _refuse_scope(name, context)
    parsed = parse_attribute(name, document, entity_id, context, ENTITY)
    change = change_of(parsed, Mode.REPLACE_ATTRIBUTE)
    return await _change_one(request, context, change, Operation.REPLACE_ATTRS, "PUT", document)


async def delete_attribute(request: Request) -> Response:
    """Delete attribute (5.6.5): the default instance, the one of `datasetId`, or with `deleteAll` every one."""
    entity_id, name = request.args
    context = await request.link_context()
    dataset = dataset_to_delete(request)
    removal = (context.expand(name), ALL_DATASETS if dataset is None else dataset)
    change = Change(check_uri(entity_id, "An entity id"), Mode.DELETE_ATTRIBUTE, removals=(removal,))
    if _is_scope(name, context):
        change = Change(entity_id, Mode.DELETE_ATTRIBUTE, scopes=())
    return await _change_one(request, context, change, Operation.DELETE_ATTRS, "DELETE", None)


def _is_scope(name: str, context: Context) -> bool:
    return context.expand(name) == SCOPE


def _refuse_scope(name: str, context: Context) -> None:
    if _is_scope(name, context):
        raise BadRequestData("The scope is no attribute instance: send it to /attrs, or to the entity as a whole.")


async def _change_one(
    request: Request, context: Context, change: Change, operation: Operation, method: str, document: Any
) -> Response:
    """A change of the one attribute that the path names."""
    entity_id, name = request.args

    async def here(_: tuple[Iri, ...] | None) -> Response:
        await apply(request, change, context)
        return NO_CONTENT

    path = f"{entity_path(entity_id)}/attrs/{quote(name, safe=':')}"
    names = (context.expand(name),)
    undertaking = Undertaking(operation, entity_id, method, path, None, names, document, is_of_entity=False)
    return await everywhere(request, context, undertaking, here)
