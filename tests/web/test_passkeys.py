"""What the server says of passkeys without a browser; with one: tests/browser/test_passkeys.py."""

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.identities import passkeys
from parvis.bootstrap import Platform
from tests.web.conftest import client_of, form_token
from tests.web.test_account import send, sign_in

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
