"""The archive of closed days: what reads it and what moves days into it. Its engine is imported when it is used."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from parvis.bootstrap.stores import is_on_postgres, store_path
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.leading import Leader, new_holder
from parvis.broker.ports.archive import (
    ArchiveDamaged,
    ArchivedEntity,
    ArchivedSource,
    ArchiveFileGone,
    Day,
    OpenClosedRows,
    Summary,
)
from parvis.broker.ports.past import Brought, OldObservations, PastNotTaken
from parvis.broker.ports.store import Store
from parvis.broker.temporal.retention import KeepRule, Retention
from parvis.kernel.errors import ParvisError
from parvis.kernel.jobs import JobContext, LoopWork, WorkFailed
from parvis.kernel.settings import InvalidSettings, Settings

if TYPE_CHECKING:
    from parvis.stores.archive.engine import Limits
    from parvis.stores.archive.load import InProcess
    from parvis.stores.archive.move import Plan
    from parvis.stores.archive.read import ArchiveReader

LEASE = "archive"
HAND_RESTS_S = 10.0
Done = TypeVar("Done")
_UNIX_EPOCH = date(1970, 1, 1)


class NoArchive(ParvisError):
    title = "There is no archive"


class ArchiveAtHand:
    """What a hot store reads archived history through. Threads may share it."""

    def __init__(self, settings: Settings, meet: Callable[[ParvisError], object] = lambda _fault: None) -> None:
        """`meet` is told of files that are damaged, or not there."""
        self._settings = settings
        self._meet = meet
        self._reader: ArchiveReader | None = None
        self._opening = threading.Lock()

    def read(self, entities: Sequence[ArchivedEntity]) -> Sequence[ArchivedSource]:
        from parvis.stores.archive.source import sources_of

        return sources_of(self._open(), entities)

    def close(self) -> None:
        with self._opening:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _open(self) -> "ArchiveReader":
        with self._opening:
            if self._reader is None:
                from parvis.stores.archive.read import ArchiveReader
                from parvis.stores.archive.storage import open_storage

                storage = open_storage(self._settings.archive.url, self._settings.data_dir)
                self._reader = ArchiveReader(storage, engine_limits(self._settings), self._meet)
            return self._reader


def archive_plan(settings: Settings, until: Day | None = None) -> "Plan":
    """Raises InvalidSettings, NoArchive."""
    from parvis.stores.archive.move import Plan

    history = settings.history
    if not history.archive_after_days and until is None:
        raise NoArchive("Nothing is archived: history.archive_after_days is 0.")
    return Plan(
        settings.archive.url,
        settings.data_dir,
        history.archive_after_days,
        retention(settings),
        engine_limits(settings),
        until,
    )


async def run_archive(
    settings: Settings, store: Store, report: Callable[[float, str], None], until: Day | None = None
) -> Summary:
    """Move closed days now, or once another process has ended doing so.

    Raises what Archiver.run and archive_plan raise.
    """
    from parvis.stores.archive.move import Archiver

    plan = archive_plan(settings, until)
    return await _alone(store, lambda: Archiver(store.archive, plan, report).run())


async def close_erasures(store: Store) -> int:
    """What a run of the archive does at its end, for who has none: erasures that every file shows are forgotten."""

    async def close() -> int:
        newest = max((one.number for one in await store.archive.list_erasures()), default=0)
        return await store.archive.close_erasures(newest)

    return await _alone(store, close)


class PastAtHand:
    """Brings the past into the archive of a store: alone, as a run of the archive is.

    The files are written by a process of its own, which stays for a while: years come in pieces.
    """

    def __init__(self, settings: Settings, store: Store, hand_rests_s: float = HAND_RESTS_S) -> None:
        self._settings = settings
        self._store = store
        self._hand_rests_s = hand_rests_s
        self._hand: InProcess | None = None
        self._end_of_rest: asyncio.TimerHandle | None = None

    async def bring(self, tenant: str, old: OldObservations) -> Brought:
        try:
            plan = archive_plan(self._settings)
        except NoArchive as fault:
            raise PastNotTaken(fault.detail) from fault
        from parvis.stores.archive.load import Loader

        async def work() -> Brought:
            if self._store.archive.closed_rows().in_process:
                return await Loader(self._store.archive, plan).bring(tenant, old)
            with self._hand_at_work() as hand:
                return await Loader(self._store.archive, plan, hand=hand).bring(tenant, old)

        return await _alone(self._store, work)

    @contextmanager
    def _hand_at_work(self) -> Iterator["InProcess"]:
        """One that failed, or was left in the middle, is not asked again."""
        from parvis.stores.archive.load import InProcess

        if self._end_of_rest is not None:
            self._end_of_rest.cancel()
        hand = self._hand = self._hand or InProcess()
        try:
            yield hand
        except BaseException:
            self._dismiss()
            raise
        self._end_of_rest = asyncio.get_running_loop().call_later(self._hand_rests_s, self._dismiss)

    def _dismiss(self) -> None:
        if self._hand is not None:
            self._hand.close()
            self._hand = None


async def _alone(store: Store, work: Callable[[], Awaitable[Done]]) -> Done:
    """Once no other process, and nobody here, works on the archive. Raises what the work raises."""
    ended = list[Done | Exception]()

    async def run() -> None:
        try:
            ended.append(await work())
        except Exception as failure:
            ended.append(failure)

    await Leader(store, LEASE, new_holder()).run(run)
    [outcome] = ended
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def archive_work(settings: Settings, store: Store) -> LoopWork:
    """As a job: where a file is damaged or lost it fails, so that somebody looks, after all else was done."""

    async def work(context: JobContext) -> Any:
        summary = await run_archive(settings, store, context.report)
        if summary.problems:
            raise WorkFailed(" ".join(summary.problems))
        return {
            "days": summary.days,
            "files": summary.files,
            "rows": summary.rows,
            "erasures": summary.erasures,
        }

    return work


def closed_rows(settings: Settings) -> OpenClosedRows:
    """For those who only look, beside a running platform. Raises NoArchive."""
    if is_on_postgres(settings):
        from parvis.stores.postgres import closed_rows as postgres

        return postgres.open_closed_rows(settings.store.url)
    if not store_path(settings).exists():
        raise NoArchive(f"There is no store in {settings.data_dir} yet.")
    from parvis.stores.sqlite.closed_rows import open_closed_rows

    return open_closed_rows(store_path(settings))


def adopt_archive(settings: Settings) -> None:
    """Make the archive this database's own. Raises NoArchive, ArchiveUnreachable."""
    from parvis.stores.archive.owner import adopt
    from parvis.stores.archive.storage import open_storage

    with closed_rows(settings)() as rows:
        adopt(open_storage(settings.archive.url, settings.data_dir), rows.owner)


def find_archive_faults(settings: Settings) -> tuple[int, list[str]]:
    """How many files there are, and what is wrong with which: every byte is read.

    Raises NoArchive, ArchiveOwned.
    """
    from parvis.stores.archive.faults import verify
    from parvis.stores.archive.owner import check_owner
    from parvis.stores.archive.storage import open_storage

    storage, faults = open_storage(settings.archive.url, settings.data_dir), []
    with closed_rows(settings)() as rows:
        check_owner(storage, rows)
        files = [file for tenant in rows.list_tenants() for file in rows.list_files(tenant)]
    for file in files:
        try:
            verify(storage, file.file)
        except (ArchiveDamaged, ArchiveFileGone) as fault:
            faults.append(fault.detail)
    return len(files), faults


def retention(settings: Settings) -> Retention:
    """Raises InvalidSettings."""
    expand = Contexts(_fetch_nothing).parvis.expand
    return Retention(tuple(_rule(text, expand) for text in settings.history.keep))


def day_number(text: str) -> Day:
    """Raises ValueError where the text is no YYYY-MM-DD."""
    return (date.fromisoformat(text) - _UNIX_EPOCH).days


def day_text(day: Day) -> str:
    return (_UNIX_EPOCH + timedelta(days=day)).isoformat()


def _rule(text: str, expand: Callable[[str], str]) -> KeepRule:
    words = text.split()
    if not 2 <= len(words) <= 3 or not words[-1].isdigit() or not int(words[-1]):
        raise InvalidSettings(
            f"history.keep: {text!r} is to be a type, an attribute or none, and a number of days,"
            ' such as "WasteContainer batteryLevel 90".'
        )
    type_, *attribute, days = words
    return KeepRule(expand(type_), expand(attribute[0]) if attribute else None, int(days))


def engine_limits(settings: Settings) -> "Limits":
    from parvis.stores.archive.engine import Limits

    own = settings.archive
    return Limits(threads=own.threads, memory_mib=own.memory_mib, spill_mib=own.spill_mib)


async def _fetch_nothing(url: str) -> bytes:
    raise InvalidSettings(f"history.keep: names are looked up in the core context, not in {url}.")
