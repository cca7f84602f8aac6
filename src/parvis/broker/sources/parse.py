"""From a document to a Registration, whole or as a patch (NGSI-LD 1.9.1, 5.2.9 to 5.2.11, 5.9.2 and 5.9.3).

A new registration is a patch of a blank one: both ways in read each member alike.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.geojson import check_geometry
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.values import check_json, read_instant
from parvis.broker.model.entity import Iri
from parvis.broker.model.merge import NULL
from parvis.broker.query.parse import parse_scope_q
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.sources.model import (
    AUXILIARY_OPERATIONS,
    DEFAULT_OPERATIONS,
    OPERATION_NAMES,
    EntityInfo,
    Management,
    Registration,
    RegistrationInfo,
    RegistrationMode,
    TimeInterval,
    named_operations,
)
from parvis.broker.subscriptions.values import (
    SCHEMES,
    read_choice,
    read_endpoint_uri,
    read_flag,
    read_list,
    read_number,
    read_pairs,
    read_text,
    refuse,
)
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller
from parvis.kernel.time import LAST_INSTANT, Instant, parse_duration

TYPE: Final = "ContextSourceRegistration"
MAX_PROPERTIES: Final = 100

Fields = dict[str, Any]


class Patch(msgspec.Struct, frozen=True):
    """What a document says, by fields of Registration; `properties` holds None where one is taken back."""

    fields: Fields
    properties: dict[Iri, Any]

    def apply(self, registration: Registration, now: Instant) -> Registration:
        """Raises BadRequestData where what comes of it breaks a rule."""
        properties = {**registration.properties, **self.properties}
        changed = replace(
            registration,
            **self.fields,
            properties={name: value for name, value in properties.items() if value is not None},
            created_at=registration.created_at or now,
            modified_at=max(now, registration.modified_at + 1),
        )
        for is_broken, rule in _RULES:
            if is_broken(changed):
                raise BadRequestData(rule)
        if "expires_at" in self.fields and (changed.expires_at or LAST_INSTANT) <= now:
            raise BadRequestData("expiresAt lies in the past: give a time to come, or none.")
        return changed


def new_registration(document: Mapping[str, Any], context: Context, writer: Caller, now: Instant) -> Registration:
    """Raises BadRequestData."""
    if document.get("type") != TYPE:
        raise BadRequestData(f'A registration has the "type" {TYPE}.')
    for member in ("endpoint", "information"):
        if member not in document:
            raise BadRequestData(f"A registration needs {member}.")
    given = document.get("id")
    name = f"urn:ngsi-ld:{TYPE}:{uuid.uuid4()}" if given is None else check_uri(given, "The id of a registration")
    return read_patch(document, context).apply(Registration(writer.tenant, name, ""), now)


def read_patch(document: Mapping[str, Any], context: Context) -> Patch:
    """A fragment of a registration: null (or "urn:ngsi-ld:null") takes a member back to its default."""
    if document.get("type", TYPE) != TYPE:
        raise BadRequestData(f"A registration stays of type {TYPE}.")
    fields: Fields = {}
    properties: dict[Iri, Any] = {}
    for name, value in document.items():
        if name in _NOT_READ:
            continue
        member = _MEMBERS.get(name)
        if member is None:
            properties[context.expand(name)] = None if _is_null(value) else check_json(value, name)
        elif _is_null(value):
            fields[member.field] = member.taken_back(name)
        else:
            fields[member.field] = member.read(value, name, context)
    if len(properties) > MAX_PROPERTIES:
        raise BadRequestData(f"A registration has at most {MAX_PROPERTIES} properties of its own.")
    return Patch(fields, properties)


def _is_null(value: Any) -> bool:
    return value is None or value == NULL


class _Member(msgspec.Struct, frozen=True):
    """How a member is read into a field; `default` stands where it is taken back, unless it `is_needed`."""

    field: str
    read: Callable[[Any, str, Context], Any]
    default: Any = None
    is_needed: bool = False

    def taken_back(self, name: str) -> Any:
        if self.is_needed:
            raise BadRequestData(f"A registration needs {name}: it cannot be taken back.")
        return self.default


def _plain(field: str, read: Callable[[Any, str], Any], default: Any = None) -> _Member:
    return _Member(field, lambda value, where, _: read(value, where), default)


def _endpoint(value: Any, where: str, _: Context) -> str:
    uri = read_endpoint_uri(value, where)
    if not uri.startswith(("http://", "https://")):
        refuse(where, f"an address that begins with {' or '.join(SCHEMES[:2])}", uri)
    return uri


def _information(value: Any, where: str, context: Context) -> tuple[RegistrationInfo, ...]:
    return tuple(_info(one, f"{where}[{number}]", context) for number, one in enumerate(read_list(value, where)))


def _info(value: Any, where: str, context: Context) -> RegistrationInfo:
    known = {"entities", "propertyNames", "relationshipNames"}
    if type(value) is not dict or not value or not value.keys() <= known:
        refuse(where, f"an object with {', '.join(sorted(known))}, or some of them", value)
    return RegistrationInfo(
        tuple(
            _entity_info(one, f"{where}.entities", context) for one in _list_of(value, "entities", f"{where}.entities")
        ),
        _names(value, "propertyNames", where, context),
        _names(value, "relationshipNames", where, context),
    )


def _list_of(value: Mapping[str, Any], member: str, where: str) -> list[Any]:
    return read_list(value[member], where) if member in value else []


def _names(value: Mapping[str, Any], member: str, where: str, context: Context) -> tuple[Iri, ...]:
    given = _list_of(value, member, f"{where}.{member}")
    return tuple(dict.fromkeys(context.expand(read_text(one, f"{where}.{member}")) for one in given))


def _entity_info(value: Any, where: str, context: Context) -> EntityInfo:
    if type(value) is not dict or "type" not in value or not value.keys() <= {"type", "id", "idPattern"}:
        refuse(where, "an object with type, and possibly id or idPattern", value)
    named = value["type"] if type(value["type"]) is list else [value["type"]]
    types = tuple(dict.fromkeys(context.expand(read_text(one, f"{where}.type")) for one in read_list(named, where)))
    given, pattern = value.get("id"), value.get("idPattern")
    if pattern is not None:
        pattern_finder(read_text(pattern, f"{where}.idPattern"))
    if given is None:
        return EntityInfo(types, None, pattern)
    return EntityInfo(types, check_uri(given, f"{where}.id"))


def _operations(value: Any, where: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(read_text(one, where) for one in read_list(value, where)))
    unknown = [name for name in names if name not in OPERATION_NAMES]
    if unknown:
        refuse(where, "an array of operations (table 4.20-1) and of groups of them (table 4.20-2)", unknown[0])
    return names


def _management(value: Any, where: str) -> Management:
    if type(value) is not dict or not value.keys() <= {"localOnly", "cacheDuration", "timeout", "cooldown"}:
        refuse(where, "an object with localOnly, cacheDuration, timeout, cooldown, or some of them", value)
    timeout, cooldown = (
        round(read_number(value[name], f"{where}.{name}", 1)) if name in value else None
        for name in ("timeout", "cooldown")
    )
    return Management(
        read_flag(value.get("localOnly", False), f"{where}.localOnly"),
        _duration(value["cacheDuration"], f"{where}.cacheDuration") if "cacheDuration" in value else None,
        timeout,
        cooldown,
    )


def _duration(value: Any, where: str) -> str:
    text = read_text(value, where)
    try:
        parse_duration(text)
    except ValueError as failure:
        raise BadRequestData(f"{where}: {failure}.") from None
    return text


def _interval(value: Any, where: str) -> TimeInterval:
    if type(value) is not dict or "startAt" not in value or not value.keys() <= {"startAt", "endAt"}:
        refuse(where, "an object with startAt, and possibly endAt", value)
    start = read_instant(value["startAt"], f"{where}.startAt")
    end = read_instant(value["endAt"], f"{where}.endAt") if "endAt" in value else None
    if end is not None and end < start:
        raise BadRequestData(f"{where} ends before it starts.")
    return TimeInterval(start, end)


def _scopes(value: Any, where: str) -> tuple[str, ...]:
    given = read_list(value if type(value) is list else [value], where)
    for one in given:
        if any(mark in read_text(one, where) for mark in "+#,;|()"):
            refuse(where, "a scope such as /Trevalan/Port, or an array of such", one)
        parse_scope_q(one)
    return tuple(dict.fromkeys(one if one.startswith("/") else f"/{one}" for one in given))


def _datasets(value: Any, where: str) -> tuple[str, ...]:
    given = read_list(value if type(value) is list else [value], where)
    return tuple(one if one == "@none" else check_uri(one, where) for one in given)


_MODES: Mapping[str, RegistrationMode] = {mode.value: mode for mode in RegistrationMode}
_MEMBERS: Mapping[str, _Member] = {
    "endpoint": _Member("endpoint", _endpoint, is_needed=True),
    "information": _Member("information", _information, is_needed=True),
    "mode": _plain("mode", lambda value, where: read_choice(value, where, _MODES), RegistrationMode.INCLUSIVE),
    "operations": _plain("operations", _operations, DEFAULT_OPERATIONS),
    "registrationName": _plain("name", read_text),
    "description": _plain("description", read_text),
    "contextSourceAlias": _plain("alias", read_text),
    "tenant": _plain("source_tenant", read_text),
    "contextSourceInfo": _plain("source_info", read_pairs, ()),
    "management": _plain("management", _management),
    "datasetId": _plain("datasets", _datasets, ()),
    "scope": _plain("scopes", _scopes, ()),
    "observationInterval": _plain("observation_interval", _interval),
    "managementInterval": _plain("management_interval", _interval),
    "location": _plain("location", check_geometry),
    "observationSpace": _plain("observation_space", check_geometry),
    "operationSpace": _plain("operation_space", check_geometry),
    "localOnly": _plain("local_only", read_flag, False),
    "refreshRate": _plain("refresh_rate", _duration),
    "expiresAt": _plain("expires_at", read_instant),
}
_NOT_READ = frozenset(
    {
        "id",
        "type",
        "@context",
        "status",
        "createdAt",
        "modifiedAt",
        "timesSent",
        "timesFailed",
        "lastSuccess",
        "lastFailure",
    }
)


def _names_no_single_entity(one: Registration) -> bool:
    return any(
        not info.entities or not info.attributes or any(entity.id is None for entity in info.entities)
        for info in one.information
    )


def _is_only_read(one: Registration) -> bool:
    """Of what a registration has that names no operations, an auxiliary source is asked for what it may be."""
    return one.operations == DEFAULT_OPERATIONS or named_operations(one.operations) <= AUXILIARY_OPERATIONS


_RULES: Sequence[tuple[Callable[[Registration], bool], str]] = (
    (
        lambda one: one.mode is RegistrationMode.EXCLUSIVE and _names_no_single_entity(one),
        "An exclusive registration is of single entities: give each an id, and the names of its attributes (4.3.6.3).",
    ),
    (
        lambda one: one.mode is RegistrationMode.AUXILIARY and not _is_only_read(one),
        "An auxiliary source is only read: its operations are retrieveOps, retrieveEntity or queryEntity (5.9.2.4).",
    ),
)
