"""One person, found wherever the platform keeps anything, given a copy, and erased: on both stores."""

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.access.access import COMMAND_LINE
from parvis.access.model import Account
from parvis.access.privacy.model import Action
from parvis.access.privacy.person.cases import Case, Stage
from parvis.access.privacy.person.found import Fate, Found, Place
from parvis.access.privacy.person.identifiers import By, identifier
from parvis.access.privacy.person.persons import still_there
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.archive import run_archive
from parvis.bootstrap.persons import erasing, find
from parvis.bootstrap.stores import frames_of
from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import TemporalQuery
from parvis.broker.subscriptions.model import DeadLetter, Endpoint, NotificationParams, Subscription
from parvis.fleet.model.frame import LoggedFrame, Room
from parvis.fleet.model.refusal import Refusal, RefusalReason
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Caller, Right, system_caller
from parvis.kernel.jobs import JobFilter
from parvis.kernel.reach import PrivacyClass
from parvis.kernel.settings import ArchiveSettings, HistorySettings, MqttSettings, Settings, StoreSettings
from parvis.kernel.shelf import Box
from parvis.kernel.shelf import Place as OnShelf
from parvis.kernel.time import DAY, HOUR, system_clock
from parvis.stores.postgres.store import PostgresStore

MARIE = "urn:ngsi-ld:Person:1"
ELSE = "urn:ngsi-ld:Person:2"
REPORT = "urn:ngsi-ld:Report:7"
DWELLING = "urn:ngsi-ld:Dwelling:12"
EMAIL, TELEPHONE = "marie.dupont@example.fr", "06 12 34 56 78"
PERSON = "https://schema.org/Person"
REPORT_TYPE = "https://example.org/Report"
STEWARD = replace(COMMAND_LINE, tenant=DEFAULT_TENANT)


def name_of(local: str) -> str:
    return f"https://example.org/{local}"


def prop(local: str, value: Any, **more: Any) -> Instance:
    return Instance(name_of(local), Kind.PROPERTY, value, **more)


@pytest.fixture(params=["sqlite", "postgres"])
async def platform(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    url = request.getfixturevalue("prepared_postgres_url") if request.param == "postgres" else ""
    async with open_platform(settings_in(tmp_path / "data", url), listen=False) as platform:
        yield platform


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings_in(tmp_path / "data"), listen=False) as platform:
        yield platform


def settings_in(folder: Path, url: str = "") -> Settings:
    return Settings(
        folder,
        store=StoreSettings(url),
        archive=ArchiveSettings(memory_mib=64),
        history=HistorySettings(archive_after_days=2),
        mqtt=MqttSettings(enabled=False),
    )


async def fill(platform: Platform) -> None:
    """Marie and somebody else; a report that Marie made and was called back for; a dwelling that tells no name."""
    old = system_clock() - 30 * DAY
    caller = system_caller("test")
    changes = (
        Change(MARIE, Mode.CREATE, (prop("email", EMAIL), prop("note", "old", observed_at=old)), (PERSON,)),
        Change(ELSE, Mode.CREATE, (prop("email", f"anne-{EMAIL}"),), (PERSON,)),
        Change(REPORT, Mode.CREATE, (prop("text", f"call {TELEPHONE}", observed_at=old),), (REPORT_TYPE,)),
        Change(DWELLING, Mode.CREATE, (prop("level", 3.5, observed_at=old),), (name_of("Dwelling"),)),
    )
    for change in changes:
        assert (await platform.broker.write(caller, [change]))[0].status is Status.CREATED
    await move_old_days(platform)
    by = Instance(name_of("reportedBy"), Kind.RELATIONSHIP, MARIE)
    crew = prop("text", "the lamp is broken", observed_at=old + HOUR)
    later = Change(REPORT, Mode.APPEND, (by, crew, prop("lamp", "told by Marie Dupont")))
    assert (await platform.broker.write(caller, [later]))[0].status is Status.UPDATED
    await _note(platform)


async def move_old_days(platform: Platform) -> None:
    """Into files, once nobody is to be told of what came."""
    store = platform.eraser.store
    if isinstance(store, PostgresStore):
        await store.prune(await store.newest())
    await run_archive(platform.settings, store, lambda _part, _words: None)
    assert await store.archive.list_files(DEFAULT_TENANT)


async def _note(platform: Platform) -> None:
    store, now = platform.eraser.store, system_clock()
    told = NotificationParams(Endpoint("http://example.org/told", receiver_info=(("X-Owner", EMAIL),)))
    other = NotificationParams(Endpoint("http://example.org/other"))
    for number, params in enumerate((told, other), 1):
        await store.subscriptions.add(Subscription(DEFAULT_TENANT, f"urn:ngsi-ld:Subscription:{number}", params))
    uplinks = [Uplink("probe", f"from {one}".encode(), 1, number, now) for number, one in enumerate((EMAIL, "nobody"))]
    frames = frames_of(store)
    room = Room()
    refusals = [Refusal(0, now, DEFAULT_TENANT, RefusalReason.CODEC_THREW, "", one) for one in uplinks]
    await frames.keep(refusals, room)
    await frames.log([LoggedFrame(DEFAULT_TENANT, one, {"said": "x"}) for one in uplinks], room)
    letters = [
        DeadLetter(DEFAULT_TENANT, "urn:ngsi-ld:Subscription:2", now, one, 1, "http://example.org", "x", 3, b"{}", {})
        for one in (MARIE, DWELLING)
    ]
    await store.subscriptions.bury(letters, 10)
    box = Box(DEFAULT_TENANT, "snapshot-entities")
    kept = {OnShelf(box, b"1"): json.dumps({"of": EMAIL}).encode(), OnShelf(box, b"2"): b'{"of": 1}'}
    duty = {OnShelf(Box(DEFAULT_TENANT, "incidents"), b"1"): json.dumps({"text": EMAIL}).encode()}
    await store.shelf.change((), {**kept, **duty}, ())
    access = platform.access.store
    access.add_account(Account("ada", "$x", "administrator", DEFAULT_TENANT, now))
    access.add_account(Account(EMAIL, "$x", "operator", DEFAULT_TENANT, now))
    access.add_account(Account("marie.dupont@example.fr.other", "$x", "operator", DEFAULT_TENANT, now))
    platform.access.keys.create(STEWARD, f"phone of {EMAIL}", "reader")
    uploaded = platform.settings.data_dir / "imports" / DEFAULT_TENANT / "1" / "source" / "people.csv"
    uploaded.parent.mkdir(parents=True)
    uploaded.write_text(f"name,email\nMarie,{EMAIL}\n")


async def search(platform: Platform, *asked: tuple[By, str], by: Caller = STEWARD) -> Case:
    case = await platform.persons.search(by, [identifier(*one) for one in asked])
    await asyncio.to_thread(find, in_job(platform, case))
    return platform.persons.get(by, case.id)


def in_job(platform: Platform, case: Case) -> Any:
    arguments = {"case": case.id, "data_dir": str(platform.settings.data_dir)}
    return SimpleNamespace(
        tenant=case.tenant, arguments=arguments, attempt=1, cancelled=False, report=lambda _part, _words="": None
    )


def found_in(platform: Platform, case: Case) -> list[Found]:
    return list(platform.persons.cases.list_found(case))


def ids(found: list[Found], place: Place, fate: Fate = Fate.GOES) -> list[str]:
    return sorted(one.id for one in found if one.place is place and one.fate is fate)


async def erase(platform: Platform, case: Case) -> Case:
    ordered = await platform.persons.erase(STEWARD, case.id, "objection", "ERASE")
    await erasing(platform.settings, platform.eraser)(in_job(platform, ordered))
    return platform.persons.get(STEWARD, case.id)


async def test_a_person_is_found_everywhere_and_nobody_else(platform: Platform) -> None:
    await fill(platform)

    found = found_in(platform, await search(platform, (By.EMAIL, EMAIL), (By.TELEPHONE, "+33612345678")))

    assert ids(found, Place.OBJECT) == [MARIE]
    assert {one.attribute for one in found if one.place is Place.VALUE} == {name_of("reportedBy")}
    assert {(one.id, one.attribute) for one in found if one.place is Place.PAST} == {
        (MARIE, name_of("email")),
        (MARIE, name_of("note")),
        (REPORT, name_of("text")),
        (REPORT, name_of("reportedBy")),
    }
    assert ids(found, Place.ACCOUNT) == [EMAIL]
    assert len(ids(found, Place.KEY)) == 1
    assert ids(found, Place.SUBSCRIPTION) == ["urn:ngsi-ld:Subscription:1"]
    assert len(ids(found, Place.REFUSED_FRAME)) == len(ids(found, Place.FRAME)) == 1
    assert len(ids(found, Place.UNDELIVERED)) == 1
    assert ids(found, Place.RECORD) == [b"1".hex()]
    assert ids(found, Place.RECORD, Fate.STAYS_DUTY) == [b"1".hex()]
    assert ids(found, Place.FILE) == ["import:1"]
    assert ids(found, Place.AUDIT, Fate.STAYS_PROOF)
    assert not [one for one in found if one.fate is Fate.PERHAPS]


async def test_whatever_was_found_is_in_the_copy(platform: Platform) -> None:
    await fill(platform)
    case = await search(platform, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE))
    found = found_in(platform, case)

    path = platform.persons.make_copy(STEWARD, case.id)

    with zipfile.ZipFile(path) as bundle:
        told = {one: bundle.read(one).decode() for one in bundle.namelist()}
    rows = sum(len(list(csv.reader(io.StringIO(text)))) - 1 for one, text in told.items() if one.endswith(".csv"))
    lines = sum(len(text.splitlines()) for one, text in told.items() if one.endswith(".ndjson"))
    assert rows + lines == len(found)
    assert json.loads(told["objects.ndjson"])["id"] == MARIE
    assert f"call {TELEPHONE}" in told["history.csv"]
    assert "Vos données" in told["README.md"]
    assert path.stat().st_mode & 0o077 == 0
    assert "person-copied" in {one.record.action for one in platform.access.store.list_audit(None, 5)}


async def test_what_is_erased_is_found_no_more_and_the_rest_stays(platform: Platform) -> None:
    await fill(platform)
    case = await search(platform, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE))

    erased = await erase(platform, case)

    assert (erased.stage, still_there(erased.left), erased.sought) == (Stage.ERASED, 0, ())
    again = await search(platform, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE), (By.ENTITY, MARIE))
    assert {one.fate for one in again.counts} <= {Fate.STAYS_PROOF, Fate.STAYS_DUTY}
    caller = system_caller("test")
    assert await platform.broker.find(caller, MARIE) is None
    report = await platform.broker.get(caller, REPORT)
    assert report.find(name_of("reportedBy")) is None
    assert report.find(name_of("text")) is not None
    past = await platform.broker.history(caller, REPORT, TemporalQuery())
    assert [one.value for one in past.instances[name_of("text"), ""]] == ["the lamp is broken"]
    assert (await platform.broker.get(caller, ELSE)).find(name_of("email")) is not None
    assert {one.name for one in platform.access.store.list_accounts()} == {"ada", "marie.dupont@example.fr.other"}
    assert len(await frames_of(platform.eraser.store).list_refusals(DEFAULT_TENANT)) == 1
    assert await platform.eraser.store.shelf.read(OnShelf(Box(DEFAULT_TENANT, "snapshot-entities"), b"")) == {
        b"2": b'{"of": 1}'
    }


async def test_the_ledger_tells_what_went_and_not_whose(platform: Platform) -> None:
    await fill(platform)
    await erase(platform, await search(platform, (By.EMAIL, EMAIL)))

    (entry,) = platform.access.store.privacy.list_ledger(DEFAULT_TENANT)

    assert (entry.action, entry.reason, entry.entities) == (Action.PERSON_ERASED, "objection", (MARIE,))
    assert entry.places["object"] == entry.places["account"] == 1
    assert "example.fr" not in repr(entry)
    assert platform.access.find_audit_break() is None
    (told,) = [one.record for one in platform.access.store.read_audit() if one.record.action == "person-erased"]
    assert told.facts["left"] == 0
    kept = b"".join(path.read_bytes() for path in (platform.settings.data_dir / "persons").rglob("*") if path.is_file())
    assert EMAIL.encode() not in kept


async def test_done_twice_it_is_done_once(embedded: Platform) -> None:
    await fill(embedded)
    case = await search(embedded, (By.EMAIL, EMAIL))
    before = list(embedded.persons.cases.list_found(case))
    ordered = await embedded.persons.erase(STEWARD, case.id, "objection", "ERASE")
    await embedded.eraser.erase(DEFAULT_TENANT, lambda: before, lambda _words, _part: None)

    await erasing(embedded.settings, embedded.eraser)(in_job(embedded, ordered))
    await erasing(embedded.settings, embedded.eraser)(in_job(embedded, ordered))

    assert embedded.persons.get(STEWARD, case.id).stage is Stage.ERASED
    assert len(embedded.access.store.privacy.list_ledger(DEFAULT_TENANT)) == 1


async def test_by_a_name_alone_somebody_is_shown_and_neither_given_away_nor_erased(embedded: Platform) -> None:
    await fill(embedded)

    case = await search(embedded, (By.NAME, "Dupont Marie"))

    assert {one.fate for one in case.counts} == {Fate.PERHAPS}
    with zipfile.ZipFile(embedded.persons.make_copy(STEWARD, case.id)) as bundle:
        assert bundle.namelist() == ["README.md"]
    with pytest.raises(BadRequestData):
        await embedded.persons.erase(STEWARD, case.id, "objection", "ERASE")


async def test_an_object_that_is_somebodys_is_named_by_its_id(embedded: Platform) -> None:
    await fill(embedded)

    await erase(embedded, await search(embedded, (By.ENTITY, DWELLING)))

    assert await embedded.broker.find(system_caller("test"), DWELLING) is None
    assert await embedded.broker.find_history(system_caller("test"), DWELLING, TemporalQuery()) is None
    assert await embedded.broker.find(system_caller("test"), MARIE) is not None


async def test_the_only_administrator_stays(embedded: Platform) -> None:
    embedded.access.store.add_account(Account("ada@example.org", "$x", "administrator", DEFAULT_TENANT, 1))
    case = await search(embedded, (By.ACCOUNT, "ada@example.org"))

    with pytest.raises(BadRequestData):
        await embedded.persons.erase(STEWARD, case.id, "objection", "ERASE")

    assert embedded.access.store.find_account("ada@example.org")


async def test_what_comes_in_meanwhile_goes_too(embedded: Platform) -> None:
    await fill(embedded)
    case = await search(embedded, (By.EMAIL, EMAIL))
    late = Change(REPORT, Mode.APPEND, (prop("contact", EMAIL),))
    await embedded.broker.write(system_caller("test"), [late])

    assert still_there((await erase(embedded, case)).left) == 0
    assert (await embedded.broker.get(system_caller("test"), REPORT)).find(name_of("contact")) is None


async def test_it_takes_somebody_who_answers_for_the_data_and_sees_all_of_them(embedded: Platform) -> None:
    clerk = Caller(DEFAULT_TENANT, "user:clerk", OPERATOR)
    hidden = embedded.access.gate.roles.hidden_of(DEFAULT_TENANT, PrivacyClass.PUBLIC)
    narrow = replace(STEWARD, hides=hidden, rights=Right.STEWARD)
    for caller in (clerk, narrow):
        with pytest.raises(Forbidden):
            await search(embedded, (By.EMAIL, EMAIL), by=caller)


async def test_a_member_finds_its_own_alone(embedded: Platform) -> None:
    await fill(embedded)
    await embedded.broker.add_tenant("other")
    other = replace(STEWARD, tenant="other")

    case = await search(embedded, (By.EMAIL, EMAIL), by=other)

    assert {one.place for one in case.counts} <= {Place.AUDIT}
    assert embedded.persons.list_all(STEWARD) == []


async def test_every_search_is_in_the_trail_without_the_address(embedded: Platform) -> None:
    await search(embedded, (By.EMAIL, EMAIL))

    (told,) = [one.record for one in embedded.access.store.read_audit() if one.record.action == "person-searched"]
    assert told.facts == {"by": ["email"]}
    jobs = await embedded.jobs.list_jobs(STEWARD, JobFilter())
    assert EMAIL not in repr(jobs)


async def test_requests_are_forgotten_after_some_days(embedded: Platform) -> None:
    case = await search(embedded, (By.EMAIL, EMAIL))

    assert embedded.persons.cases.sweep(case.goes_at - 1) == 0
    assert embedded.persons.cases.sweep(case.goes_at) == 1
    assert embedded.persons.list_all(STEWARD) == []
