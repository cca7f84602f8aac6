"""Entities as lines of NDJSON, and back: NGSI-LD normalized with createdAt and modifiedAt, all names as IRIs, so that
no @context but the core one is needed to read them.
"""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, Final, TypeVar

import msgspec

from parvis.backup.bundle.manifest import BundleUnusable
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_name, check_uri, is_uri
from parvis.broker.jsonld.values import check_json, read_value
from parvis.broker.model.entity import SCOPE, TYPE_NAMES, VALUE_MEMBERS, Entity, Instance, Iri, Json, Kind, in_order
from parvis.broker.model.geometry import bounds
from parvis.broker.ports.archive import ArchiveRow
from parvis.broker.ports.leaving import Gone
from parvis.broker.temporal.reading import EARLIEST
from parvis.kernel.errors import ParvisError
from parvis.kernel.time import DAY, Instant, format_instant, parse_instant

_KINDS: Final = {name: kind for kind, name in TYPE_NAMES.items()}
_ABOUT_ENTITY: Final = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "expiresAt", "deletedAt"})
_ABOUT_INSTANCE: Final = frozenset({"type", "observedAt", "unitCode", "datasetId", "createdAt", "modifiedAt"})
MOST_NUMBER: Final = 2**60
"""Of instances: beyond it a store could give none."""
LONGEST_UNIT: Final = 200
MOST_TYPES: Final = 100
_ORDERED = msgspec.json.Encoder()
Told = TypeVar("Told")


def entity_line(entity: Entity) -> bytes:
    document = _head(entity.id, entity.types, entity.scopes, entity.created_at, entity.modified_at)
    if entity.expires_at is not None:
        document["expiresAt"] = format_instant(entity.expires_at)
    for one in entity.instances:
        document.setdefault(one.name, []).append(_instance(one))
    for name, instances in document.items():
        if name not in _ABOUT_ENTITY and len(instances) == 1:
            document[name] = instances[0]
    return _ORDERED.encode(document) + b"\n"


def gone_line(gone: Gone) -> bytes:
    document = _head(gone.id, gone.types, gone.scopes, gone.created_at, gone.modified_at)
    return _ORDERED.encode({**document, "deletedAt": format_instant(gone.deleted_at)}) + b"\n"


def id_line(entity_id: str) -> bytes:
    return _ORDERED.encode({"id": entity_id}) + b"\n"


def read_lines(path: str, lines: Iterator[bytes], read: Callable[[dict[str, Any]], Told]) -> Iterator[Told]:
    """Raises BundleUnusable, with the line's number."""
    for number, line in enumerate(lines, 1):
        try:
            document = msgspec.json.decode(line, type=dict[str, Any])
            yield read(document)
        except BundleUnusable:
            raise
        except ParvisError as fault:
            raise BundleUnusable(f"{path}, line {number}: {fault.detail}") from fault
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, IndexError, RecursionError) as fault:
            words = f"{type(fault).__name__}: {fault}"[:200]
            raise BundleUnusable(f"{path}, line {number} is not of a bundle ({words}).") from fault


class FormReader:
    """What lines and rows say, checked as if it had come by the API. `context` is the core one."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def entity(self, document: dict[str, Any]) -> Entity:
        """Raises ParvisError, and what reading a document may raise."""
        given = _about(document)
        instances = [
            self._instance(_iri(name), one)
            for name, told in document.items()
            if name not in _ABOUT_ENTITY
            for one in (told if type(told) is list else [told])
        ]
        if len({one.key for one in instances}) != len(instances):
            raise ValueError(f"{given.id} has an attribute with the same datasetId twice")
        expires = document.get("expiresAt")
        return Entity(
            given.id,
            given.types,
            in_order(instances),
            given.scopes,
            given.created_at,
            given.modified_at,
            None if expires is None else parse_instant(expires),
        )

    def gone(self, document: dict[str, Any]) -> Gone:
        about = _about(document)
        if document.keys() - _ABOUT_ENTITY:
            raise ValueError("a deleted entity has no attributes")
        return msgspec.structs.replace(about, deleted_at=parse_instant(document["deletedAt"]))

    def row(self, row: ArchiveRow, day: int) -> ArchiveRow:
        """As it came, where it can be a part of history. Raises BundleUnusable."""
        try:
            self._check_row(row, day)
        except ParvisError as fault:
            raise BundleUnusable(f"The past of {str(row.entity)[:120]} on that day: {fault.detail}") from fault
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, IndexError, RecursionError) as fault:
            words = f"{type(fault).__name__}: {fault}"[:200]
            raise BundleUnusable(f"The past of {str(row.entity)[:120]} is not of a bundle ({words}).") from fault
        return row

    def _check_row(self, row: ArchiveRow, day: int) -> None:
        check_uri(row.entity, "entity")
        _iri(row.attribute)
        if row.dataset:
            check_uri(row.dataset, "dataset")
        if row.time // DAY != day or not 0 < row.seq < MOST_NUMBER or not 0 <= row.kind <= max(Kind):
            raise ValueError("a time, number or kind is out of range")
        told: tuple[Any, Any] = (row.observed, row.unit)
        if type(told[0]) is not bool or type(told[1]) is not str or len(told[1]) > LONGEST_UNIT:
            raise ValueError("observed or unit cannot be that")
        if not EARLIEST < row.recorded < -EARLIEST:
            raise ValueError("it cannot have been recorded then")
        if row.extra is not None:
            check_json(msgspec.json.decode(row.extra, type=dict[str, Any]), "extra")
        if row.kind:
            value = msgspec.json.decode(row.value) if isinstance(row.value, bytes) else row.value
            if isinstance(value, float) and not isfinite(value):
                raise ValueError("a number is none")
            self._check_value(Kind(row.kind), row.attribute, value)

    def _instance(self, name: Iri, body: dict[str, Any]) -> Instance:
        kind = _KINDS[body["type"]]
        member = VALUE_MEMBERS[kind]
        value = body[member]
        self._check_value(kind, name, value)
        extra = {key: told for key, told in body.items() if key not in _ABOUT_INSTANCE and key != member}
        check_json(extra, name)
        dataset, unit, observed = body.get("datasetId", ""), body.get("unitCode", ""), body.get("observedAt")
        if type(unit) is not str or len(unit) > LONGEST_UNIT:
            raise ValueError("unitCode cannot be that")
        return Instance(
            name,
            kind,
            value,
            check_uri(dataset, "datasetId") if dataset else "",
            None if observed is None else parse_instant(observed),
            unit,
            extra or None,
            parse_instant(body["createdAt"]),
            parse_instant(body["modifiedAt"]),
        )

    def _check_value(self, kind: Kind, name: Iri, value: Json) -> None:
        if name == SCOPE:
            check_json(value, name)
            return
        read_value(kind, value, name, self._context)
        if kind is Kind.GEO_PROPERTY:
            bounds(value)


def _head(
    entity_id: str, types: tuple[Iri, ...], scopes: tuple[str, ...], created: Instant, modified: Instant
) -> dict[str, Any]:
    head: dict[str, Any] = {"id": entity_id, "type": list(types)}
    if scopes:
        head["scope"] = list(scopes)
    return {**head, "createdAt": format_instant(created), "modifiedAt": format_instant(modified)}


def _instance(one: Instance) -> dict[str, Json]:
    body: dict[str, Json] = {"type": TYPE_NAMES[one.kind], VALUE_MEMBERS[one.kind]: one.value}
    if one.unit_code:
        body["unitCode"] = one.unit_code
    if one.observed_at is not None:
        body["observedAt"] = format_instant(one.observed_at)
    if one.dataset:
        body["datasetId"] = one.dataset
    times = {"createdAt": format_instant(one.created_at), "modifiedAt": format_instant(one.modified_at)}
    return {**body, **times, **(one.extra or {})}


def _about(document: dict[str, Any]) -> Gone:
    types = tuple(map(_iri, _texts(document["type"])))
    if not 0 < len(types) <= MOST_TYPES or list(types) != sorted(set(types)):
        raise ValueError("types are to be in order, each once")
    times = (parse_instant(document["createdAt"]), parse_instant(document["modifiedAt"]))
    return Gone(check_uri(document["id"], "id"), types, tuple(_texts(document.get("scope", []))), *times, 0)


def _texts(given: Any) -> list[str]:
    return msgspec.convert(given, list[str])


def _iri(name: str) -> Iri:
    return name if is_uri(name) and len(name) <= 2048 else check_name(name)
