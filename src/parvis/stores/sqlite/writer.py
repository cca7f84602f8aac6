"""The one thread that writes: whatever has come in since the last commit shares the next one (group commit)."""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from parvis.broker.bounds import Bounds
from parvis.broker.model.change import Change, Outcome
from parvis.broker.ports.metering import Taken, month_of, taken_by
from parvis.broker.ports.store import Outrun, Progress
from parvis.broker.writing import RETRY_AFTER_S, Answers, Call, WriteQueue, settle
from parvis.kernel.errors import NonexistentTenant, Overloaded
from parvis.kernel.machine_memory import give_back
from parvis.kernel.time import Clock, Instant, SteadyClock
from parvis.stores.sqlite.apply import Applier, Touched
from parvis.stores.sqlite.checkpoint import Checkpointer
from parvis.stores.sqlite.database import Connection, shrink
from parvis.stores.sqlite.lull import Lull
from parvis.stores.sqlite.metering import note_taken
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.outbox import move_consumer
from parvis.stores.sqlite.settle import SLICE_ROWS, Settler
from parvis.stores.sqlite.tail import Tail

SETTLE_WHEN_IDLE_ROWS = 20_000
SETTLE_AT_ROWS = 500_000
SETTLE_ANYHOW_ROWS = 3_000_000
"""Rows that make settling worth while after IDLE_S without work, after LULL_S, and with work waiting."""
IDLE_S = 1.0
LULL_S = 0.005
REST_S = 10.0
"""How long housework that failed (a full disk) is left alone."""
PROBE_EVERY_S = 1.0
_OF_THE_DISK = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes that say nothing about the request: the next one would fare no better."""

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class StoreFailed(Overloaded):
    """The disk is full, read-only or broken: nothing was stored. It is tried again every second."""

    title = "The store could not write"


class _Task(NamedTuple):
    """Something else for the writer's connection, in a transaction of its own."""

    run: Callable[[Connection], object]
    future: "asyncio.Future[Any]"


_Other = _Task | None
"""None: stop."""


class Writer:
    """Bounded queue in front, one transaction behind. `on_commit` runs on the event loop before the answers do,
    and `on_lull` where there is time to give memory back."""

    def __init__(
        self,
        connection: Connection,
        names: Names,
        tail: Tail,
        checkpointer: Checkpointer,
        clock: Clock,
        on_commit: Callable[[Touched, int], None],
        on_lull: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._names = names
        self._tail = tail
        self._checkpointer = checkpointer
        self._clock = SteadyClock(clock, _newest_stamp(connection))
        self._applied_at = 0
        self._on_commit = on_commit
        self._on_lull = on_lull
        self._lull = Lull(tail.newest)
        self._applier = Applier(connection, names, tail.find)
        self.expiry = self._applier.expiry
        self._settler = Settler(connection, tail)
        self._queue: WriteQueue[_Other] = WriteQueue()
        self._in_hand: list[Call | _Other] = []
        self._kept_up_to = tail.newest
        self._rest_until = 0.0
        self._probe_at_s = 0.0
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name="parvis-writer", daemon=True)
        self._thread.start()

    @property
    def newest_event(self) -> int:
        return self._applier.batch.next_event - 1

    @property
    def pending_changes(self) -> int:
        return self._queue.pending_changes

    async def write(
        self,
        tenant: str,
        changes: Sequence[Change],
        progress: Progress | None = None,
        bounds: Bounds | None = None,
    ) -> list[Outcome]:
        return await self._queue.write(tenant, changes, progress, bounds)

    async def run(self, task: Callable[[Connection], object]) -> object:
        self._queue.check_open()
        future: asyncio.Future[object] = self._loop.create_future()
        self._queue.put(_Task(task, future))
        return await future

    async def apply(self, act: Callable[[Applier, Instant, Connection], Answer]) -> Answer:
        """In a transaction of its own, with what the applier puts."""
        answer = await self.run(lambda connection: act(self._applier, self._clock(), connection))
        return cast(Answer, answer)

    async def settle(self) -> None:
        """Return once everything written until now has moved from the log into the history."""
        self._settler.ask()
        await self.run(lambda _connection: None)
        while self._settler.is_asked and not self._queue.is_closed and not self._fault:  # noqa: ASYNC110
            await asyncio.sleep(LULL_S)

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._queue.is_closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def fault(self) -> str:
        """Why nothing can be written; empty while all is well."""
        return self._fault

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:
            self._fault = "The store can no longer write: the log says why. Start Parvis anew once that is put right."
            _log.critical("the store can no longer write: start the platform anew", exc_info=True)
        finally:
            self._queue.is_closed = True
            self._refuse_the_rest()
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()

    def _serve(self) -> None:
        while (item := self._next()) is not None:
            self._in_hand = [item]
            if isinstance(item, _Task):
                self._run_task(item)
            else:
                group = self._queue.group(item)
                self._in_hand = [*group]
                self._commit(group)
            self._in_hand = []
            if self._checkpointer.restart_due:
                self._checkpointer.restart(self._connection)

    def _refuse_the_rest(self) -> None:
        """Whoever still waits hears that nothing of theirs was stored."""
        failure = StoreFailed("Nothing of the request was stored: the store has stopped writing.", RETRY_AFTER_S)
        for item in [*self._in_hand, *self._queue.drain()]:
            if item is not None:
                self._loop.call_soon_threadsafe(settle, item.future, failure)

    def _next(self) -> Call | _Other:
        """The next item; whenever none has come for a while, settle a slice of the log."""
        self._keep_up()
        while True:
            self._give_back()
            settling = self._settler.busy or self._settler.is_asked or self._settler.unsettled > SETTLE_AT_ROWS
            try:
                return self._queue.get(LULL_S if settling else IDLE_S)
            except queue.Empty:
                if settling or self._settler.unsettled > SETTLE_WHEN_IDLE_ROWS:
                    self._attempt(self._settler.step)
                self._attempt(self._prune)
                self._probe()

    def _keep_up(self) -> None:
        """With work waiting: where too much is put off, settle twice what came since the last time, so that the rows
        that are put off, and the memory and disk they take, become fewer however long the work goes on."""
        came, self._kept_up_to = self._tail.newest - self._kept_up_to, self._tail.newest
        if len(self._tail) > SETTLE_ANYHOW_ROWS:
            for _ in range(-(-2 * came // SLICE_ROWS)):
                self._attempt(self._settler.step)
            self._attempt(self._prune)
        elif self._settler.is_asked:
            self._attempt(self._settler.step)

    def _give_back(self) -> None:
        if self._lull.has_come(self._tail.newest):
            self._attempt(lambda: shrink(self._connection))
            self._loop.call_soon_threadsafe(self._on_lull)
            give_back()

    def _attempt(self, housework: Callable[[], None]) -> None:
        """Where housework fails, writes go on, and it rests for a while."""
        if time.monotonic() < self._rest_until:
            return
        try:
            housework()
        except sqlite3.Error as fault:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._rest_until = time.monotonic() + REST_S
            _log.warning("the history could not be put in order", extra={"reason": str(fault)})

    def _probe(self) -> None:
        """Whether the disk takes something again: the header's page, as it is."""
        if not self._fault or time.monotonic() < self._probe_at_s:
            return
        self._probe_at_s = time.monotonic() + PROBE_EVERY_S
        try:
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(f"PRAGMA user_version = {version}")
            self._connection.execute("COMMIT")
        except sqlite3.Error as fault:
            self._roll_back()
            self._note_fault(fault)
        else:
            self._note_success()

    def _note_fault(self, fault: Exception) -> bool:
        """Whether it is the disk's, and not the request's."""
        if not isinstance(fault, sqlite3.Error) or getattr(fault, "sqlite_errorcode", 0) & 0xFF not in _OF_THE_DISK:
            return False
        if not self._fault:
            _log.error("nothing can be written just now", extra={"reason": str(fault)})
        self._fault = f"Nothing can be written: {fault}. Parvis tries again by itself; make room on the disk."
        return True

    def _note_success(self) -> None:
        if self._fault:
            self._fault = ""
            _log.info("the store writes again")

    def _prune(self) -> None:
        (kept,) = self._connection.execute("SELECT ifnull(min(seq) + 1, ?) FROM consumer", (2**62,)).fetchone()
        while self._settler.prune(kept) and self._queue.is_empty:
            pass

    def _commit(self, group: list[Call]) -> None:
        """Where a group fails, its halves are tried, so that one call that cannot be stored costs few commits."""
        try:
            answers = self._transaction(group)
        except Exception as fault:
            self._roll_back()
            if self._note_fault(fault) or len(group) == 1:
                failure = _as_failure(fault)
                self._answer([(call, failure) for call in group])
            else:
                half = len(group) // 2
                self._commit(group[:half])
                self._commit(group[half:])
        else:
            self._note_success()
            self._answer(answers)

    def _transaction(self, group: list[Call]) -> Answers:
        connection, applier = self._connection, self._applier
        first = applier.batch.next_seq
        connection.execute("BEGIN IMMEDIATE")
        answers: Answers = []
        taken: dict[int, Taken] = {}
        for call in group:
            try:
                outcomes = self._apply(call)
                answers.append((call, outcomes))
                tenant = self._names.tenants.ids[call.tenant]
                taken[tenant] = taken.get(tenant, Taken()).and_also(taken_by(call.changes, outcomes))
            except (NonexistentTenant, Outrun) as refusal:
                answers.append((call, refusal))
        note_taken(connection, month_of(self._applied_at), taken)
        applier.batch.flush(connection)
        self._tail.append(first, applier.batch.log_entities)
        connection.execute("COMMIT")
        self._names.committed()
        return answers

    def _apply(self, call: Call) -> list[Outcome]:
        tenant = self._names.tenants.ids.get(call.tenant)
        if tenant is None:
            raise NonexistentTenant(f"There is no tenant {call.tenant!r}.")
        if call.progress is not None:
            move_consumer(self._connection, call.progress)
        self._applied_at = self._clock()
        return self._applier.apply(tenant, call.changes, self._applied_at, call.bounds)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._names.rolled_back()
        self._applier.forget()
        self._tail.cut_back(self._applier.batch.next_seq)

    def _run_task(self, task: _Task) -> None:
        batch = self._applier.batch
        first = batch.next_seq
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            result = task.run(self._connection)
            batch.flush(self._connection)
            if batch.log_entities:
                self._tail.append(first, batch.log_entities)
            self._connection.execute("COMMIT")
            self._names.committed()
        except Exception as fault:
            self._roll_back()
            self._note_fault(fault)
            self._loop.call_soon_threadsafe(settle, task.future, _as_failure(fault))
        else:
            self._note_success()
            touched, newest = self._applier.touched, self.newest_event
            self._applier.next_transaction()
            self._loop.call_soon_threadsafe(self._deliver_result, touched, newest, task.future, result)

    def _answer(self, answers: Answers) -> None:
        touched, newest = self._applier.touched, self.newest_event
        self._applier.next_transaction()
        self._loop.call_soon_threadsafe(self._deliver, touched, newest, answers)

    def _deliver_result(self, touched: Touched, newest: int, future: "asyncio.Future[Any]", result: object) -> None:
        self._on_commit(touched, newest)
        settle(future, result)

    def _deliver(self, touched: Touched, newest: int, answers: Answers) -> None:
        self._on_commit(touched, newest)
        self._queue.answer(answers)


def _as_failure(fault: Exception) -> Exception:
    if isinstance(fault, sqlite3.Error):
        words = f"Nothing of the request was stored: {fault}. Look at the disk's space and health."
        return StoreFailed(words, RETRY_AFTER_S)
    return fault


def _newest_stamp(connection: Connection) -> Instant:
    """So that a process that starts after the clock went back goes on where the last one was."""
    row = connection.execute("SELECT at FROM outbox ORDER BY seq DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0
