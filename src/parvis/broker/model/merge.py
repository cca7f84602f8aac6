"""How a change meets the entity that is stored: pure laws, shared by every store."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from parvis.broker.jsonld.geojson import check_geometry
from parvis.broker.jsonld.names import check_uri
from parvis.broker.model.change import ALL_DATASETS, Change, Mode, Outcome, Status
from parvis.broker.model.entity import (
    INSTANCE_NUMBER,
    SCOPE,
    VALUE_MEMBERS,
    AttributeKey,
    Entity,
    Instance,
    Json,
    Kind,
    in_order,
    number_of,
)
from parvis.broker.model.expiry import first_expiry, is_over
from parvis.kernel.errors import AlreadyExists, BadRequestData, ParvisError, ResourceNotFound
from parvis.kernel.time import Instant

NULL = "urn:ngsi-ld:null"
CREATING = frozenset({Mode.CREATE, Mode.UPSERT_REPLACE, Mode.UPSERT_UPDATE})
"""Modes that may meet no entity."""
_BLIND = frozenset({Mode.UPSERT_UPDATE, Mode.APPEND})


class Resolution(msgspec.Struct, frozen=True):
    """What is to be stored: `put` and `removed` lead from the old entity to `entity` (None when it is gone)."""

    outcome: Outcome
    entity: Entity | None = None
    put: tuple[Instance, ...] = ()
    removed: tuple[AttributeKey, ...] = ()


def resolve(current: Entity | None, change: Change, now: Instant) -> Resolution:
    """Apply `change` to `current` (None: not stored). Raises nothing: a refusal is a FAILED outcome."""
    law = _LAWS[change.mode]
    if current is None and change.mode not in CREATING:
        return _failed(change, ResourceNotFound(f"There is no entity {change.entity_id}."))
    try:
        return law(current, change, now)
    except ParvisError as refusal:
        return _failed(change, refusal)


def is_blind(change: Change) -> bool:
    """It overwrites what is given whatever is stored: no need to read the attributes first."""
    return bool(change.instances) and change.mode in _BLIND and change.expires_at is UNSET


def _create(current: Entity | None, change: Change, now: Instant) -> Resolution:
    if current is not None:
        raise AlreadyExists(f"The entity {change.entity_id} exists already: update it, or choose another id.")
    return _born(change, now)


def _upsert_replace(current: Entity | None, change: Change, now: Instant) -> Resolution:
    return _born(change, now) if current is None else _replace(current, change, now)


def _upsert_update(current: Entity | None, change: Change, now: Instant) -> Resolution:
    return _born(change, now) if current is None else _append(current, change, now)


def _append(current: Entity | None, change: Change, now: Instant) -> Resolution:
    return _written(_there(current), change, change.instances, (), now)


def _append_new(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    known = {one.key for one in entity.instances}
    fresh = tuple(one for one in change.instances if one.key not in known)
    if change.scopes is not None:
        change = replace(change, scopes=tuple(dict.fromkeys(entity.scopes + change.scopes)))
    return _written(entity, change, fresh, _others(change, fresh), now)


def _update(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    if change.scopes is None or entity.scopes:
        return _written(entity, change, change.instances, (), now)
    return _written(entity, replace(change, scopes=None), change.instances, (SCOPE,), now)


def _replace(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    given = {one.key for one in change.instances}
    removed = tuple(one.key for one in entity.instances if one.key not in given)
    kept = tuple(one for one in entity.instances if one.key in given)
    bare = replace(entity, instances=kept, scopes=(), expires_at=None, rendered={})
    outcome = Outcome(change.entity_id, Status.UPDATED)
    put = _stamped(bare, change.instances, now)
    return Resolution(outcome, _with(bare, change, put, now, union=False), put, removed)


def _merge(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    put = tuple(_merged(entity.find(*one.key), one, is_kind_open=change.expected_kind_open) for one in change.instances)
    return _patched(entity, change, put, now)


def _patch_attribute(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    put = tuple(
        _overlaid(_require(entity, one.key), one, is_kind_open=change.expected_kind_open) for one in change.instances
    )
    return _patched(entity, change, put, now)


def _replace_attribute(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    for one in change.instances:
        _require(entity, one.key)
    return _written(entity, change, change.instances, (), now)


def _delete(current: Entity | None, change: Change, now: Instant) -> Resolution:
    removed = tuple(one.key for one in _there(current).instances)
    return Resolution(Outcome(change.entity_id, Status.DELETED), None, (), removed)


def _delete_attribute(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    removed = _present(entity, change.removals)
    if change.seen_before is not None:
        older = {one.key for one in entity.instances if one.seen_at < change.seen_before}
        return _bereft(entity, change, tuple(key for key in removed if key in older), now)
    if not removed and not (change.scopes is not None and entity.scopes):
        raise ResourceNotFound(f"The entity {change.entity_id} has no such attribute instance.")
    return _bereft(entity, change, removed, now)


def _keep_attributes(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    kept = {name for name, _ in change.removals}
    return _bereft(entity, change, tuple(one.key for one in entity.instances if one.name not in kept), now)


def _expire(current: Entity | None, change: Change, now: Instant) -> Resolution:
    entity = _there(current)
    if entity.expires_at is not None and entity.expires_at <= now:
        return _delete(entity, change, now)
    return _bereft(entity, change, tuple(one.key for one in entity.instances if is_over(one, now)), now)


def _bereft(entity: Entity, change: Change, removed: tuple[AttributeKey, ...], now: Instant) -> Resolution:
    """Without these attributes, and with the scopes that are left."""
    scopes = entity.scopes if change.scopes is None else change.scopes
    left = replace(_without(entity, removed), scopes=scopes)
    if not removed and scopes == entity.scopes:
        return Resolution(Outcome(change.entity_id, Status.UNCHANGED), left)
    return Resolution(Outcome(change.entity_id, Status.UPDATED), replace(left, modified_at=now), (), removed)


Law = Callable[[Entity | None, Change, Instant], Resolution]
_LAWS: Mapping[Mode, Law] = {
    Mode.CREATE: _create,
    Mode.UPSERT_REPLACE: _upsert_replace,
    Mode.UPSERT_UPDATE: _upsert_update,
    Mode.APPEND: _append,
    Mode.APPEND_NEW: _append_new,
    Mode.UPDATE: _update,
    Mode.UPDATE_NEW: _append_new,
    Mode.REPLACE: _replace,
    Mode.MERGE: _merge,
    Mode.PATCH_ATTRIBUTE: _patch_attribute,
    Mode.REPLACE_ATTRIBUTE: _replace_attribute,
    Mode.DELETE: _delete,
    Mode.DELETE_ATTRIBUTE: _delete_attribute,
    Mode.KEEP_ATTRIBUTES: _keep_attributes,
    Mode.EXPIRE: _expire,
}
_VALUE_NAMES = frozenset(VALUE_MEMBERS.values())
_CLEARED = ("observedAt", "unitCode")
"""Members with a field of their own; a patch that sets one to null says so in `extra`."""
_GUESSED = frozenset({Kind.PROPERTY, Kind.GEO_PROPERTY})
"""Kinds that stand for a value given without one."""
_VALUE_TYPES: Mapping[Kind, type | tuple[type, ...]] = {
    Kind.LANGUAGE_PROPERTY: dict,
    Kind.VOCAB_PROPERTY: (str, list),
    Kind.LIST_PROPERTY: list,
}


def _patched(entity: Entity, change: Change, put: tuple[Instance, ...], now: Instant) -> Resolution:
    removed = _present(entity, change.removals)
    bare = _without(entity, removed)
    stamped = _stamped(bare, put, now)
    outcome = Outcome(change.entity_id, Status.UPDATED)
    return Resolution(outcome, _with(bare, change, stamped, now, union=True), stamped, removed)


def _there(current: Entity | None) -> Entity:
    assert current is not None, "resolve() lets no other mode through without an entity"
    return current


def _failed(change: Change, error: ParvisError) -> Resolution:
    return Resolution(Outcome(change.entity_id, Status.FAILED, error=error))


def _born(change: Change, now: Instant) -> Resolution:
    if not change.types:
        return _failed(change, BadRequestData(f"The new entity {change.entity_id} needs a type."))
    blank = Entity(change.entity_id, (), (), created_at=now, modified_at=now)
    put = _stamped(blank, change.instances, now)
    entity = _with(blank, change, put, now, union=True)
    return Resolution(Outcome(change.entity_id, Status.CREATED), entity, put)


def _written(
    entity: Entity, change: Change, instances: tuple[Instance, ...], ignored: tuple[str, ...], now: Instant
) -> Resolution:
    put = _stamped(entity, instances, now)
    after = _with(entity, change, put, now, union=True)
    same = not put and _about(after) == _about(entity)
    status = Status.UNCHANGED if same else Status.UPDATED
    return Resolution(Outcome(change.entity_id, status, ignored), entity if same else after, put)


def _stamped(entity: Entity, instances: tuple[Instance, ...], now: Instant) -> tuple[Instance, ...]:
    births = {one.key: one.created_at for one in entity.instances}
    return tuple(replace(one, created_at=births.get(one.key, now), modified_at=now) for one in instances)


def _with(entity: Entity, change: Change, put: tuple[Instance, ...], now: Instant, *, union: bool) -> Entity:
    instances = {one.key: one for one in entity.instances}
    for one in put:
        held = instances.get(one.key)
        if not (change.keep_newest and held is not None and is_older(one, held)):
            instances[one.key] = one
    types = entity.types if change.types is None else joined(entity.types if union else (), change.types)
    scopes = entity.scopes if change.scopes is None else change.scopes
    expires_at = entity.expires_at if change.expires_at is UNSET else change.expires_at
    due = first_expiry(expires_at, instances.values())
    return Entity(entity.id, types, in_order(instances.values()), scopes, entity.created_at, now, expires_at, due)


def _about(entity: Entity) -> tuple[object, ...]:
    return entity.types, entity.scopes, entity.expires_at


def is_older(one: Instance, held: Instance) -> bool:
    return one.observed_at is not None and held.observed_at is not None and one.observed_at < held.observed_at


def joined(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Both, each once: an entity keeps the types it has (4.5.1); sorted, so that equal sets are equal tuples."""
    return tuple(sorted({*old, *new}))


def _others(change: Change, kept: tuple[Instance, ...]) -> tuple[str, ...]:
    names = {one.name for one in kept}
    return tuple(dict.fromkeys(one.name for one in change.instances if one.name not in names))


def _present(entity: Entity, removals: tuple[AttributeKey, ...]) -> tuple[AttributeKey, ...]:
    named = set(removals)
    return tuple(one.key for one in entity.instances if one.key in named or (one.name, ALL_DATASETS) in named)


def _without(entity: Entity, removed: tuple[AttributeKey, ...]) -> Entity:
    gone = set(removed)
    left = tuple(one for one in entity.instances if one.key not in gone)
    return replace(entity, instances=left, due=first_expiry(entity.expires_at, left), rendered={})


def _require(entity: Entity, key: AttributeKey) -> Instance:
    held = entity.find(*key)
    if held is None:
        name, dataset = key
        which = f" with datasetId {dataset}" if dataset else ""
        raise ResourceNotFound(f"The entity {entity.id} has no attribute {name}{which}.")
    return held


def corrected(held: Instance, given: Instance, now: Instant, *, is_kind_open: bool) -> Instance:
    """An instance of the past with `given` merged into it (5.6.14). `extra` says what number it has outside.

    What was not observed stands where it was recorded, and stays there. Raises BadRequestData.
    """
    if given.dataset not in ("", held.dataset):
        raise BadRequestData("A correction leaves the datasetId as it is.")
    made = _merged(held, given, is_kind_open=is_kind_open)
    extra = {**(made.extra or {}), INSTANCE_NUMBER: number_of(held)}
    return replace(made, extra=extra, modified_at=held.modified_at if made.observed_at is None else now, seq=0)


def removal_of(key: AttributeKey, at: Instant, seq: int) -> Instance:
    """What history tells of an attribute that was taken away (4.5.7)."""
    name, dataset = key
    return Instance(name, Kind.PROPERTY, NULL, dataset, created_at=at, modified_at=at, seq=seq)


def is_present(shown: Instance | None, past: Instance) -> bool:
    """Whether what the entity shows today is that instance of its past."""
    return shown is not None and replace(shown, created_at=0, seq=0) == replace(past, created_at=0, seq=0)


def _merged(held: Instance | None, given: Instance, *, is_kind_open: bool) -> Instance:
    """`given` merged into `held` (5.5.12); `extra` says "urn:ngsi-ld:null" of members that go."""
    if held is None:
        if given.value is UNSET:
            raise BadRequestData(f"The attribute {given.name} is new, so it needs a value.")
        return replace(given, extra=json_merge({}, given.extra or {}) or None)
    value = held.value if given.value is UNSET else json_merge(held.value, given.value)
    extra = json_merge(held.extra or {}, given.extra or {})
    return _over(held, given, value, extra, is_kind_open=is_kind_open)


def _overlaid(held: Instance, given: Instance, *, is_kind_open: bool) -> Instance:
    """`held` with the members that `given` has in place of its own (5.5.8)."""
    value = held.value if given.value is UNSET else given.value
    extra = dict(held.extra or {})
    for name, member in (given.extra or {}).items():
        if member == NULL:
            extra.pop(name, None)
        else:
            extra[name] = json_merge({} if _is_whole(member) else extra.get(name), member)
    return _over(held, given, value, extra, is_kind_open=is_kind_open)


def _is_whole(member: Json) -> bool:
    """Of a sub-attribute: it brings its value along."""
    return not isinstance(member, dict) or not _VALUE_NAMES.isdisjoint(member)


def _over(held: Instance, given: Instance, value: Json, extra: dict[str, Json], *, is_kind_open: bool) -> Instance:
    if given.kind != held.kind and not (is_kind_open and given.kind in _GUESSED):
        raise BadRequestData(f"The attribute {given.name} is a {held.kind.name}: its kind cannot change in a patch.")
    gone = {name for name in _CLEARED if (given.extra or {}).get(name) == NULL}
    if given.kind != held.kind:
        _refuse_unfit(held.kind, value, given.name)
    return replace(
        held,
        value=value,
        observed_at=None if "observedAt" in gone else given.observed_at or held.observed_at,
        unit_code="" if "unitCode" in gone else given.unit_code or held.unit_code,
        extra=extra or None,
    )


def _refuse_unfit(kind: Kind, value: Json, name: str) -> None:
    """A value given without a kind takes the stored one's, if it can be one."""
    if kind is Kind.GEO_PROPERTY:
        check_geometry(value if isinstance(value, dict) else None, name)
    elif kind in (Kind.RELATIONSHIP, Kind.LIST_RELATIONSHIP):
        for uri in value if isinstance(value, list) and value else (value,):
            check_uri(uri, name)
    elif not isinstance(value, _VALUE_TYPES.get(kind, object)):
        raise BadRequestData(f"The attribute {name} is a {kind.name}, which {value!r:.60} cannot be.")


def json_merge(old: Any, new: Any) -> Any:
    """JSON Merge Patch (RFC 7396), with "urn:ngsi-ld:null" for null (NGSI-LD 1.9.1, 5.5.12)."""
    if not isinstance(new, dict):
        return new
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in new.items():
        if value is None or value == NULL:
            merged.pop(name, None)
        else:
            merged[name] = json_merge(merged.get(name), value)
    return merged
