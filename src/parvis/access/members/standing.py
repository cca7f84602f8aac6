"""What somebody of the pool may do in a member's tenant: what their own roles and its mandates both allow."""

from collections.abc import Sequence

from parvis.access.members.model import POOL, Mandate
from parvis.access.roles.model import Standing
from parvis.access.roles.roles import Roles
from parvis.kernel.errors import PARVIS_ERRORS, Forbidden
from parvis.kernel.identity import Caller
from parvis.kernel.reach import both, hidden_by_either


class NoMandate(Forbidden):
    type_uri = PARVIS_ERRORS + "no-mandate"
    title = "No mandate"


def by_mandate(own: Caller, roles: Roles, mandates: Sequence[Mandate]) -> Caller:
    """`own` is the caller with what its roles in the pool let it, but in the member's tenant.

    Raises:
        NoMandate: none is in force.
    """
    if not mandates:
        raise NoMandate(f"There is no mandate in force by which {own.subject} may act in tenant {own.tenant}.")
    given: Standing = roles.standing_by([(one.role, one.scopes) for one in mandates], own.tenant)
    return Caller(
        own.tenant,
        own.subject,
        own.rights & given.rights,
        own.device,
        both(own.reads, given.reads),
        both(own.writes, given.writes),
        both(own.commands, given.commands),
        hidden_by_either(own.hides, given.hides),
        ",".join(sorted(one.id for one in mandates)),
    )


def in_member(caller: Caller, role: str | None, roles: Roles, tenant: str, mandates: Sequence[Mandate]) -> Caller:
    """A caller of the pool, whose account has that role, as one in the member's tenant. Raises NoMandate."""
    has = roles.standing(caller.subject, POOL, role, tenant)
    own = Caller(tenant, caller.subject, has.rights, caller.device, has.reads, has.writes, has.commands, has.hides)
    return by_mandate(own, roles, mandates)
