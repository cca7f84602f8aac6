"""The jobs of an installation: which kinds there are, and when they are due."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time_ns
from typing import Any
from zoneinfo import ZoneInfo

from parvis.access.ports import AccessStore
from parvis.bootstrap.archive import archive_work, retention
from parvis.bootstrap.backups import add_kinds as add_backups
from parvis.bootstrap.exports import add_kinds as add_exports
from parvis.bootstrap.file_faults import check_work
from parvis.bootstrap.members import usage_work
from parvis.bootstrap.privacy import add_kinds as add_privacy
from parvis.bootstrap.stores import is_on_postgres, open_access, open_job_queue, store_path
from parvis.broker.ports.store import Store
from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker, done_elsewhere
from parvis.kernel.jobs import JobQueue
from parvis.kernel.settings import Settings
from parvis.kernel.time import SECOND

CHECK = "store.check"
USAGE = "members.usage"
ARCHIVE = "archive.run"
ARCHIVE_CHECK = "archive.check"
_ARCHIVE_S = 20 * 3600
_CHECK_MEMORY_MB = 512
_CHECK_S = 6 * 3600
_USAGE_S = 3600


def build_jobs(settings: Settings, queue: JobQueue, access: AccessStore, store: Store | None = None) -> Jobs:
    """Without the store, jobs that need it can be asked for, and are done by the platform that runs."""
    own = settings.jobs
    jobs = Jobs(
        queue,
        ZoneInfo(settings.territory.time_zone),
        worker_processes=own.worker_processes,
        keep_days=own.keep_days,
        audit=access.append_audit,
    )
    once: dict[str, Any] = {"at_most": 1, "on_request": True, "for_all": True}
    jobs.kind(CHECK, _check(settings), attempts=1, timeout_s=_CHECK_S, **once)
    jobs.every(CHECK, "40 4 * * 0", CHECK)
    if settings.history.archive_after_days:
        retention(settings)
        work = archive_work(settings, store) if store is not None else done_elsewhere
        jobs.kind(ARCHIVE, work, attempts=2, back_off_s=60, timeout_s=_ARCHIVE_S, **once)
        jobs.every(ARCHIVE, "20 2 * * *", ARCHIVE)
    measuring = usage_work(access, store) if store is not None else done_elsewhere
    jobs.kind(USAGE, measuring, attempts=3, timeout_s=_USAGE_S, **once)
    jobs.every(USAGE, "50 23 * * *", USAGE)
    checking = check_work(settings, store.archive) if store is not None else done_elsewhere
    jobs.kind(ARCHIVE_CHECK, checking, attempts=2, back_off_s=60, timeout_s=_ARCHIVE_S, **once)
    jobs.every(ARCHIVE_CHECK, "50 3 * * *", ARCHIVE_CHECK)
    add_exports(jobs, settings)
    add_privacy(jobs, settings, access, store)
    add_backups(jobs, settings)
    return jobs


def _check(settings: Settings) -> Worker:
    if is_on_postgres(settings):
        given = {"url": settings.store.url}
        return Worker("parvis.stores.postgres.check:check", _CHECK_MEMORY_MB, _CHECK_S, given)
    given = {"path": str(store_path(settings))}
    return Worker("parvis.stores.sqlite.check:check", _CHECK_MEMORY_MB, _CHECK_S, given)


@asynccontextmanager
async def opened_jobs(settings: Settings) -> AsyncIterator[Jobs]:
    """The jobs of an installation beside its running platform, which does them."""
    async with open_job_queue(settings) as queue:
        access = open_access(settings)
        try:
            yield build_jobs(settings, queue, access.store)
        finally:
            access.store.close()


def oldest_due_s(jobs: Jobs) -> float:
    """How long the job that is due longest has waited."""
    oldest = jobs.tally.oldest_due_at
    return 0.0 if oldest is None else max(0.0, (time_ns() // 1000 - oldest) / SECOND)
