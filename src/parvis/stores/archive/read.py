"""Reading the archive with one engine, which is begun when it is first asked."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from parvis.broker.ports.archive import ArchiveDamaged, ArchiveFile, ArchiveFileGone
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.stores.archive.engine import Limits, connect
from parvis.stores.archive.faults import telling_faults
from parvis.stores.archive.rows import ROWS_OF_A_GROUP
from parvis.stores.archive.storage import Storage

if TYPE_CHECKING:
    from parvis.stores.archive.engine import Connection

WAIT_S = 30.0
LONGEST_S = 30.0
"""For one question; who asked may have gone long ago, and the engine would not know."""
GROUPS_A_MIB = 40
"""Row groups whose footers are kept, for each MiB of memory allowed: half of it. Parsed, one takes 13 kB; the engine
counts 2 of them."""


class ArchiveReader:
    """Threads may share one. Calls block: keep them off the event loop.

    Every read may raise what telling_faults says.
    """

    def __init__(
        self, storage: Storage, limits: Limits, meet: Callable[[ParvisError], object] = lambda _fault: None
    ) -> None:
        """`meet` is told of each file that is damaged, or not there."""
        self.storage = storage
        self._meet = meet
        self._limits = limits
        self._readers = threading.BoundedSemaphore(limits.readers)
        self._opening = threading.Lock()
        self._exit = contextlib.ExitStack()
        self._connection: Connection | None = None
        self._reading = 0
        self._kept_groups: dict[str, int] = {}

    def locate(self, files: Sequence[ArchiveFile]) -> list[str]:
        return [self.storage.locate(one.file.path) for one in files]

    @contextlib.contextmanager
    def hurried(self, files: Sequence[ArchiveFile]) -> Iterator["Connection"]:
        """A cursor whose question is given up after LONGEST_S."""
        with self.cursor(files) as cursor:
            timer = threading.Timer(LONGEST_S, cursor.interrupt)
            timer.start()
            try:
                yield cursor
            finally:
                timer.cancel()

    @contextlib.contextmanager
    def cursor(self, files: Sequence[ArchiveFile]) -> Iterator["Connection"]:
        """Waits while as many reads run as may."""
        if not self._readers.acquire(timeout=WAIT_S):
            raise Overloaded("Too many reads of the archive at once.", retry_after_s=5)
        try:
            with telling_faults(self.storage, [one.file for one in files]), self._reads(files) as cursor:
                yield cursor
        except (ArchiveDamaged, ArchiveFileGone) as fault:
            self._meet(fault)
            raise
        finally:
            self._readers.release()

    def close(self) -> None:
        with self._opening:
            self._let_go()

    @contextlib.contextmanager
    def _reads(self, files: Sequence[ArchiveFile]) -> Iterator["Connection"]:
        with self._opening:
            cursor = self._open().cursor()
            self._reading += 1
        try:
            with cursor:
                yield cursor
        finally:
            with self._opening:
                self._reading -= 1
                self._keep(files)

    def _open(self) -> "Connection":
        if self._connection is None:
            spill = self._exit.enter_context(self.storage.scratch())
            self._connection = connect(self._limits, spill, self.storage.file_system)
        return self._connection

    def _keep(self, files: Sequence[ArchiveFile]) -> None:
        """Beyond the bound the engine begins anew once nobody reads."""
        self._kept_groups.update({one.file.path: one.file.rows // ROWS_OF_A_GROUP + 1 for one in files})
        if not self._reading and sum(self._kept_groups.values()) > GROUPS_A_MIB * self._limits.memory_mib:
            self._let_go()

    def _let_go(self) -> None:
        self._kept_groups.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._exit.close()
