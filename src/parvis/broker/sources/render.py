"""From a Registration to its document (NGSI-LD 1.9.1, 5.2.9)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from parvis.broker.jsonld.context import Context
from parvis.broker.model.entity import Iri
from parvis.broker.sources.forward import Health
from parvis.broker.sources.model import EntityInfo, Management, Registration, RegistrationInfo, TimeInterval
from parvis.broker.sources.parse import TYPE
from parvis.kernel.time import format_instant

Document = dict[str, Any]


def render_registration(
    one: Registration,
    context: Context,
    *,
    sys_attrs: bool = False,
    secrets: bool = False,
    health: Health | None = None,
) -> Document:
    """The document without @context. `secrets`: with contextSourceInfo."""
    found: Document = {
        "id": one.id,
        "type": TYPE,
        "endpoint": one.endpoint,
        "information": [_info(info, context) for info in one.information],
        "mode": one.mode.value,
        "operations": list(one.operations),
    }
    for name, read in _OPTIONAL.items():
        value = read(one)
        if value not in (None, [], ()):
            found[name] = value
    if secrets and one.source_info:
        found["contextSourceInfo"] = [{"key": key, "value": value} for key, value in one.source_info]
    found |= {context.compact(name): value for name, value in one.properties.items()}
    if health is not None:
        found |= _health(health)
    if sys_attrs:
        found |= {"createdAt": format_instant(one.created_at), "modifiedAt": format_instant(one.modified_at)}
    return found


def _health(health: Health) -> Document:
    document = {
        "status": "failed" if health.is_failing else "ok",
        "timesSent": health.times_sent,
        "timesFailed": health.times_failed,
        "lastSuccess": None if health.last_success is None else format_instant(health.last_success),
        "lastFailure": None if health.last_failure is None else format_instant(health.last_failure),
    }
    return {name: value for name, value in document.items() if value is not None}


def _info(info: RegistrationInfo, context: Context) -> Document:
    document: Document = {}
    if info.entities:
        document["entities"] = [_entity_info(one, context) for one in info.entities]
    if info.properties:
        document["propertyNames"] = _compacted(info.properties, context)
    if info.relationships:
        document["relationshipNames"] = _compacted(info.relationships, context)
    return document


def _entity_info(info: EntityInfo, context: Context) -> Document:
    types = _compacted(info.types, context)
    document: Document = {"type": types[0] if len(types) == 1 else types}
    if info.id is not None:
        document["id"] = info.id
    if info.id_pattern is not None:
        document["idPattern"] = info.id_pattern
    return document


def _compacted(names: Iterable[Iri], context: Context) -> list[str]:
    return [context.compact(name) for name in names]


def _interval(interval: TimeInterval | None) -> Document | None:
    if interval is None:
        return None
    start = {"startAt": format_instant(interval.start)}
    return start if interval.end is None else {**start, "endAt": format_instant(interval.end)}


def _management(management: Management | None) -> Document | None:
    if management is None:
        return None
    document = {
        "localOnly": management.local_only or None,
        "cacheDuration": management.cache_duration,
        "timeout": management.timeout_ms,
        "cooldown": management.cooldown_ms,
    }
    return {name: value for name, value in document.items() if value is not None}


def _one_or_list(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


_OPTIONAL: Mapping[str, Callable[[Registration], Any]] = {
    "registrationName": lambda one: one.name,
    "description": lambda one: one.description,
    "contextSourceAlias": lambda one: one.alias,
    "tenant": lambda one: one.source_tenant,
    "management": lambda one: _management(one.management),
    "datasetId": lambda one: _one_or_list(one.datasets),
    "scope": lambda one: _one_or_list(one.scopes),
    "observationInterval": lambda one: _interval(one.observation_interval),
    "managementInterval": lambda one: _interval(one.management_interval),
    "location": lambda one: one.location,
    "observationSpace": lambda one: one.observation_space,
    "operationSpace": lambda one: one.operation_space,
    "refreshRate": lambda one: one.refresh_rate,
    "localOnly": lambda one: one.local_only or None,
    "expiresAt": lambda one: None if one.expires_at is None else format_instant(one.expires_at),
}
