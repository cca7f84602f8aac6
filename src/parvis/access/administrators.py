"""Who can administer a tenant."""

from parvis.access.model import Account
from parvis.access.ports import AccessStore

ADMINISTRATOR = "administrator"


def is_last_administrator(store: AccessStore, account: Account) -> bool:
    """Whether nobody else can administer its tenant; roles that end some day do not count."""
    given = {
        one.subject
        for one in store.roles.list_assignments()
        if (one.tenant, one.role, one.until) == (account.tenant, ADMINISTRATOR, None)
    }
    able = {
        one.name
        for one in store.list_accounts()
        if one.can_sign_in
        and ((one.role, one.tenant) == (ADMINISTRATOR, account.tenant) or f"user:{one.name}" in given)
    }
    return able == {account.name}
