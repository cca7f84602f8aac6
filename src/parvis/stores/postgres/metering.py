"""What tenants take and hold, on PostgreSQL."""

from parvis.broker.ports.metering import Held, Taken
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Pool

_NOTE = """
INSERT INTO taken AS before VALUES (%s, %s, %s, %s) ON CONFLICT (tenant, month) DO UPDATE SET
    changes = before.changes + excluded.changes, "values" = before."values" + excluded."values"
"""
_TAKEN = b'SELECT name, changes, "values" FROM taken JOIN tenant ON tenant.id = tenant WHERE month = %s'
_HELD = b"""
SELECT name,
    (SELECT count(*) FROM entity WHERE entity.tenant = tenant.id AND deleted IS NULL),
    (SELECT count(*) FROM attribute WHERE attribute.tenant = tenant.id),
    (SELECT coalesce(sum(bytes), 0)::bigint FROM archive_file WHERE archive_file.tenant = tenant.id)
FROM tenant
"""


def note_taken(connection: Connection, tenant: int, month: str, taken: Taken) -> None:
    """Inside the transaction that stores it."""
    if taken.changes:
        connection.execute(_NOTE, (tenant, month, *taken))


class PostgresMetering:
    """Metering."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list_taken(self, month: str) -> dict[str, Taken]:
        def ask(connection: Connection) -> list[tuple[str, int, int]]:
            return connection.execute(_TAKEN, (month,)).fetchall()

        return {name: Taken(changes, values) for name, changes, values in await self._pool.run(EVERY_TENANT, ask)}

    async def list_held(self) -> dict[str, Held]:
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(_HELD).fetchall())
        return {name: Held(*counted) for name, *counted in rows}
