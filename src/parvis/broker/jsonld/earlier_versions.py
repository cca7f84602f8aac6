"""Entities for readers who know an earlier version of NGSI-LD only (NGSI-LD 1.9.1, 4.3.6.8 and its tables).

What a version has no name for is told in the nearest form that it has, or left out.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import outward_value
from parvis.broker.model.entity import TYPE_NAMES, VALUE_MEMBERS, Entity, Instance, Iri, Json, Kind

Version = tuple[int, int]

NEWEST: Final[Version] = (1, 9)
_LISTS: Final[Version] = (1, 8)
_LANGUAGES: Final[Version] = (1, 4)
_DATASETS: Final[Version] = (1, 3)
_SINCE: Final[Mapping[Kind, Version]] = {
    Kind.VOCAB_PROPERTY: _LISTS,
    Kind.JSON_PROPERTY: _LISTS,
    Kind.LIST_PROPERTY: _LISTS,
    Kind.LIST_RELATIONSHIP: _LISTS,
    Kind.LANGUAGE_PROPERTY: _LANGUAGES,
}
_MEMBERS_SINCE: Final[Mapping[str, Version]] = {
    "expiresAt": NEWEST,
    "valueType": NEWEST,
    "objectType": _LISTS,
    "datasetId": _DATASETS,
    "observedAt": _DATASETS,
    "unitCode": _DATASETS,
}
_KINDS: Final[Mapping[str, Kind]] = {name: kind for kind, name in TYPE_NAMES.items()}


def read_version(text: str) -> Version:
    """Of `major.minor`. Raises ValueError for any other text."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def amended(entity: Entity, version: Version, context: Context) -> Entity:
    """The same entity where nothing in it is newer than the version."""
    if version >= NEWEST:
        return entity
    instances = tuple(_instance(one, version, context) for one in _single(entity.instances, version))
    changed = replace(
        entity,
        types=entity.types if version >= _DATASETS else entity.types[:1],
        instances=instances,
        scopes=entity.scopes if version >= _LANGUAGES else (),
        expires_at=None,
        rendered={},
    )
    return entity if replace(changed, rendered=entity.rendered) == entity else changed


def _single(instances: tuple[Instance, ...], version: Version) -> tuple[Instance, ...]:
    """One of each attribute where the version knows no datasetId: the default one before others."""
    if version >= _DATASETS:
        return instances
    first: dict[Iri, Instance] = {}
    for one in instances:
        first.setdefault(one.name, one)
    return tuple(replace(one, dataset="") if one.dataset else one for one in first.values())


def _instance(instance: Instance, version: Version, context: Context) -> Instance:
    extra = None if instance.extra is None else _members(instance.extra, version)
    if extra != instance.extra:
        instance = replace(instance, extra=extra or None)
    if version < _DATASETS and (instance.observed_at is not None or instance.unit_code):
        instance = replace(instance, observed_at=None, unit_code="")
    if version >= _SINCE.get(instance.kind, version):
        return instance
    if instance.kind is Kind.LIST_RELATIONSHIP:
        return replace(instance, kind=Kind.RELATIONSHIP)
    return replace(instance, kind=Kind.PROPERTY, value=outward_value(instance.kind, instance.value, context))


def _members(members: Mapping[str, Json], version: Version) -> dict[str, Json]:
    kept = {name: body for name, body in members.items() if version >= _MEMBERS_SINCE.get(name, version)}
    return {name: _sub_attribute(body, version) for name, body in kept.items()}


def _sub_attribute(body: Any, version: Version) -> Json:
    """Sub-attributes stand in their normalized form."""
    if isinstance(body, list):
        return [_sub_attribute(one, version) for one in body]
    kind = _KINDS.get(body.get("type", "")) if isinstance(body, dict) else None
    if kind is None:
        return body
    value_member = VALUE_MEMBERS[kind]
    members = {name: one for name, one in body.items() if name not in ("type", value_member)}
    form, value = kind, body.get(value_member)
    if version < _SINCE.get(kind, version):
        form = Kind.RELATIONSHIP if kind is Kind.LIST_RELATIONSHIP else Kind.PROPERTY
    return {"type": TYPE_NAMES[form], VALUE_MEMBERS[form]: value, **_members(members, version)}
