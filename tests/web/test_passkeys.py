"""What the server says of passkeys without a browser; with one: tests/browser/test_passkeys.py."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from msgspec import structs

from parvis.access.access import COMMAND_LINE
from parvis.access.identities import passkeys, sessions
from parvis.access.members.model import Member
from parvis.access.model import ELSEWHERE
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.settings import ServerSettings
from tests.web.conftest import client_of, form_token, settings
from tests.web.test_account import PASSWORD, send, sign_in

ACCOUNT, SIGN_IN = "/console/account", "/console/sign-in"
IN, OWN = f"{SIGN_IN}/passkey", f"{ACCOUNT}/passkeys"


@pytest.fixture
async def odile(platform: Platform) -> None:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", "the tide comes in twice", "operator")


async def begin(http: httpx.AsyncClient) -> httpx.Response:
    return await send(http, SIGN_IN, f"{IN}/begin")


@pytest.mark.usefixtures("odile")
async def test_who_asks_for_a_challenge_learns_of_no_account(visitor: httpx.AsyncClient) -> None:
    asked = (await begin(visitor)).json()["options"]["publicKey"]
    assert asked["rpId"] == "localhost"
    assert asked["userVerification"] == "required"
    assert "allowCredentials" not in asked


@pytest.mark.usefixtures("odile")
@pytest.mark.parametrize("host", ["192.0.2.7:8080", "[2001:db8::7]:8080"])
async def test_at_an_address_it_says_why_there_are_none(platform: Platform, host: str) -> None:
    async with client_of(platform) as http:
        http.base_url = httpx.URL(f"http://{host}")
        assert "data-passkey" not in (await http.get(SIGN_IN)).text
        await sign_in(http)
        page = (await http.get(ACCOUNT)).text
        assert "data-passkey" not in page
        assert "browsers take passkeys only for a name" in page


@pytest.mark.usefixtures("odile")
async def test_every_form_needs_its_token(platform: Platform, visitor: httpx.AsyncClient) -> None:
    async with client_of(platform) as http:
        await sign_in(http)
        for page in (f"{OWN}/begin", OWN, f"{OWN}/remove"):
            assert (await http.post(page, data={"passkey": "00"})).status_code == 403
    for page in (f"{IN}/begin", IN):
        assert (await visitor.post(page)).status_code == 403


@pytest.mark.parametrize("answer", ["", "{}", "[1]", '{"id": 3}', '{"rawId": "AA", "response": {}}', "\x00"])
async def test_whatever_a_browser_sends_is_refused_and_tells_nothing(visitor: httpx.AsyncClient, answer: str) -> None:
    begun = (await begin(visitor)).json()["token"]
    refused = await send(visitor, SIGN_IN, IN, begun=begun, answer=answer)
    assert refused.status_code == 401
    assert "This passkey does not let you in here." in refused.text


@pytest.mark.usefixtures("odile")
@pytest.mark.parametrize("answer", ["", "{}", "[1]", '{"rawId": "AA", "response": {}}'])
async def test_what_is_no_answer_registers_nothing(platform: Platform, answer: str) -> None:
    async with client_of(platform) as http:
        await sign_in(http)
        begun = (await send(http, ACCOUNT, f"{OWN}/begin")).json()["token"]
        refused = await send(http, ACCOUNT, OWN, begun=begun, answer=answer, label="Mine")
        assert refused.headers["location"] == f"{ACCOUNT}?done=passkey_refused"
        assert platform.access.passkeys.list_of("odile") == []
        assert (await send(http, ACCOUNT, f"{OWN}/remove", passkey="00")).status_code == 404


async def test_challenges_are_bounded(visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "ALLOWED_OF_ADDRESS", 3)
    token = form_token((await visitor.get(SIGN_IN)).text)
    statuses = [(await visitor.post(f"{IN}/begin", data={"form_token": token})).status_code for _ in range(4)]
    assert statuses == [200] * 3 + [429]


@pytest.mark.usefixtures("odile")
async def test_who_signed_in_a_while_ago_shows_the_password_before_a_passkey_is_registered(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(platform) as http:
        await sign_in(http)
        assert "passkey-password" not in (await http.get(ACCOUNT)).text
        monkeypatch.setattr(sessions, "FRESH_FOR", 0)
        assert "passkey-password" in (await http.get(ACCOUNT)).text
        for password in ({}, {"password": "wrong"}):
            assert (await send(http, ACCOUNT, f"{OWN}/begin", **password)).status_code == 401
        failed = [one.record for one in platform.access.store.read_audit() if one.record.action == "sign-in-failed"]
        assert [one.facts["by"] for one in failed] == ["own page"] * 2

        begun = await send(http, ACCOUNT, f"{OWN}/begin", password=PASSWORD)
        assert (begun.status_code, "challenge" in begun.text) == (200, True)


async def test_without_a_password_one_signs_in_once_more(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(platform) as http:
        await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
        await sign_in(http)
        account = platform.access.store.find_account("odile")
        assert account is not None
        platform.access.store.replace_account(structs.replace(account, password_hash=ELSEWHERE))
        monkeypatch.setattr(sessions, "FRESH_FOR", 0)
        page = (await http.get(ACCOUNT)).text
        assert "sign in once more" in page
        assert "passkey-password" not in page
        assert (await send(http, SIGN_IN, f"{OWN}/begin", password="")).status_code == 401


async def test_at_a_members_own_host_passkeys_and_providers_lead_to_the_platforms_address(tmp_path: Path) -> None:
    known = replace(settings(tmp_path, auth=True), server=ServerSettings(public_url="https://data.bay.example"))
    async with open_platform(known, listen=False) as platform:
        await leads_home(platform)


async def leads_home(platform: Platform) -> None:
    platform.access.members.add(COMMAND_LINE, Member(tenant="plouhinec", title="Plouhinec", since=0, code="56169"))
    platform.access.members.change(COMMAND_LINE, "plouhinec", hosts=["plouhinec.example"])
    async with client_of(platform) as http:
        assert "data-passkey" in (await http.get(SIGN_IN)).text
        http.base_url = httpx.URL("http://plouhinec.example")
        page = (await http.get(f"{SIGN_IN}?next=/console/map?layer=1")).text
        assert "data-passkey" not in page
        led = "https://data.bay.example/console/sign-in?next=%2Fconsole%2Fmap%3Flayer%3D1%26in%3Dplouhinec"
        assert f'href="{led}"' in page
