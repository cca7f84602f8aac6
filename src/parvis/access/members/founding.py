"""The first administrator of a member: invited by the pool, for nobody of the member's own is there yet."""

import msgspec

from parvis.access.accounts import Accounts
from parvis.access.administrators import ADMINISTRATOR
from parvis.access.members.members import Members, require_pool
from parvis.access.model import EVERY_TENANT, NO_PASSWORD
from parvis.access.ports import AccessStore
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller


def may_invite_first(store: AccessStore, tenant: str) -> bool:
    """Until an administrator there has opened their link. Residents who sign in by a provider do not count."""
    there = (one for one in store.list_accounts() if (one.tenant, one.role) == (tenant, ADMINISTRATOR))
    return all(one.password_hash == NO_PASSWORD for one in there)


def invite_first(
    store: AccessStore, members: Members, accounts: Accounts, caller: Caller, tenant: str, name: str
) -> str:
    """The token of the link; of somebody invited before, another one.

    Raises:
        Forbidden: somebody has opened such a link: from then on the member invites its people itself.
        ResourceNotFound, BadRequestData or AlreadyExists.
    """
    require_pool(caller)
    members.get(tenant)
    if not may_invite_first(store, tenant):
        raise Forbidden(f"Only an administrator of {tenant} itself decides that.")
    there = caller if caller.tenant == EVERY_TENANT else msgspec.structs.replace(caller, tenant=tenant)
    known = store.find_account(name)
    if known is not None and known.tenant == tenant:
        return accounts.offer_password(there, name)
    return accounts.invite(there, name, ADMINISTRATOR, tenant)
