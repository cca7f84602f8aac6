"""The register of incidents: entered, told, closed; nothing of it changed, nothing of it seen by others."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.time import system_clock
from parvis.operations.incidents.model import Kind, Step
from parvis.operations.incidents.register import IncidentRegister
from tests.web.conftest import client_of, form_token, plain, settings

PAGE = "/console/incidents"
PARIS = ZoneInfo("Europe/Paris")
ADA = Caller(DEFAULT_TENANT, "user:ada", Right.ADMINISTER)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        yield platform


@pytest.fixture
def register(platform: Platform) -> IncidentRegister:
    return IncidentRegister(platform.shelf, platform.access.store.append_audit)


def written(ago: timedelta) -> str:
    return f"{datetime.now(PARIS) - ago:%Y-%m-%dT%H:%M}"


async def enter(client: httpx.AsyncClient, hours_ago: int = 1, **more: str) -> httpx.Response:
    form = {"title": "Mail <b>server</b>", "known_at": written(timedelta(hours=hours_ago)), "systems": "mail"} | more
    token = form_token((await client.get(PAGE)).text)
    return await client.post(PAGE, data={"form_token": token, **form})


async def do(client: httpx.AsyncClient, page: str, **form: str) -> httpx.Response:
    token = form_token((await client.get(page)).text)
    return await client.post(page, data={"form_token": token, **form})


async def test_an_incident_is_entered_told_and_closed(operator: httpx.AsyncClient) -> None:
    assert "No incident was entered." in plain((await operator.get(PAGE)).text)
    page = (await enter(operator, 20)).headers["location"]
    shown = (await operator.get(page)).text
    assert "Mail &lt;b&gt;server&lt;/b&gt;" in shown
    assert "only 3 hours left" in plain(shown)
    assert "only 3 hours left" in plain((await operator.get(PAGE)).text)

    assert (await do(operator, page, do="note", text="Two accounts are locked.")).status_code == 303
    await do(operator, page, do="sent", step="early-warning", sent_at=written(timedelta(hours=1)), text="FR-1")
    await do(operator, page, do="not-needed", step="personal-data", text="No mailbox was opened.")
    await do(operator, page, do="close", text="A guessed password; a second factor is asked for now.")
    closed = plain((await operator.get(page)).text)
    for words in ("Closed", "sent in time", "FR-1", "not needed", "No mailbox was opened.", "Two accounts are locked."):
        assert words in closed
    assert "Notification" in plain((await operator.get(PAGE)).text), "a closed one may still have to be told"
    await do(operator, page, do="reopen", text="Again")
    assert "Open ·" in plain((await operator.get(page)).text)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"title": " "}, "An incident has a title."),
        ({"known_at": "2999-01-01T00:00"}, "An incident was noticed in the past."),
        ({"known_at": "soon"}, "Say when it was: a day and a time."),
    ],
)
async def test_what_cannot_be_is_refused_and_what_was_typed_stays(
    operator: httpx.AsyncClient, form: dict[str, str], told: str
) -> None:
    answer = await enter(operator, 1, **{"text": "What I typed"} | form)
    assert answer.status_code == 400
    assert told in plain(answer.text)
    assert "What I typed" in answer.text
    french = await operator.get(PAGE, params={"lang": "fr"})
    assert "Aucun incident" in french.text


@pytest.mark.parametrize(
    "form",
    [
        {"do": "note", "text": ""},
        {"do": "sent", "step": "nothing", "sent_at": "2026-01-01T00:00"},
        {"do": "sent", "step": "notification", "sent_at": "2999-01-01T00:00"},
        {"do": "not-needed", "step": "notification", "text": ""},
        {"do": "close", "text": " "},
        {"do": "delete"},
    ],
)
async def test_an_incident_says_what_is_missing(operator: httpx.AsyncClient, form: dict[str, str]) -> None:
    page = (await enter(operator)).headers["location"]
    answer = await do(operator, page, **form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


async def test_others_neither_see_nor_change_it(
    platform: Platform, operator: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    page = (await enter(operator)).headers["location"]
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "operator")
    async with client_of(platform, authorization=f"Bearer {key}") as clerk:
        for path in (PAGE, page):
            assert (await clerk.get(path)).status_code == 403
            assert (await clerk.post(path)).status_code == 403
            assert (await visitor.get(path)).status_code == 303
        assert (await clerk.post(f"{page}/export")).status_code == 403
        assert PAGE not in (await clerk.get("/console")).text


async def test_an_auditor_reads_and_does_not_write(register: IncidentRegister) -> None:
    made = await register.open(ADA, "Mail server", system_clock())
    auditor = Caller(DEFAULT_TENANT, "user:odile", Right.AUDIT)
    assert await register.list_all(auditor) == [made]
    with pytest.raises(ParvisError, match="may not enter"):
        await register.note(auditor, made.id, "mine")


async def test_the_console_lets_an_auditor_look_and_download_alone(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    page = (await enter(operator)).headers["location"]
    _, key = platform.access.keys.create(COMMAND_LINE, "audit office", "auditor")
    async with client_of(platform, authorization=f"Bearer {key}") as auditor:
        shown = await auditor.get(page)
        assert (await auditor.get(PAGE)).status_code == shown.status_code == 200
        for path in (PAGE, page):
            assert (await auditor.post(path, data={"title": "mine"})).status_code == 403
        told = await auditor.post(f"{page}/export", data={"form_token": form_token(shown.text)})
        assert told.status_code == 200


async def test_another_tenant_has_a_register_of_its_own(register: IncidentRegister) -> None:
    made = await register.open(ADA, "Mail server", system_clock())
    elsewhere = Caller("north", "user:ada", Right.ADMINISTER)
    assert await register.list_all(elsewhere) == []
    with pytest.raises(ParvisError, match="no incident"):
        await register.get(elsewhere, made.id)


async def test_a_part_of_an_id_names_no_incident(register: IncidentRegister) -> None:
    made = await register.open(ADA, "Mail server", system_clock())
    for name in (made.id[:-1], "", "%", made.id + "/"):
        with pytest.raises(ParvisError, match="no incident"):
            await register.get(ADA, name)


async def test_two_people_write_beside_each_other_and_nothing_is_lost(register: IncidentRegister) -> None:
    made = await register.open(ADA, "Mail server", system_clock())
    await asyncio.gather(*(register.note(ADA, made.id, f"note {number}") for number in range(20)))
    found = await register.get(ADA, made.id)
    assert {one.text for one in found.entries if one.kind is Kind.NOTE} == {f"note {number}" for number in range(20)}


async def test_each_entry_and_each_download_is_in_the_trail(operator: httpx.AsyncClient, platform: Platform) -> None:
    page = (await enter(operator)).headers["location"]
    await do(operator, page, do="sent", step="notification", sent_at=written(timedelta()), text="")
    token = form_token((await operator.get(page)).text)
    answer = await operator.post(f"{page}/export", data={"form_token": token})
    deeds = [one.record for one in platform.access.store.read_audit() if one.record.action.startswith("incident-")]
    assert [one.action for one in deeds] == ["incident-opened", "incident-told", "incident-exported"]
    assert deeds[1].facts == {"step": "notification"}
    assert all("Mail" not in str(one) for one in deeds), "what happened is told in the register, not in the trail"
    assert answer.headers["content-disposition"].startswith("attachment")
    told = answer.json()
    assert [one["state"] for one in told["clocks"]] == ["running", "sent", "running", "running"]
    assert [one["step"] for one in told["clocks"]] == [one.value for one in Step]


async def test_a_link_begins_no_download(operator: httpx.AsyncClient) -> None:
    page = (await enter(operator)).headers["location"]
    assert (await operator.get(f"{page}/export")).status_code == 405
    assert (await operator.post(f"{page}/export")).status_code == 403
