"""What people's data are held for, for how long, and what was done about it."""

from enum import Enum
from typing import Literal

import msgspec

from parvis.kernel.time import Instant

Words = dict[str, str]
"""By language."""
Basis = Literal["a", "b", "c", "d", "e", "f"]
"""The letter of GDPR Art. 6 (1)."""


class Then(Enum):
    """What becomes of values whose time is over."""

    ERASE = "erase"
    AGGREGATE = "aggregate"


class Summary(Enum):
    """What stands for the values of a period: `LAST` is for meters that count up."""

    MEAN = "mean"
    SUM = "sum"
    LAST = "last"


class Cover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The attributes of one type that a purpose needs, by local name, for the ISO 8601 duration `keep`: of all entities
    of the type, or of those in `scopes` and below.

    Where they are aggregated afterwards: to `period`, and these values are erased after `keep_totals`, counted as
    `keep` is; empty: they stay.
    """

    type: str
    attributes: tuple[str, ...]
    keep: str
    then: Then = Then.ERASE
    period: str = "P1D"
    method: Summary = Summary.MEAN
    keep_totals: str = ""
    scopes: tuple[str, ...] = ()


class Purpose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A processing activity (GDPR Art. 30). `version` counts its changes in the tenant; 0: as it comes with Parvis.

    `records` are what the platform itself holds of people for it. One that `is_off` is declared no longer.
    """

    id: str
    name: Words
    basis: Basis
    description: Words = {}
    service: Words = {}
    subjects: Words = {}
    recipients: Words = {}
    transfers: Words = {}
    covers: tuple[Cover, ...] = ()
    records: tuple[str, ...] = ()
    version: int = 0
    is_off: bool = False


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's own. Nothing is erased before `executes`."""

    executes: bool = False
    executes_since: Instant | None = None
    controller: str = ""
    contact: str = ""
    officer: str = ""
    officer_contact: str = ""


class Action(Enum):
    """What the ledger tells of."""

    ERASED = "erased"
    AGGREGATED = "aggregated"
    PERSON_ERASED = "person-erased"


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`count` values of `objects` objects, seen from `since` to `until`, by `version` of the declaration.

    Nothing in it may be of a person: `person` is a keyed digest (hex) of what they are known by, `entities` are ids,
    `places` says how many were erased where. The same `key` is told once.
    """

    tenant: str
    at: Instant
    action: Action
    key: str
    by: str
    purpose: str = ""
    version: int = 0
    type: str = ""
    attribute: str = ""
    count: int = 0
    objects: int = 0
    since: Instant | None = None
    until: Instant | None = None
    made: int = 0
    person: str = ""
    entities: tuple[str, ...] = ()
    places: dict[str, int] = {}
    reason: str = ""
    number: int = 0
