"""The roles of each tenant, who has which, and the privacy classes: kept for a moment, changed with an audit entry."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from parvis.access.lasting import check_lasts
from parvis.access.model import EVERY_TENANT, AuditRecord
from parvis.access.roles.checks import check_area, check_classified, check_content
from parvis.access.roles.model import CLASSES, Assignment, Classified, Role, Standing
from parvis.access.roles.packaged import PACKAGED_CLASSES, PACKAGED_ROLES
from parvis.access.roles.standing import Held, hidden_above, standing_of
from parvis.broker.jsonld.contexts import Contexts
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.reach import Hidden, PrivacyClass
from parvis.kernel.time import Clock, Instant, format_instant, system_clock

if TYPE_CHECKING:
    from parvis.access.ports import AccessStore

HOLDS_S = 5.0
MOST_ASSIGNMENTS = 50
FIXED = frozenset({"administrator", "device"})
"""Roles that the platform itself counts on: a tenant cannot give them another content."""


class _Known(msgspec.Struct, frozen=True):
    roles: Mapping[str, Mapping[str, Role]]
    classes: Mapping[str, tuple[Classified, ...]]
    assignments: Mapping[str, tuple[Assignment, ...]]
    until_s: float


class Roles:
    """`on_change` runs after each change."""

    def __init__(
        self,
        store: "AccessStore",
        on_change: Callable[[], None],
        clock: Clock = system_clock,
        ticks_s: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._clock = clock
        self._ticks_s = ticks_s
        self._known: _Known | None = None

    def forget(self) -> None:
        self._known = None

    def all_of(self, tenant: str) -> Mapping[str, Role]:
        """Those that come with Parvis, and the tenant's own, by name."""
        return {**PACKAGED_ROLES, **self._read().roles.get(tenant, {})}

    def own_of(self, tenant: str) -> Mapping[str, Role]:
        return self._read().roles.get(tenant, {})

    def classes_of(self, tenant: str) -> Sequence[Classified]:
        """Those that come with Parvis, less those that the tenant has put into another class, and its own."""
        own = {one.key: one for one in self._read().classes.get(tenant, ())}
        return tuple({**{one.key: one for one in PACKAGED_CLASSES}, **own}.values())

    def own_classes_of(self, tenant: str) -> Sequence[Classified]:
        return self._read().classes.get(tenant, ())

    def hidden_of(self, tenant: str, clearance: PrivacyClass) -> Hidden | None:
        return hidden_above(clearance, self.classes_of(tenant))

    def standing(self, subject: str, tenant: str, home: str | None, looking_in: str | None = None) -> Standing:
        """`home` is the role of the account or key itself, where it holds in this tenant. `looking_in` is another whose
        privacy classes count."""
        roles = self.all_of(tenant)
        held = [Held(roles[home])] if home is not None and home in roles else []
        assigned = [one for one in self.in_force(subject, tenant) if one.role in roles]
        held += [Held(roles[one.role], one.types, one.scopes) for one in assigned]
        return standing_of(held, self.classes_of(looking_in or tenant), expand)

    def standing_by(self, given: Iterable[tuple[str, tuple[str, ...]]], tenant: str) -> Standing:
        """What roles there come to, each with the scopes it is narrowed to."""
        roles = self.all_of(tenant)
        held = [Held(roles[name], (), scopes, is_whole=True) for name, scopes in given if name in roles]
        return standing_of(held, self.classes_of(tenant), expand)

    def in_force(self, subject: str, tenant: str) -> list[Assignment]:
        """Assignments by which the subject acts in the tenant just now."""
        now = self._clock()
        return [one for one in self.assigned_to(subject) if one.tenant == tenant and one.is_in_force(now)]

    def assigned_to(self, subject: str) -> Sequence[Assignment]:
        return self._read().assignments.get(subject, ())

    def next_date(self, subject: str) -> Instant | None:
        """When an assignment of the subject next begins or ends."""
        now = self._clock()
        dates = (at for one in self.assigned_to(subject) for at in (one.since, one.until))
        return min((at for at in dates if at is not None and at > now), default=None)

    def check_role(self, role: str, tenant: str) -> None:
        """Raises BadRequestData."""
        if role not in self.all_of(tenant):
            raise BadRequestData(f"There is no role {role!r}: choose one of {', '.join(self.all_of(tenant))}.")

    def put(self, caller: Caller, role: Role) -> None:
        """Make a role of the caller's tenant, or give one another content. Raises Forbidden or BadRequestData."""
        _require(caller, Right.ADMINISTER)
        check_lasts(caller)
        check_content(role)
        if role.name in FIXED:
            raise BadRequestData(f"The role {role.name} stays as it is: make another one.", rule="role-fixed")
        with self._store.transaction():
            self._store.roles.put_role(caller.tenant, role)
            facts = {"grants": [msgspec.to_builtins(one) for one in role.grants], "clearance": role.clearance}
            self._audit(caller, "role-changed", role.name, facts)
        self._changed()

    def drop(self, caller: Caller, name: str) -> None:
        """Take back what the tenant has made of a role. Raises Forbidden, BadRequestData or ResourceNotFound."""
        _require(caller, Right.ADMINISTER)
        if name not in PACKAGED_ROLES and name in self._used(caller.tenant):
            raise BadRequestData(f"The role {name} is in use: give its holders another one first.", rule="role-in-use")
        with self._store.transaction():
            if not self._store.roles.drop_role(caller.tenant, name):
                raise ResourceNotFound(f"There is no role {name} of {caller.tenant}'s own.")
            self._audit(caller, "role-removed", name, {})
        self._changed()

    def classify(self, caller: Caller, one: Classified) -> None:
        """Put an attribute into a class. Raises Forbidden or BadRequestData."""
        _require(caller, Right.STEWARD)
        check_lasts(caller)
        check_classified(one)
        with self._store.transaction():
            self._store.roles.put_class(caller.tenant, one)
            self._audit(caller, "privacy-class-changed", one.name, {"class": one.privacy})
        self._changed()

    def declassify(self, caller: Caller, one: Classified) -> None:
        """Take back what the tenant has declared. Raises Forbidden or ResourceNotFound."""
        _require(caller, Right.STEWARD)
        check_lasts(caller)
        with self._store.transaction():
            if not self._store.roles.drop_class(caller.tenant, one):
                raise ResourceNotFound(f"{caller.tenant} has put {one.name} into no class.")
            self._audit(caller, "privacy-class-removed", one.name, {})
        self._changed()

    def assign(self, caller: Caller, asked: Assignment) -> Assignment:
        """Give somebody a further role in the caller's tenant. Raises Forbidden, BadRequestData or ResourceNotFound."""
        _require(caller, Right.ADMINISTER)
        check_lasts(caller)
        tenant = asked.tenant if caller.tenant == EVERY_TENANT else caller.tenant
        self.check_role(asked.role, tenant)
        check_area(asked.types, asked.scopes)
        self._check_subject(asked.subject)
        if asked.until is not None and asked.until <= max(asked.since, self._clock()):
            raise BadRequestData("An assignment ends after it has begun, and not in the past.", rule="assignment-until")
        if sum(one.tenant == tenant for one in self.assigned_to(asked.subject)) >= MOST_ASSIGNMENTS:
            raise BadRequestData(f"Somebody has at most {MOST_ASSIGNMENTS} assignments.", rule="assignment-most")
        made = msgspec.structs.replace(asked, id=secrets.token_hex(4), tenant=tenant)
        with self._store.transaction():
            self._store.roles.put_assignment(made)
            self._rotate(made.subject)
            self._audit(msgspec.structs.replace(caller, tenant=tenant), "role-assigned", made.subject, _told(made))
        self._changed()
        return made

    def unassign(self, caller: Caller, assignment_id: str) -> None:
        """Raises Forbidden or ResourceNotFound."""
        _require(caller, Right.ADMINISTER)
        mine = next((one for one in self.list_assignments(caller) if one.id == assignment_id), None)
        if mine is None:
            raise ResourceNotFound(f"There is no assignment {assignment_id}.")
        with self._store.transaction():
            self._store.roles.drop_assignment(assignment_id)
            self._rotate(mine.subject)
            there = msgspec.structs.replace(caller, tenant=mine.tenant)
            self._audit(there, "role-unassigned", mine.subject, _told(mine))
        self._changed()

    def list_assignments(self, caller: Caller) -> list[Assignment]:
        """Of the caller's tenant. Raises Forbidden."""
        _require(caller, Right.ADMINISTER)
        found = self._store.roles.list_assignments()
        return [one for one in found if caller.tenant in (one.tenant, EVERY_TENANT)]

    def _used(self, tenant: str) -> set[str]:
        accounts = {one.role for one in self._store.list_accounts() if one.tenant == tenant}
        keys = {one.role for one in self._store.list_keys() if one.tenant == tenant and one.revoked_at is None}
        return accounts | keys | {one.role for one in self._store.roles.list_assignments() if one.tenant == tenant}

    def _check_subject(self, subject: str) -> None:
        kind, _, name = subject.partition(":")
        if kind == "user" and self._store.find_account(name) is not None:
            return
        if kind == "key" and self._store.find_key_by_id(name) is not None:
            return
        raise ResourceNotFound(f"There is no {subject[:200]}: name user:NAME or key:ID.")

    def _rotate(self, subject: str) -> None:
        """Whose rights change gets another token with the next page."""
        kind, _, name = subject.partition(":")
        if kind == "user":
            self._store.rotate_soon(name)

    def _audit(self, caller: Caller, action: str, object_: str, facts: Mapping[str, object]) -> None:
        self._store.append_audit(
            AuditRecord(self._clock(), caller.tenant, caller.subject, action, object_, dict(facts))
        )

    def _changed(self) -> None:
        self.forget()
        self._on_change()

    def _read(self) -> _Known:
        now_s = self._ticks_s()
        if self._known is None or now_s >= self._known.until_s:
            roles: dict[str, dict[str, Role]] = {}
            for tenant, role in self._store.roles.list_roles():
                roles.setdefault(tenant, {})[role.name] = role
            classes: dict[str, tuple[Classified, ...]] = {}
            for tenant, one in self._store.roles.list_classes():
                classes[tenant] = (*classes.get(tenant, ()), one)
            assignments: dict[str, tuple[Assignment, ...]] = {}
            for each in self._store.roles.list_assignments():
                assignments[each.subject] = (*assignments.get(each.subject, ()), each)
            self._known = _Known(roles, classes, assignments, now_s + HOLDS_S)
        return self._known


def clearance_of(role: Role) -> PrivacyClass:
    return CLASSES[role.clearance]


@cache
def _context() -> Contexts:
    return Contexts()


def expand(name: str) -> str:
    """A type as it is stored."""
    return name if ":" in name else _context().parvis.expand(name)


def _require(caller: Caller, right: Right) -> None:
    if not caller.may(right):
        raise Forbidden(f"{caller.subject} may not change who may do what in tenant {caller.tenant}.")


def _told(one: Assignment) -> dict[str, object]:
    told: dict[str, object] = {"role": one.role, "since": format_instant(one.since)}
    if one.until is not None:
        told["until"] = format_instant(one.until)
    for name, values in (("types", one.types), ("scopes", one.scopes)):
        if values:
            told[name] = ", ".join(values)
    return told
