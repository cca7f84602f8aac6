"""Taking back temporal evolutions (NGSI-LD 1.9.1, 5.6.13, 5.6.15, 5.6.16 and 6.19 to 6.22). The present stays."""

import re

from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response
from parvis.broker.jsonld.names import check_uri
from parvis.broker.temporal.erasure import EVERY_DATASET, Erasure
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
    erasure = Erasure(check_uri(entity_id, "An entity id"), context.expand(name), _dataset(request))
    await request.broker.erase(request.caller, erasure)
    return NO_CONTENT


async def delete_instance(request: Request) -> Response:
    """Delete attribute instance from temporal evolution (5.6.15)."""
    entity_id, name, instance_id = request.args
    context = await request.link_context()
    erasure = Erasure(check_uri(entity_id, "An entity id"), context.expand(name), seq=_number(instance_id))
    await request.broker.erase(request.caller, erasure)
    return NO_CONTENT


def _dataset(request: Request) -> str | None:
    dataset = request.parameters.text("datasetId")
    if not request.parameters.flag("deleteAll"):
        return "" if dataset is None else check_uri(dataset, "datasetId")
    if dataset is not None:
        raise BadRequestData("deleteAll and datasetId exclude each other.")
    return EVERY_DATASET


def _number(instance_id: str) -> int:
    """Of an instanceId of ours. Raises ResourceNotFound for another URI, BadRequestData for what is none."""
    found = _INSTANCE.fullmatch(check_uri(instance_id, "An instance id"))
    if found is None:
        raise ResourceNotFound(f"There is no instance {instance_id}.")
    return int(found[1])
