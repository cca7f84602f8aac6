"""One person, found wherever the platform keeps anything, given a copy, and erased: on both stores."""

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec.structs import replace

from parvis.access.model import Account
from parvis.access.privacy.model import Action
from parvis.access.privacy.person.cases import Case, Stage
from parvis.access.privacy.person.found import Fate, Place, still_there
from parvis.access.privacy.person.identifiers import By
from parvis.access.privacy.person.persons import ERASE
from parvis.access.roles.model import Classified
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.persons import erasing
from parvis.bootstrap.stores import frames_of
from parvis.broker.model.change import Change, Mode
from parvis.broker.query.tree import TemporalQuery
from parvis.jobs.kinds import Worker
from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import DEFAULT_TENANT, OPERATOR, Caller, Right, system_caller
from parvis.kernel.jobs import JobFilter
from parvis.kernel.reach import PrivacyClass
from parvis.kernel.shelf import Box
from parvis.kernel.shelf import Place as OnShelf
from parvis.kernel.time import DAY, system_clock
from tests.fakes.marie import (
    DWELLING,
    ELSE,
    EMAIL,
    MARIE,
    PERSON,
    REPORT,
    REPORT_TYPE,
    STEWARD,
    TELEPHONE,
    erase,
    fill,
    found_in,
    ids,
    in_job,
    move_old_days,
    name_of,
    prop,
    search,
)
from tests.fakes.places import settings_in


@pytest.fixture(params=["sqlite", "postgres"])
async def platform(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    url = request.getfixturevalue("prepared_postgres_url") if request.param == "postgres" else ""
    async with open_platform(settings_in(tmp_path / "data", url), listen=False) as platform:
        yield platform


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings_in(tmp_path / "data"), listen=False) as platform:
        yield platform


async def test_a_person_is_found_everywhere_and_nobody_else(platform: Platform) -> None:
    await fill(platform, is_archived=True)

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


@pytest.mark.parametrize("is_archived", [False, True])
async def test_telephones_kept_as_numbers_are_found_in_the_past_too(platform: Platform, *, is_archived: bool) -> None:
    caller, old = system_caller("test"), system_clock() - 30 * DAY
    platform.access.gate.roles.classify(STEWARD, Classified("called", "personal", "Report"))
    seen = [prop(name, 33612345678, observed_at=old) for name in ("called", "pulses")]
    await platform.broker.write(caller, [Change(REPORT, Mode.CREATE, tuple(seen), (REPORT_TYPE,))])
    await platform.broker.write(
        caller, [Change(ELSE, Mode.CREATE, (prop("called", 33612345678, observed_at=old),), (PERSON,))]
    )
    later = tuple(prop(name, 1) for name in ("called", "pulses"))
    await platform.broker.write(caller, [Change(one, Mode.APPEND, later) for one in (REPORT, ELSE)])
    if is_archived:
        await move_old_days(platform)

    found = found_in(platform, await search(platform, (By.TELEPHONE, TELEPHONE)))

    assert ids(found, Place.OBJECT) == [ELSE]
    assert [one.attribute for one in found if one.place is Place.PAST and one.id == REPORT] == [name_of("called")]


async def test_whatever_was_found_is_in_the_copy(platform: Platform) -> None:
    await fill(platform)
    case = await search(platform, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE))
    found = found_in(platform, case)

    path = await platform.persons.make_copy(STEWARD, case.id)

    with zipfile.ZipFile(path) as bundle:
        told = {one: bundle.read(one).decode() for one in bundle.namelist()}
    rows = sum(len(list(csv.reader(io.StringIO(text)))) - 1 for one, text in told.items() if one.endswith(".csv"))
    lines = sum(len(text.splitlines()) for one, text in told.items() if one.endswith(".ndjson"))
    assert rows + lines == len(found)
    assert json.loads(told["objects.ndjson"])["id"] == MARIE
    assert f"call {TELEPHONE}" in told["history.csv"]
    assert "Vos données" in told["README.md"]
    assert f"{platform.at_hand.territory.name}, le " in told["README.md"]
    assert "default" not in told["README.md"].partition("## Français")[0]
    assert path.stat().st_mode & 0o077 == 0
    assert "person-copied" in {one.record.action for one in platform.access.store.list_audit(None, 5)}


async def test_what_is_erased_is_found_no_more_and_the_rest_stays(platform: Platform) -> None:
    await fill(platform, is_archived=True)
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


async def test_the_files_of_the_archive_are_made_anew_without_it(embedded: Platform) -> None:
    await fill(embedded, is_archived=True)
    assert TELEPHONE in await texts_in_files(embedded)
    case = await search(embedded, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE))
    ordered = await embedded.persons.erase(STEWARD, case.id, "objection", "ERASE")

    await do(embedded, ERASE, ordered)

    (job,) = await embedded.jobs.list_jobs(STEWARD, JobFilter(kind="archive.run"))
    await do(embedded, job.kind, ordered)
    texts = await texts_in_files(embedded)
    assert TELEPHONE not in texts
    assert "the lamp is broken" in texts


async def do(platform: Platform, kind: str, case: Case) -> None:
    work = platform.jobs.kinds.get(kind).work
    assert not isinstance(work, Worker)
    await work(in_job(platform, case))


async def texts_in_files(platform: Platform) -> str:
    """Of every file that lies there, named by the catalogue or not."""
    paths = [str(path) for path in (platform.settings.data_dir / "archive").rglob("*.parquet")]
    with duckdb.connect() as engine:
        return repr(engine.execute("SELECT text, json, extra FROM read_parquet(?)", [paths]).fetchall())


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
    with zipfile.ZipFile(await embedded.persons.make_copy(STEWARD, case.id)) as bundle:
        assert bundle.namelist() == ["README.md"]
    with pytest.raises(BadRequestData):
        await embedded.persons.erase(STEWARD, case.id, "objection", "ERASE")


async def test_an_object_that_is_somebodys_is_named_by_its_id(embedded: Platform) -> None:
    await fill(embedded)

    await erase(embedded, await search(embedded, (By.ENTITY, DWELLING)))

    assert await embedded.broker.find(system_caller("test"), DWELLING) is None
    assert await embedded.broker.find_history(system_caller("test"), DWELLING, TemporalQuery()) is None
    assert await embedded.broker.find(system_caller("test"), MARIE) is not None


async def test_what_a_territory_calls_its_people_is_one_of_them_too(embedded: Platform) -> None:
    customer = "urn:ngsi-ld:Customer:5"
    new = Change(customer, Mode.CREATE, (prop("email", EMAIL), prop("since", "2020")), (name_of("Customer"),))
    await embedded.broker.write(system_caller("test"), [new])
    assert ids(found_in(embedded, await search(embedded, (By.EMAIL, EMAIL))), Place.OBJECT) == []

    embedded.access.gate.roles.classify(STEWARD, Classified("name", "personal", "Customer"))

    assert ids(found_in(embedded, await search(embedded, (By.EMAIL, EMAIL))), Place.OBJECT) == [customer]


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


async def test_by_a_mandate_one_looks_and_copies_and_the_members_own_people_erase(embedded: Platform) -> None:
    await fill(embedded)
    lent = replace(STEWARD, mandate="m1")
    case = await search(embedded, (By.EMAIL, EMAIL), by=lent)
    assert (await embedded.persons.make_copy(lent, case.id)).exists()

    with pytest.raises(Forbidden):
        await embedded.persons.erase(lent, case.id, "objection", "ERASE")

    assert embedded.persons.get(STEWARD, case.id).stage is Stage.FOUND
    assert (await erase(embedded, case)).stage is Stage.ERASED


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


async def test_with_an_erasure_other_requests_of_the_same_person_are_forgotten(embedded: Platform) -> None:
    await fill(embedded)
    alike = await search(embedded, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE))
    namesake = await search(embedded, (By.NAME, "Marie Dupont"), (By.EMAIL, "other@example.org"))

    erased = await erase(embedded, await search(embedded, (By.EMAIL, EMAIL), (By.NAME, "Marie Dupont")))

    assert {one.id for one in embedded.persons.list_all(STEWARD)} == {erased.id, namesake.id}
    assert alike.id != erased.id


async def test_an_erasure_that_waits_is_not_forgotten_with_that_of_who_shares_a_telephone(embedded: Platform) -> None:
    await fill(embedded)
    waits = await search(embedded, (By.EMAIL, EMAIL), (By.TELEPHONE, TELEPHONE))
    other = await search(embedded, (By.ENTITY, DWELLING), (By.TELEPHONE, TELEPHONE))
    ordered = await embedded.persons.erase(STEWARD, waits.id, "objection", "ERASE")

    await erase(embedded, other)

    await erasing(embedded.settings, embedded.eraser)(in_job(embedded, ordered))
    assert embedded.persons.get(STEWARD, waits.id).stage is Stage.ERASED
    assert embedded.access.store.find_account(EMAIL) is None


async def test_an_erasure_under_way_is_not_forgotten_on_its_last_day(embedded: Platform) -> None:
    await fill(embedded)
    case = await search(embedded, (By.EMAIL, EMAIL))
    ordered = await embedded.persons.erase(STEWARD, case.id, "objection", "ERASE")

    assert embedded.persons.cases.sweep(case.goes_at) == 0
    assert embedded.persons.cases.sweep(embedded.persons.get(STEWARD, ordered.id).goes_at) == 1


async def test_requests_are_forgotten_after_some_days(embedded: Platform) -> None:
    case = await search(embedded, (By.EMAIL, EMAIL))

    assert embedded.persons.cases.sweep(case.goes_at - 1) == 0
    assert embedded.persons.cases.sweep(case.goes_at) == 1
    assert embedded.persons.list_all(STEWARD) == []


@pytest.mark.parametrize("stop_at", [0, 1, 3, 6, 9])
async def test_wherever_it_is_stopped_it_goes_on(
    embedded: Platform, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """As by a kill: nothing after this step is done, not even what would tidy up."""
    await fill(embedded)
    ordered = await embedded.persons.erase(
        STEWARD, (await search(embedded, (By.EMAIL, EMAIL))).id, "objection", "ERASE"
    )
    with monkeypatch.context() as patch:
        stop_after(embedded, patch, stop_at)
        with pytest.raises(Stopped):
            await erasing(embedded.settings, embedded.eraser)(in_job(embedded, ordered))
    assert embedded.persons.get(STEWARD, ordered.id).stage is Stage.ERASING
    assert embedded.access.store.privacy.list_ledger(DEFAULT_TENANT) == []

    await erasing(embedded.settings, embedded.eraser)(in_job(embedded, ordered))

    done = embedded.persons.get(STEWARD, ordered.id)
    assert (done.stage, still_there(done.left)) == (Stage.ERASED, 0)
    assert len(embedded.access.store.privacy.list_ledger(DEFAULT_TENANT)) == 1


class Stopped(BaseException):
    pass


def stop_after(platform: Platform, patch: pytest.MonkeyPatch, steps: int) -> None:
    """The first `steps` of all that changes something are done."""
    store, access, done = platform.eraser.store, platform.access.store, count()
    for owner, name in (
        (store, "write"), (store, "erase"), (store.records, "drop"), (store.shelf, "change"), (access, "transaction"),
    ):  # fmt: skip
        act = getattr(owner, name)

        def stopping(*given: Any, act: Any = act, **more: Any) -> Any:
            if next(done) >= steps:
                raise Stopped
            return act(*given, **more)

        patch.setattr(owner, name, stopping)
