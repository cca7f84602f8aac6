"""What somebody of the pool may do in a member's tenant: what their own rights and its mandates both allow."""

from collections.abc import Iterable, Sequence

import msgspec

from parvis.access.members.model import Mandate
from parvis.access.model import ROLES
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import NOBODY, Caller, Right
from parvis.kernel.reach import NOWHERE, Area, Reach, both, either

_BY_SCOPE = Right.READ | Right.READ_PUBLIC | Right.WRITE | Right.COMMAND
"""What goes as far as a mandate's scopes; the rest one needs a mandate without any for."""


class NoMandate(Forbidden):
    """`tenant` is the member's."""


def by_mandate(own: Caller, mandates: Sequence[Mandate]) -> Caller:
    """`own` is the caller as it is in the pool, but for its tenant, which is the member's already.

    Raises:
        NoMandate: none is in force.
    """
    if not mandates:
        raise NoMandate(f"There is no mandate in force by which {own.subject} may act in tenant {own.tenant}.")
    rights = NOBODY
    for mandate in mandates:
        rights |= _given(mandate)
    return Caller(
        own.tenant,
        own.subject,
        own.rights & rights,
        own.device,
        both(own.reads, _reach(mandates, Right.READ)),
        both(own.writes, _reach(mandates, Right.WRITE)),
        both(own.commands, _reach(mandates, Right.COMMAND)),
        own.hides,
        ",".join(sorted(one.id for one in mandates)),
    )


def _given(mandate: Mandate) -> Right:
    rights = ROLES.get(mandate.role, NOBODY)
    return rights & _BY_SCOPE if mandate.scopes else rights


def _reach(mandates: Iterable[Mandate], right: Right) -> Reach:
    reach: Reach = NOWHERE
    for mandate in mandates:
        if right in _given(mandate):
            reach = either(reach, (Area(scopes=mandate.scopes),) if mandate.scopes else None)
    return reach


def in_member(caller: Caller, tenant: str, mandates: Sequence[Mandate]) -> Caller:
    """A caller who acts in the pool, as one in that member's tenant. Raises NoMandate."""
    return by_mandate(msgspec.structs.replace(caller, tenant=tenant), mandates)
