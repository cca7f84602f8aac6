import asyncio

import pytest
from argon2 import PasswordHasher

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.identities.sessions import SeenFrom, SignedIn
from parvis.access.model import NO_PASSWORD, TooManyAttempts
from parvis.kernel.errors import AlreadyExists, BadRequestData, Forbidden, ParvisError, Unauthenticated
from parvis.kernel.identity import ADMINISTRATOR, ANONYMOUS, OPERATOR, Caller
from tests.access.conftest import FakeClock

PASSWORD = "the tide comes in twice"
HOME = SeenFrom("192.0.2.7")


async def first_administrator(access: Access) -> SignedIn:
    token = access.accounts.offer_first_link()
    assert token is not None
    return await access.accounts.redeem_link(token, "maelle", PASSWORD, HOME)


def subject_of(access: Access, token: str) -> str:
    return access.gate.authenticate(None, token.encode()).subject


async def test_the_first_link_makes_one_administrator_and_opens_never_again(access: Access) -> None:
    token = access.accounts.offer_first_link()
    assert token is not None
    assert access.accounts.is_link_open(token)

    signed_in = await access.accounts.redeem_link(token, "maelle", PASSWORD, HOME)

    caller = access.gate.authenticate(None, signed_in.token.encode())
    assert (caller.subject, caller.rights) == ("user:maelle", ADMINISTRATOR)
    assert not access.accounts.is_link_open(token)
    with pytest.raises(Unauthenticated):
        await access.accounts.redeem_link(token, "mallory", PASSWORD, HOME)
    assert access.accounts.offer_first_link() is None


async def test_the_link_stays_open_when_its_holder_makes_a_mistake(access: Access) -> None:
    token = access.accounts.offer_first_link()
    assert token is not None

    for name, password in (("maelle", "short"), ("no spaces", PASSWORD)):
        with pytest.raises(BadRequestData):
            await access.accounts.redeem_link(token, name, password, HOME)

    assert access.accounts.is_link_open(token)


async def test_a_link_that_is_none_costs_no_hashing(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(PasswordHasher, "hash", lambda _self, password: hashed.append(password))

    with pytest.raises(Unauthenticated):
        await access.accounts.redeem_link("made up", "mallory", PASSWORD, HOME)

    assert hashed == []


async def test_the_link_expires_and_a_new_start_replaces_it(access: Access, clock: FakeClock) -> None:
    old = access.accounts.offer_first_link()
    new = access.accounts.offer_first_link()
    assert old is not None
    assert new is not None
    assert (access.accounts.is_link_open(old), access.accounts.is_link_open(new)) == (False, True)

    clock.pass_hours(24)

    assert not access.accounts.is_link_open(new)
    with pytest.raises(Unauthenticated):
        await access.accounts.redeem_link(new, "maelle", PASSWORD, HOME)


async def test_signing_in_takes_the_right_password_only(access: Access) -> None:
    await first_administrator(access)

    signed_in = await access.accounts.sign_in("maelle", PASSWORD, HOME)
    assert subject_of(access, signed_in.token) == "user:maelle"

    refusals = []
    for name, password in (("maelle", "wrong password!"), ("nobody", PASSWORD)):
        with pytest.raises(Unauthenticated) as refusal:
            await access.accounts.sign_in(name, password, HOME)
        refusals.append(refusal.value.detail)
    assert refusals[0] == refusals[1]


async def test_signing_in_anew_ends_the_session_before(access: Access) -> None:
    old = await first_administrator(access)

    new = await access.accounts.sign_in("maelle", PASSWORD, HOME, replaces=old.token)

    assert (subject_of(access, old.token), subject_of(access, new.token)) == (ANONYMOUS, "user:maelle")


async def test_a_session_ends_with_signing_out(access: Access) -> None:
    signed_in = await first_administrator(access)
    assert subject_of(access, signed_in.token) == "user:maelle"

    access.sessions.sign_out(signed_in.token)

    assert subject_of(access, signed_in.token) == ANONYMOUS


async def test_a_session_ends_when_idle_and_at_its_end(access: Access, clock: FakeClock) -> None:
    idle = await first_administrator(access)
    clock.pass_hours(2)
    assert subject_of(access, idle.token) == ANONYMOUS

    used = await access.accounts.sign_in("maelle", PASSWORD, HOME)
    for _ in range(11):
        clock.pass_hours(1)
        access.gate.forget()
        assert subject_of(access, used.token) == "user:maelle"
    clock.pass_hours(1)
    access.gate.forget()
    assert subject_of(access, used.token) == ANONYMOUS


async def test_a_changed_password_ends_all_other_sessions(access: Access) -> None:
    old = await first_administrator(access)
    link = access.accounts.offer_password(COMMAND_LINE, "maelle")

    new = await access.accounts.redeem_link(link, "maelle", "and goes out twice", HOME)

    assert (subject_of(access, old.token), subject_of(access, new.token)) == (ANONYMOUS, "user:maelle")
    with pytest.raises(Unauthenticated):
        await access.accounts.sign_in("maelle", PASSWORD, HOME)


async def test_a_disabled_account_is_out_at_once(access: Access) -> None:
    signed_in = await first_administrator(access)
    assert subject_of(access, signed_in.token) == "user:maelle"

    access.accounts.disable_account(COMMAND_LINE, "maelle")

    assert subject_of(access, signed_in.token) == ANONYMOUS
    with pytest.raises(Unauthenticated):
        await access.accounts.sign_in("maelle", PASSWORD, HOME)


async def test_an_account_that_is_enabled_again_has_its_password_and_no_old_session(access: Access) -> None:
    signed_in = await first_administrator(access)
    access.accounts.disable_account(COMMAND_LINE, "maelle")

    access.accounts.enable_account(COMMAND_LINE, "maelle")

    assert subject_of(access, signed_in.token) == ANONYMOUS
    again = await access.accounts.sign_in("maelle", PASSWORD, HOME)
    assert subject_of(access, again.token) == "user:maelle"


async def test_guessing_is_slowed_down_even_when_all_guesses_come_at_once(access: Access, clock: FakeClock) -> None:
    await first_administrator(access)

    async def guess(number: int) -> type[ParvisError]:
        with pytest.raises(ParvisError) as refusal:
            await access.accounts.sign_in("maelle", f"guess number {number}", SeenFrom("203.0.113.9"))
        return type(refusal.value)

    outcomes = await asyncio.gather(*(guess(number) for number in range(20)))
    assert outcomes.count(Unauthenticated) == 5
    assert outcomes.count(TooManyAttempts) == 15

    await access.accounts.sign_in("maelle", PASSWORD, HOME)
    clock.pass_hours(0.25)
    await access.accounts.sign_in("maelle", PASSWORD, SeenFrom("203.0.113.9"))


async def test_accounts_are_made_by_administrators_of_their_tenant_only(access: Access) -> None:
    operator = Caller("default", "user:odile", OPERATOR)
    elsewhere = Caller("port", "user:perig", ADMINISTRATOR)
    for caller in (operator, elsewhere):
        with pytest.raises(Forbidden):
            await access.accounts.add_account(caller, "new", PASSWORD, "operator")

    await access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")

    with pytest.raises(AlreadyExists):
        await access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "reader")
    with pytest.raises(BadRequestData, match="no role"):
        await access.accounts.add_account(COMMAND_LINE, "x", PASSWORD, "king")
    signed_in = await access.accounts.sign_in("odile", PASSWORD, HOME)
    assert access.gate.authenticate(None, signed_in.token.encode()).rights == OPERATOR


async def test_no_secret_is_kept(access: Access, store: object, tmp_path: object) -> None:
    signed_in = await first_administrator(access)
    _, key = access.keys.create(COMMAND_LINE, "gate 4", "device")
    database = access.store._connection.serialize()  # type: ignore[attr-defined]

    for secret in (PASSWORD, *signed_in.token.split("."), key):
        assert secret.encode() not in database
    assert b"$argon2id$" in database


async def test_an_invited_account_opens_to_its_own_link_only(access: Access) -> None:
    token = access.accounts.invite(COMMAND_LINE, "erwan", "operator")
    for guess in (NO_PASSWORD, "", "nobody's password"):
        with pytest.raises(Unauthenticated):
            await access.accounts.sign_in("erwan", guess, HOME)
    with pytest.raises(BadRequestData, match="erwan"):
        await access.accounts.redeem_link(token, "mallory", PASSWORD, HOME)

    await access.accounts.redeem_link(token, "erwan", PASSWORD, HOME)

    signed_in = await access.accounts.sign_in("erwan", PASSWORD, HOME)
    assert subject_of(access, signed_in.token) == "user:erwan"
    assert not access.accounts.is_link_open(token)
    with pytest.raises(Unauthenticated):
        await access.accounts.redeem_link(token, "erwan", "a password of mallory", HOME)


async def test_a_new_password_ends_the_sessions_of_the_old_one(access: Access) -> None:
    invitation = access.accounts.invite(COMMAND_LINE, "erwan", "reader")
    old = await access.accounts.redeem_link(invitation, "erwan", PASSWORD, HOME)
    token = access.accounts.offer_password(COMMAND_LINE, "erwan")
    assert subject_of(access, old.token) == "user:erwan"

    await access.accounts.redeem_link(token, "erwan", "another long sentence", HOME)

    assert subject_of(access, old.token) != "user:erwan"
    with pytest.raises(Unauthenticated):
        await access.accounts.sign_in("erwan", PASSWORD, HOME)


async def test_a_link_to_an_account_ends_with_time_with_another_or_with_the_account(
    access: Access, clock: FakeClock
) -> None:
    first = access.accounts.invite(COMMAND_LINE, "erwan", "reader")
    second = access.accounts.offer_password(COMMAND_LINE, "erwan")
    assert (access.accounts.is_link_open(first), access.accounts.is_link_open(second)) == (False, True)
    clock.pass_hours(24)
    assert not access.accounts.is_link_open(second)
    third = access.accounts.offer_password(COMMAND_LINE, "erwan")
    access.accounts.disable_account(COMMAND_LINE, "erwan")
    assert not access.accounts.is_link_open(third)
    with pytest.raises(BadRequestData, match="disabled"):
        access.accounts.offer_password(COMMAND_LINE, "erwan")


def test_an_administrator_without_a_password_does_not_close_the_first_link(access: Access) -> None:
    access.accounts.invite(COMMAND_LINE, "maelle", "administrator")
    assert access.accounts.offer_first_link() is not None


def test_only_an_administrator_invites(access: Access) -> None:
    for caller in (Caller("default", "user:erwan", OPERATOR), Caller("other", "user:maelle", ADMINISTRATOR)):
        with pytest.raises(Forbidden):
            access.accounts.invite(caller, "friend", "reader")


async def test_a_password_is_changed_with_the_one_before(access: Access) -> None:
    here = await first_administrator(access)
    there = await access.accounts.sign_in("maelle", PASSWORD, HOME)
    with pytest.raises(Unauthenticated):
        await access.accounts.change_password(here.token, "a wrong password", "another long password", HOME)
    with pytest.raises(BadRequestData):
        await access.accounts.change_password(here.token, PASSWORD, "maelle-maelle", HOME)
    await access.accounts.change_password(here.token, PASSWORD, "another long password", HOME)

    assert (subject_of(access, here.token), subject_of(access, there.token)) == ("user:maelle", ANONYMOUS)
    await access.accounts.sign_in("maelle", "another long password", HOME)
    with pytest.raises(Unauthenticated):
        await access.accounts.sign_in("maelle", PASSWORD, HOME)
    with pytest.raises(Unauthenticated):
        await access.accounts.change_password("made up", PASSWORD, "another long password", HOME)


@pytest.mark.parametrize(
    ("first", "other", "is_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
async def test_another_address_of_the_same_line_guesses_no_further(
    access: Access, first: str, other: str, is_one: bool
) -> None:
    await first_administrator(access)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await access.accounts.sign_in("maelle", "guess", SeenFrom(first))
    with pytest.raises(TooManyAttempts if is_one else Unauthenticated):
        await access.accounts.sign_in("maelle", "guess", SeenFrom(other))


async def test_guessing_the_current_password_is_slowed_down(access: Access) -> None:
    here = await first_administrator(access)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await access.accounts.change_password(here.token, "guess", "another long password", HOME)
    with pytest.raises(TooManyAttempts):
        await access.accounts.change_password(here.token, PASSWORD, "another long password", HOME)
