"""Passwords are hashed beside everything else: what was done to an account meanwhile stands."""

import asyncio

import msgspec
import pytest

from parvis.access.access import COMMAND_LINE, Access, build_access
from parvis.access.identities.halfway import SecondFactorNeeded, SignInTooOld
from parvis.access.identities.sessions import SeenFrom
from parvis.access.identities.totp import code_of, step_at
from parvis.access.passwords import Passwords
from parvis.kernel.errors import Unauthenticated
from parvis.kernel.settings import AccessSettings
from parvis.stores.sqlite.access import SqliteAccessStore
from tests.access.conftest import FakeClock

OLD, NEW = "the tide comes in twice", "and goes out twice as well"
HOME = SeenFrom("192.0.2.7")


async def begun(work: "asyncio.Task[object]") -> None:
    """Up to where a password is hashed, in a thread."""
    await asyncio.sleep(0)
    assert not work.done()


async def test_a_new_password_does_not_enable_an_account_again(access: Access) -> None:
    await access.accounts.add_account(COMMAND_LINE, "odile", OLD, "operator")
    signed_in = await access.accounts.sign_in("odile", OLD, HOME)
    work = asyncio.create_task(access.accounts.change_password(signed_in.token, OLD, NEW, HOME))
    await begun(work)
    access.accounts.disable_account(COMMAND_LINE, "odile")
    with pytest.raises(Unauthenticated):
        await work
    account = access.store.find_account("odile")
    assert account is not None
    assert account.disabled


async def test_a_password_that_is_changed_while_it_is_looked_at_lets_nobody_in(access: Access) -> None:
    account = await access.accounts.add_account(COMMAND_LINE, "odile", OLD, "operator")
    work = asyncio.create_task(access.accounts.sign_in("odile", OLD, HOME))
    await begun(work)
    access.store.replace_account(msgspec.structs.replace(account, password_hash="another process has put it here"))
    with pytest.raises(Unauthenticated):
        await work
    assert access.store.list_sessions("odile") == []


async def test_a_sign_in_that_lacks_its_second_factor_ends_with_the_password(
    store: SqliteAccessStore, clock: FakeClock, weak_passwords: Passwords
) -> None:
    """Else whoever had the old password would set up a second factor of their own."""
    access = build_access(store, AccessSettings(second_factor_roles=("operator",)), clock, weak_passwords)
    await access.accounts.add_account(COMMAND_LINE, "odile", OLD, "operator")
    with pytest.raises(SecondFactorNeeded) as needed:
        await access.accounts.sign_in("odile", OLD, SeenFrom("198.51.100.9"))
    link = access.accounts.offer_password(COMMAND_LINE, "odile")
    with pytest.raises(SecondFactorNeeded):
        await access.accounts.redeem_link(link, "odile", NEW, HOME)

    secret = access.second_factors.begin("odile")
    code = code_of(secret.secret, step_at(clock.now))
    with pytest.raises(SignInTooOld):
        await access.accounts.set_up_and_sign_in(needed.value.token, secret.token, code, HOME)
    assert not access.second_factors.has("odile")
