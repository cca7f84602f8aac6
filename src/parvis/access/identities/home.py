"""Whose trail tells of what somebody does with their account: that of the tenant it is one of."""

from parvis.access.model import EVERY_TENANT
from parvis.access.ports import AccessStore
from parvis.kernel.identity import DEFAULT_TENANT


def home_of(store: AccessStore, name: str) -> str:
    account = store.find_account(name)
    return DEFAULT_TENANT if account is None or account.tenant == EVERY_TENANT else account.tenant
