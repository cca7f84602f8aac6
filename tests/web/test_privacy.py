"""Purposes on their page: declared, changed, taken back by who answers for people's data; what is due is foreseen."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.privacy.model import Cover, Summary, Then
from parvis.access.privacy.purposes import Purposes
from parvis.access.roles.model import Assignment, Role, RoleGrant
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.privacy import FORESEE, KEEP
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import DEFAULT_TENANT, system_caller
from parvis.kernel.jobs import JobFilter
from parvis.kernel.time import DAY, Instant, system_clock
from tests.web.conftest import client_of, form_token, plain, settings

PAGE = "/console/privacy"
LETTERS = {"do": "declare", "id": "letters", "name": "Letters to residents", "basis": "a", "language": "en"}
MAIL = {
    "do": "cover", "purpose": "letters", "type": "Person", "attributes": "email, telephone", "keep": "p30d",
    "then": "erase", "period": "P1D", "method": "mean",
}  # fmt: skip


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        yield platform


@pytest.fixture
async def steward(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "data-steward")
    async with client_of(platform, authorization=f"Bearer {key}", accept_language="en") as client:
        yield client


async def lay_email(platform: Platform, at: Instant) -> None:
    expand = platform.broker.contexts.parvis.expand
    email = Instance(expand("email"), Kind.PROPERTY, "odile@town.example", observed_at=at)
    person = Change("urn:ngsi-ld:Person:1", Mode.CREATE, (email,), (expand("Person"),))
    await platform.broker.write(system_caller("test"), [person])


async def read(client: httpx.AsyncClient) -> str:
    answer = await client.get(PAGE)
    assert answer.status_code == 200, answer.text
    return plain(answer.text)


async def post(client: httpx.AsyncClient, data: dict[str, str]) -> httpx.Response:
    token = form_token((await client.get(PAGE)).text)
    return await client.post(PAGE, data={**data, "form_token": token})


async def test_a_purpose_is_declared_and_given_data(platform: Platform, steward: httpx.AsyncClient) -> None:
    assert (await post(steward, LETTERS)).status_code == 303
    assert (await post(steward, MAIL)).status_code == 303

    found = Purposes(platform.access.store).get(DEFAULT_TENANT, "letters")
    assert found.name == {"en": "Letters to residents"}
    assert found.covers == (Cover(type="Person", attributes=("email", "telephone"), keep="P30D"),)
    assert found.version == 2
    said = await read(steward)
    assert "kept for 30 days, then erased" in said


async def test_what_is_said_in_the_other_language_stays(platform: Platform, steward: httpx.AsyncClient) -> None:
    await post(steward, LETTERS)
    await post(steward, MAIL)
    await post(steward, {**LETTERS, "name": "Courriers", "language": "fr", "basis": "e"})

    found = Purposes(platform.access.store).get(DEFAULT_TENANT, "letters")
    assert found.name == {"en": "Letters to residents", "fr": "Courriers"}
    assert (found.basis, len(found.covers)) == ("e", 1)


async def test_household_series_are_told_with_what_becomes_of_them(
    platform: Platform, steward: httpx.AsyncClient
) -> None:
    await post(steward, LETTERS)
    totals = {**MAIL, "type": "Meter", "attributes": "volume", "then": "aggregate", "method": "last", "period": "P1M"}
    await post(steward, {**totals, "keep_totals": "P5Y", "scopes": "/household"})

    [cover] = Purposes(platform.access.store).get(DEFAULT_TENANT, "letters").covers
    assert (cover.then, cover.method, cover.scopes) == (Then.AGGREGATE, Summary.LAST, ("/household",))
    assert "kept for 30 days, then the last value of each month, erased after 5 years" in await read(steward)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({**LETTERS, "id": "Letters!"}, "A short name has 2 to 40"),
        ({**LETTERS, "basis": "z"}, "Choose a legal basis"),
        ({**MAIL, "keep": "a month"}, "is written as P30D"),
        ({**MAIL, "then": "burn"}, "Choose how it is summed up"),
    ],
)
async def test_what_cannot_be_declared_is_told_and_stays_in_the_form(
    steward: httpx.AsyncClient, data: dict[str, str], told: str
) -> None:
    await post(steward, LETTERS)

    answer = await post(steward, data)

    assert answer.status_code == 400
    assert told in plain(answer.text)


async def test_data_are_taken_out_and_a_purpose_is_taken_back_and_reset(
    platform: Platform, steward: httpx.AsyncClient
) -> None:
    await post(steward, {"do": "uncover", "purpose": "vehicle-charging", "place": "0"})
    purposes = Purposes(platform.access.store)
    assert purposes.get(DEFAULT_TENANT, "vehicle-charging").covers == ()

    await post(steward, {"do": "take-back", "purpose": "vehicle-charging"})
    assert [one.id for one in purposes.list_off(DEFAULT_TENANT)] == ["vehicle-charging"]

    await post(steward, {"do": "reset", "purpose": "vehicle-charging"})
    assert len(purposes.get(DEFAULT_TENANT, "vehicle-charging").covers) == 1
    assert purposes.list_off(DEFAULT_TENANT) == []


async def test_what_is_held_without_a_purpose_is_named(platform: Platform, steward: httpx.AsyncClient) -> None:
    assert "Everything that is classed personal or sensitive has a purpose." in await read(steward)

    await lay_email(platform, system_clock())
    assert "no purpose covers them" in await read(steward)

    await post(steward, LETTERS)
    await post(steward, MAIL)
    assert "Everything that is classed personal or sensitive has a purpose." in await read(steward)


async def test_it_is_named_to_a_steward_who_may_not_read_it(platform: Platform) -> None:
    grants = (RoleGrant(("read", "steward")),)
    there = msgspec.structs.replace(COMMAND_LINE, tenant=DEFAULT_TENANT)
    platform.access.gate.roles.put(there, Role(grants, "internal", name="officer"))
    made, key = platform.access.keys.create(there, "office", "reader")
    platform.access.gate.roles.assign(there, Assignment("", f"key:{made.id}", DEFAULT_TENANT, "officer", 0))
    await lay_email(platform, system_clock())
    async with client_of(platform, authorization=f"Bearer {key}", accept_language="en") as officer:
        assert "no purpose covers them" in await read(officer)


async def test_what_would_go_is_foreseen_then_goes_where_it_is_switched_on(
    platform: Platform, steward: httpx.AsyncClient
) -> None:
    await lay_email(platform, system_clock() - 40 * DAY)
    await post(steward, LETTERS)
    await post(steward, MAIL)
    async with platform.jobs.running():
        await post(steward, {"do": "foresee"})
        await ended(platform, FORESEE)
        assert "would erase 1 value of 1 object" in await read(steward)
        assert "Nothing was taken away yet." in await read(steward)

        await post(steward, {"do": "switch-on"})
        await post(steward, {"do": "keep-now"})
        await ended(platform, KEEP)

    said = await read(steward)
    assert "What was past its time was taken away, last at" in said
    assert "would erase" not in said, "that was foreseen before"
    assert "It is taken away every night" in said
    assert "The newest entries of the ledger" in said
    assert (await platform.broker.get(system_caller("test"), "urn:ngsi-ld:Person:1")).instances == ()


async def ended(platform: Platform, kind: str) -> None:
    async with asyncio.timeout(20):
        while True:
            [job] = await platform.jobs.list_jobs(system_caller("test"), JobFilter(kind=kind))
            if job.state.has_ended:
                return
            await asyncio.sleep(0.02)


async def test_it_is_for_who_answers_for_peoples_data(platform: Platform) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "operator")
    async with client_of(platform, authorization=f"Bearer {key}") as clerk:
        assert (await clerk.get(PAGE)).status_code == 403
        assert (await clerk.post(PAGE, data=LETTERS)).status_code == 403
        assert PAGE not in (await clerk.get("/console")).text
        said = plain((await clerk.get(PAGE, params={"lang": "fr"})).text)
        assert "n’a pas le droit de décider des données des personnes dans" in said


async def test_the_register_says_what_is_declared_and_what_is_in_force(
    platform: Platform, steward: httpx.AsyncClient
) -> None:
    await post(steward, LETTERS)
    await post(steward, MAIL)
    await post(steward, {"do": "contacts", "controller": "Town of Plouhinec", "officer": "Marie Le Goff"})

    said = plain((await steward.get(f"{PAGE}/register")).text)

    for words in ("Letters to residents", "consent (a)",
                  "People (E-mail address, Telephone): kept for 30 days, then erased", "Town of Plouhinec",
                  "Marie Le Goff", "Argon2id", "with the role Data steward"):  # fmt: skip
        assert words in said, words
    for words in ("second factor", "Backups are taken", "HTTPS", "is taken away every night"):
        assert words not in said, f"{words}: that is not switched on"
    await post(steward, {"do": "switch-on"})
    assert "is taken away every night" in plain((await steward.get(f"{PAGE}/register")).text)


async def test_the_register_says_once_what_nobody_has_filled_in_and_where_that_is_done(
    steward: httpx.AsyncClient,
) -> None:
    await post(steward, {"do": "contacts", "controller": "Town of Plouhinec"})

    page = (await steward.get(f"{PAGE}/register")).text

    assert 'href="/console/privacy#contacts"' in page
    assert page.count("Data protection officer") == 1, "in the sentence, and no empty line"
    assert page.count("<dt>Controller</dt>") == 1
    [sentence] = [line for line in plain(page).splitlines() if "Still missing" in line] or [plain(page)]
    assert "Controller" not in sentence.partition("Still missing")[2].partition("Fill it in")[0]


async def test_the_register_is_taken_as_a_table_or_as_text_and_that_is_in_the_trail(
    platform: Platform, steward: httpx.AsyncClient
) -> None:
    await post(steward, {**LETTERS, "name": "Letters | *to* <all>", "description": "One line\n# and another"})
    token = {"form_token": form_token((await steward.get(PAGE)).text)}

    table = (await steward.post(f"{PAGE}/register.csv", data=token)).text
    text = (await steward.post(f"{PAGE}/register.md", data=token)).text

    assert len(list(csv.reader(io.StringIO(table.lstrip("\ufeff"))))) == 1 + 4
    assert "## Letters \\| \\*to\\* \\<all\\>" in text
    assert "One line \\# and another" in text
    told = [entry.record for entry in platform.access.store.list_audit(None, 2)]
    assert [(one.action, one.object) for one in told] == [
        ("privacy-register-downloaded", "md"), ("privacy-register-downloaded", "csv"),
    ]  # fmt: skip
    assert (await steward.post(f"{PAGE}/register.md")).status_code == 403


async def test_residents_read_why_for_how_long_and_whom_to_ask(
    platform: Platform, steward: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    await post(steward, LETTERS)
    await post(steward, MAIL)
    headers = {"accept-language": "en"}
    said = plain((await visitor.get("/privacy", headers=headers)).text)
    for words in ("Letters to residents", "kept for 30 days, then erased", "does not take data away by itself yet"):
        assert words in said
    assert "Person" not in said, "no technical names"
    assert "Water meters (volume so far): kept for 13 months" in said

    await post(steward, {"do": "contacts", "controller": "Town of Plouhinec"})
    await post(steward, {"do": "switch-on"})
    said = plain((await visitor.get("/privacy", headers=headers)).text)
    assert "Town of Plouhinec" in said
    assert "every night" in said
    assert "/privacy" in (await visitor.get("/")).text
    assert "Vos données" in (await visitor.get("/privacy", params={"lang": "fr"})).text
