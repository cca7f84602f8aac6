"""The one thread of a process that writes: what has come in since its last commit shares the next one (group commit).

Several processes write at once. Each holds the entities that it changes, in the order of their numbers, until it has
committed; so what one has read is still so when it writes.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import psycopg

from parvis.broker.bounds import Bounds
from parvis.broker.model.change import Change, Outcome
from parvis.broker.ports.metering import Taken, month_of, taken_by
from parvis.broker.ports.store import Outrun, Progress
from parvis.broker.writing import RETRY_AFTER_S, Answers, Call, WriteQueue
from parvis.kernel.errors import BadRequestData, NonexistentTenant, Overloaded
from parvis.kernel.time import Clock, Instant
from parvis.stores.postgres.apply import Applier, Dated
from parvis.stores.postgres.batch import STAGING
from parvis.stores.postgres.database import IN_THE_WAY, CommitUnknown, Connection, Database, StoreUnreachable, is_lost
from parvis.stores.postgres.expiring import FirstExpiry
from parvis.stores.postgres.metering import note_taken
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.outbox import move_consumer
from parvis.stores.postgres.partitions import Partitions

ATTEMPTS = 6
"""How often a group is tried that others were in the way of."""
PROBE_EVERY_S = 1.0
STALLED_S = 45.0
"""A database that has said nothing for so long is as good as gone."""
_SETUP = """
SET lock_timeout = '30s';
SET plan_cache_mode = force_custom_plan;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
"""Whatever the server's default: what is acknowledged is on disk. A plan made while a table was empty is not kept, for
it reads the whole table when that is large (planning anew takes 0.1 ms a statement)."""
_BEGIN = "BEGIN; SET LOCAL parvis.tenant = '{tenant:d}'"
_PROBE = "UPDATE numbers SET log = log"

_log = logging.getLogger(__name__)


class _Stop:
    pass


class _Look:
    """Find out whether the database still takes something."""


_Other = _Stop | _Look


class _Lost(Exception):
    """The connection broke before the commit was asked for: nothing was stored."""


class Writer:
    """Bounded queue in front, one transaction behind. `on_commit` runs on the event loop before the answers do."""

    def __init__(
        self, database: Database, names: Names, clock: Clock, on_commit: Callable[[int], None], expiry: FirstExpiry
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._database = database
        self._names = names
        self._partitions = Partitions(database)
        self._clock = clock
        self._on_commit = on_commit
        self._expiry = expiry
        self._connection: Connection | None = None
        self._queue: WriteQueue[_Other] = WriteQueue()
        self._in_hand: list[Call] = []
        self._busy_since = 0.0
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name="parvis-writer", daemon=True)
        self._thread.start()

    @property
    def pending_changes(self) -> int:
        return self._queue.pending_changes

    @property
    def fault(self) -> str:
        """Why nothing can be written; empty while all is well."""
        waited_s = time.monotonic() - self._busy_since if self._in_hand else 0.0
        if not self._fault and waited_s > STALLED_S:
            return f"Nothing can be written: the database has not answered for {waited_s:.0f} s. Parvis waits for it."
        return self._fault

    def look(self) -> None:
        """Find out whether the database is still there. From any thread."""
        self._queue.put(_Look())

    async def write(
        self,
        tenant: str,
        changes: Sequence[Change],
        progress: Progress | None = None,
        bounds: Bounds | None = None,
    ) -> list[Outcome]:
        return await self._queue.write(tenant, changes, progress, bounds)

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._queue.is_closed = True
        self._queue.put(_Stop())
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:
            self._fault = "The store can no longer write: the log says why. Start Parvis anew once that is put right."
            _log.critical("the store can no longer write: start the platform anew", exc_info=True)
        finally:
            self._queue.is_closed = True
            self._refuse_the_rest()
            self._disconnect()

    def _serve(self) -> None:
        while not isinstance(item := self._next(), _Stop):
            if isinstance(item, _Look):
                self._probe()
                continue
            self._busy_since = time.monotonic()
            self._in_hand = self._queue.group(item)
            for calls in _by_tenant(self._in_hand):
                self._commit(calls)

    def _refuse_the_rest(self) -> None:
        waiting = [*self._in_hand, *self._queue.drain()]
        failure = StoreUnreachable("Nothing of the request was stored: the store has stopped writing.", RETRY_AFTER_S)
        self._answer(None, [(item, failure) for item in waiting if isinstance(item, Call)])

    def _next(self) -> Call | _Other:
        try:
            return self._queue.get(PROBE_EVERY_S if self._fault else None)
        except queue.Empty:
            return _Look()

    def _commit(self, calls: list[Call]) -> None:
        """Where a group cannot be stored, its halves are tried, so that one such call costs few commits."""
        try:
            newest, answers = self._persist(calls)
        except StoreUnreachable as fault:
            self._note_fault(fault)
            self._answer(None, [(call, fault) for call in calls])
        except Exception as fault:
            if len(calls) == 1:
                self._answer(None, [(calls[0], _as_failure(fault))])
            else:
                half = len(calls) // 2
                self._commit(calls[:half])
                self._commit(calls[half:])
        else:
            self._note_success()
            self._answer(newest, answers)

    def _persist(self, calls: Sequence[Call]) -> tuple[int | None, Answers]:
        """Try again where others were in the way, or the connection had been lost since the last time."""
        lost: _Lost | None = None
        for _ in range(ATTEMPTS):
            try:
                return self._transaction(calls)
            except IN_THE_WAY:
                continue
            except _Lost as fault:
                if lost is not None:
                    break
                lost = fault
        if lost is not None:
            raise StoreUnreachable(
                f"Nothing of the request was stored: {lost}. Parvis tries again by itself.", RETRY_AFTER_S
            ) from lost
        raise Overloaded("Other processes write the same entities all the time; nothing of this request was stored.")

    def _transaction(self, calls: Sequence[Call]) -> tuple[int | None, Answers]:
        tenant = self._find_tenant(calls[0].tenant)
        if tenant is None:
            refusal = NonexistentTenant(f"There is no tenant {calls[0].tenant!r}.")
            return None, [(call, refusal) for call in calls]
        with self._watched():
            connection = self._connected()
            self._prepare(calls)
            try:
                connection.execute(_BEGIN.format(tenant=tenant))
                newest, answers = self._apply(connection, tenant, calls)
            except BaseException:
                self._roll_back()
                raise
            self._finish(connection)
        return newest, answers

    def _apply(self, connection: Connection, tenant: int, calls: Sequence[Call]) -> tuple[int | None, Answers]:
        answers: dict[int, list[Outcome] | Exception] = {}
        for place in sorted(range(len(calls)), key=lambda place: _consumer(calls[place])):
            progress = calls[place].progress
            if progress is not None:
                try:
                    move_consumer(connection, progress)
                except Outrun as refusal:
                    answers[place] = refusal
        applier = Applier(connection, self._names, tenant)
        applier.lock([call.changes for place, call in enumerate(calls) if place not in answers])
        dated = {
            place: Dated(call.changes, self._clock(), call.bounds)
            for place, call in enumerate(calls)
            if place not in answers
        }
        applier.prepare(list(dated.values()))
        applied = {place: applier.apply(one) for place, one in dated.items()}
        answers |= applied
        newest = applier.flush()
        for month, taken in _by_month(dated, applied).items():
            note_taken(connection, tenant, month, taken)
        self._expiry.note(applier.first_due)
        return newest, [(call, answers[place]) for place, call in enumerate(calls)]

    def _finish(self, connection: Connection) -> None:
        """Commit. What becomes of it is not known where the session ends before the answer, or with it (FATAL)."""
        try:
            done = connection.execute("COMMIT")
        except psycopg.Error as fault:
            if fault.diag.severity_nonlocalized == "ERROR" and not connection.closed:
                raise
            self._disconnect()
            raise CommitUnknown(
                "The database went away while it stored the request: it may have been stored, or not. Send it again.",
                RETRY_AFTER_S,
            ) from fault
        if done.statusmessage != "COMMIT":
            raise StoreUnreachable(f"Nothing of the request was stored: {done.statusmessage}.", RETRY_AFTER_S)

    def _prepare(self, calls: Sequence[Call]) -> None:
        """What has to be there before the transaction: months of history, and names in one go."""
        words = self._names.words.ids
        unknown: dict[str, None] = {}
        instants: set[Instant] = set()
        for call in calls:
            for change in call.changes:
                for one in change.instances:
                    if one.observed_at is not None:
                        instants.add(one.observed_at)
                    if one.name not in words:
                        unknown[one.name] = None
                    if one.dataset and one.dataset not in words:
                        unknown[one.dataset] = None
        if unknown:
            self._names.words.add(unknown)
        self._partitions.prepare(instants, self._clock())

    def _find_tenant(self, name: str) -> int | None:
        number = self._names.tenants.ids.get(name)
        if number is None:
            with self._watched():
                self._names.tenants.load(self._connected())
            number = self._names.tenants.ids.get(name)
        return number

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Tells faults of the server from those of the request. Raises _Lost."""
        try:
            yield
        except IN_THE_WAY:
            raise
        except psycopg.Error as fault:
            if is_lost(self._connection, fault):
                self._disconnect()
                raise _Lost(str(fault).strip()) from fault
            raise

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._database.connect("parvis writer")
            connection.execute(_SETUP)
            connection.execute(STAGING)
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _roll_back(self) -> None:
        if self._connection is not None and not self._connection.closed:
            with contextlib.suppress(psycopg.Error):
                self._connection.execute("ROLLBACK")

    def _probe(self) -> None:
        """Whether something can be written, durably."""
        try:
            with self._watched():
                self._connected().execute(_PROBE)
        except (_Lost, StoreUnreachable, psycopg.Error) as fault:
            self._note_fault(fault)
        else:
            self._note_success()

    def _note_fault(self, fault: Exception) -> None:
        if not self._fault:
            _log.error("nothing can be written just now", extra={"reason": str(fault)})
        self._fault = f"Nothing can be written: {fault}. Parvis tries again by itself."

    def _note_success(self) -> None:
        if self._fault:
            self._fault = ""
            _log.info("the store writes again")

    def _answer(self, newest: int | None, answers: Answers) -> None:
        answered = {id(call) for call, _ in answers}
        self._in_hand = [call for call in self._in_hand if id(call) not in answered]
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._deliver, newest, answers)

    def _deliver(self, newest: int | None, answers: Answers) -> None:
        if newest is not None:
            self._on_commit(newest)
        self._queue.answer(answers)


def _by_month(dated: Mapping[int, Dated], applied: Mapping[int, Sequence[Outcome]]) -> dict[str, Taken]:
    months: dict[str, Taken] = {}
    for place, one in dated.items():
        month = month_of(one.at)
        months[month] = months.get(month, Taken()).and_also(taken_by(one.changes, applied[place]))
    return months


def _by_tenant(group: Sequence[Call]) -> list[list[Call]]:
    parts: dict[str, list[Call]] = {}
    for call in group:
        parts.setdefault(call.tenant, []).append(call)
    return list(parts.values())


def _consumer(call: Call) -> str:
    return call.progress.consumer if call.progress is not None else ""


def _as_failure(fault: Exception) -> Exception:
    if isinstance(fault, psycopg.DataError | psycopg.errors.ProgramLimitExceeded):
        return BadRequestData(f"PostgreSQL cannot store the request: {fault}")
    return fault
