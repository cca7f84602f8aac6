"""What members let the pool's people do: recorded, with dates, ended at any time."""

import re
import secrets
from collections.abc import Callable, Sequence

import msgspec

from parvis.access.accounts import check_role
from parvis.access.members.checks import LONGEST_REFERENCE
from parvis.access.members.model import POOL, Mandate, Member
from parvis.access.model import DEVICE_ROLE, EVERY_TENANT, AuditRecord
from parvis.access.ports import AccessStore
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Clock, Instant, format_instant, system_clock

MOST_SCOPES = 50
_SCOPE = re.compile(r"(/[\w-]+)+")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a mandate says; from now on where it has no `since`."""

    role: str
    until: Instant
    reference: str
    since: Instant | None = None
    scopes: tuple[str, ...] = ()


class Mandates:
    """Every change is in the member's audit trail, in the same transaction. `on_change` runs after each."""

    def __init__(self, store: AccessStore, on_change: Callable[[], None], clock: Clock = system_clock) -> None:
        self._store = store
        self._on_change = on_change
        self._clock = clock

    def grant(self, caller: Caller, member: str, terms: Terms) -> Mandate:
        """By one of the member's own administrators. Raises Forbidden, BadRequestData or ResourceNotFound."""
        require_own(caller, member)
        found = self._store.members.find_member(member)
        if found is None or not found.is_in_pool(self._clock()):
            raise ResourceNotFound(f"There is no member {member}.")
        return self._record(caller, member, terms)

    def found(self, caller: Caller, member: Member, terms: Terms) -> Mandate:
        """The first, with which somebody becomes a member; nobody of its own is there yet. Inside its transaction."""
        if caller.tenant not in (POOL, EVERY_TENANT) or self.list_of(member.tenant):
            raise Forbidden("Only a founding mandate is recorded by the pool.")
        return self._record(caller, member.tenant, terms)

    def end(self, caller: Caller, member: str, mandate_id: str) -> None:
        """At any time: by the member's own administrators, or by the pool's, who give it back.

        Raises:
            Forbidden or ResourceNotFound.
        """
        if caller.tenant != POOL or not caller.may(Right.ADMINISTER):
            require_own(caller, member)
        now = self._clock()
        mine = next((one for one in self.list_of(member) if one.id == mandate_id and not one.is_over(now)), None)
        if mine is None:
            raise ResourceNotFound(f"There is no mandate {mandate_id} that could end.")
        with self._store.transaction():
            self._end(caller, mine, now)
        self._on_change()

    def end_all(self, caller: Caller, member: str) -> None:
        """Inside the transaction in which it ceases to be a member."""
        now = self._clock()
        for one in self.list_of(member):
            if not one.is_over(now):
                self._end(caller, one, now)

    def list_of(self, member: str) -> list[Mandate]:
        return self._store.members.list_mandates(member)

    def list_in_force(self) -> list[Mandate]:
        now = self._clock()
        return [one for one in self._store.members.list_mandates() if one.is_in_force(now)]

    def _record(self, caller: Caller, member: str, terms: Terms) -> Mandate:
        now = self._clock()
        mandate = Mandate(
            id=secrets.token_hex(4),
            member=member,
            role=terms.role,
            since=now if terms.since is None else terms.since,
            until=terms.until,
            reference=terms.reference.strip(),
            granted_by=caller.subject,
            granted_at=now,
            scopes=tuple(dict.fromkeys(terms.scopes)),
        )
        _check(mandate, now)
        with self._store.transaction():
            self._store.members.put_mandate(mandate)
            told = {
                "role": mandate.role,
                "since": format_instant(mandate.since),
                "until": format_instant(mandate.until),
                "reference": mandate.reference,
            }
            scopes = {"scopes": ", ".join(mandate.scopes)} if mandate.scopes else {}
            self._store.append_audit(
                AuditRecord(now, member, caller.subject, "mandate-granted", mandate.id, told | scopes)
            )
        self._on_change()
        return mandate

    def _end(self, caller: Caller, mandate: Mandate, now: Instant) -> None:
        ended = msgspec.structs.replace(mandate, ended_at=now, ended_by=caller.subject)
        self._store.members.put_mandate(ended)
        facts = {"role": mandate.role, "reference": mandate.reference}
        self._store.append_audit(AuditRecord(now, mandate.member, caller.subject, "mandate-ended", mandate.id, facts))


def in_force(mandates: Sequence[Mandate], now: Instant) -> list[Mandate]:
    return [one for one in mandates if one.is_in_force(now)]


def require_own(caller: Caller, member: str) -> None:
    """One of the member's own administrators, not one of the pool by a mandate. Raises Forbidden."""
    if not caller.may(Right.ADMINISTER) or caller.tenant not in (member, EVERY_TENANT) or caller.mandate:
        raise Forbidden(f"Only an administrator of {member} itself decides that.")


def _check(mandate: Mandate, now: Instant) -> None:
    check_role(mandate.role)
    if mandate.role == DEVICE_ROLE:
        raise BadRequestData("A mandate is for people, not for devices.", rule="mandate-role")
    if mandate.until <= max(mandate.since, now):
        raise BadRequestData("A mandate ends after it has begun, and not in the past.", rule="mandate-until")
    if not mandate.reference or len(mandate.reference) > LONGEST_REFERENCE:
        raise BadRequestData(
            f"A mandate names the deliberation that decided it, in at most {LONGEST_REFERENCE} characters.",
            rule="mandate-reference",
        )
    wrong = next((one for one in mandate.scopes if _SCOPE.fullmatch(one) is None), None)
    if wrong is not None or len(mandate.scopes) > MOST_SCOPES:
        raise BadRequestData(f"Scopes look like /school/north, and are at most {MOST_SCOPES}.", rule="mandate-scope")
