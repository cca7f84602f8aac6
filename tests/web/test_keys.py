"""API keys in the console, for administrators."""

import re

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.certificates.model import Shown
from parvis.access.model import ApiKey
from parvis.bootstrap import Platform
from parvis.cli.demo import KEY_LABEL
from parvis.kernel.errors import Unauthenticated
from parvis.kernel.time import DAY, system_clock
from parvis.web.console.identities.frame import PEOPLE
from parvis.web.console.identities.keys import KEYS, KeyState, shown, state_of
from tests.web.conftest import client_of, plain
from tests.web.test_account import PASSWORD, send, sign_in

NOW = 1_000 * DAY


def key(
    label: str, *, expires_at: int | None = None, last_used_at: int | None = None, revoked_at: int | None = None
) -> ApiKey:
    made_at = NOW - 10 * DAY
    return ApiKey(label, label.encode(), label, "reader", "default", made_at, expires_at, last_used_at, revoked_at)


def test_what_asks_for_something_to_be_done_comes_first() -> None:
    old = ApiKey("old", b"old", "old", "reader", "default", NOW - 200 * DAY)
    keys = [
        key("fine", last_used_at=NOW),
        old,
        key("later", expires_at=NOW + 29 * DAY),
        key("soon", expires_at=NOW + 2 * DAY),
        key("gone", expires_at=NOW),
        key("revoked", revoked_at=NOW),
        key("long", expires_at=NOW + 30 * DAY),
    ]
    assert [(row.key.label, row.state, row.days_left) for row in shown(keys, NOW)] == [
        ("gone", KeyState.EXPIRED, 0),
        ("soon", KeyState.EXPIRES_SOON, 2),
        ("later", KeyState.EXPIRES_SOON, 29),
        ("old", KeyState.UNUSED, None),
        ("fine", KeyState.IN_FORCE, None),
        ("long", KeyState.IN_FORCE, 30),
    ]
    assert state_of(ApiKey("u", b"u", "u", "reader", "default", 0, last_used_at=NOW), NOW) is KeyState.IN_FORCE


async def test_a_key_is_shown_once_works_and_is_revoked(platform: Platform, operator: httpx.AsyncClient) -> None:
    made = await send(operator, KEYS, KEYS, do="create", label="Meteo script", role="reader", days="30")
    token = re.search(r"<code>(parvis_[\w-]+)</code>", made.text)
    assert token is not None
    assert made.headers["cache-control"] == "no-store"
    assert platform.access.gate.authenticate(b"Bearer " + token[1].encode(), None).subject.startswith("key:")

    page = await operator.get(KEYS)
    assert token[1] not in page.text
    assert "Meteo script" in plain(page.text)
    assert "29 days left" in plain(page.text)
    (kept,) = [one for one in platform.access.keys.list_keys(COMMAND_LINE) if one.label == "Meteo script"]
    assert (await send(operator, KEYS, KEYS, do="revoke", key=kept.id)).headers["location"] == f"{KEYS}?done=revoked"
    with pytest.raises(Unauthenticated):
        platform.access.gate.authenticate(b"Bearer " + token[1].encode(), None)
    assert "Meteo script" not in plain((await operator.get(KEYS)).text)


async def test_roles_are_called_by_their_titles(platform: Platform, operator: httpx.AsyncClient) -> None:
    platform.access.keys.create(COMMAND_LINE, "office", "data-steward")
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "field-agent")
    for page, title in (
        (KEYS, "Référent données"),
        (PEOPLE, "Agent de terrain"),
        (f"{PEOPLE}/odile", "Agent de terrain"),
    ):
        said = plain((await operator.get(page, params={"lang": "fr"})).text)
        assert title in said, page
        assert not {"data-steward", "field-agent"} & set(said.split()), page


async def test_keys_of_a_device_are_apart_and_deliver_for_it_alone(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    page = f"{KEYS}?device=70B3D5499E000001"
    await send(operator, KEYS, KEYS, do="create", label="elsewhere", role="administrator", days="")
    asked = {"do": "create", "label": "on the pole", "role": "administrator", "days": "", "device": "70B3D5499E000001"}
    await send(operator, page, page, **asked)
    shown_there = plain((await operator.get(page)).text)
    assert "on the pole" in shown_there
    assert "elsewhere" not in shown_there
    (made,) = [one for one in platform.access.keys.list_keys(COMMAND_LINE) if one.label == "on the pole"]
    assert (made.role, made.device) == ("device", "70b3d5499e000001")


async def test_what_makes_no_key_is_refused(platform: Platform, operator: httpx.AsyncClient) -> None:
    before = len(platform.access.keys.list_keys(COMMAND_LINE))
    for fields in ({"label": ""}, {"label": "x" * 201}, {"role": "king"}, {"days": "99999999"}, {"days": "-1"}):
        asked = {"do": "create", "label": "fine", "role": "reader", "days": ""} | fields
        assert (await send(operator, KEYS, KEYS, **asked)).status_code == 400, fields
    assert (await operator.post(KEYS, data={"do": "create", "label": "fine", "role": "reader"})).status_code == 403
    assert len(platform.access.keys.list_keys(COMMAND_LINE)) == before


async def test_keys_are_for_administrators(platform: Platform) -> None:
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", "the tide comes in twice", "operator")
    async with client_of(platform) as http:
        await sign_in(http)
        assert (await http.get(KEYS)).status_code == 403
        assert (await send(http, "/console/account", KEYS, do="create", label="x", role="reader")).status_code == 403


async def test_a_certificate_that_a_device_has_shown_is_listed_and_revoked(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    at = system_clock()
    for fingerprint, device in ((b"a" * 32, "0011aabb"), (b"b" * 32, "0011aacc")):
        assert platform.access.certificates.use(Shown(fingerprint, (device,), at + DAY), device)
    page = (await operator.get(f"{KEYS}?device=0011AABB")).text
    assert ((b"a" * 8).hex() in page, (b"b" * 8).hex() in page) == (True, False)
    told = await send(operator, KEYS, KEYS, do="revoke-certificate", certificate=(b"a" * 32).hex())
    assert told.status_code == 303
    assert not platform.access.certificates.use(Shown(b"a" * 32, ("0011aabb",), at + DAY), "0011aabb")
    left = (await operator.get(told.headers["location"])).text
    assert "The certificate is revoked" in plain(left)
    assert ((b"a" * 8).hex() in left, (b"b" * 8).hex() in left) == (False, True)
    again = await send(operator, KEYS, KEYS, do="revoke-certificate", certificate=(b"a" * 32).hex())
    assert again.status_code == 404
    (entry,) = [one.record for one in platform.access.store.read_audit() if one.record.action == "certificate-revoked"]
    assert (entry.subject, entry.object, entry.facts) == ("user:ada", (b"a" * 32).hex(), {"device": "0011aabb"})


async def test_a_key_that_the_demonstration_makes_for_itself_is_named_in_the_pages_language(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    for label in (KEY_LABEL, "Meteo script"):
        platform.access.keys.create(COMMAND_LINE, label, "device")

    page = plain((await operator.get(f"{KEYS}?lang=fr")).text)
    register = plain((await operator.get("/console/privacy/register?lang=fr")).text)

    for said in (page, register):
        assert "Démonstration : serveur de réseau" in said.replace("\xa0", " ")
        assert KEY_LABEL not in said
        assert "Meteo script" in said
