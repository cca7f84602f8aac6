"""Frames of devices, seen by all processes: refused, waiting, and the last ones. One at a time tries a frame again."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from parvis.fleet.model.frame import LoggedFrame, Room, Waiting, read_logged, read_refusal, write_logged, write_refusal
from parvis.fleet.model.refusal import EVERY_REASON, Refusal, RefusalReason
from parvis.fleet.ports import CLAIM_HOLDS_S
from parvis.kernel.time import Instant
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Pool, only_row

TRIM_EVERY = 200
"""Refused frames; and TRIM_LOG_EVERY logged ones."""
TRIM_LOG_EVERY = 2_000
COUNT_HOLDS_S = 2.0
"""Other processes add frames that wait as well: so long the number of them is taken for what it was."""
_TENANT = "tenant = (SELECT id FROM tenant WHERE name = %s)"
_WAITING = "reason = 'UNKNOWN_DEVICE'"
_KEEP = "INSERT INTO refusal (tenant, reason, device, at, document) VALUES (%s, %s, %s, %s, %s)"
_LOG = "INSERT INTO frame (tenant, device, document) VALUES (%s, %s, %s)"
_CLAIM = f"""
UPDATE refusal SET claimed_until = clock_timestamp() + interval '{CLAIM_HOLDS_S} seconds' WHERE number IN (
    SELECT number FROM refusal
    WHERE {_TENANT} AND number = ANY(%s)
        AND NOT claimed_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '{CLAIM_HOLDS_S} seconds'
    FOR UPDATE SKIP LOCKED
) RETURNING number, document
"""
"""A claim that ends later still is of before the server's clock was set back."""
_REFILE = f"UPDATE refusal SET reason = %s, document = %s, claimed_until = '-infinity' WHERE {_TENANT} AND number = %s"
_TRIM = f"""
DELETE FROM refusal WHERE number IN (
    SELECT number FROM (
        SELECT number, of_device, row_number() OVER (
            PARTITION BY tenant ORDER BY of_device > %(of_device)s, number DESC) AS of_tenant
        FROM (
            SELECT number, tenant, row_number() OVER (PARTITION BY tenant, device ORDER BY number DESC) AS of_device
            FROM refusal WHERE NOT {_WAITING}
        ) AS by_device
    ) AS by_tenant WHERE of_device > %(of_device)s OR of_tenant > %(of_tenant)s
)
"""
_LIST_WAITING = f"""
SELECT tenant.name, one.device, one.frames, one.first_at, one.last_at,
    CASE WHEN %(tenant)s::text IS NULL THEN NULL ELSE (SELECT document FROM refusal WHERE number = one.newest) END
FROM (
    SELECT tenant, device, count(*) AS frames, min(at) AS first_at, max(at) AS last_at, max(number) AS newest
    FROM refusal
    WHERE {_WAITING}
        AND (%(tenant)s::text IS NULL OR tenant = (SELECT id FROM tenant WHERE name = %(tenant)s::text))
    GROUP BY tenant, device
) AS one JOIN tenant ON tenant.id = one.tenant
ORDER BY one.newest DESC LIMIT %(limit)s
"""
_TRIM_LOG = """
DELETE FROM frame USING (
    SELECT tenant, device, number, row_number() OVER (PARTITION BY tenant, device ORDER BY number DESC) AS place
    FROM frame WHERE (tenant, device) IN (SELECT * FROM unnest(%s::int[], %s::text[]))
) AS one
WHERE one.place > %s AND frame.tenant = one.tenant AND frame.device = one.device AND frame.number = one.number
"""


class PostgresFrames:
    """FrameStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._untrimmed = TRIM_EVERY
        self._unlogged = 0
        self._to_trim: set[tuple[int, str]] = set()
        self._waiting: dict[int, tuple[int, float]] = {}

    async def keep(self, refusals: Sequence[Refusal], room: Room) -> list[bool]:
        if not refusals:
            return []
        kept = await self._pool.run(EVERY_TENANT, lambda connection: self._keep(connection, refusals, room))
        self._untrimmed += sum(kept)
        if self._untrimmed >= TRIM_EVERY:
            values = {"of_device": room.refused_of_device, "of_tenant": room.refused}
            await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(_TRIM.encode(), values))
            self._untrimmed = 0
        return kept

    async def list_refusals(
        self, tenant: str, device: str = "", limit: int = 1_000, reasons: Collection[RefusalReason] = EVERY_REASON
    ) -> list[Refusal]:
        of_device = "" if not device else " AND device = %s"
        sql = (
            f"SELECT number, document FROM refusal WHERE {_TENANT} AND reason = ANY(%s){of_device}"
            " ORDER BY number DESC LIMIT %s"
        )
        wanted = [one.value for one in reasons]
        values = (tenant, wanted, device, limit) if device else (tenant, wanted, limit)
        return [read_refusal(*row) for row in await self._rows(sql, *values)]

    async def count_refusals(self, tenant: str) -> Mapping[RefusalReason, int]:
        sql = f"SELECT reason, count(*) FROM refusal WHERE {_TENANT} GROUP BY reason ORDER BY 2 DESC"
        return {RefusalReason(reason): count for reason, count in await self._rows(sql, tenant)}

    async def list_waiting(self, tenant: str | None = None, limit: int = 100_000) -> list[Waiting]:
        values = {"tenant": tenant, "limit": limit}

        def ask(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.execute(_LIST_WAITING.encode(), values).fetchall()

        return [
            Waiting(tenant, device, frames, first, last, None if document is None else read_refusal(0, document).uplink)
            for tenant, device, frames, first, last, document in await self._pool.run(EVERY_TENANT, ask)
        ]

    async def find_waiting(self, tenant: str, hardware_ids: Collection[str], after: int, limit: int) -> list[int]:
        sql = (
            f"SELECT number FROM refusal WHERE {_TENANT} AND device = ANY(%s) AND {_WAITING}"
            " AND number > %s ORDER BY number LIMIT %s"
        )
        return [number for (number,) in await self._rows(sql, tenant, list(hardware_ids), after, limit)]

    async def claim(self, tenant: str, refusal_ids: Iterable[int]) -> list[Refusal]:
        wanted = list(refusal_ids)
        found = {
            number: read_refusal(number, document) for number, document in await self._rows(_CLAIM, tenant, wanted)
        }
        return [found[number] for number in wanted if number in found]

    async def settle(self, tenant: str, stored: Sequence[int], refused: Sequence[Refusal]) -> None:
        def change(connection: Connection) -> None:
            sql = f"DELETE FROM refusal WHERE {_TENANT} AND number = ANY(%s)"
            connection.execute(sql.encode(), (tenant, list(stored)))
            rows = [(one.reason.value, write_refusal(one), tenant, one.id) for one in refused]
            connection.cursor().executemany(_REFILE.encode(), rows)

        if stored or refused:
            await self._pool.run(EVERY_TENANT, change)
            self._waiting.clear()

    async def release(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        if numbers := list(refusal_ids):
            await self._change(
                f"UPDATE refusal SET claimed_until = '-infinity' WHERE {_TENANT} AND number = ANY(%s)", tenant, numbers
            )

    async def discard(self, tenant: str, hardware_id: str) -> int:
        return await self._change(
            f"DELETE FROM refusal WHERE {_TENANT} AND device = %s AND {_WAITING}", tenant, hardware_id
        )

    async def expire(self, before: Instant, limit: int) -> int:
        sql = f"SELECT number FROM refusal WHERE {_WAITING} AND at < %s LIMIT %s"
        return await self._change(f"DELETE FROM refusal WHERE number IN ({sql})", before, limit)

    async def log(self, frames: Sequence[LoggedFrame], room: Room) -> None:
        tenants = await self._tenants()
        rows = [(tenants[one.tenant], one.hardware_id, write_logged(one)) for one in frames if one.tenant in tenants]
        self._to_trim.update((tenant, device) for tenant, device, _ in rows)
        self._unlogged += len(rows)
        to_trim = sorted(self._to_trim) if self._unlogged >= TRIM_LOG_EVERY else []

        def write(connection: Connection) -> None:
            connection.cursor().executemany(_LOG, rows)
            if to_trim:
                values = ([tenant for tenant, _ in to_trim], [device for _, device in to_trim], room.last)
                connection.execute(_TRIM_LOG, values)

        await self._pool.run(EVERY_TENANT, write)
        if to_trim:
            self._to_trim, self._unlogged = set(), 0

    async def list_logged(self, tenant: str, hardware_id: str, limit: int) -> list[LoggedFrame]:
        sql = f"SELECT document FROM frame WHERE {_TENANT} AND device = %s ORDER BY number DESC LIMIT %s"
        return [read_logged(document) for (document,) in await self._rows(sql, tenant, hardware_id, limit)]

    async def forget_logged(self, tenant: str, hardware_id: str) -> None:
        await self._change(f"DELETE FROM frame WHERE {_TENANT} AND device = %s", tenant, hardware_id)

    async def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        statement = sql.encode()
        return await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(statement, values).fetchall())

    async def _change(self, sql: str, *values: object) -> int:
        self._waiting.clear()
        statement = sql.encode()
        return await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(statement, values).rowcount)

    async def _tenants(self) -> dict[str, int]:
        return {name: number for number, name in await self._rows("SELECT id, name FROM tenant")}

    def _keep(self, connection: Connection, refusals: Sequence[Refusal], room: Room) -> list[bool]:
        tenants: dict[str, int] = dict(connection.execute("SELECT name, id FROM tenant").fetchall())
        of_device: dict[tuple[int, str], int] = {}
        kept, rows = [], []
        for one in refusals:
            tenant = tenants.get(one.tenant)
            fits = tenant is not None and (
                not one.is_waiting or self._has_room(connection, tenant, one.device, of_device, room)
            )
            if fits:
                rows.append((tenant, one.reason.value, one.device, one.at, write_refusal(one)))
            kept.append(fits)
        connection.cursor().executemany(_KEEP, rows)
        return kept

    def _has_room(
        self, connection: Connection, tenant: int, device: str, of_device: dict[tuple[int, str], int], room: Room
    ) -> bool:
        if (tenant, device) not in of_device:
            sql = f"SELECT count(*) FROM refusal WHERE tenant = %s AND device = %s AND {_WAITING}"
            (of_device[tenant, device],) = only_row(connection, sql, (tenant, device))
        waiting, until_s = self._waiting.get(tenant, (0, 0.0))
        if time.monotonic() > until_s:
            (waiting,) = only_row(
                connection, f"SELECT count(*) FROM refusal WHERE tenant = %s AND {_WAITING}", (tenant,)
            )
            until_s = time.monotonic() + COUNT_HOLDS_S
        fits = of_device[tenant, device] < room.waiting_of_device and waiting < room.waiting
        of_device[tenant, device] += fits
        self._waiting[tenant] = (waiting + fits, until_s)
        return fits
