"""Files of the archive that are damaged or lost: found by a read or by the nightly check, told until they are whole."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from parvis.broker.ports.archive import ArchiveDamaged, ArchiveFileGone, FileFault, HotArchive, WrittenFile
from parvis.kernel.errors import ParvisError
from parvis.kernel.jobs import FAULTS_FOUND, JobContext, LoopWork, WorkFailed
from parvis.kernel.settings import Settings
from parvis.kernel.time import system_clock

if TYPE_CHECKING:
    from parvis.stores.archive.storage import Storage

MOST_TOLD = 100
"""Where more are wrong it is the storage, and the first of them say so."""
LOOK_EVERY_S = 10.0
LOOKED_AT_AGAIN = 10
"""So many of the files are read again in a round, in turn."""
_log = logging.getLogger(__name__)


class FileFaults:
    """What this process knows of them. A read that met one is told at once; all processes share what was noted."""

    def __init__(self, settings: Settings, hot: Callable[[], HotArchive]) -> None:
        self._settings = settings
        self._hot = hot
        self._met: dict[str, ParvisError] = {}
        self._noted: Sequence[FileFault] = ()
        self._place = 0

    @property
    def count(self) -> int:
        """A file that is not there may have been replaced: it counts once the catalogue was asked."""
        damaged = {path for path, fault in list(self._met.items()) if isinstance(fault, ArchiveDamaged)}
        return len(damaged.union(one.path for one in self._noted))

    @property
    def words(self) -> str:
        """Empty while all is well."""
        return f"files of the archive are damaged or lost: {self.count}" if self.count else ""

    def meet(self, fault: ParvisError) -> None:
        """Called by readers, in any thread."""
        path = str(fault.extras.get("file", ""))
        if path and len(self._met) < MOST_TOLD:
            self._met[path] = fault

    async def run(self) -> None:
        said = ""
        while True:
            reason = ""
            try:
                await self.look()
            except ParvisError as fault:
                reason = fault.detail
            if reason and not said:
                _log.warning("files of the archive cannot be looked at", extra={"reason": reason})
            said = reason
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Note what was met, and forget what is whole again or no part of the archive any more."""
        hot, met = self._hot(), dict(self._met)
        noted = await hot.list_faults()
        self._place = (self._place + LOOKED_AT_AGAIN) % max(1, len(noted))
        turn = [one.path for one in (*noted[self._place :], *noted[: self._place])][:LOOKED_AT_AGAIN]
        if looked_at := {*met, *turn}:
            files = [one.file for one in await hot.list_files() if one.file.path in looked_at]
            await note(hot, looked_at, await asyncio.to_thread(_find, open_files(self._settings), files))
            noted = await hot.list_faults()
        self._noted = noted
        for path, fault in met.items():
            if self._met.get(path) is fault:
                del self._met[path]


def check_work(settings: Settings, hot: HotArchive) -> LoopWork:
    """Every byte of every file is read."""

    async def work(context: JobContext) -> dict[str, int]:
        files = [one.file for one in await hot.list_files()]
        storage = open_files(settings)
        faults: list[FileFault] = []
        for place, file in enumerate(files):
            context.report(place / len(files), file.path)
            faults += await asyncio.to_thread(_find, storage, (file,))
        named = {one.path for one in files}.union(one.path for one in await hot.list_faults())
        await note(hot, named, faults)
        if faults:
            raise WorkFailed("\n".join([FAULTS_FOUND, *(one.words for one in faults[:MOST_TOLD])]))
        return {"files": len(files)}

    return work


async def note(hot: HotArchive, looked_at: Iterable[str], faults: Sequence[FileFault]) -> None:
    """Of the files that were looked at all others are whole. Nothing is written where all of it is known."""
    known = {one.path: one.words for one in await hot.list_faults()}
    news = [one for one in islice(faults, MOST_TOLD) if known.get(one.path) != one.words]
    whole = known.keys() & set(looked_at).difference(one.path for one in faults)
    if news or whole:
        await hot.note_faults(news, sorted(whole))


def open_files(settings: Settings) -> "Storage":
    from parvis.stores.archive.storage import open_storage

    return open_storage(settings.archive.url, settings.data_dir)


def _find(storage: "Storage", files: Iterable[WrittenFile]) -> list[FileFault]:
    """Raises ArchiveUnreachable."""
    from parvis.stores.archive.faults import verify

    found = []
    for file in files:
        try:
            verify(storage, file)
        except (ArchiveDamaged, ArchiveFileGone) as fault:
            found.append(FileFault(file.path, fault.detail, system_clock()))
    return found
