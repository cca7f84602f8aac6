"""The pool invites a member's first administrator, and nobody after."""

import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.identities.sessions import SeenFrom
from parvis.access.members.founding import invite_first, may_invite_first
from parvis.access.members.model import Member
from parvis.access.model import ELSEWHERE, Account
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import ADMINISTRATOR, Caller

POOL = Caller("default", "user:syndicate", ADMINISTRATOR)


def invite(access: Access, name: str) -> str:
    return invite_first(access.store, access.members, access.accounts, POOL, "plouhinec", name)


async def test_the_first_administrator_is_invited_until_one_has_come(access: Access) -> None:
    access.members.add(COMMAND_LINE, Member(tenant="plouhinec", title="Plouhinec", since=0))
    access.store.add_account(Account("a-resident", ELSEWHERE, "resident", "plouhinec", 0))
    assert may_invite_first(access.store, "plouhinec"), "who comes by a provider administers nothing"

    first, second = invite(access, "mairie"), invite(access, "mairie")
    assert not access.accounts.is_link_open(first)
    await access.accounts.redeem_link(second, "mairie", "the tide comes in twice", SeenFrom("192.0.2.7"))
    with pytest.raises(Forbidden):
        invite(access, "another")
