"""The pool's people act in a member's tenant by a mandate in force, and do there what both allow."""

import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.identities.sessions import SeenFrom
from parvis.access.members.mandates import Terms
from parvis.access.members.model import Member
from parvis.access.model import EVERY_TENANT
from parvis.access.roles.model import Assignment, Classified
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import ADMINISTRATOR, ANONYMOUS, NOBODY, OPERATOR, Caller, Right
from parvis.kernel.reach import Area
from parvis.kernel.time import HOUR
from tests.access.conftest import FakeClock

MAYOR = Caller("plouhinec", "user:mairie", ADMINISTRATOR)
PASSWORD = "correct horse battery"


@pytest.fixture
async def session(access: Access) -> bytes:
    """Of an operator of the pool, which has two members."""
    for name in ("plouhinec", "riantec"):
        access.members.add(COMMAND_LINE, Member(tenant=name, title=name.title(), since=0))
    return await sign_in(access, "odile", "operator", "default")


async def sign_in(access: Access, name: str, role: str, tenant: str) -> bytes:
    await access.accounts.add_account(COMMAND_LINE, name, PASSWORD, role, tenant)
    return (await access.accounts.sign_in(name, PASSWORD, SeenFrom("192.0.2.1"))).token.encode()


def grant(access: Access, clock: FakeClock, role: str, hours: float = 5, **more: object) -> str:
    terms = Terms(**{"role": role, "until": clock.now + round(hours * HOUR), "reference": "2026-014"} | more)  # type: ignore[arg-type]
    return access.mandates.grant(MAYOR, "plouhinec", terms).id


async def test_without_a_mandate_the_pool_is_refused_and_told_why(access: Access, session: bytes) -> None:
    with pytest.raises(Forbidden, match="no mandate in force"):
        access.gate.authenticate(None, session, "plouhinec")
    assert access.gate.authenticate(None, session, None).tenant == "default"


async def test_by_a_mandate_one_may_what_both_allow(access: Access, session: bytes, clock: FakeClock) -> None:
    granted = grant(access, clock, "administrator")

    caller = access.gate.authenticate(None, session, "plouhinec")

    assert (caller.tenant, caller.subject, caller.mandate) == ("plouhinec", "user:odile", granted)
    assert caller.rights == OPERATOR, "an operator of the pool is no administrator of a member"
    with pytest.raises(Forbidden):
        access.gate.authenticate(None, session, "riantec")


async def test_a_readers_mandate_makes_an_operator_a_reader(access: Access, session: bytes, clock: FakeClock) -> None:
    grant(access, clock, "reader")

    assert access.gate.authenticate(None, session, "plouhinec").rights == Right.READ | Right.READ_PUBLIC


async def test_a_mandate_for_a_scope_reaches_no_further(access: Access, session: bytes, clock: FakeClock) -> None:
    grant(access, clock, "reader")
    grant(access, clock, "operator", scopes=("/school",))

    caller = access.gate.authenticate(None, session, "plouhinec")

    assert caller.reads is None
    assert caller.writes == (Area(scopes=("/school",)),), "what one mandate lets read another does not let write"


@pytest.mark.parametrize("role", ["reader", "operator", "administrator", "field-agent", "domain-manager"])
async def test_the_scopes_of_a_mandate_narrow_all_of_its_role(
    access: Access, session: bytes, clock: FakeClock, role: str
) -> None:
    """Also what an assignment of the role would leave as it is."""
    grant(access, clock, role, scopes=("/school",))

    caller = access.gate.authenticate(None, session, "plouhinec")

    school = (Area(scopes=("/school",)),)
    assert caller.reads == school
    assert caller.writes == (school if caller.may(Right.WRITE) else None)
    assert caller.commands == (school if caller.may(Right.COMMAND) else None)


async def test_a_mandate_opens_from_its_first_to_its_last_instant(
    access: Access, session: bytes, clock: FakeClock
) -> None:
    grant(access, clock, "operator", hours=2, since=clock.now + HOUR)

    for hours, is_open in ((0, False), (1, True), (0.9999999, True), (0.0000002, False)):
        clock.pass_hours(hours)
        access.gate.forget()
        if is_open:
            assert access.gate.authenticate(None, session, "plouhinec").may(Right.WRITE)
        else:
            with pytest.raises(Forbidden):
                access.gate.authenticate(None, session, "plouhinec")


async def test_what_is_remembered_of_a_mandate_does_not_outlive_it(
    access: Access, session: bytes, clock: FakeClock
) -> None:
    grant(access, clock, "operator", hours=2 / 3600)

    assert access.gate.pool.holds_s("plouhinec") == 2


async def test_an_ended_mandate_opens_nothing_at_once(access: Access, session: bytes, clock: FakeClock) -> None:
    granted = grant(access, clock, "operator")
    caller = access.gate.authenticate(None, session, "plouhinec")
    assert access.gate.authenticate_again(session, "plouhinec") == caller

    access.mandates.end(MAYOR, "plouhinec", granted)

    with pytest.raises(Forbidden):
        access.gate.authenticate(None, session, "plouhinec")
    assert access.gate.authenticate_again(session, "plouhinec") is None, "an open stream ends"


async def test_a_member_stays_at_home(access: Access, session: bytes) -> None:
    clerk = await sign_in(access, "mairie", "administrator", "plouhinec")

    assert access.gate.authenticate(None, clerk, None) == MAYOR
    for elsewhere in ("default", "riantec"):
        with pytest.raises(Forbidden):
            access.gate.authenticate(None, clerk, elsewhere)


async def test_a_key_for_every_tenant_delivers_to_members_and_no_more(
    access: Access, session: bytes, clock: FakeClock
) -> None:
    _, key = access.keys.create(COMMAND_LINE, "network server", "operator", EVERY_TENANT)
    _, reading = access.keys.create(COMMAND_LINE, "reports", "reader", EVERY_TENANT)
    _, pools = access.keys.create(COMMAND_LINE, "the pool's", "operator")

    def rights(token: str) -> Right:
        return access.gate.authenticate(b"Bearer " + token.encode(), None, "plouhinec").rights

    assert rights(key) == Right.INGEST
    for refused in (reading, pools):
        with pytest.raises(Forbidden):
            rights(refused)
    grant(access, clock, "reader")
    assert rights(reading) == Right.READ | Right.READ_PUBLIC
    with pytest.raises(Forbidden):
        rights(pools)


async def test_each_member_says_what_is_public_there(access: Access, session: bytes) -> None:
    assert access.gate.authenticate(None, None, "plouhinec").rights == NOBODY

    access.members.choose_public(MAYOR, "plouhinec", ["WasteContainer"])

    anonymous = access.gate.authenticate(None, None, "plouhinec")
    assert (anonymous.tenant, anonymous.subject, anonymous.rights) == ("plouhinec", ANONYMOUS, Right.READ_PUBLIC)
    assert access.gate.authenticate(None, None, "riantec").rights == NOBODY
    access.members.end(MAYOR, "plouhinec")
    assert access.gate.authenticate(None, None, "plouhinec").rights == NOBODY


async def test_the_first_administrator_is_one_of_the_pool(access: Access, session: bytes) -> None:
    token = access.accounts.offer_first_link()
    assert token is not None
    signed_in = await access.accounts.redeem_link(token, "ada", PASSWORD, SeenFrom("192.0.2.1"))

    assert access.gate.authenticate(None, signed_in.token.encode(), None).tenant == "default"
    with pytest.raises(Forbidden):
        access.gate.authenticate(None, signed_in.token.encode(), "plouhinec")


async def test_nothing_is_made_by_a_mandate_that_would_outlive_it(
    access: Access, session: bytes, clock: FakeClock
) -> None:
    admin = await sign_in(access, "ada", "administrator", "default")
    grant(access, clock, "administrator")
    caller = access.gate.authenticate(None, admin, "plouhinec")
    assert caller.may(Right.ADMINISTER)

    with pytest.raises(Forbidden, match="outlive"):
        access.accounts.invite(caller, "mole", "administrator", "plouhinec")
    with pytest.raises(Forbidden, match="outlive"):
        access.keys.create(caller, "a back door", "reader", "plouhinec")
    with pytest.raises(Forbidden, match="outlive"):
        access.gate.roles.assign(caller, Assignment("", "user:odile", "plouhinec", "operator", clock.now))
    for change in (access.gate.roles.classify, access.gate.roles.declassify):
        with pytest.raises(Forbidden, match="outlive"):
            change(caller, Classified("email", "public"))
    await access.accounts.add_account(COMMAND_LINE, "mole", PASSWORD, "administrator", "plouhinec")
    access.accounts.disable_account(COMMAND_LINE, "mole")
    with pytest.raises(Forbidden, match="outlive"):
        access.accounts.enable_account(caller, "mole")
    key, _ = access.keys.create(caller, "a sensor's", "device", "plouhinec", device="a1")
    assert key.device == "a1", "a device only delivers"


async def test_a_role_given_there_does_not_stand_in_for_a_mandate(
    access: Access, session: bytes, clock: FakeClock
) -> None:
    access.gate.roles.assign(MAYOR, Assignment("", "user:odile", "plouhinec", "operator", clock.now))

    with pytest.raises(Forbidden):
        access.gate.authenticate(None, session, "plouhinec")


async def test_by_a_mandate_one_reads_no_more_classes_than_at_home(
    access: Access, session: bytes, clock: FakeClock
) -> None:
    """What the member has declared to be sensitive is so for the pool's operators too."""
    access.gate.roles.classify(MAYOR, Classified("boilerCode", "sensitive"))
    grant(access, clock, "administrator")

    caller = access.gate.authenticate(None, session, "plouhinec")

    assert caller.hides is not None
    assert "boilerCode" in caller.hides.names
