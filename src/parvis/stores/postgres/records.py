"""What parts of the platform have noted, as documents: to be looked through for one person, and dropped."""

from collections.abc import Iterator, Sequence

from parvis.broker.ports.records import DROPPED, Record, Records
from parvis.fleet.ports import FrameStore
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Pool

ROWS_AT_ONCE = 500
_LIST = {
    Records.REFUSED_FRAMES: "SELECT number::text, document, device, '' FROM refusal WHERE tenant = %s",
    Records.FRAMES: "SELECT number::text, document, device, '' FROM frame WHERE tenant = %s",
    Records.UNDELIVERED: (
        "SELECT number::text, body, entity || ' ' || uri || ' ' || headers, '' FROM dead_letter WHERE tenant = %s"
    ),
    Records.COMMANDS: "SELECT id, document, key, '' FROM command WHERE tenant = %s",
    Records.JOBS: (
        "SELECT id::text, convert_to(arguments::text, 'UTF8'),"
        " creator || ' ' || coalesce(result::text, '') || ' ' || error, '' FROM job WHERE tenant = %s"
    ),
    Records.SHELF: "SELECT upper(encode(key, 'hex')), value, '', box FROM shelf WHERE tenant = %s",
}
_TABLES = {Records.FRAMES: "frame", Records.UNDELIVERED: "dead_letter"}


def list_records(connection: Connection, tenant: int, kind: Records) -> Iterator[Record]:
    with connection.cursor(name="records") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        for key, document, more, box in cursor.execute(_LIST[kind].encode(), (tenant,)):
            yield Record(key, bytes(document), more, box)


class PostgresRecords:
    """RecordStore."""

    def __init__(self, pool: Pool, frames: FrameStore) -> None:
        self._pool = pool
        self._frames = frames

    async def drop(self, tenant: str, kind: Records, keys: Sequence[str]) -> int:
        assert kind in DROPPED
        numbers = [int(key) for key in keys]
        if kind is Records.REFUSED_FRAMES:
            await self._frames.settle(tenant, numbers, ())
            return len(numbers)
        sql = (
            f"DELETE FROM {_TABLES[kind]} WHERE tenant = (SELECT id FROM tenant WHERE name = %s)"
            " AND number = ANY (%s::bigint[])"
        ).encode()
        return await self._pool.run(
            EVERY_TENANT, lambda connection: connection.execute(sql, (tenant, numbers)).rowcount
        )
