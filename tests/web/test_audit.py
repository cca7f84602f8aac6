"""The audit trail in the console: who sees it, how it is narrowed, downloaded and proven."""

import ast
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.audit_proof import prove
from parvis.access.model import EVERY_TENANT, AuditRecord
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import parse_instant
from parvis.web.console.audit import AT_ONCE, ROWS_A_PAGE
from parvis.web.i18n import catalogue
from tests.conftest import ROOT
from tests.web.conftest import client_of, form_token, plain, settings

PAGE = "/console/audit"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        yield platform


@pytest.fixture
async def administrator(operator: httpx.AsyncClient) -> httpx.AsyncClient:
    return operator


def happened(platform: Platform, number: int, at: str = "2026-11-20T12:00:00Z", tenant: str = DEFAULT_TENANT) -> None:
    facts = {"note": "<b>bold</b>"}
    record = AuditRecord(parse_instant(at), tenant, f"key:{number}", "key-revoked", f"gate {number}", facts)
    platform.access.store.append_audit(record)


async def download(client: httpx.AsyncClient, ending: str, **asked: str) -> httpx.Response:
    form = {"form_token": form_token(await read(client))}
    answer = await client.post(f"{PAGE}.{ending}", params=asked, data=form)
    assert answer.status_code == 200, answer.text
    return answer


async def read(client: httpx.AsyncClient, **asked: str) -> str:
    answer = await client.get(PAGE, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_it_is_for_administrators(platform: Platform, visitor: httpx.AsyncClient) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "operator")
    async with client_of(platform, authorization=f"Bearer {key}") as clerk:
        for path in (f"{PAGE}.csv", f"{PAGE}.ndjson", f"{PAGE}/proof"):
            assert (await clerk.post(path)).status_code == 403
            assert (await visitor.post(path)).status_code in (401, 403)
        assert (await clerk.get(PAGE)).status_code == 403
        assert (await visitor.get(PAGE)).status_code == 303
        assert PAGE not in (await clerk.get("/console")).text


async def test_it_stands_in_the_administrators_rail(administrator: httpx.AsyncClient) -> None:
    assert f'href="{PAGE}"' in (await administrator.get("/console")).text


async def test_deeds_are_told_newest_first_in_words(platform: Platform, administrator: httpx.AsyncClient) -> None:
    text = plain(f"<body{(await read(administrator, lang='en')).partition('<tbody')[2]}")
    assert text.index("signed in") < text.index("created the account")
    assert "127.0.0.1" in text
    assert "s’est connecté" in plain(await read(administrator, lang="fr"))


async def test_what_was_written_is_shown_and_not_run(platform: Platform, administrator: httpx.AsyncClient) -> None:
    happened(platform, 1)
    assert "&lt;b&gt;bold&lt;/b&gt;" in await read(administrator)


async def test_filters_narrow_and_are_told(platform: Platform, administrator: httpx.AsyncClient) -> None:
    for number, day in enumerate(("19", "20", "21"), 1):
        happened(platform, number, f"2026-11-{day}T12:00:00Z")
    by_words = plain(await read(administrator, q="gate 2"))
    assert "gate 2" in by_words
    assert "gate 1" not in by_words
    by_days = plain(await read(administrator, since="2026-11-20", until="2026-11-20", action="key-revoked"))
    assert [n for n in "123" if f"gate {n}" in by_days] == ["2"]
    assert "gate 3" in plain(await read(administrator, by="key:3"))
    assert "No entry matches this choice" in plain(await read(administrator, q="nothing", lang="en"))


async def test_what_concerns_all_tenants_is_told_in_the_default_one(
    platform: Platform, administrator: httpx.AsyncClient
) -> None:
    happened(platform, 8, tenant=EVERY_TENANT)
    assert "gate 8" in plain(await read(administrator))


@pytest.mark.parametrize("asked", [{"since": "x"}, {"before": "9" * 30}, {"before": "-1"}, {"until": "9999-12-31"}])
async def test_what_cannot_be_read_narrows_nothing(administrator: httpx.AsyncClient, asked: dict[str, str]) -> None:
    assert "ada" in plain(await read(administrator, **asked))


async def test_pages_follow_each_other(platform: Platform, administrator: httpx.AsyncClient) -> None:
    for number in range(ROWS_A_PAGE + 1):
        happened(platform, number)
    first = await read(administrator, action="key-revoked")
    found = re.search(r'rel="next" href="([^"]*)"', first)
    assert found is not None
    second = plain((await administrator.get(unescape(found[1]))).text)
    assert "gate 0" in second
    assert "gate 50" in first
    assert "gate 1 " not in second


async def test_other_tenants_deeds_are_not_shown(platform: Platform, administrator: httpx.AsyncClient) -> None:
    happened(platform, 7, tenant="other")
    table = (await download(administrator, "csv")).text
    proof = (await download(administrator, "ndjson")).content
    assert "gate 7" not in await read(administrator) + table + proof.decode()
    proven = prove(proof.splitlines())
    assert proven.shown == proven.entries - 1


async def test_the_table_holds_what_the_filters_leave(platform: Platform, administrator: httpx.AsyncClient) -> None:
    for number in range(AT_ONCE + 3):
        happened(platform, number)
    answer = await download(administrator, "csv", q="gate 50")
    lines = answer.text.splitlines()
    assert lines[0].startswith("number,at,")
    assert [line.split(",")[5] for line in lines[1:]] == ["gate 50", "gate 500", "gate 501", "gate 502"]
    assert 'filename="audit.csv"' in answer.headers["content-disposition"]


async def test_a_proof_of_a_long_trail_is_whole(platform: Platform, administrator: httpx.AsyncClient) -> None:
    for number in range(2 * AT_ONCE + 3):
        happened(platform, number)
    proven = prove((await download(administrator, "ndjson")).content.splitlines())
    newest = platform.access.store.list_audit(None, 1)[0]
    assert (proven.entries, proven.digest) == (newest.number, newest.digest.hex())


async def test_downloads_are_in_the_trail(platform: Platform, administrator: httpx.AsyncClient) -> None:
    await download(administrator, "ndjson")
    newest = platform.access.store.list_audit(None, 1)[0].record
    assert (newest.subject, newest.action, newest.object) == ("user:ada", "audit-exported", "audit.ndjson")


async def test_the_chain_is_proven_on_demand(platform: Platform, administrator: httpx.AsyncClient) -> None:
    for number in range(AT_ONCE + 3):
        happened(platform, number)
    digest = platform.access.store.list_audit(None, 1)[0].digest.hex()
    token = form_token(await read(administrator, lang="en"))
    page = (await administrator.post(f"{PAGE}/proof?lang=en", data={"form_token": token})).text
    assert digest in page
    assert f"{AT_ONCE + 6} entries" in plain(page)


async def test_a_broken_chain_is_told(
    platform: Platform, administrator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened(platform, 1)
    token = form_token(await read(administrator, lang="en"))
    entries = list(platform.access.store.read_audit())
    monkeypatch.setattr(platform.access.store, "read_audit", lambda after=0: iter([*entries[:1], entries[2]]))
    page = plain((await administrator.post(f"{PAGE}/proof?lang=en", data={"form_token": token})).text)
    assert "The chain is broken at entry 3" in page


@pytest.mark.parametrize("path", ["/proof", ".csv", ".ndjson"])
async def test_a_foreign_form_does_nothing(platform: Platform, administrator: httpx.AsyncClient, path: str) -> None:
    before = platform.access.store.newest_audit()
    assert (await administrator.post(f"{PAGE}{path}", data={"form_token": "x"})).status_code == 403
    assert platform.access.store.newest_audit() == before


async def test_what_it_was_done_to_is_named_and_leads_there(
    platform: Platform, administrator: httpx.AsyncClient
) -> None:
    for action, what, facts in (
        ("job-submitted", "17", {"kind": "store.check"}),
        ("device-registered", "70B3D57ED0000001", {}),
        ("dashboard-shared", "a1b2c3", {"name": "Port", "sharing": "portal"}),
        ("history-erased", "urn:ngsi-ld:WasteContainer:market", {}),
    ):
        note(platform, action, what, facts)
    page = await read(administrator, lang="fr")
    for link in (
        '<a href="/console/jobs/17">Contrôler la base, n° 17</a>',
        '<a href="/console/devices/70B3D57ED0000001">70B3D57ED0000001</a>',
        '<a href="/console/dashboards/a1b2c3">Port</a>',
        '<a href="/console/entities/urn:ngsi-ld:WasteContainer:market">',
    ):
        assert link in page
    assert "vu par : tout le monde, sur la page des habitants" in plain(page).replace("\u00a0", " ")


async def test_filters_and_downloads_are_folded_until_they_are_wanted(administrator: httpx.AsyncClient) -> None:
    """On a phone they would fill the first screen."""
    for asked, state in (({}, ""), ({"q": "ada"}, " open")):
        page = await read(administrator, **asked)
        fold, form = page.split('<form class="filters"')[0].rpartition("<details")[2], 'name="since"'
        assert fold.startswith(f' class="more-filters"{state}>'), asked
        assert page.index("audit.csv") < page.index("<tbody")
        assert form in page


async def test_french_rows_have_no_machine_words(platform: Platform, administrator: httpx.AsyncClient) -> None:
    text = plain(f"<body{(await read(administrator, lang='fr')).partition('<tbody')[2]}").replace("\u00a0", " ")
    assert "rôle : Administrateur" in text
    assert "par : un lien à usage unique" in text
    assert "Ligne de commande" in text
    for word in ("administrator", "one-time", "command-line"):
        assert word not in text


def test_every_deed_has_its_words() -> None:
    """Whatever the code notes in the trail; what access itself notes are deeds of its own parts."""
    told = {key.removeprefix("deed.") for key in catalogue("fr") if key.startswith("deed.")}
    noted = {
        word.value
        for path in (ROOT / "src/parvis").rglob("*.py")
        if "access" not in path.parts
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _name(call.func) in ("note", "_note", "AuditRecord")
        for word in call.args
        if isinstance(word, ast.Constant)
        and isinstance(word.value, str)
        and re.fullmatch(r"[a-z]+(-[a-z]+)+", word.value)
    }
    assert {"job-submitted", "device-registered", "event-set-off", "dashboard-shared"} <= noted
    assert noted - told == set()


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def note(platform: Platform, action: str, what: str, facts: dict[str, str]) -> None:
    at = parse_instant("2026-11-20T12:00:00Z")
    platform.access.store.append_audit(AuditRecord(at, DEFAULT_TENANT, "user:ada", action, what, facts))
