import pytest

from parvis.access.access import COMMAND_LINE, Access, build_access
from parvis.access.identities.halfway import SecondFactorNeeded, SignInTooOld
from parvis.access.identities.second_factor import ALLOWED_CODES
from parvis.access.identities.sessions import SeenFrom
from parvis.access.identities.totp import PERIOD_S, code_of, step_at
from parvis.access.model import TooManyAttempts
from parvis.access.passwords import Passwords
from parvis.access.roles.model import Assignment
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound, Unauthenticated
from parvis.kernel.identity import ADMINISTRATOR, OPERATOR, Caller
from parvis.kernel.settings import AccessSettings
from parvis.kernel.time import MINUTE, SECOND
from parvis.stores.sqlite.access import SqliteAccessStore
from tests.access.conftest import FakeClock

PASSWORD = "the tide comes in twice"
HOME = SeenFrom("192.0.2.7")


class Telephone:
    """An authenticator application of its own: it knows the secret and the time, nothing else."""

    def __init__(self, secret: bytes, clock: FakeClock) -> None:
        self.secret = secret
        self._clock = clock

    def code(self) -> str:
        return code_of(self.secret, step_at(self._clock()))

    def next_code(self) -> str:
        self._clock.now += PERIOD_S * SECOND
        return self.code()


@pytest.fixture
async def odile(access: Access) -> str:
    await access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    return "odile"


@pytest.fixture
def codes() -> list[str]:
    return []


@pytest.fixture
async def telephone(access: Access, clock: FakeClock, odile: str, codes: list[str]) -> Telephone:
    begun = access.second_factors.begin(odile)
    telephone = Telephone(begun.secret, clock)
    codes += await access.second_factors.finish(odile, begun.token, telephone.code())
    return telephone


async def halfway(access: Access, name: str = "odile") -> str:
    with pytest.raises(SecondFactorNeeded) as needed:
        await access.accounts.sign_in(name, PASSWORD, HOME)
    return needed.value.token


def deeds(access: Access) -> list[str]:
    return [entry.record.action for entry in access.store.read_audit()]


async def test_the_password_alone_opens_nothing_any_more(access: Access, telephone: Telephone) -> None:
    token = await halfway(access)
    assert access.gate.authenticate(None, token.encode()).subject == "anonymous"
    with pytest.raises(Unauthenticated):
        await access.accounts.finish_sign_in(token, "000000", HOME)
    assert access.store.list_sessions("odile") == []

    signed_in = await access.accounts.finish_sign_in(token, telephone.next_code(), HOME)
    assert access.gate.authenticate(None, signed_in.token.encode()).subject == "user:odile"
    assert access.store.list_sessions("odile")[0].method == "password-code"


async def test_a_code_counts_once(access: Access, telephone: Telephone) -> None:
    """Not even the one by which it was set up, and none of an earlier period."""
    token = await halfway(access)
    seen = telephone.code()
    with pytest.raises(Unauthenticated):
        await access.accounts.finish_sign_in(token, seen, HOME)
    code = telephone.next_code()
    await access.accounts.finish_sign_in(token, f"{code[:3]} {code[3:]}", HOME)
    again = await halfway(access)
    with pytest.raises(Unauthenticated):
        await access.accounts.finish_sign_in(again, code, HOME)


async def test_a_halfway_sign_in_is_finished_once_and_soon(
    access: Access, telephone: Telephone, clock: FakeClock
) -> None:
    token = await halfway(access)
    await access.accounts.finish_sign_in(token, telephone.next_code(), HOME)
    with pytest.raises(SignInTooOld):
        await access.accounts.finish_sign_in(token, telephone.next_code(), HOME)
    late = await halfway(access)
    clock.now += 10 * MINUTE
    with pytest.raises(SignInTooOld):
        await access.accounts.finish_sign_in(late, telephone.code(), HOME)
    kept_out = await halfway(access)
    access.accounts.disable_account(COMMAND_LINE, "odile")
    with pytest.raises(SignInTooOld):
        await access.accounts.finish_sign_in(kept_out, telephone.next_code(), HOME)


async def test_guessing_codes_is_slowed_down(access: Access, telephone: Telephone) -> None:
    token = await halfway(access)
    for number in range(ALLOWED_CODES):
        with pytest.raises(Unauthenticated):
            await access.accounts.finish_sign_in(token, f"{number:06d}", SeenFrom(f"192.0.2.{number}"))
    with pytest.raises(TooManyAttempts):
        await access.accounts.finish_sign_in(token, telephone.next_code(), HOME)
    assert deeds(access).count("sign-in-failed") == ALLOWED_CODES


async def test_each_recovery_code_counts_once_however_it_is_typed(
    access: Access, telephone: Telephone, codes: list[str]
) -> None:
    assert (len(codes), len(set(codes))) == (10, 10)
    await access.accounts.finish_sign_in(await halfway(access), codes[0].upper().replace("-", " "), HOME)
    with pytest.raises(Unauthenticated):
        await access.accounts.finish_sign_in(await halfway(access), codes[0], HOME)
    assert access.second_factors.count_recovery_codes("odile") == 9
    assert access.store.list_sessions("odile")[0].method == "password-recovery-code"

    fresh = await access.second_factors.renew_codes("odile", telephone.next_code())
    with pytest.raises(Unauthenticated):
        await access.accounts.finish_sign_in(await halfway(access), codes[1], HOME)
    await access.accounts.finish_sign_in(await halfway(access), fresh[1], HOME)


async def test_recovery_codes_and_their_use_are_told_but_not_kept(
    access: Access, telephone: Telephone, codes: list[str]
) -> None:
    await access.accounts.finish_sign_in(await halfway(access), codes[0], HOME)
    told = [entry.record for entry in access.store.read_audit()]
    assert [one.action for one in told[-3:]] == ["recovery-codes-printed", "recovery-code-used", "signed-in"]
    kept = access.store._connection.serialize()  # type: ignore[attr-defined]
    assert all(one.startswith(b"$argon2id$") for one in access.store.identities.list_recovery_codes("odile"))
    assert not [code for code in codes if code.encode() in kept or code.replace("-", "").encode() in kept]


async def test_a_new_password_by_link_is_no_way_around(access: Access, telephone: Telephone) -> None:
    link = access.accounts.offer_password(COMMAND_LINE, "odile")
    with pytest.raises(SecondFactorNeeded) as needed:
        await access.accounts.redeem_link(link, "odile", "another long password", HOME)
    assert access.store.list_sessions("odile") == []
    await access.accounts.finish_sign_in(needed.value.token, telephone.next_code(), HOME)


@pytest.mark.usefixtures("odile")
async def test_setting_up_needs_a_code_of_the_new_secret(access: Access, clock: FakeClock) -> None:
    begun = access.second_factors.begin("odile")
    with pytest.raises(BadRequestData):
        await access.second_factors.finish("odile", begun.token, "000000")
    with pytest.raises(BadRequestData):
        await access.second_factors.finish("perig", begun.token, Telephone(begun.secret, clock).code())
    assert not access.second_factors.has("odile")
    clock.now += 15 * MINUTE
    with pytest.raises(BadRequestData):
        await access.second_factors.finish("odile", begun.token, Telephone(begun.secret, clock).code())


async def test_removing_needs_a_code(access: Access, telephone: Telephone) -> None:
    with pytest.raises(BadRequestData):
        await access.second_factors.remove("odile", "000000")
    await access.second_factors.remove("odile", telephone.next_code())
    await access.accounts.sign_in("odile", PASSWORD, HOME)
    assert access.second_factors.count_recovery_codes("odile") == 0
    assert "second-factor-removed" in deeds(access)


async def test_an_administrator_resets_it_for_somebody(access: Access, telephone: Telephone) -> None:
    await access.accounts.finish_sign_in(await halfway(access), telephone.next_code(), HOME)
    with pytest.raises(Forbidden):
        access.second_factors.reset(Caller("default", "user:erwan", OPERATOR), "odile")
    with pytest.raises(ResourceNotFound):
        access.second_factors.reset(Caller("port", "user:perig", ADMINISTRATOR), "odile")

    access.second_factors.reset(Caller("default", "user:maelle", ADMINISTRATOR), "odile")
    assert access.store.list_sessions("odile") == []
    await access.accounts.sign_in("odile", PASSWORD, HOME)
    (told,) = [one.record for one in access.store.read_audit() if one.record.action == "second-factor-reset"]
    assert (told.subject, told.object) == ("user:maelle", "odile")


async def test_a_role_may_need_one(store: SqliteAccessStore, clock: FakeClock, weak_passwords: Passwords) -> None:
    access = build_access(store, AccessSettings(second_factor_roles=("operator",)), clock, weak_passwords)
    for name, role in (("odile", "operator"), ("perig", "reader")):
        await access.accounts.add_account(COMMAND_LINE, name, PASSWORD, role)
    await access.accounts.sign_in("perig", PASSWORD, HOME)

    token = await halfway(access)
    with pytest.raises(Unauthenticated):
        await access.accounts.finish_sign_in(token, "000000", HOME)
    begun = access.second_factors.begin("odile")
    telephone = Telephone(begun.secret, clock)
    signed_in, codes = await access.accounts.set_up_and_sign_in(token, begun.token, telephone.code(), HOME)
    assert access.gate.authenticate(None, signed_in.token.encode()).subject == "user:odile"
    assert len(codes) == 10
    with pytest.raises(BadRequestData):
        await access.second_factors.remove("odile", telephone.next_code())

    stolen, other = await halfway(access), access.second_factors.begin("odile")
    with pytest.raises(SignInTooOld):
        await access.accounts.set_up_and_sign_in(stolen, other.token, Telephone(other.secret, clock).code(), HOME)


async def test_a_role_that_somebody_is_assigned_needs_one_too(
    store: SqliteAccessStore, clock: FakeClock, weak_passwords: Passwords
) -> None:
    access = build_access(store, AccessSettings(second_factor_roles=("operator",)), clock, weak_passwords)
    await access.accounts.add_account(COMMAND_LINE, "perig", PASSWORD, "reader")
    signed_in = await access.accounts.sign_in("perig", PASSWORD, HOME)
    administrator = Caller("default", "user:maelle", ADMINISTRATOR)
    asked = Assignment("", "user:perig", "default", "operator", clock(), clock() + 60 * MINUTE)
    made = access.gate.roles.assign(administrator, asked)

    assert access.sessions.renew(signed_in.token) is not None, "other rights, another token"
    await halfway(access, "perig")
    access.gate.roles.unassign(administrator, made.id)
    await access.accounts.sign_in("perig", PASSWORD, HOME)
