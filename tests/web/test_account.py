"""The pages of people: one's own, and an administrator's of others."""

import re

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from tests.web.conftest import client_of, form_token, plain
from tests.web.test_auth import SIGN_IN

PASSWORD = "the tide comes in twice"
ACCOUNT, PEOPLE = "/console/account", "/console/people"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
async def odile(platform: Platform) -> str:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    return "odile"


async def sign_in(http: httpx.AsyncClient, name: str = "odile") -> None:
    token = form_token((await http.get(SIGN_IN)).text)
    answer = await http.post(SIGN_IN, data={"name": name, "password": PASSWORD, "form_token": token})
    assert answer.status_code == 303, answer.text


async def send(http: httpx.AsyncClient, page: str, action: str, **fields: str) -> httpx.Response:
    token = form_token((await http.get(page)).text)
    return await http.post(action, data={"form_token": token, **fields})


@pytest.mark.usefixtures("odile")
async def test_one_ends_the_sessions_of_other_browsers(platform: Platform) -> None:
    async with client_of(platform) as here, client_of(platform, **{"user-agent": FIREFOX}) as there:
        await sign_in(here)
        await sign_in(there)
        page = (await here.get(ACCOUNT)).text
        assert "Firefox, Linux" in plain(page)
        (session,) = re.findall(r'name="session" value="(\w+)"', page)

        answer = await send(here, ACCOUNT, f"{ACCOUNT}/sessions/end", session=session)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{ACCOUNT}?done=session_ended")
        assert (await there.get(ACCOUNT)).status_code == 303
        await sign_in(there)
        await send(here, ACCOUNT, f"{ACCOUNT}/sessions/end")
        assert (await there.get(ACCOUNT)).status_code == 303
        assert (await here.get(ACCOUNT)).status_code == 200


@pytest.mark.usefixtures("odile")
async def test_a_page_brings_the_next_token_and_forms_go_on(platform: Platform) -> None:
    async with client_of(platform) as http:
        await sign_in(http)
        before = http.cookies["parvis_session"]
        page = (await http.get(ACCOUNT)).text
        assert http.cookies["parvis_session"] == before
        platform.access.store.rotate_soon("odile")
        await http.get("/console/map")
        after = http.cookies["parvis_session"]
        assert after != before
        answer = await http.post(f"{ACCOUNT}/sessions/end", data={"form_token": form_token(page)})
        assert answer.status_code == 303


async def test_pages_of_people_are_for_those_they_concern(platform: Platform, visitor: httpx.AsyncClient) -> None:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    _, key = platform.access.keys.create(COMMAND_LINE, "a program", "administrator")
    assert (await visitor.get(ACCOUNT)).headers["location"].startswith(SIGN_IN)
    assert (await visitor.get(ACCOUNT, headers={"authorization": f"Bearer {key}"})).status_code == 403
    async with client_of(platform) as http:
        await sign_in(http)
        for page in (PEOPLE, f"{PEOPLE}/odile"):
            assert (await http.get(page)).status_code == 403
        assert (await send(http, ACCOUNT, f"{PEOPLE}/odile", do="enable")).status_code == 403


@pytest.mark.usefixtures("odile")
async def test_an_administrator_keeps_somebody_out_and_lets_them_in(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    """`operator` of the fixtures is the first administrator."""
    page = f"{PEOPLE}/odile"
    async with client_of(platform) as http:
        await sign_in(http)
        assert "odile" in plain((await operator.get(PEOPLE)).text)
        assert (await send(operator, page, page, do="end_sessions")).status_code == 303
        assert (await http.get(ACCOUNT)).status_code == 303
    assert (await send(operator, page, page, do="disable")).headers["location"] == f"{page}?done=disable"
    account = platform.access.store.find_account("odile")
    assert account is not None
    assert account.disabled
    await send(operator, page, page, do="enable")
    link = await send(operator, page, page, do="link")
    assert link.headers["cache-control"] == "no-store"
    token = re.search(r"/welcome\?token=([\w-]+)", link.text)
    assert token is not None
    assert platform.access.accounts.find_linked_account(token[1]) == "odile"


@pytest.mark.usefixtures("odile")
@pytest.mark.parametrize("action", [f"{ACCOUNT}/sessions/end", f"{PEOPLE}/odile"])
async def test_forms_of_people_need_their_token(platform: Platform, operator: httpx.AsyncClient, action: str) -> None:
    answer = await operator.post(action, data={"do": "disable"})
    assert answer.status_code == 403
    account = platform.access.store.find_account("odile")
    assert account is not None
    assert not account.disabled


async def test_there_is_no_page_of_nobody(operator: httpx.AsyncClient) -> None:
    assert (await operator.get(f"{PEOPLE}/nobody")).status_code == 404
    assert (await send(operator, PEOPLE, f"{PEOPLE}/nobody", do="disable")).status_code == 404


@pytest.mark.usefixtures("odile")
async def test_one_changes_ones_password_and_is_told_why_not(platform: Platform) -> None:
    page = f"{ACCOUNT}/password"
    async with client_of(platform) as http:
        await sign_in(http)
        wrong = await send(http, page, page, current="a wrong password", password="another long password")
        assert (wrong.status_code, "This is not your current password" in wrong.text) == (401, True)
        for password, why in (("short", "12 to 1024"), ("password1234", "guessed first"), ("trevalan 2026", "a name")):
            refused = await send(http, page, page, current=PASSWORD, password=password)
            assert (refused.status_code, why in refused.text) == (400, True), password
            assert password not in refused.text
        assert (await http.post(page, data={"current": PASSWORD, "password": "x" * 20})).status_code == 403
        changed = await send(http, page, page, current=PASSWORD, password="another long password")
        assert changed.headers["location"] == f"{ACCOUNT}?done=password_changed"
        assert (await http.get(ACCOUNT)).status_code == 200
