"""The drop folder: a file put into `inbox/<mapping>/` is imported, and found again in `done/` or `failed/`."""

import asyncio
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from parvis.connectors.files.config import InvalidMapping
from parvis.connectors.files.folders import Import, Origin, Phase
from parvis.connectors.files.imports import IMPORT, MOST_IMPORTS, Imports
from parvis.kernel.errors import ParvisError, ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller, system_caller
from parvis.kernel.jobs import Job, JobState

LOOK_EVERY_S = 2.0
QUIET_S = 2.0
"""A file that has not grown for so long is whole, where it is written in place."""
MOST_AT_ONCE = 20
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", "~")
_SYSTEM = system_caller("inbox")
_DELIVERED = "delivered"
_log = logging.getLogger(__name__)


class Delivered(msgspec.Struct, frozen=True):
    """The file has been put back into `done` or `failed`."""

    path: str


class Inbox:
    """Of the default tenant. Each step is whole: a file is in the inbox, in an import, or put back."""

    def __init__(self, imports: Imports, folder: Path, *, look_every_s: float = LOOK_EVERY_S, quiet_s: float = QUIET_S):
        self._imports = imports
        self._folder = folder
        self._look_every_s = look_every_s
        self._quiet_s = quiet_s
        self._sizes: dict[Path, int] = {}
        self._under_way: dict[str, Import] | None = None

    async def run(self) -> None:
        """Until cancelled. What another process has begun is followed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._under_way = None
        while True:
            await self.look()
            await asyncio.sleep(self._look_every_s)

    async def look(self) -> None:
        if self._under_way is None:
            found = await asyncio.to_thread(self._imports.folders.list_imports, DEFAULT_TENANT, MOST_IMPORTS)
            inbox = [one for one in found if one.origin is Origin.INBOX and not self._is_delivered(one)]
            self._under_way = {one.id: one for one in inbox}
        for import_id in list(self._under_way):
            if await self._follow(import_id):
                del self._under_way[import_id]
        for path in list(self._whole_files())[: max(0, MOST_AT_ONCE - len(self._under_way))]:
            if (one := await self._take(path)) is not None:
                self._under_way[one.id] = one

    def _is_delivered(self, one: Import) -> bool:
        return self._imports.folders.folder(one).find(_DELIVERED, Delivered) is not None

    def _whole_files(self) -> Iterator[Path]:
        sizes: dict[Path, int] = {}
        before = time.time() - self._quiet_s
        for folder in sorted(one for one in self._folder.iterdir() if one.is_dir() and not one.is_symlink()):
            for path in sorted(folder.iterdir()):
                if path.is_symlink() or not path.is_file() or path.name.startswith("."):
                    continue
                if path.name.lower().endswith(_UNFINISHED):
                    continue
                found = path.stat()
                sizes[path] = found.st_size
                if found.st_mtime <= before and self._sizes.get(path) == found.st_size:
                    yield path
        self._sizes = sizes

    async def _take(self, path: Path) -> Import | None:
        """None where it is refused."""
        name = path.parent.name
        try:
            mapping = self._imports.folders.find_mapping(DEFAULT_TENANT, name)
            if mapping is None:
                raise InvalidMapping(f"There is no mapping {name!r}: save one under that name.")
            one = self._imports.receive(_SYSTEM, path.name, Origin.INBOX)
        except InvalidMapping as refusal:
            self._put_back(path, path.parent / "failed", refusal.detail)
            return None
        one = self._imports.choose(one, mapping, name)
        await asyncio.to_thread(shutil.move, path, self._imports.folders.source(one))
        one = await self._imports.start(_SYSTEM, self._imports.keep(one), IMPORT)
        _log.info("a file came in", extra={"file": path.name, "mapping": name, "import": one.id})
        return one

    async def _follow(self, import_id: str) -> bool:
        """Whether it has come to an end."""
        try:
            one = self._imports.folders.get(DEFAULT_TENANT, import_id)
        except ResourceNotFound:
            return True
        if not self._imports.folders.source(one).exists():
            self._imports.folders.remove(one)  # the process died before the file was moved
            return True
        job = await self._imports.find_job(one)
        if job is None and one.phase is Phase.RECEIVED:
            await self._imports.start(_SYSTEM, self._imports.keep(one), IMPORT)
            return False
        if job is not None and not job.state.has_ended:
            return False
        await asyncio.to_thread(self._deliver, one, job)
        return True

    def _deliver(self, one: Import, job: Job | None) -> None:
        is_done = job is None or job.state is JobState.DONE
        target = _free(self._folder / one.mapping_name / ("done" if is_done else "failed"), one.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._imports.folders.source(one), target)
        with target.with_name(f"{target.name}.report.csv").open("wb") as report:
            for piece in self._imports.report_lines(one):
                report.write(piece)
        if job is not None and job.error:
            target.with_name(f"{target.name}.error.txt").write_text(f"{job.error}\n", encoding="utf-8")
        self._imports.folders.folder(one).keep(_DELIVERED, Delivered(str(target)))
        self._imports.folders.source(one).unlink()

    def _put_back(self, path: Path, folder: Path, why: str) -> None:
        target = _free(folder, path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        target.with_name(f"{target.name}.error.txt").write_text(f"{why}\n", encoding="utf-8")
        _log.warning("a file was refused", extra={"file": path.name, "reason": why})


def _free(folder: Path, name: str) -> Path:
    """A name that no file has yet."""
    target = folder / name
    number = 2
    while target.exists():
        target = folder / f"{number}-{name}"
        number += 1
    return target


async def start_received(imports: Imports, caller: Caller, path: Path, origin: Origin, mapping: str) -> Import:
    """Take a file in and import it by a saved mapping. Raises InvalidMapping, Overloaded."""
    found = imports.folders.find_mapping(caller.tenant, mapping)
    if found is None:
        raise InvalidMapping(f"There is no mapping {mapping!r}: save one under that name.")
    one = await asyncio.to_thread(imports.take, caller, path, origin)
    try:
        return await imports.start(caller, imports.choose(one, found, mapping), IMPORT)
    except ParvisError:
        imports.folders.remove(one)
        raise
