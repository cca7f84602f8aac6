"""Who belongs to the pool, and what each member has chosen."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from parvis.access.accounts import check_role
from parvis.access.members.checks import check_hosts, check_member, plain_hosts
from parvis.access.members.mandates import Mandates, Terms, require_own
from parvis.access.members.model import POOL, Member
from parvis.access.model import EVERY_TENANT, AuditRecord
from parvis.access.ports import AccessStore
from parvis.kernel.errors import AlreadyExists, BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Clock, system_clock

MOST_PUBLIC_TYPES = 200


class Members:
    """Every change is in the audit trail, in the same transaction. `on_change` runs after each."""

    def __init__(
        self, store: AccessStore, mandates: Mandates, on_change: Callable[[], None], clock: Clock = system_clock
    ) -> None:
        self._store = store
        self._mandates = mandates
        self._on_change = on_change
        self._clock = clock

    def add(self, caller: Caller, member: Member, founding: Terms | None = None) -> Member:
        """A member from now on; `founding` is what it lets the pool's people do, by the deliberation that made it one.

        Raises:
            Forbidden, BadRequestData or AlreadyExists.
        """
        require_pool(caller)
        made = msgspec.structs.replace(member, since=self._clock(), until=None, hosts=plain_hosts(member.hosts))
        check_member(made)
        if founding is not None:
            check_role(founding.role)
        with self._store.transaction():
            if self.find(made.tenant) is not None:
                raise AlreadyExists(f"There is a member {made.tenant} already.")
            check_hosts(made, self._others(made))
            self._store.members.put_member(made)
            self._audit(caller, POOL, "member-created", made.tenant, name=made.title, code=made.code)
            if founding is not None:
                self._mandates.found(caller, made, founding)
        self._on_change()
        return made

    def change(self, caller: Caller, tenant: str, **changed: Any) -> Member:
        """Of its `title`, `code`, `hosts` and `outline`. Raises Forbidden, ResourceNotFound, BadRequestData or
        AlreadyExists."""
        require_pool(caller)
        if "hosts" in changed:
            changed["hosts"] = plain_hosts(changed["hosts"])
        return self._put(caller, POOL, "member-changed", msgspec.structs.replace(self.get(tenant), **changed))

    def choose_public(self, caller: Caller, tenant: str, types: Sequence[str]) -> Member:
        """What its residents read without signing in: for its own administrators to decide.

        Raises:
            Forbidden, ResourceNotFound or BadRequestData.
        """
        require_own(caller, tenant)
        chosen = tuple(dict.fromkeys(types))
        if len(chosen) > MOST_PUBLIC_TYPES:
            raise BadRequestData(f"At most {MOST_PUBLIC_TYPES} types are public.")
        changed = msgspec.structs.replace(self.get(tenant), public_types=chosen)
        return self._put(caller, tenant, "public-types-chosen", changed, types=", ".join(chosen))

    def end(self, caller: Caller, tenant: str) -> Member:
        """It belongs to the pool no longer: by the pool's administrators, or its own. Both trails tell it.

        Raises:
            Forbidden or ResourceNotFound.
        """
        if caller.tenant == tenant:
            require_own(caller, tenant)
        else:
            require_pool(caller)
        member, now = self.get(tenant), self._clock()
        if not member.is_in_pool(now):
            raise ResourceNotFound(f"{member.title} is a member no longer.")
        ended = msgspec.structs.replace(member, until=now, hosts=(), public_types=())
        with self._store.transaction():
            self._mandates.end_all(caller, tenant)
            self._audit(caller, tenant, "member-ended", tenant)
            return self._put(caller, POOL, "member-ended", ended)

    def find(self, tenant: str) -> Member | None:
        return self._store.members.find_member(tenant)

    def get(self, tenant: str) -> Member:
        member = self.find(tenant)
        if member is None:
            raise ResourceNotFound(f"There is no member {tenant}.")
        return member

    def list_all(self) -> list[Member]:
        return self._store.members.list_members()

    def list_in_pool(self) -> list[Member]:
        now = self._clock()
        return [one for one in self.list_all() if one.is_in_pool(now)]

    def _put(self, caller: Caller, tenant: str, action: str, member: Member, **facts: str) -> Member:
        check_member(member)
        with self._store.transaction():
            check_hosts(member, self._others(member))
            self._store.members.put_member(member)
            self._audit(caller, tenant, action, member.tenant, **facts)
        self._on_change()
        return member

    def _others(self, member: Member) -> list[Member]:
        return [one for one in self.list_all() if one.tenant != member.tenant]

    def _audit(self, caller: Caller, tenant: str, action: str, what: str, **facts: str) -> None:
        told = {key: value for key, value in facts.items() if value}
        self._store.append_audit(AuditRecord(self._clock(), tenant, caller.subject, action, what, told))


def require_pool(caller: Caller) -> None:
    """Raises Forbidden."""
    if not caller.may(Right.ADMINISTER) or caller.tenant not in (POOL, EVERY_TENANT):
        raise Forbidden(f"{caller.subject} may not administer the pool.")
