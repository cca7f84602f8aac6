"""What tenants take and hold, in the store's one file."""

from collections.abc import Mapping

from parvis.broker.ports.metering import Held, Taken
from parvis.stores.sqlite.database import Connection, RunSql

_NOTE = (
    "INSERT INTO taken VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    ' changes = changes + excluded.changes, "values" = "values" + excluded."values"'
)
_TAKEN = 'SELECT name, changes, "values" FROM taken JOIN tenant ON tenant.id = tenant WHERE month = ?'
_HELD = """
SELECT name,
    (SELECT count(*) FROM entity WHERE tenant = tenant.id AND deleted IS NULL),
    (SELECT count(*) FROM entity JOIN attribute ON entity = entity.id WHERE entity.tenant = tenant.id),
    (SELECT ifnull(sum(bytes), 0) FROM archive_file WHERE archive_file.tenant = tenant.id)
FROM tenant
"""


def note_taken(connection: Connection, month: str, taken: Mapping[int, Taken]) -> None:
    """Inside the transaction that stores it; by tenants' numbers."""
    connection.executemany(_NOTE, [(tenant, month, *one) for tenant, one in taken.items() if one.changes])


class SqliteMetering:
    """Metering."""

    def __init__(self, read: RunSql) -> None:
        self._read = read

    async def list_taken(self, month: str) -> dict[str, Taken]:
        rows = await self._read(lambda connection: connection.execute(_TAKEN, (month,)).fetchall())
        return {name: Taken(changes, values) for name, changes, values in rows}

    async def list_held(self) -> dict[str, Held]:
        rows = await self._read(lambda connection: connection.execute(_HELD).fetchall())
        return {name: Held(*counted) for name, *counted in rows}
