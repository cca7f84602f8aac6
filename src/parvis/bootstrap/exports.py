"""Exports that are made by the running platform, kept for some days, and fetched from the console."""

import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker
from parvis.kernel.errors import ParvisError, ResourceNotFound
from parvis.kernel.identity import Right
from parvis.kernel.jobs import JobContext, LoopWork, WorkFailed
from parvis.kernel.remembered import on_remembered_store
from parvis.kernel.settings import Settings
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import DAY, Instant, format_instant, system_clock

EXPORT = "tenant.export"
SWEEP = "exports.sweep"
FOLDER = "exports"
KEPT_DAYS = 7
SUBJECT = "system:export"
"""Who asked for it stands in the trail beside it: the job was submitted by them."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}-[0-9]{8}T[0-9]{6}Z\.zip")
_MEMORY_MB = 3072
_LONGEST_S = 12 * 3600


class Export(NamedTuple):
    name: str
    bytes: int
    made_at: Instant

    @property
    def goes_at(self) -> Instant:
        return self.made_at + KEPT_DAYS * DAY


def add_kinds(jobs: Jobs, settings: Settings) -> None:
    given = {"data_dir": str(settings.data_dir)}
    worker = Worker("parvis.bootstrap.exports:export", _MEMORY_MB, _LONGEST_S, given)
    jobs.kind(EXPORT, worker, attempts=2, back_off_s=60, timeout_s=_LONGEST_S, at_most=1, right=Right.STEWARD)
    jobs.kind(SWEEP, _sweeping(settings.data_dir), at_most=1, for_all=True)
    jobs.every(SWEEP, "25 * * * *", SWEEP)


def export(context: JobContext) -> dict[str, Any]:
    """The work, in a process of its own. What an attempt that died has left is taken away."""
    from parvis.bootstrap.leaving import export_tenant

    settings = on_remembered_store(load_settings(Path(context.arguments["data_dir"]), {}))
    folder = _folder(settings.data_dir, context.tenant)
    for left in folder.glob(".parvis-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = re.sub(r"[-:]|\.\d+", "", format_instant(system_clock()))
    target = folder / f"{context.tenant}-{stamp}.zip"
    try:
        manifest = export_tenant(
            settings, context.tenant, target, SUBJECT, lambda _words, part: context.report(part, "")
        )
    except ParvisError as fault:
        raise WorkFailed(fault.detail) from fault
    return {"file": target.name, "content": manifest.content, **manifest.counts}


def list_exports(data_dir: Path, tenant: str) -> list[Export]:
    """The newest first."""
    found = [_export(path) for path in _folder(data_dir, tenant).glob("*.zip") if _NAME.fullmatch(path.name)]
    return sorted((one for one in found if one is not None), key=lambda one: -one.made_at)


def find_export(data_dir: Path, tenant: str, name: str) -> Path:
    """Raises ResourceNotFound."""
    path = _folder(data_dir, tenant) / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise ResourceNotFound(f"There is no export {name[:80]!r}, or no longer.")
    return path


def sweep(data_dir: Path, now: Instant) -> int:
    """Delete those whose days are over, and what was never finished; how many."""
    gone = 0
    for path in (data_dir / FOLDER).glob("*/*"):
        one = _export(path)
        if path.is_file() and one is not None and one.goes_at <= now:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _sweeping(data_dir: Path) -> LoopWork:
    async def work(_context: JobContext) -> dict[str, int]:
        return {"deleted": sweep(data_dir, system_clock())}

    return work


def _folder(data_dir: Path, tenant: str) -> Path:
    return data_dir / FOLDER / tenant


def _export(path: Path) -> Export | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return Export(path.name, about.st_size, about.st_mtime_ns // 1000)
