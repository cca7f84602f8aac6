"""Coming in and going out, as a browser does it: forms, cookies, redirects."""

import re
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.settings_reader import load_settings
from parvis.web.app import create_app
from parvis.web.auth import FORM_COOKIE, FORM_FIELD, SESSION_COOKIE, cookie_name
from parvis.web.front import Front
from parvis.web.metrics import RequestMetrics

PASSWORD = "the tide comes in twice"
SIGN_IN, WELCOME, SIGN_OUT = "/console/sign-in", "/welcome", "/console/sign-out"
HIDDEN = re.compile(rf'name="{FORM_FIELD}"[^>]*value="([0-9a-f]+)"|value="([0-9a-f]+)"[^>]*name="{FORM_FIELD}"')


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(load_settings(tmp_path), listen=False) as platform:
        yield platform


def browser(platform: Platform, scheme: str = "http") -> httpx.AsyncClient:
    front = Front(create_app(platform), platform.access.gate, RequestMetrics(), 1_000_000)
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url=f"{scheme}://parvis.test")


async def form_token(http: httpx.AsyncClient, page: str) -> str:
    found = HIDDEN.search((await http.get(page)).text)
    assert found is not None
    return found[1] or found[2]


async def sign_in(http: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    fields = {"name": "odile", "password": password, FORM_FIELD: await form_token(http, SIGN_IN)}
    return await http.post(SIGN_IN, data=fields)


@pytest.fixture
async def odile(platform: Platform) -> None:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")


@pytest.mark.usefixtures("odile")
@pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)])
async def test_signing_in_gives_a_cookie_no_script_can_read(platform: Platform, scheme: str, is_secure: bool) -> None:
    async with browser(platform, scheme) as http:
        response = await sign_in(http)
    assert response.status_code == 303
    name = cookie_name(SESSION_COOKIE, is_https=is_secure)
    (header,) = [text for text in response.headers.get_list("set-cookie") if text.startswith(name)]
    cookie = SimpleCookie(header)[name]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert bool(cookie["secure"]) is is_secure
    assert 0 < int(cookie["max-age"]) <= 12 * 3600


@pytest.mark.usefixtures("odile")
async def test_a_form_without_its_token_or_with_anothers_is_refused(platform: Platform) -> None:
    fields = {"name": "odile", "password": PASSWORD}
    async with browser(platform) as mine, browser(platform) as theirs:
        await form_token(mine, SIGN_IN)
        stolen = await form_token(theirs, SIGN_IN)
        for attempt in (fields, fields | {FORM_FIELD: ""}, fields | {FORM_FIELD: stolen}):
            response = await mine.post(SIGN_IN, data=attempt)
            assert response.status_code == 403
            assert SESSION_COOKIE not in response.cookies


@pytest.mark.usefixtures("odile")
async def test_a_wrong_password_brings_nobody_in_and_many_are_slowed_down(platform: Platform) -> None:
    async with browser(platform) as http:
        statuses = [(await sign_in(http, "wrong")).status_code for _ in range(6)]
        assert SESSION_COOKIE not in http.cookies
    assert statuses == [401] * 5 + [429]


@pytest.mark.usefixtures("odile")
async def test_signing_out_ends_the_session_on_the_server_too(platform: Platform) -> None:
    async with browser(platform) as http:
        await sign_in(http)
        session = http.cookies[SESSION_COOKIE]
        token = await form_token(http, "/console")
        assert platform.access.gate.authenticate(None, session.encode()).subject == "user:odile"
        assert (await http.post(SIGN_OUT, data={FORM_FIELD: token})).status_code == 303
        assert SESSION_COOKIE not in http.cookies
    assert platform.access.gate.authenticate(None, session.encode()).subject == "anonymous"


async def test_the_first_link_makes_the_administrator(platform: Platform) -> None:
    link = platform.access.accounts.offer_first_link()
    assert link is not None
    async with browser(platform) as http:
        token = await form_token(http, f"{WELCOME}?token={link}")
        fields = {"token": link, "name": "maelle", "password": PASSWORD, FORM_FIELD: token}
        too_short = await http.post(WELCOME, data=fields | {"password": "short"})
        made = await http.post(WELCOME, data=fields)
        session = http.cookies[SESSION_COOKIE]
        again = await http.get(f"{WELCOME}?token={link}")
    assert (too_short.status_code, made.status_code) == (400, 303)
    assert platform.access.gate.authenticate(None, session.encode()).subject == "user:maelle"
    assert again.status_code != 200


async def test_an_invited_colleague_chooses_the_password_of_the_account_in_the_link(platform: Platform) -> None:
    link = platform.access.accounts.invite(COMMAND_LINE, "erwan", "reader")
    async with browser(platform) as http:
        page = (await http.get(f"{WELCOME}?token={link}")).text
        assert re.search(r'name="name" value="erwan"[^>]* readonly', page)
        token = await form_token(http, f"{WELCOME}?token={link}")
        fields = {"token": link, "name": "erwan", "password": PASSWORD, FORM_FIELD: token}
        other = await http.post(WELCOME, data=fields | {"name": "mallory"})
        taken = await http.post(WELCOME, data=fields)
        session = http.cookies[SESSION_COOKIE]
    assert (other.status_code, taken.status_code) == (400, 303)
    assert platform.access.gate.authenticate(None, session.encode()).subject == "user:erwan"


async def test_the_form_cookie_is_set_with_the_form_only(platform: Platform) -> None:
    async with browser(platform) as http:
        await http.get("/healthz")
        assert FORM_COOKIE not in http.cookies
        await http.get(SIGN_IN)
        assert FORM_COOKIE in http.cookies


@pytest.mark.usefixtures("odile")
async def test_a_foreign_malformed_cookie_does_not_hide_the_session(platform: Platform) -> None:
    async with browser(platform) as http:
        await sign_in(http)
        cookies = f'other=["a,b"] x; {SESSION_COOKIE}={http.cookies[SESSION_COOKIE]}'
    async with browser(platform) as http:
        assert (await http.get("/console/devices", headers={"cookie": cookies})).status_code == 200
