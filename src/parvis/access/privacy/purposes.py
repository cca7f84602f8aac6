"""The purposes of each tenant, and who answers for them: each change is in the trail, in the same transaction."""

from typing import Any

import msgspec

from parvis.access.model import AuditRecord
from parvis.access.ports import AccessStore
from parvis.access.privacy.checks import MOST_PURPOSES, check_policy, check_purpose
from parvis.access.privacy.model import Policy, Purpose
from parvis.access.privacy.packaged import PACKAGED_PURPOSES
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Clock, system_clock


class Purposes:
    def __init__(self, store: AccessStore, clock: Clock = system_clock) -> None:
        self._store = store
        self._clock = clock

    def list_of(self, tenant: str) -> list[Purpose]:
        """Those declared by now: those that come with Parvis, and what the tenant has made of them, by id."""
        return [one for one in self._known(tenant).values() if not one.is_off]

    def list_off(self, tenant: str) -> list[Purpose]:
        """Declared no longer."""
        return [one for one in self._known(tenant).values() if one.is_off]

    def get(self, tenant: str, purpose_id: str) -> Purpose:
        found = self._known(tenant).get(purpose_id)
        if found is None:
            raise ResourceNotFound(f"There is no purpose {purpose_id}.")
        return found

    def put(self, caller: Caller, purpose: Purpose) -> Purpose:
        """Declare one, or declare it anew. Raises Forbidden or BadRequestData."""
        check_purpose(purpose)
        known = self._known(caller.tenant)
        if purpose.id not in known and len(known) >= MOST_PURPOSES:
            raise BadRequestData(f"A tenant has at most {MOST_PURPOSES} purposes.", rule="purpose-most")
        return self._change(caller, purpose, "purpose-declared")

    def take_back(self, caller: Caller, purpose_id: str) -> Purpose:
        """Declare it no longer: what it alone covers is held without a purpose. Raises Forbidden, ResourceNotFound."""
        purpose = msgspec.structs.replace(self.get(caller.tenant, purpose_id), is_off=True)
        return self._change(caller, purpose, "purpose-taken-back")

    def reset(self, caller: Caller, purpose_id: str) -> Purpose:
        """As it comes with Parvis. Raises Forbidden, ResourceNotFound."""
        if purpose_id not in PACKAGED_PURPOSES:
            raise ResourceNotFound(f"No purpose {purpose_id} comes with Parvis.")
        return self._change(caller, PACKAGED_PURPOSES[purpose_id], "purpose-declared")

    def policy_of(self, tenant: str) -> Policy:
        return self._store.privacy.find_policy(tenant) or Policy()

    def put_policy(self, caller: Caller, policy: Policy) -> Policy:
        """Whether it `executes` stays as it is. Raises Forbidden, BadRequestData."""
        held = self.policy_of(caller.tenant)
        check_policy(policy)
        kept = msgspec.structs.replace(policy, executes=held.executes, executes_since=held.executes_since)
        return self._put_policy(caller, kept, "privacy-contacts-changed")

    def execute(self, caller: Caller, *, is_on: bool) -> Policy:
        """Whether what is past its time is erased from now on, by night. Raises Forbidden: also who acts by a mandate,
        which this would outlive; to stop it anybody may who answers for people's data."""
        if is_on:
            require_own_steward(caller)
        policy = msgspec.structs.replace(
            self.policy_of(caller.tenant), executes=is_on, executes_since=self._clock() if is_on else None
        )
        return self._put_policy(caller, policy, "retention-switched-on" if is_on else "retention-switched-off")

    def _known(self, tenant: str) -> dict[str, Purpose]:
        own = {one.id: one for one in self._store.privacy.list_purposes(tenant)}
        return dict(sorted({**PACKAGED_PURPOSES, **own}.items()))

    def _change(self, caller: Caller, purpose: Purpose, action: str) -> Purpose:
        require_steward(caller)
        if self.policy_of(caller.tenant).executes:
            require_own_steward(caller)
        with self._store.transaction():
            held = self._known(caller.tenant).get(purpose.id)
            version = 1 if held is None else held.version + 1
            declared = msgspec.structs.replace(purpose, version=version)
            self._store.privacy.put_purpose(caller.tenant, declared)
            self._audit(caller, action, declared.id, msgspec.to_builtins(declared))
        return declared

    def _put_policy(self, caller: Caller, policy: Policy, action: str) -> Policy:
        require_steward(caller)
        with self._store.transaction():
            self._store.privacy.put_policy(caller.tenant, policy)
            self._audit(caller, action, caller.tenant, {})
        return policy

    def _audit(self, caller: Caller, action: str, what: str, facts: dict[str, Any]) -> None:
        self._store.append_audit(AuditRecord(self._clock(), caller.tenant, caller.subject, action, what, facts))


def require_steward(caller: Caller) -> None:
    """Raises Forbidden."""
    if not caller.may(Right.STEWARD):
        raise Forbidden(f"{caller.subject} may not decide about people's data in tenant {caller.tenant}.")


def require_own_steward(caller: Caller) -> None:
    """For what erases. Raises Forbidden."""
    require_steward(caller)
    if caller.mandate:
        raise Forbidden("By a mandate one prepares what is erased: only the member's own people let it go.")
