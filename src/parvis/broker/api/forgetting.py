"""Taking back and putting right temporal evolutions (NGSI-LD 1.9.1, 5.6.13 to 5.6.16 and 6.19 to 6.22).

What is taken back leaves the present as it is; what is put right is put right in the present that shows it.
"""

import re
from typing import Any

from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response
from parvis.broker.api.writing import dataset_to_delete
from parvis.broker.jsonld.attribute import PATCH
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import ParsedEntity, parse_attribute, parse_fragment
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.parse import slices
from parvis.kernel.errors import BadRequestData, ResourceNotFound

_INSTANCE = re.compile(r"urn:ngsi-ld:Instance:(\d{1,18})")


async def delete_entity(request: Request) -> Response:
    """Delete temporal evolution of an entity (5.6.16)."""
    [entity_id] = request.args
    await request.broker.erase(request.caller, Erasure(check_uri(entity_id, "An entity id")))
    return NO_CONTENT


async def delete_attribute(request: Request) -> Response:
    """Delete attribute from temporal evolution (5.6.13): the default instance, that of `datasetId`, or all."""
    entity_id, name = request.args
    context = await request.link_context()
    erasure = Erasure(check_uri(entity_id, "An entity id"), context.expand(name), dataset_to_delete(request))
    await request.broker.erase(request.caller, erasure)
    return NO_CONTENT


async def modify_instance(request: Request) -> Response:
    """Modify attribute instance in temporal evolution (5.6.14). Its instanceId stays."""
    entity_id, name, instance_id = request.args
    number = _number(instance_id)
    document, context = await request.document()
    parsed = _one_instance(document, check_uri(entity_id, "An entity id"), name, context)
    correction = Correction(entity_id, number, parsed.instances[0], parsed.is_kind_open)
    await request.broker.correct(request.caller, correction)
    return NO_CONTENT


def _one_instance(document: dict[str, Any], entity_id: str, name: str, context: Context) -> ParsedEntity:
    """Of an attribute fragment, or of {name: instance} or {name: [instance]}. Raises BadRequestData."""
    if name not in document and document.keys() - {"@context"}:
        parsed = parse_attribute(name, document, entity_id, context)
        if parsed.removals:
            raise BadRequestData("To take an instance back, delete it.")
        return parsed
    first, *others = slices(document)
    parsed = parse_fragment(first, entity_id, context, PATCH)
    attribute = context.expand(name)
    if others or parsed.removals or [one.name for one in parsed.instances] != [attribute]:
        raise BadRequestData(f'The body is {{"{name}": [...]}} with the one instance as it is to be, and nothing else.')
    return parsed


async def delete_instance(request: Request) -> Response:
    """Delete attribute instance from temporal evolution (5.6.15)."""
    entity_id, name, instance_id = request.args
    context = await request.link_context()
    erasure = Erasure(check_uri(entity_id, "An entity id"), context.expand(name), seq=_number(instance_id))
    await request.broker.erase(request.caller, erasure)
    return NO_CONTENT


def _number(instance_id: str) -> int:
    """Of an instanceId of ours. Raises ResourceNotFound for another URI, BadRequestData for what is none."""
    found = _INSTANCE.fullmatch(check_uri(instance_id, "An instance id"))
    if found is None:
        raise ResourceNotFound(f"There is no instance {instance_id}.")
    return int(found[1])
