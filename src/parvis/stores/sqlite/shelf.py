"""Small records of parts of the platform, in the store's one file."""

from collections.abc import Collection, Mapping

from parvis.kernel.shelf import Box, Place, end_of
from parvis.stores.sqlite.database import Connection, RunSql

_BOX = "tenant = (SELECT id FROM tenant WHERE name = ?) AND box = ?"
_UNDER = f"{_BOX} AND key >= ? AND key < ?"
_EMPTY = f"DELETE FROM shelf WHERE {_UNDER}"
_DROP = f"DELETE FROM shelf WHERE {_BOX} AND key = ?"
_PUT = (
    "INSERT INTO shelf SELECT id, ?, ?, ? FROM tenant WHERE name = ? ON CONFLICT DO UPDATE SET value = excluded.value"
)


class SqliteShelf:
    """Shelf. `write` runs in the writer's transaction, `read` in a snapshot."""

    def __init__(self, write: RunSql, read: RunSql) -> None:
        self._write = write
        self._read = read

    async def change(self, emptied: Collection[Place], puts: Mapping[Place, bytes], drops: Collection[Place]) -> None:
        def work(connection: Connection) -> None:
            connection.executemany(_EMPTY, [_range(one) for one in emptied])
            connection.executemany(_PUT, [(box.name, key, value, box.tenant) for (box, key), value in puts.items()])
            connection.executemany(_DROP, [(*box, key) for box, key in drops])

        await self._write(work)

    async def read(self, prefix: Place) -> dict[bytes, bytes]:
        sql = f"SELECT key, value FROM shelf WHERE {_UNDER} ORDER BY key"
        return dict(await self._read(lambda connection: connection.execute(sql, _range(prefix)).fetchall()))

    async def read_all(self, name: str) -> dict[Place, bytes]:
        sql = (
            "SELECT tenant.name, key, value FROM tenant CROSS JOIN shelf ON tenant = tenant.id AND box = ?"
            " ORDER BY tenant.name, key"
        )
        rows = await self._read(lambda connection: connection.execute(sql, (name,)).fetchall())
        return {Place(Box(tenant, name), key): value for tenant, key, value in rows}


def _range(prefix: Place) -> tuple[str, str, bytes, bytes]:
    return (*prefix.box, prefix.key, end_of(prefix.key))
