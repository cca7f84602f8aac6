"""The second factor as a browser without scripts meets it."""

import re
from base64 import b32decode
from pathlib import Path

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.identities.model import Passkey
from parvis.access.identities.second_factor import ALLOWED_CODES
from parvis.access.identities.totp import code_of, step_at
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import system_clock
from tests.web.conftest import client_of, form_token, plain

PASSWORD = "the tide comes in twice"
ACCOUNT, SIGN_IN = "/console/account", "/console/sign-in"
OWN, CODES = f"{ACCOUNT}/authenticator", f"{ACCOUNT}/recovery-codes"
RECOVERY = re.compile(r"<code>([a-z2-9]{4}(?:-[a-z2-9]{4}){3})</code>")


def code_for(page: str, periods_later: int = 0) -> str:
    """Of the secret that the page shows, as somebody types it into an application."""
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert found is not None
    return code_of(b32decode(found[1].replace(" ", "")), step_at(system_clock()) + periods_later)


async def give_password(http: httpx.AsyncClient, wanted: str = "") -> httpx.Response:
    token = form_token((await http.get(SIGN_IN)).text)
    fields = {"name": "odile", "password": PASSWORD, "form_token": token, "next": wanted}
    return await http.post(SIGN_IN, data=fields)


async def set_up(http: httpx.AsyncClient) -> tuple[str, list[str]]:
    """A code of the next period, and the recovery codes."""
    page = (await http.get(OWN)).text
    begun = re.search(r'name="setting_up" value="([\w-]+)"', page)
    assert begun is not None
    fields = {"form_token": form_token(page), "setting_up": begun[1]}
    refused = await http.post(OWN, data=fields | {"code": "000000"})
    assert refused.status_code == 400
    assert code_for(refused.text) == code_for(page), "the application has the secret already"
    shown = await http.post(OWN, data=fields | {"code": code_for(page)})
    assert shown.headers["cache-control"] == "no-store"
    return code_for(page, 1), RECOVERY.findall(shown.text)


@pytest.fixture
async def odile(platform: Platform) -> None:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")


@pytest.mark.usefixtures("odile")
async def test_from_setting_up_to_signing_in_with_it(platform: Platform) -> None:
    async with client_of(platform) as here, client_of(platform) as there:
        await give_password(here)
        code, recovery = await set_up(here)
        assert len(recovery) == 10
        assert "10 recovery codes are left" in plain((await here.get(ACCOUNT)).text)

        halfway = await give_password(there, "/console/map")
        assert halfway.headers["location"] == f"{SIGN_IN}/code?next=%2Fconsole%2Fmap"
        assert "parvis_session" not in there.cookies
        page = await there.get(halfway.headers["location"])
        fields = {"form_token": form_token(page.text), "next": "/console/map"}
        assert (await there.post(f"{SIGN_IN}/code", data=fields | {"code": "000000"})).status_code == 401
        let_in = await there.post(f"{SIGN_IN}/code", data=fields | {"code": code})
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/console/map")
        assert "parvis_halfway" not in there.cookies
        assert (await there.get(ACCOUNT)).status_code == 200


@pytest.mark.usefixtures("odile")
async def test_codes_are_guessed_a_few_times_only(platform: Platform) -> None:
    async with client_of(platform) as http, client_of(platform) as other:
        await give_password(http)
        await set_up(http)
        await give_password(other)
        token = form_token((await other.get(f"{SIGN_IN}/code")).text)
        fields = {"form_token": token, "code": "000000"}
        statuses = [(await other.post(f"{SIGN_IN}/code", data=fields)).status_code for _ in range(ALLOWED_CODES + 1)]
    assert statuses == [401] * ALLOWED_CODES + [429]


@pytest.mark.usefixtures("odile")
async def test_without_the_password_there_is_no_second_step(platform: Platform) -> None:
    async with client_of(platform) as http:
        assert (await http.get(f"{SIGN_IN}/code")).headers["location"] == SIGN_IN
        token = form_token((await http.get(SIGN_IN)).text)
        for page in (f"{SIGN_IN}/code", f"{SIGN_IN}/set-up"):
            answer = await http.post(page, data={"form_token": token, "code": "000000"})
            assert answer.headers["location"] == SIGN_IN
            assert (await http.post(page, data={"code": "000000"})).status_code == 403


@pytest.mark.usefixtures("odile")
async def test_own_changes_need_a_code_and_the_forms_token(platform: Platform) -> None:
    async with client_of(platform) as http:
        await give_password(http)
        assert (await http.post(OWN, data={"code": "000000"})).status_code == 403
        code, recovery = await set_up(http)
        token = form_token((await http.get(ACCOUNT)).text)
        fields = {"form_token": token, "do": "remove"}
        assert (await http.post(CODES, data={"do": "remove", "code": code})).status_code == 403
        refused = await http.post(CODES, data=fields | {"code": "000000"})
        assert refused.headers["location"] == f"{ACCOUNT}?done=code"
        fresh = await http.post(CODES, data={"form_token": token, "do": "codes", "code": recovery[0]})
        assert not set(RECOVERY.findall(fresh.text)) & set(recovery)
        removed = await http.post(CODES, data=fields | {"code": code})
        assert removed.headers["location"] == f"{ACCOUNT}?done=factor_removed"
        assert not platform.access.second_factors.has("odile")


async def test_who_needs_a_second_factor_sets_it_up_while_signing_in(tmp_path: Path) -> None:
    (tmp_path / "territory.toml").write_text('[access]\nsecond_factor_roles = ["operator"]\n')
    async with open_platform(load_settings(tmp_path), listen=False) as platform:
        await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
        async with client_of(platform) as http:
            page = (await http.get((await give_password(http)).headers["location"])).text
            begun = re.search(r'name="setting_up" value="([\w-]+)"', page)
            assert begun is not None
            fields = {"form_token": form_token(page), "setting_up": begun[1], "next": "/console"}
            assert (await http.post(f"{SIGN_IN}/set-up", data=fields | {"code": "000000"})).status_code == 400
            shown = await http.post(f"{SIGN_IN}/set-up", data=fields | {"code": code_for(page)})
            assert len(RECOVERY.findall(shown.text)) == 10
            assert (await http.get(ACCOUNT)).status_code == 200


@pytest.mark.usefixtures("odile")
async def test_an_administrator_resets_it(platform: Platform, operator: httpx.AsyncClient) -> None:
    """`operator` of the fixtures is the first administrator."""
    async with client_of(platform) as http:
        await give_password(http)
        await set_up(http)
        page = "/console/people/odile"
        token = form_token((await operator.get(page)).text)
        answer = await operator.post(page, data={"form_token": token, "do": "reset_factor"})
        assert answer.headers["location"] == f"{page}?done=reset_factor"
        assert (await http.get(ACCOUNT)).status_code == 303
        assert (await give_password(http)).headers["location"] == "/console"


async def test_who_has_a_passkey_and_no_application_is_asked_for_the_passkey_alone(tmp_path: Path) -> None:
    (tmp_path / "territory.toml").write_text('[access]\nsecond_factor_roles = ["operator"]\n')
    async with open_platform(load_settings(tmp_path), listen=False) as platform, client_of(platform) as http:
        await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
        platform.access.store.identities.add_passkey(Passkey(b"1", "odile", b"handle", "Key", b"", 0, 0))
        page = (await http.get((await give_password(http)).headers["location"])).text
        assert 'name="code"' not in page
        assert "Now your passkey" in page
        token = form_token(page)
        assert (await http.post(f"{SIGN_IN}/code", data={"form_token": token, "code": "123456"})).status_code == 401
