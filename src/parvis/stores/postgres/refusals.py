"""Refused frames of devices, seen by all processes; one of them at a time tries a frame again."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from parvis.fleet.refusal import KEPT, MOST_OF_ONE_DEVICE, Refusal, RefusalReason, Refused, counted, cut_to_size
from parvis.fleet.uplink import Uplink
from parvis.kernel.time import Clock, system_clock
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Pool

CLAIM_HOLDS_S = 60
TRIM_EVERY = KEPT // 5
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Refusal).decode
_TENANT = "tenant = (SELECT id FROM tenant WHERE name = %s)"
_KEEP = "INSERT INTO refusal (tenant, reason, device, document) SELECT id, %s, %s, %s FROM tenant WHERE name = %s"
_CLAIM = (
    f"UPDATE refusal SET claimed_until = clock_timestamp() + interval '{CLAIM_HOLDS_S} seconds'"
    f" WHERE {_TENANT} AND number = ANY(%s) AND claimed_until <= clock_timestamp() RETURNING number, document"
)
_TRIM = """
WITH ranked AS (
    SELECT number, row_number() OVER (PARTITION BY tenant, device ORDER BY number DESC) AS of_device FROM refusal
), kept AS (
    SELECT number FROM ranked WHERE of_device <= %s ORDER BY number DESC LIMIT %s
)
DELETE FROM refusal WHERE (SELECT count(*) FROM refusal) > %s AND number NOT IN (SELECT number FROM kept)
"""


class PostgresRefusals:
    """RefusalLog: the newest, at least `KEPT`, before they are trimmed a little more than twice as many.

    Of a tenant that does not exist nothing is kept: nobody could look at it, nor register its device.
    """

    def __init__(self, pool: Pool, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._clock = clock
        self._untrimmed = TRIM_EVERY

    def make(
        self, tenant: str, refused: Refused, uplink: Uplink | None = None, topic: str = "", payload: bytes = b""
    ) -> Refusal:
        """Its number is given when it is kept."""
        return cut_to_size(0, self._clock(), tenant, refused, uplink, topic, payload)

    async def keep(self, refusals: Sequence[Refusal]) -> None:
        rows = [
            (one.reason.value, "" if one.uplink is None else one.uplink.hardware_id, _encode(one), one.tenant)
            for one in counted(refusals)
        ]
        if not rows:
            return
        self._untrimmed += len(rows)
        is_to_trim = self._untrimmed >= TRIM_EVERY

        def write(connection: Connection) -> None:
            connection.cursor().executemany(_KEEP, rows)
            if is_to_trim:
                connection.execute(_TRIM, (MOST_OF_ONE_DEVICE, KEPT, 2 * KEPT))

        await self._pool.run(EVERY_TENANT, write)
        if is_to_trim:
            self._untrimmed = 0

    async def list_refusals(self, tenant: str) -> list[Refusal]:
        sql = f"SELECT number, document FROM refusal WHERE {_TENANT} ORDER BY number DESC"
        return [_refusal(row) for row in await self._rows(sql, tenant)]

    async def list_unknown(self, tenant: str, hardware_ids: Collection[str]) -> list[int]:
        sql = f"SELECT number FROM refusal WHERE {_TENANT} AND device = ANY(%s) AND reason = %s ORDER BY number"
        rows = await self._rows(sql, tenant, list(hardware_ids), RefusalReason.UNKNOWN_DEVICE.value)
        return [number for (number,) in rows]

    async def claim(self, tenant: str, refusal_ids: Iterable[int]) -> list[Refusal]:
        wanted = list(refusal_ids)
        found = {one.id: one for one in map(_refusal, await self._rows(_CLAIM, tenant, wanted))}
        return [found[number] for number in wanted if number in found]

    async def resolve(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        await self._change(f"DELETE FROM refusal WHERE {_TENANT} AND number = ANY(%s)", tenant, refusal_ids)

    async def release(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        sql = f"UPDATE refusal SET claimed_until = '-infinity' WHERE {_TENANT} AND number = ANY(%s)"
        await self._change(sql, tenant, refusal_ids)

    async def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        statement = sql.encode()
        return await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(statement, values).fetchall())

    async def _change(self, sql: str, tenant: str, refusal_ids: Iterable[int]) -> None:
        if numbers := list(refusal_ids):
            await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql.encode(), (tenant, numbers)))


def _refusal(row: tuple[Any, ...]) -> Refusal:
    number, document = row
    return msgspec.structs.replace(_decode(document), id=number)
