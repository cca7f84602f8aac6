"""Passkeys in a real browser, with the authenticator that Chromium simulates (WebDriver's virtual authenticator)."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Page

from tests.browser.conftest import ROOT, START_LINES, TERRITORY

LINK = re.compile(r"(http://[\w.:]+)(/welcome\?token=\S+)")
HERE = re.compile(r"^http://[\w.:]+/console/account$")
PASSWORD = "the tide comes in twice"
ACCOUNT, SIGN_IN = "/console/account", "/console/sign-in"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A platform with authentication: its address, and the first link."""
    data = tmp_path_factory.mktemp("town")
    (data / "territory.toml").write_text(TERRITORY)
    command = [sys.executable, "-c", "from parvis.cli import main; main()", "up"]
    options = ["--data", str(data), "--port", "0", "--mqtt-port", "0"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield link_of(process)
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def link_of(process: "subprocess.Popen[str]") -> tuple[str, str]:
    assert process.stdout is not None
    for _ in range(START_LINES):
        if found := LINK.search(process.stdout.readline()):
            return found[1].replace("127.0.0.1", "localhost"), found[2]
    raise AssertionError("the platform printed no link")


@pytest.fixture(scope="module")
def page(browser: Browser, started: tuple[str, str]) -> Iterator[Page]:
    address, link = started
    context = browser.new_context(locale="en", base_url=address)
    page = context.new_page()
    page.goto(link)
    page.fill("#name", "maelle")
    page.fill("#password", PASSWORD)
    page.click("form.form button")
    page.wait_for_url("**/console/**")
    yield page
    context.close()


@pytest.fixture
def authenticator(page: Page) -> Iterator[CDPSession]:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    yield session
    session.send("WebAuthn.disable")


def add_device(session: CDPSession, *, verifies: bool = True) -> str:
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    added: str = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    return added


def register(page: Page, label: str) -> None:
    page.goto(ACCOUNT)
    page.fill("#passkey-label", label)
    page.click("form[data-passkey] button")
    page.wait_for_url(f"**{ACCOUNT}?done=*")


def sign_out(page: Page) -> None:
    page.goto("/console")
    page.click("form[action='/console/sign-out'] button")
    page.wait_for_url("**/")


def use(page: Page) -> None:
    page.goto(f"{SIGN_IN}?next={ACCOUNT}")
    page.click("form[data-passkey] button")


def give_password(page: Page) -> None:
    page.goto(f"{SIGN_IN}?next={ACCOUNT}")
    page.fill("#name", "maelle")
    page.fill("#password", PASSWORD)
    page.click("form.form button")
    page.wait_for_url(HERE)


def test_a_passkey_is_registered_lets_in_and_is_removed(page: Page, authenticator: CDPSession) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    device = add_device(authenticator)
    register(page, "Telephone")
    assert "done=passkey_registered" in page.url
    kept = authenticator.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert [(one["rpId"], one["isResidentCredential"]) for one in kept] == [("localhost", True)]

    sign_out(page)
    use(page)
    page.wait_for_url(HERE)
    assert "with a passkey" in page.inner_text("#sessions")
    assert complaints == [], "the content security policy allows it all"

    page.click("#passkeys table button")
    page.wait_for_url("**done=passkey_removed")
    sign_out(page)
    use(page)
    page.wait_for_selector("text=This passkey does not let you in here.")
    give_password(page)
    authenticator.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})


def test_several_devices_have_names_and_the_same_one_is_not_registered_twice(
    page: Page, authenticator: CDPSession
) -> None:
    first = add_device(authenticator)
    register(page, "Telephone")
    page.fill("#passkey-label", "Again")
    page.click("form[data-passkey] button")
    page.wait_for_selector("[data-refused]:visible")
    authenticator.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": first})
    second = add_device(authenticator)
    register(page, "Key on the ring")
    names = page.locator("#passkeys tbody th").all_inner_texts()
    assert sorted(names) == ["Key on the ring", "Telephone"]
    authenticator.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": second})


def test_a_device_that_does_not_know_its_holder_lets_nobody_in(page: Page, authenticator: CDPSession) -> None:
    device = add_device(authenticator)
    register(page, "Tablet")
    authenticator.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    sign_out(page)
    use(page)
    page.wait_for_selector("[data-refused]:visible")
    assert SIGN_IN in page.url

    authenticator.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    use(page)
    page.wait_for_url(HERE)
    authenticator.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})


def test_a_copied_passkey_is_refused(page: Page, authenticator: CDPSession) -> None:
    """A copy counts its uses on its own: it shows a number that was shown before."""
    device = add_device(authenticator)
    register(page, "Copied")
    (kept,) = authenticator.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    for _ in range(2):
        sign_out(page)
        use(page)
        page.wait_for_url(HERE)
    authenticator.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})
    copy = add_device(authenticator)
    authenticator.send("WebAuthn.addCredential", {"authenticatorId": copy, "credential": kept})
    sign_out(page)
    use(page)
    page.wait_for_selector("text=This passkey does not let you in here.")
    give_password(page)
    page.goto("/console/audit?action=passkey-copied")
    assert "Copied" in page.inner_text("main")
