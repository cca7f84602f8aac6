"""Taking back and putting right temporal evolutions (NGSI-LD 1.9.1, 5.6.13 to 5.6.16 and 6.19 to 6.22).

What is taken back leaves the present as it is; what is put right is put right in the present that shows it.
"""

import re
from functools import partial
from typing import Any
from urllib.parse import quote

from parvis.broker.api.provision import PAST_PATH, Undertaking, everywhere, past_path
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response
from parvis.broker.api.writing import dataset_to_delete
from parvis.broker.jsonld.attribute import PATCH
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import ParsedEntity, parse_attribute, parse_fragment
from parvis.broker.model.entity import Iri
from parvis.broker.sources.model import Operation
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.parse import slices
from parvis.kernel.errors import BadRequestData, ResourceNotFound

_INSTANCE = re.compile(r"urn:ngsi-ld:Instance:(\d{1,18})")


async def delete_entity(request: Request) -> Response:
    """Delete temporal evolution of an entity (5.6.16)."""
    [entity_id] = request.args
    erasure, context = Erasure(check_uri(entity_id, "An entity id")), await request.link_context()
    undertaking = Undertaking(Operation.DELETE_TEMPORAL, entity_id, "DELETE", past_path(entity_id))
    return await everywhere(request, context, undertaking, partial(_erase, request, erasure))


async def delete_attribute(request: Request) -> Response:
    """Delete attribute from temporal evolution (5.6.13): the default instance, that of `datasetId`, or all."""
    entity_id, name = request.args
    context = await request.link_context()
    erasure = Erasure(check_uri(entity_id, "An entity id"), context.expand(name), dataset_to_delete(request))
    undertaking = _of_attribute(request, context, Operation.DELETE_ATTRS_TEMPORAL, "DELETE")
    return await everywhere(request, context, undertaking, partial(_erase, request, erasure))


async def modify_instance(request: Request) -> Response:
    """Modify attribute instance in temporal evolution (5.6.14). Its instanceId stays."""
    entity_id, name, instance_id = request.args
    check_uri(instance_id, "An instance id")
    document, context = await request.document()
    parsed = _one_instance(document, check_uri(entity_id, "An entity id"), name, context)

    async def here(_: tuple[Iri, ...] | None) -> Response:
        correction = Correction(entity_id, _number(instance_id), parsed.instances[0], parsed.is_kind_open)
        await request.broker.correct(request.caller, correction)
        return NO_CONTENT

    undertaking = _of_attribute(request, context, Operation.UPDATE_ATTR_INSTANCE_TEMPORAL, "PATCH", document)
    return await everywhere(request, context, undertaking, here)


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
    check_uri(instance_id, "An instance id")
    check_uri(entity_id, "An entity id")

    async def here(_: tuple[Iri, ...] | None) -> Response:
        return await _erase(request, Erasure(entity_id, context.expand(name), seq=_number(instance_id)))

    undertaking = _of_attribute(request, context, Operation.DELETE_ATTR_INSTANCE_TEMPORAL, "DELETE")
    return await everywhere(request, context, undertaking, here)


async def _erase(request: Request, erasure: Erasure, _: tuple[Iri, ...] | None = None) -> Response:
    await request.broker.erase(request.caller, erasure)
    return NO_CONTENT


def _of_attribute(
    request: Request, context: Context, operation: Operation, method: str, document: Any = None
) -> Undertaking:
    """A change of the attribute that the path names, or of one instance of it."""
    entity_id, name, *instances = (quote(one, safe=":") for one in request.args)
    path = "/".join([PAST_PATH, entity_id, "attrs", name, *instances])
    names = (context.expand(request.args[1]),)
    return Undertaking(operation, request.args[0], method, path, None, names, document, is_of_entity=False)


def _number(instance_id: str) -> int:
    """Of an instanceId of ours. Raises ResourceNotFound for another URI, BadRequestData for what is none."""
    found = _INSTANCE.fullmatch(check_uri(instance_id, "An instance id"))
    if found is None:
        raise ResourceNotFound(f"There is no instance {instance_id}.")
    return int(found[1])
