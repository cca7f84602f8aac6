"""One person's data: the search and the erasure as jobs, over everything that the platform keeps."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from parvis.access.access import Access
from parvis.access.model import AuditRecord
from parvis.access.privacy.model import LedgerEntry
from parvis.access.privacy.person.cases import Case, Cases, Stage
from parvis.access.privacy.person.copy import Heading
from parvis.access.privacy.person.erasing import Eraser, check_somebody_administers
from parvis.access.privacy.person.found import Count, Counts, Fate, Found, Place, still_there
from parvis.access.privacy.person.gathering import ListPast, Sources, Tell, gather
from parvis.access.privacy.person.identifiers import Sought
from parvis.access.privacy.person.persons import (
    ERASE,
    FIND,
    Persons,
    digests_of,
    ledger_entry,
    sought_again,
)
from parvis.backup.bundle.forms import entity_line
from parvis.bootstrap.archive import engine_limits
from parvis.bootstrap.exports import list_exports
from parvis.bootstrap.jobs import ARCHIVE
from parvis.bootstrap.leaving import ATTEMPTS, open_snapshot
from parvis.bootstrap.stores import find_access
from parvis.broker.broker import Broker
from parvis.broker.ports.archive import ArchiveFileGone, ArchiveRow
from parvis.broker.ports.leaving import TenantSnapshot
from parvis.broker.ports.store import Store
from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker
from parvis.jobs.process import run_in_process
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Right
from parvis.kernel.jobs import JobContext, LoopWork, WorkFailed
from parvis.kernel.reach import PrivacyClass, local_name
from parvis.kernel.remembered import on_remembered_store
from parvis.kernel.settings import Settings
from parvis.kernel.settings_at_hand import SettingsAtHand
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import Instant, system_clock, to_datetime

SWEEP = "person.sweep"
ROUNDS = 3
"""What comes in while it is erased is found by the search that verifies, and goes with the next round."""
SUBJECT = "system:privacy"
Keep = Callable[[Iterator[Found]], tuple[Count, ...]]
_MEMORY_MB = 3072
_LONGEST_S = 6 * 3600
_IMPORTS = "imports"
_IMPORT_TEXTS = frozenset({".csv", ".json", ".jsonl", ".ndjson", ".geojson", ".txt", ".xml"})
_EXPORT_FILE, _IMPORT_FILE = "export:", "import:"


def build_persons(settings: Settings, jobs: Jobs, access: Access) -> Persons:
    check = partial(check_somebody_administers, access.accounts)
    heading = partial(_heading, SettingsAtHand(settings), access)
    return Persons(Cases(settings.data_dir), jobs, access.store.append_audit, check, partial(_erased, access), heading)


def _heading(at_hand: SettingsAtHand, access: Access, tenant: str, at: Instant) -> Heading:
    member = access.gate.pool.find(tenant)
    zone = ZoneInfo(at_hand.territory.time_zone)
    title = at_hand.territory.name if member is None else member.title
    return Heading(title, to_datetime(at).astimezone(zone).date())


def _erased(access: Access, tenant: str) -> list[LedgerEntry]:
    return [one for one in reversed(access.store.persons.list_erased()) if one.tenant == tenant]


def build_eraser(settings: Settings, store: Store, access: Access, broker: Broker) -> Eraser:
    drop = _file_dropper(settings.data_dir)
    return Eraser(broker, store, access.store, access.accounts, access.gate.forget, drop)


def add_kinds(jobs: Jobs, settings: Settings, eraser: Eraser | None) -> None:
    """Without an eraser they can be asked for, and are done by the platform that runs."""
    worker = _worker(settings, "find")
    jobs.kind(FIND, worker, attempts=2, back_off_s=10, timeout_s=_LONGEST_S, right=Right.STEWARD)
    work = _elsewhere if eraser is None else erasing(settings, eraser, partial(_make_files_anew, jobs))
    jobs.kind(ERASE, work, attempts=5, back_off_s=30, timeout_s=_LONGEST_S, at_most=1, right=Right.STEWARD)
    jobs.kind(SWEEP, _sweeping(settings), at_most=1, for_all=True)
    jobs.every(SWEEP, "35 * * * *", SWEEP)


async def _make_files_anew(jobs: Jobs) -> None:
    """Nobody reads it in the archive any more; now it goes from its files too, where there are some."""
    if jobs.kinds.find(ARCHIVE) is not None:
        await jobs.add(ARCHIVE, created_by=SUBJECT)


async def _nothing_more() -> None:
    pass


def _worker(settings: Settings, function: str) -> Worker:
    given = {"data_dir": str(settings.data_dir)}
    return Worker(f"parvis.bootstrap.persons:{function}", _MEMORY_MB, _LONGEST_S, given)


def find(context: JobContext) -> dict[str, int]:
    """The work, in a process of its own: what is asked for and found stays in the request's folder."""
    settings, case, cases = _asked(context)
    if case.stage is Stage.SEARCHING:
        case = find_now(settings, cases, case, context.report)
    return told(case.counts)


def find_now(settings: Settings, cases: Cases, case: Case, report: Callable[[float, str], None]) -> Case:
    counts = _search(settings, case, Sought(case.sought), report, partial(cases.keep_found, case))
    found = msgspec.structs.replace(case, stage=Stage.FOUND, counts=counts)
    cases.save(found)
    return found


def verify(context: JobContext) -> dict[str, int]:
    """The same search once more, of what is left."""
    settings, case, cases = _asked(context)
    sought = Sought(case.sought)
    sought = sought.with_entities(one.id for one in cases.list_going(case) if one.place is Place.OBJECT)
    sought = sought.with_accounts(one.id for one in cases.list_going(case) if one.place is Place.ACCOUNT)
    left = _search(settings, case, sought, context.report, partial(cases.keep_left, case))
    return {"left": still_there(left)}


def _asked(context: JobContext) -> tuple[Settings, Case, Cases]:
    settings = on_remembered_store(load_settings(Path(context.arguments["data_dir"]), {}))
    cases = Cases(settings.data_dir)
    try:
        return settings, cases.get(context.tenant, context.arguments["case"]), cases
    except ParvisError as fault:
        raise WorkFailed(fault.detail) from fault


def _search(
    settings: Settings, case: Case, sought: Sought, report: Callable[[float, str], None], keep: Keep
) -> tuple[Count, ...]:
    for _ in range(ATTEMPTS):
        try:
            with searching(settings, case.tenant, sought, lambda words, part: report(part, words)) as found:
                return keep(found)
        except ArchiveFileGone:
            continue
    raise ArchiveFileGone("The archive changes all the time: try again later.")


@contextmanager
def searching(settings: Settings, tenant: str, sought: Sought, tell: Tell) -> Iterator[Iterator[Found]]:
    """What is found of somebody, read as it is taken. Raises NonexistentTenant, and what reading may raise."""
    access = find_access(settings)
    if access is None:
        raise WorkFailed("There is no platform here yet.")
    try:
        with (
            open_snapshot(settings, tenant) as snapshot,
            TemporaryDirectory(prefix=".parvis-", dir=settings.data_dir) as folder,
        ):
            sources = Sources(
                tenant,
                snapshot,
                _past(settings, snapshot, Path(folder)),
                access.store,
                access.gate.roles.hidden_of(tenant, PrivacyClass.INTERNAL),
                entity_line,
                lambda wanted: _files(settings.data_dir, tenant, wanted),
            )
            yield gather(sources, sought, tell)
    finally:
        access.store.close()


def _past(settings: Settings, snapshot: TenantSnapshot, folder: Path) -> ListPast:
    def rows(entities: Collection[str], names: Collection[str]) -> Iterator[ArchiveRow]:
        for row in snapshot.list_hot():
            is_text = row.extra is not None or isinstance(row.value, str | bytes)
            if is_text or row.entity in entities or local_name(row.attribute) in names:
                yield row
        if files := snapshot.list_files():
            from parvis.stores.archive.naming import list_naming
            from parvis.stores.archive.storage import open_storage

            storage = open_storage(settings.archive.url, settings.data_dir)
            limits = engine_limits(settings)
            yield from list_naming(storage, limits, folder / "spill", files, snapshot.list_erasures, entities, names)

    return rows


def _files(data_dir: Path, tenant: str, sought: Sought) -> Iterator[Found]:
    """Uploaded files that name the person; and bundles of everything, which hold what was there when they were made."""
    for export in list_exports(data_dir, tenant):
        yield Found(Place.FILE, f"{_EXPORT_FILE}{export.name}", at=export.made_at, content={"file": export.name})
    for folder in sorted((data_dir / _IMPORTS / tenant).glob("*")):
        texts = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in _IMPORT_TEXTS)
        marks = frozenset(mark for path in texts for mark in _marks_in_file(path, sought))
        if marks:
            by = tuple(dict.fromkeys(sought.wanted[place].by.value for place in sorted(marks)))
            fate = Fate.GOES if sought.is_certain(marks) else Fate.PERHAPS
            yield Found(Place.FILE, f"{_IMPORT_FILE}{folder.name}", fate, by, content={"import": folder.name})


def _marks_in_file(path: Path, sought: Sought) -> Iterator[int]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            yield from sought.marks(line)


def _file_dropper(data_dir: Path) -> Callable[[str, str], None]:
    def drop(tenant: str, file_id: str) -> None:
        if file_id.startswith(_EXPORT_FILE):
            names = {one.name for one in list_exports(data_dir, tenant)}
            if (name := file_id.removeprefix(_EXPORT_FILE)) in names:
                (data_dir / "exports" / tenant / name).unlink(missing_ok=True)
        else:
            folder = data_dir / _IMPORTS / tenant / Path(file_id.removeprefix(_IMPORT_FILE)).name
            shutil.rmtree(folder, ignore_errors=True)

    return drop


def erasing(settings: Settings, eraser: Eraser, follow: Callable[[], Awaitable[None]] = _nothing_more) -> LoopWork:
    """`follow` is called once it has been done."""
    cases, worker = Cases(settings.data_dir), _worker(settings, "verify")

    async def work(context: JobContext) -> dict[str, int]:
        try:
            case = cases.get(context.tenant, context.arguments["case"])
            if case.stage is Stage.ERASING:
                await _erase(settings, eraser, cases, case, worker, context)
                await follow()
        except ParvisError as fault:
            if fault.status < 500:
                raise WorkFailed(fault.detail) from fault
            raise
        case = cases.get(context.tenant, context.arguments["case"])
        cases.drop_content(case)
        return {**told(case.counts), "left": still_there(case.left)}

    return work


async def _erase(
    settings: Settings, eraser: Eraser, cases: Cases, case: Case, worker: Worker, context: JobContext
) -> None:
    """It is in the ledger before the request is told to be done, and there once however often this begins anew: with
    the time at which all is gone, for a backup from before then may still hold some of it."""
    await eraser.erase(case.tenant, lambda: cases.list_going(case), lambda words, part: context.report(part, words))
    left = await _look_again(worker, cases, case, context)
    for _ in range(ROUNDS - 1):
        if not still_there(left):
            break
        await eraser.erase(case.tenant, lambda: cases.list_left(case), lambda _words, _part: None)
        left = await _look_again(worker, cases, case, context)
    entry = ledger_entry(case, cases.list_going(case), case.subject, system_clock(), digests_of(settings.data_dir))
    note_erasure(eraser, entry, still_there(left))
    cases.forget_alike(case)
    cases.save(msgspec.structs.replace(case, stage=Stage.ERASED, sought=(), left=left, ended_at=system_clock()))


async def _look_again(worker: Worker, cases: Cases, case: Case, context: JobContext) -> tuple[Count, ...]:
    await run_in_process(worker, context, lambda part, words: context.report(0.9 + part / 10, words))
    counts = Counts()
    for one in cases.list_left(case):
        counts.add(one)
    return counts.told


def note_erasure(eraser: Eraser, entry: LedgerEntry, left: int) -> None:
    store = eraser.access
    with store.transaction():
        if store.privacy.append_ledger(entry):
            facts = {"places": entry.places, "ground": entry.reason, "left": left}
            case_id = entry.key.rpartition(" ")[2]
            store.append_audit(AuditRecord(entry.at, entry.tenant, entry.by, "person-erased", case_id, facts))


class ErasedAgain(NamedTuple):
    """How many things went, and how many are there still."""

    gone: int
    left: int


async def erase_again(settings: Settings, eraser: Eraser, entry: LedgerEntry) -> ErasedAgain:
    """What a backup or a bundle has brought back of somebody who was erased."""
    gone = 0
    sought = sought_again(entry, digests_of(settings.data_dir))
    found = await asyncio.to_thread(_found_now, settings, entry.tenant, sought)
    for _ in range(ROUNDS):
        if not found:
            break
        before = len(found)
        await eraser.erase(entry.tenant, partial(iter, found), lambda _words, _part: None)
        found = await asyncio.to_thread(_found_now, settings, entry.tenant, sought)
        gone += max(0, before - len(found))
    note_erasure(eraser, entry, len(found))
    return ErasedAgain(gone, len(found))


def _found_now(settings: Settings, tenant: str, sought: Sought) -> list[Found]:
    with searching(settings, tenant, sought, lambda _words, _part: None) as found:
        return [msgspec.structs.replace(one, content=None) for one in found if one.is_named_by_erasure]


def told(counts: tuple[Count, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in counts:
        found[one.place.value] = found.get(one.place.value, 0) + one.count
    return found


def _sweeping(settings: Settings) -> LoopWork:
    async def work(_context: JobContext) -> dict[str, int]:
        return {"deleted": Cases(settings.data_dir).sweep(system_clock())}

    return work


async def _elsewhere(_context: JobContext) -> Any:
    raise WorkFailed("no-store")
