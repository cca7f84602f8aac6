"""Attributes of every kind and form, from JSON to the model: the general way (NGSI-LD 1.9.1, 4.5.2 to 4.5.24)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.geojson import is_geometry
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.values import holds_null, is_null, read_instant, read_value
from parvis.broker.model.entity import TYPE_NAMES, VALUE_MEMBERS, AttributeKey, Instance, Iri, Json, Kind
from parvis.broker.model.merge import NULL
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import format_instant

MAX_SUB_ATTRIBUTE_DEPTH: Final = 8
MAX_INSTANCES: Final = 1000

KINDS: Mapping[str, Kind] = {name: kind for kind, name in TYPE_NAMES.items()}
_KIND_OF_MEMBER: Mapping[str, Kind] = {
    "value": Kind.PROPERTY,
    "object": Kind.RELATIONSHIP,
    "languageMap": Kind.LANGUAGE_PROPERTY,
    "vocab": Kind.VOCAB_PROPERTY,
    "json": Kind.JSON_PROPERTY,
    "valueList": Kind.LIST_PROPERTY,
    "objectList": Kind.LIST_RELATIONSHIP,
}
_KIND_OF_COERCION: Mapping[str, Kind] = {
    "@id": Kind.RELATIONSHIP,
    "@vocab": Kind.VOCAB_PROPERTY,
    "@json": Kind.JSON_PROPERTY,
}
_OWN_MEMBERS = frozenset({"type", "observedAt", "unitCode", "datasetId"})
_OUTPUT_ONLY = frozenset({"createdAt", "modifiedAt", "deletedAt", "instanceId", "entity", "entityList"})
_NOT_SUB_ATTRIBUTES = _OWN_MEMBERS | _OUTPUT_ONLY | frozenset(_KIND_OF_MEMBER)
_PREVIOUS = frozenset(f"previous{member[0].upper()}{member[1:]}" for member in _KIND_OF_MEMBER)
_HAVE_UNITS = frozenset({Kind.PROPERTY, Kind.LIST_PROPERTY})
LANGUAGE_TYPE: Final = "langString"
PROOF: Final = "https://uri.etsi.org/ngsi-ld/ngsildproof"
GEO_NAMES: Final = frozenset(
    f"https://uri.etsi.org/ngsi-ld/{name}" for name in ("location", "observationSpace", "operationSpace")
)
"""What the core context defines as GeoProperties (4.7.1)."""


class Reading(msgspec.Struct, frozen=True):
    """How input is meant: simplified is key-values; partial may lack the entity's type; a patch may lack values and
    hold the NGSI-LD Null; a merge may hold it within values too (5.5.12)."""

    simplified: bool = False
    partial: bool = False
    patch: bool = False
    merge: bool = False


ENTITY: Final = Reading()
FRAGMENT: Final = Reading(partial=True)
PATCH: Final = Reading(partial=True, patch=True)
MERGE: Final = Reading(partial=True, patch=True, merge=True)


class AttributeReader:
    """Reads the attributes of one entity; `removals` and `is_kind_open` (see Change) fill up on the way."""

    __slots__ = ("_context", "_reading", "is_kind_open", "removals")

    def __init__(self, context: Context, reading: Reading) -> None:
        self._context = context
        self._reading = reading
        self.removals: list[AttributeKey] = []
        self.is_kind_open = False

    def read(self, term: str, body: Json) -> list[Instance]:
        """All instances of one attribute; none where the request removes it. Raises BadRequestData."""
        name = self._context.names[term]
        if self._reading.simplified:
            return self._read_simplified(term, name, body)
        return self._read_instances(term, name, body, 0)

    def _read_instances(self, where: str, name: Iri, body: Json, depth: int) -> list[Instance]:
        if type(body) is not list or not _are_attributes(body):
            return self._kept(self._read_instance(where, name, body, depth))
        if len(body) > MAX_INSTANCES:
            raise BadRequestData(f"{where} has more than {MAX_INSTANCES} instances.")
        read = [self._read_instance(where, name, part, depth) for part in body]
        if len({one.dataset for one in read}) != len(read):
            raise BadRequestData(f"{where} has two instances with the same datasetId: give each its own.")
        return [kept for one in read for kept in self._kept(one)]

    def _kept(self, instance: Instance) -> list[Instance]:
        if instance.value == NULL and self._reading.patch and isinstance(instance.value, str):
            self.removals.append(instance.key)
            return []
        return [instance]

    def _read_instance(self, where: str, name: Iri, body: Json, depth: int) -> Instance:
        kind, members = self._kind_and_members(where, body)
        extra: dict[str, Json] = {}
        if not _NOT_SUB_ATTRIBUTES.issuperset(members):
            extra = self._read_extra(where, members, depth)
        _refuse_other_values(where, kind, members)
        _check_proof(where, name, members)
        _check_language(where, kind, members)
        if name in GEO_NAMES and kind is not Kind.GEO_PROPERTY and members.get("value") != NULL:
            raise BadRequestData(f"{where} is a GeoProperty: its value is a GeoJSON geometry.")
        return Instance(
            name,
            kind,
            self._read_value(where, kind, members),
            _read_dataset(where, members.get("datasetId")),
            self._read_observed_at(where, members, extra),
            self._read_unit_code(where, kind, members, extra),
            extra or None,
        )

    def _kind_and_members(self, where: str, body: Json) -> tuple[Kind, dict[str, Any]]:
        if type(body) is not dict:
            self.is_kind_open = True
            return Kind.PROPERTY, {"value": body}
        named = body.get("type")
        if named is None:
            return self._guess(body)
        kind = KINDS.get(named) if type(named) is str else None
        if kind is not None:
            return kind, body
        if is_geometry(body):
            self.is_kind_open = True
            return Kind.GEO_PROPERTY, {"value": body}
        raise BadRequestData(f"{where} has the type {named!r:.60}: use one of {', '.join(KINDS)}.")

    def _guess(self, body: dict[str, Any]) -> tuple[Kind, dict[str, Any]]:
        """The kind of the concise form, told by the value's member (4.5.2.3)."""
        told = next((kind for member, kind in _KIND_OF_MEMBER.items() if member in body), None)
        if told is not None and told is not Kind.PROPERTY:
            return told, body
        self.is_kind_open = True
        if told is not None:
            return (Kind.GEO_PROPERTY if is_geometry(body["value"]) else told), body
        if self._reading.patch and _is_part_of_attribute(body):
            return Kind.PROPERTY, body
        return Kind.PROPERTY, {"value": body}

    def _read_value(self, where: str, kind: Kind, members: dict[str, Any]) -> Json:
        member = VALUE_MEMBERS[kind]
        value = members.get(member, UNSET)
        if value is UNSET:
            if self._reading.patch:
                return UNSET
            raise BadRequestData(f'{where} is a {TYPE_NAMES[kind]}, so it needs the member "{member}".')
        if is_null(kind, value):
            if self._reading.patch:
                return NULL
            raise BadRequestData(f'{where} must not be "{NULL}" here: only a patch or merge deletes by it.')
        if type(value) in _NESTED and not self._reading.merge and holds_null(value):
            raise BadRequestData(f'{where} must not hold "{NULL}": only a merge deletes within a value by it.')
        return read_value(kind, value, where, self._context)

    def _read_observed_at(self, where: str, members: dict[str, Any], extra: dict[str, Json]) -> int | None:
        given = members.get("observedAt", UNSET)
        if given is UNSET:
            return None
        if given == NULL and self._reading.patch:
            extra["observedAt"] = NULL
            return None
        return read_instant(given, f"{where}.observedAt")

    def _read_unit_code(self, where: str, kind: Kind, members: dict[str, Any], extra: dict[str, Json]) -> str:
        given = members.get("unitCode", UNSET)
        if given is UNSET:
            return ""
        if kind not in _HAVE_UNITS:
            raise BadRequestData(f"{where} is a {TYPE_NAMES[kind]}, which has no unitCode.")
        if type(given) is not str or not given:
            raise BadRequestData(f"{where}.unitCode must be a code of UN/CEFACT recommendation 20, such as CEL.")
        if given == NULL:
            if not self._reading.patch:
                raise BadRequestData(f'{where}.unitCode must not be "{NULL}" here.')
            extra["unitCode"] = NULL
            return ""
        return given

    def _read_extra(self, where: str, members: dict[str, Any], depth: int) -> dict[str, Json]:
        if depth >= MAX_SUB_ATTRIBUTE_DEPTH:
            raise BadRequestData(f"{where} has sub-attributes deeper than {MAX_SUB_ATTRIBUTE_DEPTH} levels.")
        extra: dict[str, Json] = {}
        for member, body in members.items():
            if member in _NOT_SUB_ATTRIBUTES:
                continue
            path = f"{where}.{member}"
            if member in _PREVIOUS:
                raise BadRequestData(f"{path} is told in notifications only: leave it out.")
            read = _CORE_MEMBERS.get(member)
            name = member if read is not None else self._context.names[member]
            if name in extra:
                raise BadRequestData(f"{path} is given twice, under two names of {name}.")
            if body is None:
                raise BadRequestData(f"{path} must not be null.")
            if body == NULL and self._reading.patch:
                extra[name] = NULL
            else:
                extra[name] = read(body, path, self._context) if read else self._read_sub(path, name, body, depth + 1)
        return extra

    def _read_sub(self, path: str, name: Iri, body: Json, depth: int) -> Json:
        if type(body) is list and not body:
            raise BadRequestData(f"{path} must not be an empty array.")
        was_open = self.is_kind_open
        if type(body) is list and _are_attributes(body):
            read = [self._read_instance(path, name, part, depth) for part in body]
            if len({one.dataset for one in read}) != len(read):
                raise BadRequestData(f"{path} has two instances with the same datasetId.")
            normal: Json = [_normal(one) for one in read]
        else:
            one = self._read_instance(path, name, body, depth)
            is_removal = isinstance(one.value, str) and one.value == NULL
            normal = NULL if is_removal else _normal(one)
        self.is_kind_open = was_open
        return normal

    def _read_simplified(self, term: str, name: Iri, body: Json) -> list[Instance]:
        """Key-values (4.5.4): other kinds than Property are wrapped in the member of their value."""
        if type(body) is dict and len(body) == 1 and type(body.get("dataset")) is dict:
            parts = body["dataset"].items()
            read = [self._simple(term, name, value, _read_dataset(term, dataset)) for dataset, value in parts]
        else:
            read = [self._simple(term, name, body, "")]
        return [kept for one in read for kept in self._kept(one)]

    def _simple(self, term: str, name: Iri, body: Json, dataset: str) -> Instance:
        kind = _KIND_OF_COERCION.get(self._context.coercion(term), Kind.PROPERTY)
        if type(body) is dict and len(body) == 1 and not body.keys().isdisjoint(_WRAPPED):
            ((member, value),) = body.items()
            kind = _KIND_OF_MEMBER[member]
        elif is_geometry(body):
            kind, value = Kind.GEO_PROPERTY, body
        else:
            self.is_kind_open = True
            value = body
        if isinstance(value, str) and value == NULL:
            kind = Kind.PROPERTY
        return Instance(name, kind, self._read_value(term, kind, {VALUE_MEMBERS[kind]: value}), dataset)


_NESTED = frozenset({dict, list})
_SEALED = ("entityIdSealed", "entityTypeSealed")
_WRAPPED = frozenset({"languageMap", "vocab", "json", "valueList", "objectList"})


def _are_attributes(parts: list[Json]) -> bool:
    """Whether an array holds instances of an attribute, not values of one."""
    return bool(parts) and all(type(part) is dict and _looks_like_attribute(part) for part in parts)


def _looks_like_attribute(body: dict[str, Any]) -> bool:
    named = body.get("type")
    if named is not None:
        return type(named) is str and named in KINDS
    return not body.keys().isdisjoint(_KIND_OF_MEMBER)


def _is_part_of_attribute(body: dict[str, Any]) -> bool:
    """Whether an object without type and value is a patch of an attribute, not a value of the concise form."""
    others = [
        part for member, part in body.items() if member not in _NOT_SUB_ATTRIBUTES and member not in _CORE_MEMBERS
    ]
    return bool(body) and all(part == NULL or (type(part) is dict and _looks_like_attribute(part)) for part in others)


def _refuse_other_values(where: str, kind: Kind, members: dict[str, Any]) -> None:
    own = VALUE_MEMBERS[kind]
    for member in members:
        if member in _KIND_OF_MEMBER and member != own:
            raise BadRequestData(f'{where} is a {TYPE_NAMES[kind]}: its value stands in "{own}", not in "{member}".')


def _check_language(where: str, kind: Kind, members: dict[str, Any]) -> None:
    """(5.2.32)"""
    if kind is Kind.LANGUAGE_PROPERTY and members.get("valueType", LANGUAGE_TYPE) not in (LANGUAGE_TYPE, NULL):
        raise BadRequestData(f"{where} is a LanguageProperty: its valueType is {LANGUAGE_TYPE}.")


def _check_proof(where: str, name: Iri, members: dict[str, Any]) -> None:
    """What is sealed stands in the proof alone (4.5.2.2)."""
    if name != PROOF:
        if not members.keys().isdisjoint(_SEALED):
            raise BadRequestData(f"{where} must not hold {' and '.join(_SEALED)}: they are of ngsildproof.")
    elif type(members.get("value", UNSET)) is not dict and "value" in members and members["value"] != NULL:
        raise BadRequestData(f"{where} needs a proof as its value: a JSON object.")


def _read_dataset(where: str, given: Any) -> str:
    if given is None or given == "@none":
        return ""
    if given == NULL:
        raise BadRequestData(f"{where}.datasetId cannot be taken away: delete the instance, and write another.")
    return check_uri(given, f"{where}.datasetId")


def _normal(instance: Instance) -> dict[str, Json]:
    """A sub-attribute as `Instance.extra` holds it: normalized, names expanded, lists of objects as bare URIs."""
    normal: dict[str, Json] = {"type": TYPE_NAMES[instance.kind]}
    if instance.value is not UNSET:
        normal[VALUE_MEMBERS[instance.kind]] = instance.value
    if instance.observed_at is not None:
        normal["observedAt"] = format_instant(instance.observed_at)
    if instance.unit_code:
        normal["unitCode"] = instance.unit_code
    if instance.dataset:
        normal["datasetId"] = instance.dataset
    normal.update(instance.extra or {})
    return normal


def _expires_at(value: Any, where: str, _: Context) -> Json:
    return format_instant(read_instant(value, where))


def _type_names(value: Any, where: str, context: Context) -> Json:
    return read_value(Kind.VOCAB_PROPERTY, value, where, context)


def _language(value: Any, where: str, _: Context) -> Json:
    if type(value) is not str or not value:
        raise BadRequestData(f"{where} must be a language tag.")
    return value


def _sealed_id(value: Any, where: str, _: Context) -> Json:
    return check_uri(value, where)


_CORE_MEMBERS: Mapping[str, Callable[[Any, str, Context], Json]] = {
    "objectType": _type_names,
    "valueType": _type_names,
    "expiresAt": _expires_at,
    "lang": _language,
    "entityIdSealed": _sealed_id,
    "entityTypeSealed": _type_names,
}
