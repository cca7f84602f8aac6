"""Every route with every role, in its own tenant and in another one: nobody is let in who should not be."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.roles.packaged import PACKAGED_ROLES
from parvis.bootstrap import Platform
from parvis.kernel.identity import NOBODY, READERS, Right
from parvis.web.api import create_api
from tests.web.conftest import client_of
from tests.web.matrix import LET_IN, MALFORMED, NOT_THERE, REFUSED, Asked, ask, list_asked
from tests.web.matrix_needs import LOOKED_FOR_FIRST, NEEDS, NOT_BY_KEY, READ_FIRST

ANONYMOUS = "anonymous"
ROLES: Final = (ANONYMOUS, *PACKAGED_ROLES)
TAKES: Final[Mapping[str, Right]] = {
    "anyone": NOBODY,
    "public": READERS,
    "read": Right.READ,
    "write": Right.WRITE,
    "command": Right.COMMAND,
    "deliver": Right.INGEST | Right.WRITE,
    "audit": Right.AUDIT,
    "steward": Right.STEWARD,
    "administer": Right.ADMINISTER,
}
NEED_OF: Final = {line.strip(): need for need, lines in NEEDS.items() for line in lines.splitlines() if line.strip()}


@pytest.fixture
def asked(platform: Platform) -> list[Asked]:
    site: Any = None
    return list_asked(create_api(site))


@pytest.fixture(params=ROLES)
async def client(request: pytest.FixtureRequest, platform: Platform) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    role, headers = request.param, {}
    if role != ANONYMOUS:
        _, token = platform.access.keys.create(COMMAND_LINE, "of the matrix", role)
        headers = {"authorization": f"Bearer {token}"}
    async with client_of(platform, **headers) as opened:
        yield role, opened


def name_of(one: Asked) -> str:
    return f"{one.method} {one.template}"


def may(role: str, need: str) -> bool:
    rights = Right.READ_PUBLIC if role == ANONYMOUS else PACKAGED_ROLES[role].rights
    return need == "anyone" or bool(rights & TAKES.get(need, NOBODY))


def test_every_route_says_what_it_takes(asked: list[Asked]) -> None:
    there = {name_of(one) for one in asked}
    assert there - NEED_OF.keys() == set(), "say in matrix_needs.py what these take"
    assert NEED_OF.keys() - there == set(), "these are there no more"
    assert there >= LOOKED_FOR_FIRST | READ_FIRST | NOT_BY_KEY


async def test_who_has_the_right_is_let_in_and_nobody_else(
    client: tuple[str, httpx.AsyncClient], asked: list[Asked]
) -> None:
    role, opened = client
    wrong = {}
    for one in asked:
        name, got = name_of(one), await ask(opened, one)
        need = NEED_OF.get(name, "nobody knows what")
        if may(role, need):
            is_wrong = got == REFUSED and name not in NOT_BY_KEY
        else:
            excused = {NOT_THERE: LOOKED_FOR_FIRST, MALFORMED: READ_FIRST}.get(got, frozenset[str]())
            is_wrong = got != REFUSED and name not in excused
        if is_wrong:
            wrong[name] = f"takes {need}, {got}"
    assert wrong == {}, "\n".join(f"{k}: {v}" for k, v in wrong.items())


async def test_in_another_tenant_a_role_opens_nothing(
    client: tuple[str, httpx.AsyncClient], asked: list[Asked], platform: Platform
) -> None:
    await platform.broker.add_tenant("port")
    _, opened = client
    opened.headers["NGSILD-Tenant"] = "port"
    closed = [one for one in asked if NEED_OF.get(name_of(one), "read") != "anyone"]
    let_in = [name_of(one) for one in closed if await ask(opened, one) == LET_IN]
    assert let_in == [], "\n".join(let_in)
