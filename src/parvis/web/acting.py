"""In whose name a page speaks: the pool's, or a member's."""

from collections.abc import Callable
from dataclasses import dataclass

from parvis.access.members.pool import Pool
from parvis.kernel.identity import DEFAULT_TENANT, Caller

_PERSON = "user:"
_EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Acting:
    """`title` is who it is; `may_switch`: the caller may act elsewhere too."""

    tenant: str
    title: str
    pool: str
    is_member: bool = False
    by_mandate: bool = False
    may_switch: bool = False
    has_members: bool = False


ActingOf = Callable[[Caller], Acting]


def acting_in(pool: Pool, name: Callable[[], str]) -> ActingOf:
    """`name` is the pool's."""

    def acting(caller: Caller) -> Acting:
        member = None if caller.tenant == DEFAULT_TENANT else pool.find(caller.tenant)
        if caller.tenant != DEFAULT_TENANT and member is None:
            return Acting(caller.tenant, f"{name()} / {caller.tenant}", name(), is_member=True)
        return Acting(
            caller.tenant,
            name() if member is None else member.title,
            name(),
            member is not None,
            bool(caller.mandate),
            _may_switch(pool, caller),
            caller.tenant == DEFAULT_TENANT and pool.has_members,
        )

    return acting


def may_choose(caller: Caller) -> bool:
    """Of the pool, so that mandates say where else it may act."""
    is_person = caller.subject.startswith(_PERSON) or caller.subject == _EVERYONE
    return is_person and (caller.tenant == DEFAULT_TENANT or bool(caller.mandate))


def _may_switch(pool: Pool, caller: Caller) -> bool:
    return bool(caller.mandate) or (may_choose(caller) and bool(pool.list_with_mandate()))
