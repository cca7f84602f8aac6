"""Context sources as they are registered (NGSI-LD 1.9.1, 5.2.9, 5.2.10, 5.2.8 and 5.2.34), names expanded."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

import msgspec

from parvis.broker.model.entity import Iri
from parvis.kernel.time import Instant

_MILLISECOND = 1000


class RegistrationMode(Enum):
    """How a source stands beside what is held here (4.3.6.3)."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"
    REDIRECT = "redirect"
    AUXILIARY = "auxiliary"

    @property
    def is_proxied(self) -> bool:
        """What it covers is held there and not here."""
        return self in (RegistrationMode.EXCLUSIVE, RegistrationMode.REDIRECT)


class Operation(Enum):
    """What a source may be asked for (table 4.20-1)."""

    CREATE_ENTITY = "createEntity"
    UPDATE_ENTITY = "updateEntity"
    APPEND_ATTRS = "appendAttrs"
    UPDATE_ATTRS = "updateAttrs"
    DELETE_ATTRS = "deleteAttrs"
    DELETE_ENTITY = "deleteEntity"
    MERGE_ENTITY = "mergeEntity"
    REPLACE_ENTITY = "replaceEntity"
    REPLACE_ATTRS = "replaceAttrs"
    PURGE_ENTITY = "purgeEntity"
    CREATE_BATCH = "createBatch"
    UPSERT_BATCH = "upsertBatch"
    UPDATE_BATCH = "updateBatch"
    DELETE_BATCH = "deleteBatch"
    MERGE_BATCH = "mergeBatch"
    UPSERT_TEMPORAL = "upsertTemporal"
    APPEND_ATTRS_TEMPORAL = "appendAttrsTemporal"
    DELETE_ATTRS_TEMPORAL = "deleteAttrsTemporal"
    UPDATE_ATTR_INSTANCE_TEMPORAL = "updateAttrInstanceTemporal"
    DELETE_ATTR_INSTANCE_TEMPORAL = "deleteAttrInstanceTemporal"
    DELETE_TEMPORAL = "deleteTemporal"
    RETRIEVE_ENTITY = "retrieveEntity"
    QUERY_ENTITY = "queryEntity"
    QUERY_BATCH = "queryBatch"
    RETRIEVE_TEMPORAL = "retrieveTemporal"
    QUERY_TEMPORAL = "queryTemporal"
    RETRIEVE_ENTITY_TYPES = "retrieveEntityTypes"
    RETRIEVE_ENTITY_TYPE_DETAILS = "retrieveEntityTypeDetails"
    RETRIEVE_ENTITY_TYPE_INFO = "retrieveEntityTypeInfo"
    RETRIEVE_ATTR_TYPES = "retrieveAttrTypes"
    RETRIEVE_ATTR_TYPE_DETAILS = "retrieveAttrTypeDetails"
    RETRIEVE_ATTR_TYPE_INFO = "retrieveAttrTypeInfo"
    CREATE_SUBSCRIPTION = "createSubscription"
    UPDATE_SUBSCRIPTION = "updateSubscription"
    RETRIEVE_SUBSCRIPTION = "retrieveSubscription"
    QUERY_SUBSCRIPTION = "querySubscription"
    DELETE_SUBSCRIPTION = "deleteSubscription"
    RETRIEVE_ENTITY_MAP = "retrieveEntityMap"
    UPDATE_ENTITY_MAP = "updateEntityMap"
    DELETE_ENTITY_MAP = "deleteEntityMap"


_RETRIEVE = frozenset({Operation.RETRIEVE_ENTITY, Operation.QUERY_ENTITY})
_DISCOVER = frozenset(
    {
        Operation.RETRIEVE_ENTITY_TYPES,
        Operation.RETRIEVE_ENTITY_TYPE_DETAILS,
        Operation.RETRIEVE_ENTITY_TYPE_INFO,
        Operation.RETRIEVE_ATTR_TYPES,
        Operation.RETRIEVE_ATTR_TYPE_DETAILS,
        Operation.RETRIEVE_ATTR_TYPE_INFO,
    }
)
_UPDATE = frozenset(
    {Operation.UPDATE_ENTITY, Operation.UPDATE_ATTRS, Operation.REPLACE_ENTITY, Operation.REPLACE_ATTRS}
)
_SUBSCRIBE = frozenset(
    {
        Operation.CREATE_SUBSCRIPTION,
        Operation.UPDATE_SUBSCRIPTION,
        Operation.RETRIEVE_SUBSCRIPTION,
        Operation.QUERY_SUBSCRIPTION,
        Operation.DELETE_SUBSCRIPTION,
    }
)
_ENTITY_MAPS = frozenset({Operation.RETRIEVE_ENTITY_MAP, Operation.UPDATE_ENTITY_MAP, Operation.DELETE_ENTITY_MAP})


class OperationGroup(Enum):
    """Names for several operations (table 4.20-2)."""

    FEDERATION = "federationOps"
    UPDATE = "updateOps"
    RETRIEVE = "retrieveOps"
    REDIRECTION = "redirectionOps"


OPERATION_GROUPS: dict[OperationGroup, frozenset[Operation]] = {
    OperationGroup.FEDERATION: _RETRIEVE | {Operation.QUERY_BATCH} | _DISCOVER | _SUBSCRIBE | _ENTITY_MAPS,
    OperationGroup.UPDATE: _UPDATE,
    OperationGroup.RETRIEVE: _RETRIEVE,
    OperationGroup.REDIRECTION: _UPDATE
    | _RETRIEVE
    | _DISCOVER
    | {
        Operation.CREATE_ENTITY,
        Operation.APPEND_ATTRS,
        Operation.DELETE_ATTRS,
        Operation.DELETE_ENTITY,
        Operation.PURGE_ENTITY,
        Operation.MERGE_ENTITY,
    },
}
AUXILIARY_OPERATIONS = _RETRIEVE
"""All that an auxiliary source may be asked for (5.9.2.4)."""


DEFAULT_OPERATIONS = (OperationGroup.FEDERATION.value,)


class EntityInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Entities of one of `types`: the one with this id, those whose id has the pattern, or all (5.2.8)."""

    types: tuple[Iri, ...]
    id: str | None = None
    id_pattern: str | None = None


class RegistrationInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which attributes of which entities a source has (5.2.10). Empty: any entity; no names: any attribute."""

    entities: tuple[EntityInfo, ...] = ()
    properties: tuple[Iri, ...] = ()
    relationships: tuple[Iri, ...] = ()

    @property
    def attributes(self) -> tuple[Iri, ...]:
        return self.properties + self.relationships


class TimeInterval(msgspec.Struct, frozen=True, omit_defaults=True):
    """From `start` on, to `end` where there is one (5.2.11)."""

    start: Instant
    end: Instant | None = None


class Management(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a source is to be called (5.2.34)."""

    local_only: bool = False
    cache_duration: str | None = None
    timeout_ms: int | None = None
    cooldown_ms: int | None = None


class Registration(msgspec.Struct, frozen=True, omit_defaults=True):
    """A context source and what it has (5.2.9).

    `operations` and `scopes` are as they were given; `properties` are the context source properties by expanded name.
    `source_info` is what a call carries along and may hold secrets: never log it.
    """

    tenant: str
    id: str
    endpoint: str
    information: tuple[RegistrationInfo, ...] = ()
    mode: RegistrationMode = RegistrationMode.INCLUSIVE
    operations: tuple[str, ...] = DEFAULT_OPERATIONS
    name: str | None = None
    description: str | None = None
    alias: str | None = None
    source_tenant: str | None = None
    source_info: tuple[tuple[str, str], ...] = ()
    management: Management | None = None
    datasets: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    observation_interval: TimeInterval | None = None
    management_interval: TimeInterval | None = None
    location: dict[str, Any] | None = None
    observation_space: dict[str, Any] | None = None
    operation_space: dict[str, Any] | None = None
    refresh_rate: str | None = None
    local_only: bool = False
    expires_at: Instant | None = None
    properties: dict[Iri, Any] = {}
    created_at: Instant = 0
    modified_at: Instant = 0

    def is_in_force(self, now: Instant) -> bool:
        return self.expires_at is None or self.expires_at > now

    @property
    def timeout_s(self) -> float | None:
        limit_ms = None if self.management is None else self.management.timeout_ms
        return None if limit_ms is None else limit_ms / 1000

    @property
    def cooldown(self) -> Instant | None:
        """In microseconds."""
        wait_ms = None if self.management is None else self.management.cooldown_ms
        return None if wait_ms is None else wait_ms * _MILLISECOND

    @property
    def is_local_only(self) -> bool:
        return self.local_only or (self.management is not None and self.management.local_only)

    def __repr__(self) -> str:
        return f"Registration({self.tenant!r}, {self.id!r}, {self.endpoint!r}, {self.mode})"


def operations_of(registration: Registration) -> frozenset[Operation]:
    """What it may be asked for; an auxiliary source is only read."""
    named = named_operations(registration.operations)
    return named & AUXILIARY_OPERATIONS if registration.mode is RegistrationMode.AUXILIARY else named


def named_operations(names: Iterable[str]) -> frozenset[Operation]:
    """With those of the groups that are named."""
    found: set[Operation] = set()
    for name in names:
        found |= OPERATION_GROUPS[OperationGroup(name)] if name in _GROUP_NAMES else {Operation(name)}
    return frozenset(found)


_GROUP_NAMES = frozenset(group.value for group in OperationGroup)
OPERATION_NAMES = _GROUP_NAMES | {operation.value for operation in Operation}
