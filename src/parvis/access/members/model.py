"""A pool and its members: the default tenant is the pool, each member a tenant of its own."""

from typing import Any

import msgspec

from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import Instant

POOL = DEFAULT_TENANT


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """`tenant` is its short name, in addresses too; `code` its official one. `outline` is a GeoJSON geometry.

    What is of one of `public_types` its residents read without signing in. From `until` on it is a member no longer:
    its own people still come in, to take their data along; nothing of it is public, and no mandate is in force.
    """

    tenant: str
    title: str
    since: Instant
    code: str = ""
    until: Instant | None = None
    hosts: tuple[str, ...] = ()
    public_types: tuple[str, ...] = ()
    outline: dict[str, Any] | None = None

    def is_in_pool(self, now: Instant) -> bool:
        return self.since <= now and (self.until is None or now < self.until)


class Mandate(msgspec.Struct, frozen=True, kw_only=True):
    """What a member lets the pool's people do in its tenant: what `role` may, where it says so in `scopes` alone, never
    more than they may in the pool itself. `reference` names the deliberation that decided it."""

    id: str
    member: str
    role: str
    since: Instant
    until: Instant
    reference: str
    granted_by: str
    granted_at: Instant
    scopes: tuple[str, ...] = ()
    ended_at: Instant | None = None
    ended_by: str = ""

    def is_in_force(self, now: Instant) -> bool:
        return self.since <= now < self.until and (self.ended_at is None or now < self.ended_at)

    def is_over(self, now: Instant) -> bool:
        return now >= self.until or (self.ended_at is not None and now >= self.ended_at)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant used in a `month` as 2026-11, in UTC. Bytes are as of `measured_at`; `changes` and `values` are of
    the whole month so far."""

    month: str
    tenant: str
    changes: int
    values: int
    entities: int
    store_bytes: int
    archive_bytes: int
    measured_at: Instant

    @property
    def bytes(self) -> int:
        return self.store_bytes + self.archive_bytes
