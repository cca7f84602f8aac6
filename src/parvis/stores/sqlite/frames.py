"""Frames of devices: refused, waiting, and the last ones. One process holds the file, so claims are in its memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from msgspec.json import encode

from parvis.fleet.model.frame import LoggedFrame, Room, Waiting, read_logged, read_refusal, write_logged, write_refusal
from parvis.fleet.model.refusal import EVERY_REASON, Refusal, RefusalReason
from parvis.kernel.time import Instant
from parvis.stores.sqlite.database import Connection, RunSql

TRIM_EVERY = 200
"""Refused frames; and TRIM_LOG_EVERY logged ones."""
TRIM_LOG_EVERY = 2_000
_TENANT = "tenant = (SELECT id FROM tenant WHERE name = ?)"
_WAITING = "reason = 'UNKNOWN_DEVICE'"
_KEEP = "INSERT INTO refusal (tenant, reason, device, at, document) VALUES (?, ?, ?, ?, ?)"
_TRIM = f"""
DELETE FROM refusal WHERE number IN (
    SELECT number FROM (
        SELECT number, of_device, row_number() OVER (
            PARTITION BY tenant ORDER BY of_device > ?1, number DESC) AS of_tenant
        FROM (
            SELECT number, tenant, row_number() OVER (PARTITION BY tenant, device ORDER BY number DESC) AS of_device
            FROM refusal WHERE NOT {_WAITING}
        )
    ) WHERE of_device > ?1 OR of_tenant > ?2
)
"""
_LIST_WAITING = f"""
SELECT tenant.name, one.device, one.frames, one.first_at, one.last_at,
    CASE WHEN ?1 IS NULL THEN NULL ELSE (SELECT document FROM refusal WHERE number = one.newest) END
FROM (
    SELECT tenant, device, count(*) AS frames, min(at) AS first_at, max(at) AS last_at, max(number) AS newest
    FROM refusal INDEXED BY refusal_waiting
    WHERE {_WAITING} AND (?1 IS NULL OR tenant = (SELECT id FROM tenant WHERE name = ?1)) GROUP BY tenant, device
) AS one JOIN tenant ON tenant.id = one.tenant
ORDER BY one.newest DESC LIMIT ?2
"""
_TRIM_LOG = """
DELETE FROM frame WHERE tenant = ?1 AND device = ?2 AND number <= (
    SELECT number FROM frame WHERE tenant = ?1 AND device = ?2 ORDER BY number DESC LIMIT 1 OFFSET ?3)
"""


class SqliteFrames:
    """FrameStore."""

    def __init__(self, write: RunSql, read: RunSql) -> None:
        self._write = write
        self._read = read
        self._claimed: set[int] = set()
        self._waiting: dict[int, int] = {}
        self._untrimmed = TRIM_EVERY
        self._unlogged = 0
        self._to_trim: set[tuple[int, str]] = set()

    async def keep(self, refusals: Sequence[Refusal], room: Room) -> list[bool]:
        if not refusals:
            return []
        try:
            kept: list[bool] = await self._write(lambda connection: self._keep(connection, refusals, room))
        except BaseException:
            self._waiting.clear()
            raise
        return kept

    async def list_refusals(
        self, tenant: str, device: str = "", limit: int = 1_000, reasons: Collection[RefusalReason] = EVERY_REASON
    ) -> list[Refusal]:
        of_device = "" if not device else " AND device = ?"
        sql = (
            f"SELECT number, document FROM refusal WHERE {_TENANT} AND reason IN (SELECT value FROM json_each(?))"
            f"{of_device} ORDER BY number DESC LIMIT ?"
        )
        wanted = _array([one.value for one in reasons])
        values = (tenant, wanted, device, limit) if device else (tenant, wanted, limit)
        return [read_refusal(*row) for row in await self._rows(sql, *values)]

    async def count_refusals(self, tenant: str) -> Mapping[RefusalReason, int]:
        sql = f"SELECT reason, count(*) FROM refusal WHERE {_TENANT} GROUP BY reason ORDER BY 2 DESC"
        return {RefusalReason(reason): count for reason, count in await self._rows(sql, tenant)}

    async def list_waiting(self, tenant: str | None = None, limit: int = 100_000) -> list[Waiting]:
        return [
            Waiting(tenant, device, frames, first, last, None if document is None else read_refusal(0, document).uplink)
            for tenant, device, frames, first, last, document in await self._rows(_LIST_WAITING, tenant, limit)
        ]

    async def find_waiting(self, tenant: str, hardware_ids: Collection[str], after: int, limit: int) -> list[int]:
        sql = (
            f"SELECT number FROM refusal WHERE {_TENANT} AND device IN (SELECT value FROM json_each(?))"
            f" AND {_WAITING} AND number > ? ORDER BY number LIMIT ?"
        )
        return [number for (number,) in await self._rows(sql, tenant, _array(hardware_ids), after, limit)]

    async def claim(self, tenant: str, refusal_ids: Iterable[int]) -> list[Refusal]:
        wanted = [one for one in refusal_ids if one not in self._claimed]
        self._claimed.update(wanted)
        found: dict[int, Refusal] = {}
        try:
            sql = f"SELECT number, document FROM refusal WHERE {_TENANT} AND number IN (SELECT value FROM json_each(?))"
            found = {row[0]: read_refusal(*row) for row in await self._rows(sql, tenant, _array(wanted))}
        finally:
            self._claimed.difference_update(set(wanted) - found.keys())
        return [found[number] for number in wanted if number in found]

    async def settle(self, tenant: str, stored: Sequence[int], refused: Sequence[Refusal]) -> None:
        def change(connection: Connection) -> None:
            connection.executemany(f"DELETE FROM refusal WHERE {_TENANT} AND number = ?", _each(tenant, stored))
            rows = [(one.reason.value, write_refusal(one), tenant, one.id) for one in refused]
            connection.executemany(f"UPDATE refusal SET reason = ?, document = ? WHERE {_TENANT} AND number = ?", rows)

        try:
            if stored or refused:
                await self._write(change)
        finally:
            self._waiting.clear()
            self._claimed.difference_update(stored, [one.id for one in refused])

    async def release(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        self._claimed.difference_update(refusal_ids)

    async def discard(self, tenant: str, hardware_id: str) -> int:
        sql = f"DELETE FROM refusal WHERE {_TENANT} AND device = ? AND {_WAITING}"
        return await self._delete(sql, tenant, hardware_id)

    async def expire(self, before: Instant, limit: int) -> int:
        sql = f"SELECT number FROM refusal INDEXED BY refusal_waiting WHERE {_WAITING} AND at < ? LIMIT ?"
        return await self._delete(f"DELETE FROM refusal WHERE number IN ({sql})", before, limit)

    async def log(self, frames: Sequence[LoggedFrame], room: Room) -> None:
        await self._write(lambda connection: self._log(connection, frames, room))

    async def list_logged(self, tenant: str, hardware_id: str, limit: int) -> list[LoggedFrame]:
        sql = f"SELECT document FROM frame WHERE {_TENANT} AND device = ? ORDER BY number DESC LIMIT ?"
        return [read_logged(document) for (document,) in await self._rows(sql, tenant, hardware_id, limit)]

    async def forget_logged(self, tenant: str, hardware_id: str) -> None:
        await self._delete(f"DELETE FROM frame WHERE {_TENANT} AND device = ?", tenant, hardware_id)

    async def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = await self._read(lambda connection: connection.execute(sql, values).fetchall())
        return rows

    async def _delete(self, sql: str, *values: object) -> int:
        self._waiting.clear()
        return int(await self._write(lambda connection: connection.execute(sql, values).rowcount))

    def _keep(self, connection: Connection, refusals: Sequence[Refusal], room: Room) -> list[bool]:
        tenants = {name: number for number, name in connection.execute("SELECT id, name FROM tenant")}
        of_device: dict[tuple[int, str], int] = {}
        kept = []
        for one in refusals:
            tenant = tenants.get(one.tenant)
            fits = tenant is not None and (
                not one.is_waiting or self._has_room(connection, tenant, one.device, of_device, room)
            )
            if fits:
                values = (tenant, one.reason.value, one.device, one.at, write_refusal(one))
                connection.execute(_KEEP, values)
            kept.append(fits)
        self._trim(connection, sum(kept), room)
        return kept

    def _has_room(
        self, connection: Connection, tenant: int, device: str, of_device: dict[tuple[int, str], int], room: Room
    ) -> bool:
        if (tenant, device) not in of_device:
            sql = f"SELECT count(*) FROM refusal WHERE tenant = ? AND device = ? AND {_WAITING}"
            (of_device[tenant, device],) = connection.execute(sql, (tenant, device)).fetchone()
        if tenant not in self._waiting:
            sql = f"SELECT count(*) FROM refusal INDEXED BY refusal_waiting WHERE tenant = ? AND {_WAITING}"
            (self._waiting[tenant],) = connection.execute(sql, (tenant,)).fetchone()
        if of_device[tenant, device] >= room.waiting_of_device or self._waiting[tenant] >= room.waiting:
            return False
        of_device[tenant, device] += 1
        self._waiting[tenant] += 1
        return True

    def _trim(self, connection: Connection, came: int, room: Room) -> None:
        self._untrimmed += came
        if self._untrimmed >= TRIM_EVERY:
            connection.execute(_TRIM, (room.refused_of_device, room.refused))
            self._untrimmed = 0

    def _log(self, connection: Connection, frames: Sequence[LoggedFrame], room: Room) -> None:
        tenants = {name: number for number, name in connection.execute("SELECT id, name FROM tenant")}
        rows = [
            (tenants[name], one.hardware_id, write_logged(one))
            for name, of_tenant in groupby(frames, lambda one: one.tenant)
            if name in tenants
            for one in of_tenant
        ]
        connection.executemany("INSERT INTO frame (tenant, device, document) VALUES (?, ?, ?)", rows)
        self._to_trim.update((tenant, device) for tenant, device, _ in rows)
        self._unlogged += len(rows)
        if self._unlogged >= TRIM_LOG_EVERY:
            connection.executemany(_TRIM_LOG, [(*device, room.last) for device in self._to_trim])
            self._to_trim, self._unlogged = set(), 0


def _array(values: Iterable[object]) -> str:
    return encode(list(values)).decode()


def _each(tenant: str, numbers: Iterable[int]) -> list[tuple[str, int]]:
    return [(tenant, number) for number in numbers]
