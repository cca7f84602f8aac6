"""Signing in through a real OpenID Connect provider (Django OAuth Toolkit), as a browser goes from one to the other."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from parvis.access.access import COMMAND_LINE
from parvis.access.identities.oidc import provider as providers
from parvis.access.members.model import Member
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.identity import OPERATOR
from parvis.kernel.settings_reader import load_settings
from tests.oidc.provider import CLIENT_ID, CLIENT_SECRET, GROUPS_FILE, PASSWORD
from tests.system_tools import free_port
from tests.web.conftest import client_of, form_token

ROOT = Path(__file__).parents[2]
WAY, SIGN_IN, ACCOUNT = "/console/sign-in/with/staff", "/console/sign-in", "/console/account"
SECRET_VARIABLE = "PARVIS_STAFF_IDENTITY_CLIENT_SECRET"


class Provider:
    """The process of the other side; started again it has what it had, and the keys of its files."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}/o"
        self.groups = folder / "groups"
        self._key = folder / "provider.pem"
        self._process: subprocess.Popen[str] | None = None
        self.new_key()

    def new_key(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        self._key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "tests.oidc.provider", str(self.port), str(self._key)]
        environment = {**os.environ, GROUPS_FILE: str(self.groups)}
        self._process = subprocess.Popen(
            [*command, "http://localhost"], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    one = Provider(tmp_path_factory.mktemp("provider"))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.groups.unlink(missing_ok=True)
    return running


def territory(provider: Provider, section: str = "staff_identity", **more: str) -> str:
    rules = more.pop("rules", '["groups agents-mairie operator", "email *@mairie.example reader"]')
    lines = {"issuer": f'"{provider.issuer}"', "client_id": f'"{CLIENT_ID}"', "title": '"Town hall"', "rules": rules}
    told = "\n".join(f"{name} = {value}" for name, value in (lines | more).items())
    return f'[outbound]\nallow = ["127.0.0.1:{provider.port}"]\n[{section}]\n{told}\n'


@pytest.fixture
async def platform(tmp_path: Path, provider: Provider) -> AsyncIterator[Platform]:
    (tmp_path / "territory.toml").write_text(territory(provider))
    async with open_platform(load_settings(tmp_path, {SECRET_VARIABLE: CLIENT_SECRET}), listen=False) as platform:
        yield platform


async def leave(http: httpx.AsyncClient, wanted: str = ACCOUNT, way: str = WAY) -> str:
    left = await http.get(way, params={"next": wanted})
    assert left.status_code == 303, left.text
    return left.headers["location"]


async def sign_in_there(address: str, name: str = "odile") -> str:
    """At the provider, with its own form; where it sends the browser then."""
    async with httpx.AsyncClient(follow_redirects=False) as http:
        asked = await http.get(address)
        form = await http.get(httpx.URL(address).join(asked.headers["location"]))
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        assert token is not None
        fields = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        answer = await http.post(form.url, data=fields)
        assert answer.status_code == 302, answer.text[-2000:]
        back = await http.get(httpx.URL(address).join(answer.headers["location"]))
        location: str = back.headers["location"]
        return location


def here(address: str) -> str:
    """The path and query of an address of ours."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


async def go_through(http: httpx.AsyncClient, name: str = "odile") -> httpx.Response:
    return await http.get(here(await sign_in_there(await leave(http), name)))


def why(platform: Platform) -> str:
    (*_, last) = [one.record for one in platform.access.store.read_audit() if one.record.action == "sign-in-failed"]
    told: str = last.facts["why"]
    return told


async def test_somebody_comes_in_with_the_role_that_the_rules_give(platform: Platform) -> None:
    async with client_of(platform) as http:
        assert "Sign in with Town hall" in (await http.get(SIGN_IN)).text
        back = await go_through(http)
        assert (back.status_code, back.headers["location"]) == (303, ACCOUNT)
        assert "through an identity provider" in (await http.get(ACCOUNT)).text
        caller = platform.access.gate.authenticate(None, http.cookies["parvis_session"].encode())
    account = platform.access.store.find_account("odile@mairie.example")
    assert account is not None
    assert (account.role, account.tenant, account.has_password) == ("operator", "default", False)
    assert (caller.subject, caller.rights & OPERATOR) == ("user:odile@mairie.example", OPERATOR)


async def test_what_is_asked_for_is_bound_to_this_browser_and_this_time(platform: Platform) -> None:
    async with client_of(platform) as http, client_of(platform) as other:
        address = await leave(http)
        asked = parse_qs(urlsplit(address).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert len({asked[name][0] for name in ("state", "nonce", "code_challenge")}) == 3
        back = here(await sign_in_there(address))
        await leave(other)
        stolen = await other.get(back)
        assert (stolen.status_code, "parvis_session" in other.cookies) == (401, False)
        assert why(platform) == "state"
        assert (await http.get(back)).status_code == 303
        assert (await http.get(back)).status_code == 401, "an answer counts once"


@pytest.mark.parametrize("query", ["", "error=access_denied", "code=x", "state=x&code=x"])
async def test_an_answer_that_nobody_asked_for_lets_nobody_in(platform: Platform, query: str) -> None:
    async with client_of(platform) as http:
        refused = await http.get(f"{WAY}/return?{query}")
        assert refused.status_code == 401
        assert "Signing in did not succeed." in refused.text


async def test_another_issuer_in_the_answer_is_refused(platform: Platform) -> None:
    """RFC 9207: the answer of one provider is not given to another."""
    async with client_of(platform) as http:
        back = here(await sign_in_there(await leave(http)))
        assert (await http.get(f"{back}&iss=https://evil.example")).status_code == 401


async def test_a_made_up_code_lets_nobody_in(platform: Platform) -> None:
    async with client_of(platform) as http:
        state = parse_qs(urlsplit(await leave(http)).query)["state"][0]
        assert (await http.get(f"{WAY}/return?state={state}&code=made-up")).status_code == 502


async def test_whom_no_rule_fits_has_no_way_in(platform: Platform) -> None:
    async with client_of(platform) as http:
        refused = await go_through(http, "mallory")
        assert (refused.status_code, "parvis_session" in http.cookies) == (401, False)
    assert why(platform) == "no rule"
    assert platform.access.store.find_account("mallory@elsewhere.example") is None


async def test_who_leaves_a_group_loses_its_role_and_the_open_sessions(platform: Platform, provider: Provider) -> None:
    async with client_of(platform) as before, client_of(platform) as after:
        await go_through(before)
        provider.groups.write_text("retired")
        await go_through(after)
        account = platform.access.store.find_account("odile@mairie.example")
        assert account is not None
        assert account.role == "reader", "by the rule about addresses"
        assert (await before.get(ACCOUNT)).status_code == 303
        assert (await after.get(ACCOUNT)).status_code == 200
        platform.access.accounts.disable_account(COMMAND_LINE, "odile@mairie.example")
        assert (await go_through(after)).status_code == 401
    assert why(platform) == "disabled"


async def test_a_members_trail_tells_who_comes_in_and_who_leaves(tmp_path: Path, provider: Provider) -> None:
    rules = '["groups retired reader", "email *@mairie.example operator plouhinec"]'
    (tmp_path / "territory.toml").write_text(territory(provider, rules=rules))
    settings = load_settings(tmp_path, {SECRET_VARIABLE: CLIENT_SECRET})
    async with open_platform(settings, listen=False) as platform, client_of(platform) as http:
        platform.access.members.add(COMMAND_LINE, Member(tenant="plouhinec", title="Plouhinec", since=0))
        await go_through(http)
        provider.groups.write_text("retired")
        await go_through(http)
        account = "odile@mairie.example"
        told = [one.record for one in platform.access.store.read_audit() if one.record.object == account]
        platform.access.accounts.disable_account(COMMAND_LINE, account)
        await go_through(http)
        (*_, failed) = [one.record for one in platform.access.store.read_audit()]
    assert [(one.tenant, one.action) for one in told] == [
        ("plouhinec", "account-created"),
        ("plouhinec", "signed-in"),
        ("plouhinec", "account-role-changed"),
        ("default", "account-role-changed"),
        ("default", "signed-in"),
    ]
    assert (failed.tenant, failed.action) == ("default", "sign-in-failed")


async def test_an_account_of_the_same_name_is_not_taken_over(platform: Platform) -> None:
    name = "odile@mairie.example"
    await platform.access.accounts.add_account(COMMAND_LINE, name, "the tide comes in twice", "administrator")
    async with client_of(platform) as http:
        assert (await go_through(http)).status_code == 401
    assert why(platform) == "name taken"


async def test_such_an_account_has_no_password(platform: Platform) -> None:
    async with client_of(platform) as http:
        await go_through(http)
    async with client_of(platform) as http:
        token = form_token((await http.get(SIGN_IN)).text)
        for guess in ("!elsewhere", "", PASSWORD):
            fields = {"name": "odile@mairie.example", "password": guess, "form_token": token}
            assert (await http.post(SIGN_IN, data=fields)).status_code == 401


async def test_signing_out_leads_out_of_the_provider_too(platform: Platform) -> None:
    async with client_of(platform) as http:
        await go_through(http)
        token = form_token((await http.get(ACCOUNT)).text)
        page = await http.post("/console/sign-out", data={"form_token": token})
        _, _, address = page.headers["refresh"].partition("url=")
        asked = parse_qs(urlsplit(address).query)
        assert asked["post_logout_redirect_uri"] == ["http://localhost/"]
        assert "parvis_session" not in http.cookies
    async with httpx.AsyncClient() as there:
        out = await there.get(address)
        assert (out.status_code, out.headers["location"].split("?")[0]) == (302, "http://localhost/")


async def test_new_keys_of_the_provider_are_noticed(
    platform: Platform, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(platform) as http:
        await go_through(http)
        provider.stop()
        provider.new_key()
        provider.start()
        assert (await go_through(http)).status_code == 401, "it has just looked: no token makes it look again at once"
        monkeypatch.setattr(providers, "NEW_KEYS_AFTER", 0)
        assert (await go_through(http)).status_code == 303


async def test_a_provider_that_is_away_is_said_to_be(tmp_path: Path, provider: Provider) -> None:
    (tmp_path / "territory.toml").write_text(territory(provider).replace(str(provider.port), str(free_port())))
    settings = load_settings(tmp_path, {SECRET_VARIABLE: "x"})
    async with open_platform(settings, listen=False) as platform, client_of(platform) as http:
        answer = await http.get(WAY)
    assert (answer.status_code, "does not answer" in answer.text) == (502, True)


async def test_a_provider_that_calls_itself_otherwise_is_not_believed(tmp_path: Path, provider: Provider) -> None:
    """OpenID Connect Discovery 1.0, 4.3: not even a slash more."""
    (tmp_path / "territory.toml").write_text(territory(provider, issuer=f'"{provider.issuer}/"'))
    settings = load_settings(tmp_path, {SECRET_VARIABLE: CLIENT_SECRET})
    async with open_platform(settings, listen=False) as platform, client_of(platform) as http:
        assert (await http.get(WAY)).status_code == 502


async def test_a_level_of_assurance_that_is_asked_for_must_be_reached(tmp_path: Path, provider: Provider) -> None:
    for level, status in (("eidas1", 303), ("eidas2", 401)):
        folder = tmp_path / level
        folder.mkdir()
        (folder / "territory.toml").write_text(territory(provider, acr_values=f'["{level}"]'))
        settings = load_settings(folder, {SECRET_VARIABLE: CLIENT_SECRET})
        async with open_platform(settings, listen=False) as platform, client_of(platform) as http:
            assert f"acr_values={level}" in await leave(http)
            assert (await go_through(http)).status_code == status


async def test_a_provider_that_refuses_what_it_does_not_know_is_sent_nothing_more(
    tmp_path: Path, provider: Provider
) -> None:
    """ProConnect answers any further parameter with an error."""
    (tmp_path / "territory.toml").write_text(territory(provider, pkce="false"))
    settings = load_settings(tmp_path, {SECRET_VARIABLE: CLIENT_SECRET})
    async with open_platform(settings, listen=False) as platform, client_of(platform) as http:
        asked = parse_qs(urlsplit(await leave(http)).query)
    assert set(asked) == {"response_type", "client_id", "redirect_uri", "scope", "state", "nonce"}
    assert min(len(asked[name][0]) for name in ("state", "nonce")) >= 32


async def test_residents_have_an_area_of_rights_of_their_own(tmp_path: Path, provider: Provider) -> None:
    text = territory(provider, "resident_identity", name_claim='""', rules='["sub * resident"]')
    (tmp_path / "territory.toml").write_text(text)
    variable = SECRET_VARIABLE.replace("STAFF", "RESIDENT")
    way = WAY.replace("staff", "residents")
    async with open_platform(load_settings(tmp_path, {variable: CLIENT_SECRET}), listen=False) as platform:
        async with client_of(platform) as http:
            back = await http.get(here(await sign_in_there(await leave(http, "/", way), "mallory")))
            assert (back.status_code, back.headers["location"]) == (303, "/")
            assert (await http.get("/console/audit")).status_code == 403
            assert (await http.get(WAY)).status_code == 404
        (account,) = platform.access.store.list_accounts()
        assert (account.role, account.name.startswith("person-")) == ("resident", True)


async def test_at_a_members_own_host_one_is_led_to_the_platforms_address(tmp_path: Path, provider: Provider) -> None:
    known = '[server]\npublic_url = "https://data.bay.example"\n'
    (tmp_path / "territory.toml").write_text(known + territory(provider))
    async with open_platform(load_settings(tmp_path, {SECRET_VARIABLE: CLIENT_SECRET}), listen=False) as platform:
        platform.access.members.add(COMMAND_LINE, Member(tenant="port", title="Port", since=0, hosts=("port.example",)))
        async with client_of(platform) as http:
            http.base_url = httpx.URL("http://port.example")
            there = f"https://data.bay.example{WAY}?next="
            assert await leave(http) == f"{there}%2Fconsole%2Faccount%3Fin%3Dport"
            assert f'href="{there}/console%3Fin%3Dport"' in (await http.get(SIGN_IN)).text
            http.base_url = httpx.URL("http://localhost")
            assert (await leave(http)).startswith(provider.issuer)
