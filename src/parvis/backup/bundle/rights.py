"""What a tenant has said of who may do what, and of people's data, as lines of a bundle, and back."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from parvis.access.members.checks import check_hosts, check_member, plain_hosts
from parvis.access.members.model import POOL, Member
from parvis.access.model import AuditRecord
from parvis.access.ports import AccessStore
from parvis.access.privacy.checks import check_policy, check_purpose
from parvis.access.privacy.model import LedgerEntry, Policy, Purpose
from parvis.access.privacy.ports import LEDGER_PAGE
from parvis.access.roles.checks import check_classified, check_content
from parvis.access.roles.model import Classified, Role
from parvis.access.roles.roles import FIXED
from parvis.backup.bundle import manifest as names
from parvis.kernel.errors import AlreadyExists
from parvis.kernel.time import format_instant, parse_instant, system_clock

_TIMES: Final = frozenset({"at", "since", "until", "granted_at", "ended_at", "executes_since"})
_OF_THE_PLACE: Final = frozenset({"tenant", "number"})
"""Another one where it is brought."""
Lines = Callable[[str], Iterator[dict[str, Any]]]
"""The documents of a file of the bundle."""
Note = Callable[[str, str, Mapping[str, Any]], None]


def told_rights(store: AccessStore, tenant: str) -> Mapping[str, Iterable[bytes]]:
    """The lines of each file."""
    policy, member = store.privacy.find_policy(tenant), store.members.find_member(tenant)
    told: Mapping[str, Iterable[msgspec.Struct]] = {
        names.ROLES: (role for owner, role in store.roles.list_roles() if owner == tenant),
        names.CLASSES: (one for owner, one in store.roles.list_classes() if owner == tenant),
        names.PURPOSES: store.privacy.list_purposes(tenant),
        names.POLICY: [] if policy is None else [policy],
        names.LEDGER: _ledger(store, tenant),
        names.MEMBER: [] if member is None else [member],
        names.MANDATES: store.members.list_mandates(tenant),
        names.ASSIGNMENTS: (one for one in store.roles.list_assignments() if one.tenant == tenant),
    }
    return {path: map(_line, structs) for path, structs in told.items()}


def _ledger(store: AccessStore, tenant: str) -> Iterator[LedgerEntry]:
    after = 0
    while page := store.privacy.list_ledger(tenant, after, LEDGER_PAGE):
        yield from page
        after = page[-1].number


def _line(struct: msgspec.Struct) -> bytes:
    told = msgspec.to_builtins(struct)
    kept = {key: _readable(key, value) for key, value in told.items() if key not in _OF_THE_PLACE}
    return msgspec.json.encode(kept) + b"\n"


def _readable(key: str, value: Any) -> Any:
    return format_instant(value) if key in _TIMES and value is not None else value


class Rights(NamedTuple):
    """As a bundle has them, each looked at as if it were typed in."""

    roles: list[Role]
    classes: list[Classified]
    purposes: list[Purpose]
    policy: Policy | None
    ledger: list[LedgerEntry]
    member: Member | None

    @property
    def counts(self) -> dict[str, int]:
        told: Mapping[str, Sized] = {
            names.ROLES: self.roles,
            names.CLASSES: self.classes,
            names.PURPOSES: self.purposes,
            names.LEDGER: self.ledger,
        }
        return {path.partition(".")[0]: len(found) for path, found in told.items()}


class RightsReader:
    """For `tenant`. What it raises of a line is what reading one may raise."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant

    def role(self, line: dict[str, Any]) -> Role:
        role = msgspec.convert(line, Role)
        check_content(role)
        if role.name in FIXED:
            raise ValueError(f"the role {role.name} stays as it is")
        return role

    def classified(self, line: dict[str, Any]) -> Classified:
        one = msgspec.convert(line, Classified)
        check_classified(one)
        return one

    def purpose(self, line: dict[str, Any]) -> Purpose:
        purpose = msgspec.convert(line, Purpose)
        check_purpose(purpose)
        return purpose

    def policy(self, line: dict[str, Any]) -> Policy:
        policy = msgspec.convert(_timed(line), Policy)
        check_policy(policy)
        return policy

    def entry(self, line: dict[str, Any]) -> LedgerEntry:
        return msgspec.convert(_timed(line) | {"tenant": self._tenant}, LedgerEntry)

    def member(self, line: dict[str, Any]) -> Member:
        member = msgspec.convert(_timed(line) | {"tenant": self._tenant}, Member)
        member = replace(member, hosts=plain_hosts(member.hosts))
        if self._tenant != POOL:
            check_member(member)
        return member


def _timed(line: dict[str, Any]) -> dict[str, Any]:
    return {
        key: parse_instant(value) if key in _TIMES and isinstance(value, str) else value for key, value in line.items()
    }


def bring_rights(store: AccessStore, tenant: str, rights: Rights, subject: str, *, is_added: bool) -> list[str]:
    """What is there already stays, and what is not is in the trail, by `subject`. Returns what is to be told of that.

    Where the data are added to others (`is_added`) nothing is brought: whoever made the bundle would say who may read
    those, and which of them are erased by night.
    """
    if is_added:
        return ["What the bundle says of rights and of people's data is left out: there is a tenant of its own here."]
    at = system_clock()

    def note(action: str, what: str, facts: Mapping[str, Any]) -> None:
        store.append_audit(AuditRecord(at, tenant, subject, action, what, {**facts, "by": "bundle"}))

    with store.transaction():
        kept = [*_bring_roles(store, tenant, rights, note), *_bring_privacy(store, tenant, rights, note)]
        return [*kept, *_bring_member(store, tenant, rights.member)]


def _bring_roles(store: AccessStore, tenant: str, rights: Rights, note: Note) -> Iterator[str]:
    known = {role.name for owner, role in store.roles.list_roles() if owner == tenant}
    held = _held(store, tenant)
    classified = {one.key for owner, one in store.roles.list_classes() if owner == tenant}
    for role in rights.roles:
        if role.name in known:
            yield f"The role {role.name} is here already, and stays as it is."
        elif role.name in held:
            yield f"The role {role.name} is left out: somebody here has it, and would have other rights."
        else:
            store.roles.put_role(tenant, role)
            told = {"grants": [msgspec.to_builtins(one) for one in role.grants], "clearance": role.clearance}
            note("role-changed", role.name, told)
    for one in rights.classes:
        if one.key not in classified:
            store.roles.put_class(tenant, one)
            note("privacy-class-changed", one.name, {"class": one.privacy})


def _held(store: AccessStore, tenant: str) -> set[str]:
    """The roles that somebody has there."""
    people = {one.role for one in store.list_accounts() if one.tenant == tenant}
    keys = {one.role for one in store.list_keys() if one.tenant == tenant}
    mandates = {one.role for one in store.members.list_mandates(tenant)}
    return people | keys | mandates | {one.role for one in store.roles.list_assignments() if one.tenant == tenant}


def _bring_privacy(store: AccessStore, tenant: str, rights: Rights, note: Note) -> Iterator[str]:
    known = {one.id for one in store.privacy.list_purposes(tenant)}
    for purpose in rights.purposes:
        if purpose.id in known:
            yield f"The purpose {purpose.id} is declared here already, and stays as it is."
        else:
            store.privacy.put_purpose(tenant, purpose)
            note("purpose-declared", purpose.id, msgspec.to_builtins(purpose))
    if rights.policy is not None and store.privacy.find_policy(tenant) is None:
        store.privacy.put_policy(tenant, rights.policy)
        note("retention-switched-on" if rights.policy.executes else "privacy-contacts-changed", tenant, {})
    for entry in rights.ledger:
        store.privacy.append_ledger(entry)


def _bring_member(store: AccessStore, tenant: str, member: Member | None) -> Iterator[str]:
    if member is None:
        return
    if tenant == POOL:
        yield "It was a member of a pool: member.ndjson says with which title, hosts and public types."
        return
    if store.members.find_member(tenant) is not None:
        yield f"There is a member {tenant} already: its title, hosts, outline and public types stay as they are."
        return
    try:
        check_hosts(member, store.members.list_members())
    except AlreadyExists as fault:
        yield f"{fault.detail} They are left out."
        member = replace(member, hosts=())
    store.members.put_member(member)
