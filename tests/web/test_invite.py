"""Inviting somebody in the console."""

import re
from html import unescape
from urllib.parse import unquote

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.members.mandates import Terms
from parvis.access.members.model import Member
from parvis.bootstrap import Platform
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import DAY, Instant
from parvis.web.console.identities.invite import INVITE
from parvis.web.tenants import IN_COOKIE
from tests.web.conftest import client_of, plain
from tests.web.test_account import PASSWORD, send, sign_in
from tests.web.test_members import MAYOR, signed_in


async def test_the_link_is_shown_once_and_opens(platform: Platform, operator: httpx.AsyncClient) -> None:
    made = await send(operator, INVITE, INVITE, name="marie.legal", role="auditor")
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    (link,) = re.findall(r"<code>([^<]+)</code>", made.text)
    assert (await operator.get(unescape(link))).status_code == 200
    account = platform.access.store.find_account("marie.legal")
    assert account is not None
    assert (account.role, account.tenant) == ("auditor", DEFAULT_TENANT)
    assert link not in (await operator.get(INVITE)).text


async def test_it_may_be_sent_by_ones_own_program_for_mail(operator: httpx.AsyncClient) -> None:
    made = (await send(operator, INVITE, INVITE, name="marie", role="reader")).text
    (mail,) = re.findall(r'href="mailto:\?([^"]+)"', made)
    (link,) = re.findall(r"<code>([^<]+)</code>", made)
    assert "+" not in mail
    assert unescape(link) in unquote(unescape(mail))
    assert "Trevalan" in unquote(unescape(mail))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b", "role": "reader"}, "no spaces"),
        ({"name": "marie", "role": "device"}, "Choose a role."),
        ({"name": "marie", "role": "king"}, "Choose a role."),
        ({"name": "odile", "role": "reader"}, "choose another"),
    ],
)
async def test_what_is_refused_is_said_at_the_form(
    platform: Platform, operator: httpx.AsyncClient, fields: dict[str, str], said: str
) -> None:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    answer = await send(operator, INVITE, INVITE, **fields)
    assert answer.status_code == 400
    assert said in plain(answer.text)
    assert f'value="{fields["name"]}"' in answer.text
    assert platform.access.store.find_account("marie") is None


async def add_member(platform: Platform) -> None:
    member = Member(tenant=MAYOR.tenant, title="Plouhinec", since=0, code="56169")
    platform.access.members.add(COMMAND_LINE, member)
    await platform.broker.add_tenant(MAYOR.tenant)


async def test_a_members_administrator_invites_for_the_member(platform: Platform) -> None:
    await add_member(platform)
    http = await signed_in(platform, "odile", MAYOR.tenant)
    assert f'href="{INVITE}"' in (await http.get("/console/people")).text
    assert (await send(http, INVITE, INVITE, name="yann", role="operator")).status_code == 200
    assert {one.name: one.tenant for one in platform.access.accounts.list_accounts(MAYOR)}["yann"] == MAYOR.tenant


async def test_who_acts_by_a_mandate_invites_nobody(platform: Platform, now: Instant) -> None:
    await add_member(platform)
    platform.access.mandates.grant(
        MAYOR, MAYOR.tenant, Terms(role="administrator", until=now + 30 * DAY, reference="7")
    )
    http = await signed_in(platform, "odile", DEFAULT_TENANT)
    http.cookies.set(IN_COOKIE, MAYOR.tenant)
    people = await http.get("/console/people")
    assert people.status_code == 200
    assert INVITE not in people.text.split("<main")[1]
    assert (await http.get(INVITE)).status_code == 403


async def test_operators_invite_nobody(platform: Platform) -> None:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    async with client_of(platform) as http:
        await sign_in(http)
        assert (await http.get(INVITE)).status_code == 403
