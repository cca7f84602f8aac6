"""What kinds of entities and attributes there are (NGSI-LD 1.9.1, 5.7.5 to 5.7.10 and 6.25 to 6.28)."""

from collections.abc import Iterable
from typing import Any

from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response, document_response
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import CORE_MEMBERS
from parvis.broker.model.entity import TYPE_NAMES, Entity, Iri
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.kernel.errors import ResourceNotFound

SAMPLE = 100
"""Entities looked at to tell the kinds of an attribute."""

_TYPE_LIST_ID = "urn:ngsi-ld:EntityTypeList:parvis"
_ATTRIBUTE_LIST_ID = "urn:ngsi-ld:AttributeList:parvis"


async def list_types(request: Request) -> Response:
    """Available entity types (5.7.5), with details (5.7.6)."""
    media, context = request.accepted(), await request.link_context()
    if request.parameters.flag("details"):
        attributes = await request.broker.list_attributes(request.caller)
        counts = await request.broker.count_types(request.caller)
        details = [_entity_type(iri, attributes.get(iri, set()), context) for iri in counts]
        return document_response(sorted(details, key=_type_name), media, context)
    names = _compacted(await request.broker.count_types(request.caller), context)
    return document_response({"id": _TYPE_LIST_ID, "type": "EntityTypeList", "typeList": names}, media, context)


async def retrieve_type(request: Request) -> Response:
    """What is known of one entity type (5.7.7)."""
    media, context = request.accepted(), await request.link_context()
    iri = context.expand(request.args[0])
    count = (await request.broker.count_types(request.caller)).get(iri)
    if count is None:
        raise ResourceNotFound(f"There is no entity of type {request.args[0]}.")
    attributes = (await request.broker.list_attributes(request.caller)).get(iri, set())
    sample = await request.broker.query(request.caller, EntityQuery(types=TypeIs(iri), limit=SAMPLE))
    document = {
        "id": iri,
        "type": "EntityTypeInfo",
        "typeName": context.compact(iri),
        "entityCount": count,
        "attributeDetails": [_detail(name, sample.entities, context) for name in sorted(attributes)],
    }
    return document_response(document, media, context)


async def list_attributes(request: Request) -> Response:
    """Available attributes (5.7.8), with details (5.7.9)."""
    media, context = request.accepted(), await request.link_context()
    users = _types_by_attribute(await request.broker.list_attributes(request.caller))
    if request.parameters.flag("details"):
        details = [_attribute(iri, users[iri], context) for iri in sorted(users)]
        return document_response(details, media, context)
    names = _compacted(users, context)
    return document_response(
        {"id": _ATTRIBUTE_LIST_ID, "type": "AttributeList", "attributeList": names}, media, context
    )


async def retrieve_attribute(request: Request) -> Response:
    """What is known of one attribute (5.7.10). `attributeCount` counts the entities that have it."""
    media, context = request.accepted(), await request.link_context()
    if request.args[0] in CORE_MEMBERS:
        raise ResourceNotFound(f"{request.args[0]} is a member of every entity, and no attribute.")
    iri = context.expand(request.args[0])
    users = _types_by_attribute(await request.broker.list_attributes(request.caller))
    if iri not in users:
        raise ResourceNotFound(f"No entity has an attribute {request.args[0]}.")
    sample = await request.broker.query(request.caller, EntityQuery(attrs=(iri,), limit=SAMPLE, count=True))
    document = {
        **_attribute(iri, users[iri], context),
        "attributeCount": sample.total,
        "attributeTypes": _kinds(iri, sample.entities),
    }
    return document_response(document, media, context)


def _detail(iri: Iri, sample: Iterable[Entity], context: Context) -> dict[str, Any]:
    return {
        "id": iri,
        "type": "Attribute",
        "attributeName": context.compact(iri),
        "attributeTypes": _kinds(iri, sample),
    }


def _kinds(iri: Iri, sample: Iterable[Entity]) -> list[str]:
    return sorted({TYPE_NAMES[one.kind] for entity in sample for one in entity.instances if one.name == iri})


def _entity_type(iri: Iri, attributes: Iterable[Iri], context: Context) -> dict[str, Any]:
    return {
        "id": iri,
        "type": "EntityType",
        "typeName": context.compact(iri),
        "attributeNames": _compacted(attributes, context),
    }


def _attribute(iri: Iri, types: Iterable[Iri], context: Context) -> dict[str, Any]:
    return {
        "id": iri,
        "type": "Attribute",
        "attributeName": context.compact(iri),
        "typeNames": _compacted(types, context),
    }


def _types_by_attribute(attributes: dict[Iri, set[Iri]]) -> dict[Iri, set[Iri]]:
    users: dict[Iri, set[Iri]] = {}
    for entity_type, names in attributes.items():
        for name in names:
            users.setdefault(name, set()).add(entity_type)
    return users


def _compacted(iris: Iterable[Iri], context: Context) -> list[str]:
    return sorted(context.compact(iri) for iri in iris)


def _type_name(document: dict[str, Any]) -> str:
    name: str = document["typeName"]
    return name
