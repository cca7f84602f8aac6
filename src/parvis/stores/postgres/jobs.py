"""The job queue in PostgreSQL: several processes claim side by side."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

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
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, Pool, enter, only_row

_CLAIMING = 0x6A6F6273
"""Of all processes one chooses at a time: the choice counts what runs."""
_LONGEST_HOLD = round(LONGEST_HOLD_S * SECOND)
_NOW = "(extract(epoch FROM now()) * 1000000)::bigint"
_SELECT = """
SELECT job.id, tenant.name, job.kind, job.key, job.arguments, job.state, job.due, job.attempt, job.allowed,
    job.progress, job.message, job.result, job.error, job.creator, job.created, job.started, job.ended, job.holder,
    job.cancelling
FROM job JOIN tenant ON tenant.id = job.tenant
"""
_TAKE_BACK = f"""
WITH gone AS (
    SELECT id, attempt FROM job WHERE state = 1 AND (until <= {_NOW} OR until > {_NOW} + {_LONGEST_HOLD})
    FOR UPDATE SKIP LOCKED
), lost AS (
    UPDATE job_attempt SET ended = {_NOW}, outcome = 5 FROM gone
    WHERE job_attempt.job = gone.id AND job_attempt.number = gone.attempt AND outcome = 0
)
UPDATE job SET
    state = CASE WHEN cancelling THEN 4 WHEN job.attempt >= allowed THEN 3 ELSE 0 END,
    error = CASE WHEN NOT cancelling AND job.attempt >= allowed THEN 'process-died' ELSE error END,
    ended = CASE WHEN cancelling OR job.attempt >= allowed THEN {_NOW} END,
    due = {_NOW}, until = NULL, cancelling = false
FROM gone WHERE job.id = gone.id
"""
_CHOOSE = f"""
WITH wanted AS (SELECT * FROM unnest(%s::text[], %s::int[]) AS wanted (kind, most)),
busy AS MATERIALIZED (SELECT tenant, kind, count(*) AS number FROM job WHERE state = 1 GROUP BY tenant, kind),
open AS (
    SELECT kind FROM wanted
    WHERE most = 0 OR most > (SELECT coalesce(sum(number), 0) FROM busy WHERE busy.kind = wanted.kind)
),
head AS (
    SELECT tenant.id AS tenant, open.kind, (
        SELECT min(due) FROM job WHERE state = 0 AND job.tenant = tenant.id AND job.kind = open.kind
    ) AS due
    FROM tenant CROSS JOIN open
)
SELECT tenant, kind FROM head WHERE due <= {_NOW} ORDER BY
    (SELECT coalesce(sum(number), 0) FROM busy WHERE busy.tenant = head.tenant),
    (SELECT coalesce(max(started), 0) FROM job WHERE job.tenant = head.tenant),
    (SELECT coalesce(sum(number), 0) FROM busy WHERE busy.tenant = head.tenant AND busy.kind = head.kind),
    (SELECT coalesce(max(started), 0) FROM job WHERE job.tenant = head.tenant AND job.kind = head.kind),
    due
LIMIT 1
"""
_START = f"""
WITH next AS (
    SELECT id FROM job WHERE state = 0 AND tenant = %s AND kind = %s AND due <= {_NOW} ORDER BY due, id LIMIT 1
    FOR UPDATE SKIP LOCKED
), begun AS (
    UPDATE job SET state = 1, attempt = attempt + 1, holder = %s, started = {_NOW}, ended = NULL, progress = 0,
        message = '', error = '', until = {_NOW} + %s
    FROM next WHERE job.id = next.id RETURNING job.tenant, job.id, attempt, holder, started
)
INSERT INTO job_attempt (tenant, job, number, holder, started, outcome, error)
SELECT tenant, id, attempt, holder, started, 0, '' FROM begun RETURNING job
"""
_ADD = f"""
INSERT INTO job (tenant, kind, key, arguments, state, due, attempt, allowed, progress, message, error, creator, created,
    holder, cancelling)
VALUES (%s, %s, %s, %s, 0, coalesce(%s, {_NOW}), 0, %s, 0, '', '', %s, {_NOW}, '', false)
ON CONFLICT (tenant, kind, key) WHERE key IS NOT NULL DO NOTHING RETURNING id
"""
_KEEP = f"""
UPDATE job SET until = {_NOW} + %s, progress = %s, message = %s
WHERE id = %s AND attempt = %s AND holder = %s AND state = 1 RETURNING cancelling
"""
_END = f"""
UPDATE job SET state = %(state)s, due = {_NOW} + %(delay)s, allowed = allowed + %(more)s, result = %(result)s,
    error = %(error)s, ended = CASE WHEN %(state)s IN (2, 3, 4) THEN {_NOW} END,
    progress = CASE WHEN %(state)s = 2 THEN 1 ELSE progress END, until = NULL, cancelling = false
WHERE id = %(job)s
"""
_END_ATTEMPT = f"UPDATE job_attempt SET ended = {_NOW}, outcome = %s, error = %s WHERE job = %s AND number = %s"
_LIST = f"""
{_SELECT}
WHERE (%(states)s::int[] = '{{}}' OR job.state = ANY(%(states)s::int[])) AND (%(kind)s = '' OR job.kind = %(kind)s)
    AND job.tenant = %(tenant)s AND job.id < %(before)s
ORDER BY job.id DESC LIMIT %(limit)s
"""
_NEXT_DUE = f"""
SELECT min(at) - {_NOW} FROM (
    SELECT (SELECT min(due) FROM job WHERE state = 0 AND job.tenant = tenant.id AND job.kind = wanted.kind) AS at
    FROM tenant CROSS JOIN unnest(%s::text[]) AS wanted (kind)
    UNION ALL SELECT CASE WHEN until > {_NOW} + {_LONGEST_HOLD} THEN {_NOW} ELSE until END
    FROM job WHERE state = 1) AS due
"""
_TALLY = f"""
SELECT (SELECT count(*) FROM job WHERE state = 0), (SELECT count(*) FROM job WHERE state = 1),
    (SELECT count(*) FROM job WHERE state = 3), (SELECT min(due) FROM job WHERE state = 0 AND due <= {_NOW})
"""


class PostgresJobQueue:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, job: NewJob) -> Job:
        return await self._pool.run(EVERY_TENANT, lambda connection: _add(connection, job))

    async def add_due(self, schedule: str, before: Instant | None, due_at: Instant, job: NewJob | None) -> Job | None:
        def change(connection: Connection) -> Job | None:
            moved = _move_schedule(connection, schedule, before, due_at)
            return _add(connection, job) if moved and job is not None else None

        return await self._pool.run(EVERY_TENANT, change)

    async def schedules(self) -> dict[str, Instant]:
        def ask(connection: Connection) -> dict[str, Instant]:
            return dict(connection.execute("SELECT name, due FROM job_schedule").fetchall())

        return await self._pool.run(EVERY_TENANT, ask)

    async def claim(self, holder: str, kinds: Mapping[str, int], for_s: float) -> Job | None:
        return await self._pool.run(EVERY_TENANT, lambda connection: _claim(connection, holder, kinds, for_s))

    async def keep(self, holder: str, for_s: float, reports: Mapping[Run, Report]) -> dict[Run, Standing]:
        def change(connection: Connection) -> dict[Run, Standing]:
            in_order = sorted(reports.items(), key=lambda one: one[0].job_id)
            return {run: _keep(connection, holder, for_s, run, report) for run, report in in_order}

        return await self._pool.run(EVERY_TENANT, change)

    async def end(self, run: Run, ending: Ending) -> bool:
        return await self._pool.run(EVERY_TENANT, lambda connection: _end(connection, run, ending))

    async def cancel(self, tenant: str, job_id: int) -> Job:
        return await self._pool.run(EVERY_TENANT, lambda connection: _cancel(connection, tenant, job_id))

    async def retry(self, tenant: str, job_id: int, attempts: int) -> Job:
        return await self._pool.run(EVERY_TENANT, lambda connection: _retry(connection, tenant, job_id, attempts))

    async def find(self, tenant: str, job_id: int) -> Job | None:
        def ask(connection: Connection) -> Job | None:
            return _find_of(connection, tenant, job_id)

        return await self._pool.run(EVERY_TENANT, ask)

    async def list_jobs(self, tenant: str, which: JobFilter) -> list[Job]:
        def ask(connection: Connection) -> list[Job]:
            return _list(connection, enter(connection, tenant), which)

        return await self._pool.run(EVERY_TENANT, ask)

    async def list_attempts(self, tenant: str, job_id: int) -> list[Attempt]:
        def ask(connection: Connection) -> list[Attempt]:
            return _attempts(connection, enter(connection, tenant), job_id)

        return await self._pool.run(EVERY_TENANT, ask)

    async def count(self, tenant: str) -> dict[tuple[str, JobState], int]:
        def ask(connection: Connection) -> dict[tuple[str, JobState], int]:
            return _count(connection, enter(connection, tenant))

        return await self._pool.run(EVERY_TENANT, ask)

    async def next_due(self, kinds: Sequence[str]) -> float | None:
        (wait,) = await self._pool.run(EVERY_TENANT, lambda connection: only_row(connection, _NEXT_DUE, [list(kinds)]))
        return None if wait is None else float(wait) / SECOND

    async def tally(self) -> Tally:
        return Tally(*await self._pool.run(EVERY_TENANT, lambda connection: only_row(connection, _TALLY)))

    async def prune(self, before: Instant, limit: int) -> int:
        return await self._pool.run(EVERY_TENANT, lambda connection: _prune(connection, before, limit))


@asynccontextmanager
async def opened_queue(url: str) -> AsyncIterator[PostgresJobQueue]:
    """Beside the platform, for a command."""
    pool = Pool(Database(url), 1, "parvis-jobs")
    try:
        yield PostgresJobQueue(pool)
    finally:
        pool.close()


def _add(connection: Connection, job: NewJob) -> Job:
    tenant = enter(connection, job.tenant)
    if tenant is None:
        raise NonexistentTenant(f"There is no tenant {job.tenant!r}.")
    if job.key is not None and (known := _find_by_key(connection, job)) is not None:
        return known
    (waiting,) = only_row(connection, "SELECT count(*) FROM job WHERE state = 0 AND tenant = %s", [tenant])
    check_room(waiting)
    arguments = msgspec.json.encode(job.arguments).decode()
    values = (tenant, job.kind, job.key, arguments, job.due_at, job.attempts_allowed, job.created_by)
    row = connection.execute(_ADD.encode(), values).fetchone()
    added = _find_by_key(connection, job) if row is None else _find(connection, row[0])
    assert added is not None
    return added


def _find_by_key(connection: Connection, job: NewJob) -> Job | None:
    sql = f"{_SELECT} WHERE tenant.name = %s AND job.kind = %s AND job.key = %s"
    row = connection.execute(sql.encode(), (job.tenant, job.kind, job.key)).fetchone()
    return None if row is None else job_of(row)


def _move_schedule(connection: Connection, schedule: str, before: Instant | None, due_at: Instant) -> bool:
    if before is None:
        sql = "INSERT INTO job_schedule VALUES (%s, %s) ON CONFLICT DO NOTHING"
        return connection.execute(sql, (schedule, due_at)).rowcount == 1
    sql = "UPDATE job_schedule SET due = %s WHERE name = %s AND due = %s"
    return connection.execute(sql, (due_at, schedule, before)).rowcount == 1


def _claim(connection: Connection, holder: str, kinds: Mapping[str, int], for_s: float) -> Job | None:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CLAIMING,))
    connection.execute(_TAKE_BACK.encode())
    turn = connection.execute(_CHOOSE.encode(), (list(kinds), list(kinds.values()))).fetchone()
    if turn is None:
        return None
    row = connection.execute(_START.encode(), (*turn, holder, round(for_s * SECOND))).fetchone()
    return None if row is None else _find(connection, row[0])


def _keep(connection: Connection, holder: str, for_s: float, run: Run, report: Report) -> Standing:
    values = (round(for_s * SECOND), report.progress, report.message, run.job_id, run.attempt, holder)
    row = connection.execute(_KEEP.encode(), values).fetchone()
    if row is None:
        return Standing.LOST
    return Standing.CANCELLING if row[0] else Standing.OURS


def _end(connection: Connection, run: Run, ending: Ending) -> bool:
    sql = "SELECT cancelling FROM job WHERE id = %s AND attempt = %s AND state = 1 FOR UPDATE"
    row = connection.execute(sql, (run.job_id, run.attempt)).fetchone()
    if row is None:
        return False
    settled = settle(ending, is_cancelling=row[0])
    values = {
        "state": settled.state.value,
        "delay": round(settled.due_in_s * SECOND),
        "more": settled.more_attempts,
        "result": None if settled.result is None else msgspec.json.encode(settled.result).decode(),
        "error": settled.error,
        "job": run.job_id,
    }
    connection.execute(_END.encode(), values)
    connection.execute(_END_ATTEMPT.encode(), (settled.outcome.value, settled.error, run.job_id, run.attempt))
    return True


def _cancel(connection: Connection, tenant: str, job_id: int) -> Job:
    job = _get(connection, tenant, job_id)
    check_cancellable(job)
    if job.state is JobState.WAITING:
        connection.execute(f"UPDATE job SET state = 4, ended = {_NOW} WHERE id = %s".encode(), (job_id,))
    else:
        connection.execute("UPDATE job SET cancelling = true WHERE id = %s", (job_id,))
    return _get(connection, tenant, job_id)


def _retry(connection: Connection, tenant: str, job_id: int, attempts: int) -> Job:
    check_retriable(_get(connection, tenant, job_id))
    sql = f"UPDATE job SET state = 0, due = {_NOW}, allowed = attempt + %s, ended = NULL, progress = 0 WHERE id = %s"
    connection.execute(sql.encode(), (attempts, job_id))
    return _get(connection, tenant, job_id)


def _get(connection: Connection, tenant: str, job_id: int) -> Job:
    """Locked until the end of the transaction."""
    found = _find_of(connection, tenant, job_id, " FOR UPDATE OF job")
    if found is None:
        raise ResourceNotFound(f"There is no job {job_id}.")
    return found


def _find(connection: Connection, job_id: int) -> Job | None:
    row = connection.execute(f"{_SELECT} WHERE job.id = %s".encode(), (job_id,)).fetchone()
    return None if row is None else job_of(row)


def _find_of(connection: Connection, tenant: str, job_id: int, lock: str = "") -> Job | None:
    sql = f"{_SELECT} WHERE job.tenant = %s AND job.id = %s{lock}"
    row = connection.execute(sql.encode(), (enter(connection, tenant), job_id)).fetchone()
    return None if row is None else job_of(row)


def _list(connection: Connection, tenant: int | None, which: JobFilter) -> list[Job]:
    values = {
        "tenant": tenant,
        "states": [state.value for state in which.states],
        "kind": which.kind,
        "before": 2**62 if which.before is None else which.before,
        "limit": which.limit,
    }
    return [job_of(row) for row in connection.execute(_LIST.encode(), values)]


def _attempts(connection: Connection, tenant: int | None, job_id: int) -> list[Attempt]:
    rows = connection.execute(
        "SELECT number, holder, started, ended, outcome, error FROM job_attempt WHERE tenant = %s AND job = %s"
        " ORDER BY number DESC LIMIT 100",
        (tenant, job_id),
    )
    return [attempt_of(row) for row in rows]


def _count(connection: Connection, tenant: int | None) -> dict[tuple[str, JobState], int]:
    rows = connection.execute("SELECT kind, state, count(*) FROM job WHERE tenant = %s GROUP BY 1, 2", (tenant,))
    return {(kind, JobState(state)): number for kind, state, number in rows}


def _prune(connection: Connection, before: Instant, limit: int) -> int:
    sql = "SELECT id FROM job WHERE ended IS NOT NULL AND ended < %s ORDER BY ended LIMIT %s FOR UPDATE SKIP LOCKED"
    ended = [row[0] for row in connection.execute(sql, (before, limit))]
    connection.execute("DELETE FROM job_attempt WHERE job = ANY(%s)", (ended,))
    connection.execute("DELETE FROM job WHERE id = ANY(%s)", (ended,))
    return len(ended)
