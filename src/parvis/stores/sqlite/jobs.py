"""The job queue in SQLite: every change is a transaction of the store's one writer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from parvis.kernel.errors import NonexistentTenant, ResourceNotFound
from parvis.kernel.jobs import (
    LONGEST_HOLD_S,
    Attempt,
    Ending,
    Job,
    JobFilter,
    JobState,
    NewJob,
    Report,
    Run,
    Standing,
    Tally,
    attempt_of,
    check_cancellable,
    check_retriable,
    check_room,
    job_of,
    settle,
)
from parvis.kernel.time import SECOND, Instant
from parvis.stores.sqlite.beside import opened_beside
from parvis.stores.sqlite.database import Connection, RunSql

_LONGEST_HOLD = round(LONGEST_HOLD_S * SECOND)
_NOW = "(SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000)"
_COLUMNS = """
job.id, tenant.name, job.kind, job.key, job.arguments, job.state, job.due, job.attempt, job.allowed, job.progress,
job.message, job.result, job.error, job.creator, job.created, job.started, job.ended, job.holder, job.cancelling
"""
_SELECT = f"SELECT {_COLUMNS} FROM job JOIN tenant ON tenant.id = job.tenant"
_RUN_OUT = f"state = 1 AND (until <= {_NOW} OR until > {_NOW} + {_LONGEST_HOLD})"
_LOST = f"""
UPDATE job_attempt SET ended = {_NOW}, outcome = 5
WHERE outcome = 0 AND (job, number) IN (SELECT id, attempt FROM job WHERE {_RUN_OUT})
"""
_TAKE_BACK = f"""
UPDATE job SET
    state = CASE WHEN cancelling THEN 4 WHEN attempt >= allowed THEN 3 ELSE 0 END,
    error = CASE WHEN NOT cancelling AND attempt >= allowed THEN 'process-died' ELSE error END,
    ended = CASE WHEN cancelling OR attempt >= allowed THEN {_NOW} END,
    due = {_NOW}, until = NULL, cancelling = 0
WHERE {_RUN_OUT}
"""
_CHOOSE = f"""
WITH wanted AS (SELECT key AS kind, value AS most FROM json_each(?)),
busy AS MATERIALIZED (
    SELECT tenant, kind, count(*) AS number FROM job INDEXED BY job_running WHERE state = 1 GROUP BY tenant, kind
),
open AS (
    SELECT kind FROM wanted
    WHERE most = 0 OR most > (SELECT ifnull(sum(number), 0) FROM busy WHERE busy.kind = wanted.kind)
),
head AS (
    SELECT tenant.id AS tenant, open.kind, (
        SELECT min(due) FROM job WHERE state = 0 AND job.tenant = tenant.id AND job.kind = open.kind
    ) AS due
    FROM tenant CROSS JOIN open
)
SELECT tenant, kind FROM head WHERE due <= {_NOW} ORDER BY
    (SELECT ifnull(sum(number), 0) FROM busy WHERE busy.tenant = head.tenant),
    (SELECT ifnull(max(started), 0) FROM job WHERE job.tenant = head.tenant),
    (SELECT ifnull(sum(number), 0) FROM busy WHERE busy.tenant = head.tenant AND busy.kind = head.kind),
    (SELECT ifnull(max(started), 0) FROM job WHERE job.tenant = head.tenant AND job.kind = head.kind),
    due
LIMIT 1
"""
_START = f"""
UPDATE job SET state = 1, attempt = attempt + 1, holder = ?3, started = {_NOW}, ended = NULL, progress = 0,
    message = '', error = '', until = {_NOW} + ?4
WHERE id = (SELECT id FROM job WHERE state = 0 AND tenant = ?1 AND kind = ?2 AND due <= {_NOW} ORDER BY due, id LIMIT 1)
RETURNING id, attempt
"""
_ADD = f"""
INSERT INTO job (tenant, kind, key, arguments, state, due, attempt, allowed, progress, message, error, creator, created,
    holder, cancelling)
SELECT id, ?2, ?3, ?4, 0, ifnull(?5, {_NOW}), 0, ?6, 0, '', '', ?7, {_NOW}, '', 0 FROM tenant WHERE name = ?1
RETURNING id
"""
_KEEP = f"""
UPDATE job SET until = {_NOW} + ?, progress = ?, message = ?
WHERE id = ? AND attempt = ? AND holder = ? AND state = 1 RETURNING cancelling
"""
_END = f"""
UPDATE job SET state = ?3, due = {_NOW} + ?4, allowed = allowed + ?5, result = ?6, error = ?7,
    ended = CASE WHEN ?3 IN (2, 3, 4) THEN {_NOW} END, progress = CASE WHEN ?3 = 2 THEN 1 ELSE progress END,
    until = NULL, cancelling = 0
WHERE id = ?1 AND attempt = ?2 AND state = 1
"""
_COUNT_WAITING = """
SELECT count(*) FROM job INDEXED BY job_waiting WHERE state = 0 AND tenant = (SELECT id FROM tenant WHERE name = ?)
"""
_LIST = f"""
{_SELECT}
WHERE job.tenant = (SELECT id FROM tenant WHERE name = ?1) AND job.id < ?4
    AND (?2 = '[]' OR job.state IN (SELECT value FROM json_each(?2))) AND (?3 = '' OR job.kind = ?3)
ORDER BY job.id DESC LIMIT ?5
"""
_NEXT_DUE = f"""
SELECT min(at) - {_NOW} FROM (
    SELECT (SELECT min(due) FROM job WHERE state = 0 AND job.tenant = tenant.id AND job.kind = wanted.value) AS at
    FROM tenant CROSS JOIN json_each(?) AS wanted
    UNION ALL SELECT CASE WHEN until > {_NOW} + {_LONGEST_HOLD} THEN {_NOW} ELSE until END
    FROM job INDEXED BY job_running WHERE state = 1)
"""
"""The partial indexes are named: for a handful of rows the planner would read a whole one."""
_TALLY = f"""
SELECT (SELECT count(*) FROM job INDEXED BY job_waiting WHERE state = 0),
    (SELECT count(*) FROM job INDEXED BY job_running WHERE state = 1),
    (SELECT count(*) FROM job INDEXED BY job_failed WHERE state = 3),
    (SELECT min(due) FROM job INDEXED BY job_waiting WHERE state = 0 AND due <= {_NOW})
"""


class SqliteJobQueue:
    def __init__(self, write: RunSql, read: RunSql) -> None:
        self._write = write
        self._read = read

    async def add(self, job: NewJob) -> Job:
        added: Job = await self._write(lambda connection: _add(connection, job))
        return added

    async def add_due(self, schedule: str, before: Instant | None, due_at: Instant, job: NewJob | None) -> Job | None:
        def change(connection: Connection) -> Job | None:
            moved = _move_schedule(connection, schedule, before, due_at)
            return _add(connection, job) if moved and job is not None else None

        added: Job | None = await self._write(change)
        return added

    async def schedules(self) -> dict[str, Instant]:
        found: dict[str, Instant] = await self._read(
            lambda connection: dict(connection.execute("SELECT name, due FROM job_schedule").fetchall())
        )
        return found

    async def claim(self, holder: str, kinds: Mapping[str, int], for_s: float) -> Job | None:
        claimed: Job | None = await self._write(lambda connection: _claim(connection, holder, kinds, for_s))
        return claimed

    async def keep(self, holder: str, for_s: float, reports: Mapping[Run, Report]) -> dict[Run, Standing]:
        def change(connection: Connection) -> dict[Run, Standing]:
            return {run: _keep(connection, holder, for_s, run, report) for run, report in reports.items()}

        kept: dict[Run, Standing] = await self._write(change)
        return kept

    async def end(self, run: Run, ending: Ending) -> bool:
        return bool(await self._write(lambda connection: _end(connection, run, ending)))

    async def cancel(self, tenant: str, job_id: int) -> Job:
        cancelled: Job = await self._write(lambda connection: _cancel(connection, tenant, job_id))
        return cancelled

    async def retry(self, tenant: str, job_id: int, attempts: int) -> Job:
        again: Job = await self._write(lambda connection: _retry(connection, tenant, job_id, attempts))
        return again

    async def find(self, tenant: str, job_id: int) -> Job | None:
        found: Job | None = await self._read(lambda connection: _find(connection, tenant, job_id))
        return found

    async def list_jobs(self, tenant: str, which: JobFilter) -> list[Job]:
        listed: list[Job] = await self._read(lambda connection: _list(connection, tenant, which))
        return listed

    async def list_attempts(self, tenant: str, job_id: int) -> list[Attempt]:
        attempts: list[Attempt] = await self._read(lambda connection: _attempts(connection, tenant, job_id))
        return attempts

    async def count(self, tenant: str) -> dict[tuple[str, JobState], int]:
        counts: dict[tuple[str, JobState], int] = await self._read(lambda connection: _count(connection, tenant))
        return counts

    async def next_due(self, kinds: Sequence[str]) -> float | None:
        names = msgspec.json.encode(list(kinds)).decode()
        (wait,) = await self._read(lambda connection: connection.execute(_NEXT_DUE, (names,)).fetchone())
        return None if wait is None else float(wait) / SECOND

    async def tally(self) -> Tally:
        return Tally(*await self._read(lambda connection: connection.execute(_TALLY).fetchone()))

    async def prune(self, before: Instant, limit: int) -> int:
        return int(await self._write(lambda connection: _prune(connection, before, limit)))


@contextmanager
def opened_queue(path: Path) -> Iterator[SqliteJobQueue]:
    """Beside the platform, for a command. Raises StoreNotUsable."""
    with opened_beside(path) as (write, read):
        yield SqliteJobQueue(write, read)


def _add(connection: Connection, job: NewJob) -> Job:
    if job.key is not None:
        row = connection.execute(
            f"{_SELECT} WHERE tenant.name = ? AND job.kind = ? AND job.key = ?", (job.tenant, job.kind, job.key)
        ).fetchone()
        if row is not None:
            return job_of(row)
    (waiting,) = connection.execute(_COUNT_WAITING, (job.tenant,)).fetchone()
    check_room(waiting)
    arguments = msgspec.json.encode(job.arguments).decode()
    values = (job.tenant, job.kind, job.key, arguments, job.due_at, job.attempts_allowed, job.created_by)
    row = connection.execute(_ADD, values).fetchone()
    if row is None:
        raise NonexistentTenant(f"There is no tenant {job.tenant!r}.")
    return job_of(connection.execute(f"{_SELECT} WHERE job.id = ?", row).fetchone())


def _move_schedule(connection: Connection, schedule: str, before: Instant | None, due_at: Instant) -> bool:
    if before is None:
        moved = connection.execute("INSERT INTO job_schedule VALUES (?, ?) ON CONFLICT DO NOTHING", (schedule, due_at))
    else:
        sql = "UPDATE job_schedule SET due = ? WHERE name = ? AND due = ?"
        moved = connection.execute(sql, (due_at, schedule, before))
    return moved.rowcount == 1


def _claim(connection: Connection, holder: str, kinds: Mapping[str, int], for_s: float) -> Job | None:
    connection.execute(_LOST)
    connection.execute(_TAKE_BACK)
    turn = connection.execute(_CHOOSE, (msgspec.json.encode(dict(kinds)).decode(),)).fetchone()
    if turn is None:
        return None
    (job_id, attempt), *_ = connection.execute(_START, (*turn, holder, round(for_s * SECOND))).fetchall()
    connection.execute(f"INSERT INTO job_attempt VALUES (?, ?, ?, {_NOW}, NULL, 0, '')", (job_id, attempt, holder))
    return job_of(connection.execute(f"{_SELECT} WHERE job.id = ?", (job_id,)).fetchone())


def _keep(connection: Connection, holder: str, for_s: float, run: Run, report: Report) -> Standing:
    values = (round(for_s * SECOND), report.progress, report.message, run.job_id, run.attempt, holder)
    rows = connection.execute(_KEEP, values).fetchall()
    if not rows:
        return Standing.LOST
    return Standing.CANCELLING if rows[0][0] else Standing.OURS


def _end(connection: Connection, run: Run, ending: Ending) -> bool:
    row = connection.execute(
        "SELECT cancelling FROM job WHERE id = ? AND attempt = ? AND state = 1", (run.job_id, run.attempt)
    ).fetchone()
    if row is None:
        return False
    settled = settle(ending, is_cancelling=bool(row[0]))
    result = None if settled.result is None else msgspec.json.encode(settled.result).decode()
    delay = round(settled.due_in_s * SECOND)
    values = (run.job_id, run.attempt, settled.state.value, delay, settled.more_attempts, result, settled.error)
    connection.execute(_END, values)
    connection.execute(
        f"UPDATE job_attempt SET ended = {_NOW}, outcome = ?, error = ? WHERE job = ? AND number = ?",
        (settled.outcome.value, settled.error, run.job_id, run.attempt),
    )
    return True


def _cancel(connection: Connection, tenant: str, job_id: int) -> Job:
    job = _get(connection, tenant, job_id)
    check_cancellable(job)
    if job.state is JobState.WAITING:
        connection.execute(f"UPDATE job SET state = 4, ended = {_NOW} WHERE id = ?", (job_id,))
    else:
        connection.execute("UPDATE job SET cancelling = 1 WHERE id = ?", (job_id,))
    return _get(connection, tenant, job_id)


def _retry(connection: Connection, tenant: str, job_id: int, attempts: int) -> Job:
    check_retriable(_get(connection, tenant, job_id))
    sql = f"UPDATE job SET state = 0, due = {_NOW}, allowed = attempt + ?, ended = NULL, progress = 0 WHERE id = ?"
    connection.execute(sql, (attempts, job_id))
    return _get(connection, tenant, job_id)


def _get(connection: Connection, tenant: str, job_id: int) -> Job:
    found = _find(connection, tenant, job_id)
    if found is None:
        raise ResourceNotFound(f"There is no job {job_id}.")
    return found


def _find(connection: Connection, tenant: str, job_id: int) -> Job | None:
    row = connection.execute(f"{_SELECT} WHERE job.id = ? AND tenant.name = ?", (job_id, tenant)).fetchone()
    return None if row is None else job_of(row)


def _list(connection: Connection, tenant: str, which: JobFilter) -> list[Job]:
    states = msgspec.json.encode(sorted(state.value for state in which.states)).decode()
    before = 2**62 if which.before is None else which.before
    return [job_of(row) for row in connection.execute(_LIST, (tenant, states, which.kind, before, which.limit))]


def _attempts(connection: Connection, tenant: str, job_id: int) -> list[Attempt]:
    rows = connection.execute(
        "SELECT number, holder, started, ended, outcome, error FROM job_attempt WHERE job = (SELECT job.id FROM job"
        " JOIN tenant ON tenant.id = job.tenant WHERE job.id = ? AND tenant.name = ?) ORDER BY number DESC LIMIT 100",
        (job_id, tenant),
    )
    return [attempt_of(row) for row in rows]


def _count(connection: Connection, tenant: str) -> dict[tuple[str, JobState], int]:
    sql = "SELECT kind, state, count(*) FROM job WHERE tenant = (SELECT id FROM tenant WHERE name = ?) GROUP BY 1, 2"
    return {(kind, JobState(state)): number for kind, state, number in connection.execute(sql, (tenant,))}


def _prune(connection: Connection, before: Instant, limit: int) -> int:
    sql = "SELECT id FROM job WHERE ended IS NOT NULL AND ended < ? ORDER BY ended LIMIT ?"
    ended = connection.execute(sql, (before, limit)).fetchall()
    connection.executemany("DELETE FROM job_attempt WHERE job = ?", ended)
    connection.executemany("DELETE FROM job WHERE id = ?", ended)
    return len(ended)
