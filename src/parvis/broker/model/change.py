"""What a writer asks for, and what became of it."""

from enum import Enum, auto

import msgspec
from msgspec import UNSET, UnsetType

from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.kernel.errors import ParvisError
from parvis.kernel.time import Instant


class Mode(Enum):
    """How a change meets what is stored (NGSI-LD 1.9.1, the clause in brackets)."""

    CREATE = auto()  # fails where the entity exists (5.6.1)
    UPSERT_REPLACE = auto()  # create, or replace all attributes (5.6.8, default)
    UPSERT_UPDATE = auto()  # create, or overwrite the attributes given (5.6.8, options=update)
    APPEND = auto()  # entity must exist; overwrite or add (5.6.3)
    APPEND_NEW = auto()  # entity must exist; add only what is not there (5.6.3, options=noOverwrite)
    UPDATE = auto()  # as APPEND, but a scope only where there is one (5.6.2)
    UPDATE_NEW = auto()  # batch update, noOverwrite (5.6.9)
    REPLACE = auto()  # entity must exist; replace all attributes (5.6.18)
    MERGE = auto()  # entity must exist; JSON merge patch (5.6.17)
    PATCH_ATTRIBUTE = auto()  # the instance must exist; merge the members given into it (5.6.4)
    REPLACE_ATTRIBUTE = auto()  # the attribute must exist; replace that instance (5.6.19)
    DELETE = auto()  # the entity (5.6.6)
    DELETE_ATTRIBUTE = auto()  # the instances named in `removals`, and with `scopes` empty the scope (5.6.5)
    KEEP_ATTRIBUTES = auto()  # delete every attribute but those that `removals` name (5.6.21, keep)
    EXPIRE = auto()  # the entity, or those of its attributes, that are over by now (4.22)


ALL_DATASETS = "*"
"""In a removal: every instance of the attribute."""


class Change(msgspec.Struct, frozen=True):
    """One asked-for change of one entity.

    `types` and `scopes` are None where the request says nothing of them, `expires_at` is UNSET (None: it is to stay).
    For MERGE and PATCH_ATTRIBUTE, an instance's `value` is `msgspec.UNSET` where the request gives none, and `removals`
    names what the request sets to "urn:ngsi-ld:null"; `expected_kind_open` is True where the request names no kind and
    the stored one holds.
    `keep_newest` is for measurements that may come late: one observed before the stored one becomes history only. With
    UPSERT_UPDATE and `keep_newest`, one change may carry many instances of the same attribute (a back-fill).
    `once` leaves out what history holds already as observed at the same instant (`model.once`), whichever process
    stored it; where nothing is left the outcome is UNCHANGED. `told_at` names the sub-attribute in which an instance
    whose time was corrected keeps the time that it was told with: then that one is meant.
    `seen_before` has DELETE_ATTRIBUTE take away only what was observed, or else recorded, before it.
    `past` becomes history only, and no event tells of it: scopes that the entity had (`broker.model.scopes`), and
    attributes that were deleted, of value "urn:ngsi-ld:null".
    `with_next`: where rights refuse this one or the one after it, neither is made.
    """

    entity_id: str
    mode: Mode
    instances: tuple[Instance, ...] = ()
    types: tuple[Iri, ...] | None = None
    scopes: tuple[str, ...] | None = None
    removals: tuple[AttributeKey, ...] = ()
    expected_kind_open: bool = False
    keep_newest: bool = False
    once: bool = False
    told_at: Iri = ""
    expires_at: Instant | UnsetType | None = UNSET
    past: tuple[Instance, ...] = ()
    seen_before: Instant | None = None
    with_next: bool = False


class Status(Enum):
    CREATED = auto()
    UPDATED = auto()
    DELETED = auto()
    UNCHANGED = auto()
    FAILED = auto()


class Outcome(msgspec.Struct, frozen=True):
    """What became of one change. `ignored` names attributes the mode left alone; `error` is set when it FAILED."""

    entity_id: str
    status: Status
    ignored: tuple[Iri, ...] = ()
    error: ParvisError | None = None


class EventKind(Enum):
    CREATED = 1
    UPDATED = 2
    DELETED = 3


def event_kind(status: Status) -> EventKind:
    """What the outbox tells of a change that was carried out."""
    return {Status.CREATED: EventKind.CREATED, Status.DELETED: EventKind.DELETED}.get(status, EventKind.UPDATED)


class Event(msgspec.Struct, frozen=True):
    """A committed change, as the outbox tells it. `instances` are those written, `removed` those taken away."""

    seq: int
    tenant: str
    at: int
    entity_id: str
    types: tuple[Iri, ...]
    kind: EventKind
    instances: tuple[Instance, ...] = ()
    removed: tuple[AttributeKey, ...] = ()
