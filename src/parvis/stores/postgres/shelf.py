"""Small records of parts of the platform, seen by all processes."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from parvis.kernel.shelf import Box, Place, end_of
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, Pool

_BOX = "tenant = (SELECT id FROM tenant WHERE name = %s) AND box = %s"
_UNDER = f"{_BOX} AND key >= %s AND key < %s"
_EMPTY = f"DELETE FROM shelf WHERE {_UNDER}"
_DROP = f"DELETE FROM shelf WHERE {_BOX} AND key = %s"
_PUT = (
    "INSERT INTO shelf SELECT id, %s, %s, %s FROM tenant WHERE name = %s"
    " ON CONFLICT (tenant, box, key) DO UPDATE SET value = excluded.value"
)


class PostgresShelf:
    """Shelf."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def change(self, emptied: Collection[Place], puts: Mapping[Place, bytes], drops: Collection[Place]) -> None:
        def work(connection: Connection) -> None:
            cursor = connection.cursor()
            cursor.executemany(_EMPTY, [_range(one) for one in sorted(emptied)])
            ordered = sorted(puts.items())
            cursor.executemany(_PUT, [(box.name, key, value, box.tenant) for (box, key), value in ordered])
            cursor.executemany(_DROP, [(*box, key) for box, key in sorted(drops)])

        await self._pool.run(EVERY_TENANT, work)

    async def read(self, prefix: Place) -> dict[bytes, bytes]:
        sql = f"SELECT key, value FROM shelf WHERE {_UNDER} ORDER BY key"
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql, _range(prefix)).fetchall())
        return {bytes(key): bytes(value) for key, value in rows}

    async def read_all(self, name: str) -> dict[Place, bytes]:
        sql = (
            "SELECT t.name, s.key, s.value FROM shelf s JOIN tenant t ON t.id = s.tenant WHERE s.box = %s"
            " ORDER BY t.name, s.key"
        )
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql, (name,)).fetchall())
        return {Place(Box(tenant, name), bytes(key)): bytes(value) for tenant, key, value in rows}


def _range(prefix: Place) -> tuple[str, str, bytes, bytes]:
    return (*prefix.box, prefix.key, end_of(prefix.key))


@contextmanager
def opened_shelf(url: str) -> Iterator[PostgresShelf]:
    """Beside the platform, for a command."""
    pool = Pool(Database(url), 1, "parvis-shelf")
    try:
        yield PostgresShelf(pool)
    finally:
        pool.close()
