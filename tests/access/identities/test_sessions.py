"""Where somebody is signed in, and how long a token is worth something."""

import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.identities.agents import address_prefix, agent_words
from parvis.access.identities.rotation import GRACE, ROTATE_EVERY
from parvis.access.identities.sessions import SeenFrom, SignedIn
from parvis.access.tokens import form_token, is_form_token
from parvis.kernel.errors import Forbidden, ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, ANONYMOUS, OPERATOR, Caller
from parvis.kernel.time import HOUR, MINUTE, SECOND
from tests.access.conftest import FakeClock

PASSWORD = "the tide comes in twice"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
HOME = SeenFrom("192.0.2.7", FIREFOX)
ODILE = Caller("default", "user:odile", OPERATOR)


@pytest.fixture
async def signed_in(access: Access) -> SignedIn:
    await access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    return await access.accounts.sign_in("odile", PASSWORD, HOME)


def who(access: Access, token: str) -> str:
    access.gate.forget()
    return access.gate.authenticate(None, token.encode()).subject


def deeds(access: Access) -> list[str]:
    return [entry.record.action for entry in access.store.read_audit()]


async def test_the_list_tells_browser_and_network_but_not_the_address(access: Access, signed_in: SignedIn) -> None:
    (session,) = access.sessions.list_of(ODILE, "odile")
    assert (session.agent, session.address, session.method) == ("Firefox, Linux", "192.0.2.0/24", "password")
    assert session.id not in signed_in.token


async def test_one_or_all_other_sessions_are_ended(access: Access, signed_in: SignedIn) -> None:
    others = [await access.accounts.sign_in("odile", PASSWORD, HOME) for _ in range(3)]
    ended = next(one for one in access.sessions.list_of(ODILE, "odile") if who(access, others[0].token))
    access.sessions.end(ODILE, "odile", ended.id)
    assert len(access.sessions.list_of(ODILE, "odile")) == 3

    kept = next(one.token for one in (signed_in, *others) if who(access, one.token) == "user:odile")
    assert access.sessions.end_others(ODILE, "odile", kept) == 2
    assert who(access, kept) == "user:odile"
    assert [who(access, one.token) for one in (signed_in, *others)].count(ANONYMOUS) == 3
    assert deeds(access).count("session-revoked") == 3


@pytest.mark.usefixtures("signed_in")
async def test_only_oneself_and_administrators_of_the_account_see_and_end_sessions(access: Access) -> None:
    (session,) = access.sessions.list_of(ODILE, "odile")
    with pytest.raises(Forbidden):
        access.sessions.end(Caller("default", "user:erwan", OPERATOR), "odile", session.id)
    for name in ("odile", "nobody"):
        with pytest.raises(ResourceNotFound):
            access.sessions.list_of(Caller("port", "user:perig", ADMINISTRATOR), name)

    access.sessions.end(Caller("default", "user:maelle", ADMINISTRATOR), "odile", session.id)
    assert access.sessions.list_of(ODILE, "odile") == []


async def test_a_token_is_followed_by_another_and_the_first_one_opens_a_moment_longer(
    access: Access, signed_in: SignedIn, clock: FakeClock
) -> None:
    assert access.sessions.renew(signed_in.token) is None, "it is fresh"
    clock.now += ROTATE_EVERY
    following = access.sessions.renew(signed_in.token)
    assert following is not None
    assert access.sessions.renew(signed_in.token) is None, "a page beside it is given no other"

    assert who(access, signed_in.token) == "user:odile", "the next one has not been shown yet"
    assert who(access, following.token) == "user:odile"
    clock.now += GRACE - SECOND
    assert who(access, signed_in.token) == "user:odile", "a request under way"
    assert following.expires_at == signed_in.expires_at, "the session gets no longer by it"


async def test_a_token_whose_answer_was_lost_is_followed_again(
    access: Access, signed_in: SignedIn, clock: FakeClock
) -> None:
    clock.now += ROTATE_EVERY
    lost = access.sessions.renew(signed_in.token)
    clock.now += MINUTE
    held = access.sessions.renew(signed_in.token)
    assert held is not None
    assert lost is not None
    assert who(access, held.token) == "user:odile"
    assert who(access, lost.token) == ANONYMOUS
    assert who(access, held.token) == "user:odile"


async def test_who_shows_a_token_long_spent_holds_a_copy_and_ends_the_session(
    access: Access, signed_in: SignedIn, clock: FakeClock
) -> None:
    clock.now += ROTATE_EVERY
    following = access.sessions.renew(signed_in.token)
    assert following is not None
    assert who(access, following.token) == "user:odile"
    clock.now += GRACE

    assert who(access, signed_in.token) == ANONYMOUS
    assert who(access, following.token) == ANONYMOUS, "nobody knows which of the two is the thief"
    assert deeds(access)[-1] == "session-token-copied"


async def test_what_stays_of_a_token_opens_nothing_alone(access: Access, signed_in: SignedIn) -> None:
    stays, _, _ = signed_in.token.partition(".")
    assert [who(access, token) for token in (stays, f"{stays}.", f"{stays}.guess")] == [ANONYMOUS] * 3
    assert who(access, signed_in.token) == "user:odile", "guessing ends nothing"


async def test_a_change_of_rights_makes_tokens_old(access: Access, signed_in: SignedIn) -> None:
    access.store.rotate_soon("odile")
    assert access.sessions.renew(signed_in.token) is not None


async def test_a_form_that_was_open_while_the_token_changed_is_taken(
    access: Access, signed_in: SignedIn, clock: FakeClock
) -> None:
    clock.now += ROTATE_EVERY
    following = access.sessions.renew(signed_in.token)
    assert following is not None
    assert is_form_token(following.token, form_token(signed_in.token))


async def test_what_is_open_for_long_ends_with_the_session_and_not_with_the_token(
    access: Access, signed_in: SignedIn, clock: FakeClock
) -> None:
    clock.now += ROTATE_EVERY
    following = access.sessions.renew(signed_in.token)
    assert following is not None
    assert who(access, following.token) == "user:odile"
    clock.now += HOUR

    again = access.gate.authenticate_again(signed_in.token.encode(), "default")
    assert again is not None
    assert (again.tenant, again.subject) == (ODILE.tenant, ODILE.subject)
    assert access.gate.authenticate_again(signed_in.token.encode(), "port") is None
    access.sessions.sign_out(following.token)
    assert access.gate.authenticate_again(signed_in.token.encode(), "default") is None


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8.5.0", ""),
    ],
)
def test_browsers_are_told_by_name(user_agent: str, words: str) -> None:
    assert agent_words(user_agent) == words


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("unknown", ""),
    ],
)
def test_of_an_address_the_network_is_kept(address: str, prefix: str) -> None:
    assert address_prefix(address) == prefix
