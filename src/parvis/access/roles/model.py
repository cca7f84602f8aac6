"""Roles as data: actions, on entities of types and in scopes, up to a privacy class."""

from collections.abc import Mapping
from typing import Final

import msgspec

from parvis.kernel.identity import NOBODY, Right
from parvis.kernel.reach import Hidden, PrivacyClass, Reach
from parvis.kernel.time import Instant

ACTIONS: Final[Mapping[str, Right]] = {
    "read-public": Right.READ_PUBLIC,
    "read": Right.READ,
    "deliver": Right.INGEST,
    "write": Right.WRITE,
    "command": Right.COMMAND,
    "administer": Right.ADMINISTER,
    "audit": Right.AUDIT,
    "steward": Right.STEWARD,
}
BY_AREA: Final = Right.READ | Right.READ_PUBLIC | Right.INGEST | Right.WRITE | Right.COMMAND
"""What may be granted on a part of the entities; the other rights are for a whole tenant."""
CLASSES: Final[Mapping[str, PrivacyClass]] = {one.name.lower(): one for one in PrivacyClass}


class RoleGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Empty `types` and `scopes` are all. `is_narrowed`: an assignment's types and scopes narrow this grant; where a
    role has none such, they narrow them all."""

    actions: tuple[str, ...]
    types: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    is_narrowed: bool = False

    @property
    def rights(self) -> Right:
        rights = NOBODY
        for action in self.actions:
            rights |= ACTIONS[action]
        return rights


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`title` and `description` by language."""

    grants: tuple[RoleGrant, ...]
    clearance: str = "internal"
    title: dict[str, str] = {}
    description: dict[str, str] = {}
    name: str = ""

    @property
    def rights(self) -> Right:
        rights = NOBODY
        for grant in self.grants:
            rights |= grant.rights
        return rights


class Assignment(msgspec.Struct, frozen=True):
    """A role that somebody has in a tenant, beside that of their account or key: from `since`, before `until`.

    `subject` is user:NAME or key:ID. `types` and `scopes` narrow what the role reaches.
    """

    id: str
    subject: str
    tenant: str
    role: str
    since: Instant
    until: Instant | None = None
    types: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    def is_in_force(self, now: Instant) -> bool:
        return self.since <= now and (self.until is None or now < self.until)


class Classified(msgspec.Struct, frozen=True):
    """The class of an attribute: of entities of one type, or of all where `type` is empty. Names are local."""

    attribute: str
    privacy: str
    type: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.type, self.attribute

    @property
    def name(self) -> str:
        return f"{self.type}.{self.attribute}" if self.type else self.attribute


class Standing(msgspec.Struct, frozen=True):
    """What all roles of somebody in a tenant come to. `hides` None: nothing."""

    rights: Right
    reads: Reach = None
    writes: Reach = None
    commands: Reach = None
    hides: Hidden | None = None
