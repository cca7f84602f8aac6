"""What parts of the platform have noted, as documents: to be looked through for one person, and dropped."""

from collections.abc import Iterator, Sequence

from parvis.broker.ports.records import DROPPED, Record, Records
from parvis.fleet.ports import FrameStore
from parvis.stores.sqlite.database import Connection, RunSql

_LIST = {
    Records.REFUSED_FRAMES: "SELECT number, document, device, '' FROM refusal WHERE tenant = ?",
    Records.FRAMES: "SELECT number, document, device, '' FROM frame WHERE tenant = ?",
    Records.UNDELIVERED: (
        "SELECT number, body, d.entity || ' ' || uri || ' ' || headers, '' FROM dead_letter d"
        " JOIN subscription s ON s.id = d.subscription WHERE s.tenant = ?"
    ),
    Records.COMMANDS: "SELECT id, document, key, '' FROM command WHERE tenant = ?",
    Records.JOBS: (
        "SELECT id, CAST(arguments AS BLOB), creator || ' ' || coalesce(result, '') || ' ' || error, ''"
        " FROM job WHERE tenant = ?"
    ),
    Records.SHELF: "SELECT hex(key), value, '', box FROM shelf WHERE tenant = ?",
}
_TENANT = "(SELECT id FROM tenant WHERE name = ?)"
_DROP = {
    Records.FRAMES: f"DELETE FROM frame WHERE tenant = {_TENANT} AND number = ?",
    Records.UNDELIVERED: (
        f"DELETE FROM dead_letter WHERE subscription IN (SELECT id FROM subscription WHERE tenant = {_TENANT})"
        " AND number = ?"
    ),
}


def list_records(connection: Connection, tenant: int, kind: Records) -> Iterator[Record]:
    for key, document, more, box in connection.execute(_LIST[kind], (tenant,)):
        yield Record(str(key), document, more, box)


class SqliteRecords:
    """RecordStore. Refused frames are counted where they are kept, so they go by `frames`."""

    def __init__(self, write: RunSql, frames: FrameStore) -> None:
        self._write = write
        self._frames = frames

    async def drop(self, tenant: str, kind: Records, keys: Sequence[str]) -> int:
        assert kind in DROPPED
        if kind is Records.REFUSED_FRAMES:
            await self._frames.settle(tenant, [int(key) for key in keys], ())
            return len(keys)

        def work(connection: Connection) -> int:
            return connection.executemany(_DROP[kind], [(tenant, int(key)) for key in keys]).rowcount

        dropped: int = await self._write(work) if keys else 0
        return dropped
