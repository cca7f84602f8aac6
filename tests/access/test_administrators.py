"""Nobody locks a tenant by taking its last administrator away."""

import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.roles.model import Assignment
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.kernel.time import HOUR
from tests.access.conftest import FakeClock

PASSWORD = "the tide comes in twice"
MAYOR = Caller("default", "user:maire", ADMINISTRATOR)


@pytest.fixture
async def mayor(access: Access) -> Access:
    await access.accounts.add_account(COMMAND_LINE, "maire", PASSWORD, "administrator")
    await access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    await access.accounts.add_account(COMMAND_LINE, "elsewhere", PASSWORD, "administrator", "plouhinec")
    return access


def is_last(access: Access) -> bool:
    try:
        access.accounts.disable_account(MAYOR, "maire")
    except BadRequestData as refused:
        return bool(refused.extras["rule"] == "last-administrator")
    access.accounts.enable_account(COMMAND_LINE, "maire")
    return False


async def test_the_last_administrator_stays_whoever_asks_but_on_the_server(mayor: Access) -> None:
    assert is_last(mayor)
    mayor.accounts.invite(MAYOR, "perig", "administrator")
    assert is_last(mayor), "an invitation administers nothing"
    await mayor.accounts.add_account(MAYOR, "anne", PASSWORD, "administrator")
    assert not is_last(mayor)
    mayor.accounts.disable_account(MAYOR, "anne")
    assert is_last(mayor)
    mayor.accounts.disable_account(MAYOR, "odile")
    mayor.accounts.disable_account(COMMAND_LINE, "maire")


async def test_who_is_given_the_role_for_good_counts_too(mayor: Access, clock: FakeClock) -> None:
    roles = mayor.gate.roles
    roles.assign(MAYOR, Assignment("", "user:odile", "default", "administrator", 0, clock.now + HOUR))
    assert is_last(mayor)
    roles.assign(MAYOR, Assignment("", "user:odile", "default", "administrator", 0))
    assert not is_last(mayor)
