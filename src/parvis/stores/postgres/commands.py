"""Commands to devices, seen by all processes."""

from parvis.fleet.commands.command import Command, changing_columns, check_room, columns_of, read_command
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.time import Instant
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Pool, only_row

_TENANT = "tenant = (SELECT id FROM tenant WHERE name = %s)"
_LOCK = "SELECT id FROM tenant WHERE name = %s FOR NO KEY UPDATE"
_OF_KEY = "SELECT document FROM command WHERE tenant = %s AND device = %s AND key = %s"
_OPEN = """
SELECT count(*), count(*) FILTER (WHERE device = %s) FROM command WHERE tenant = %s AND due IS NOT NULL
"""
_ADD = """
INSERT INTO command (tenant, id, device, key, created, version, changed, due, document)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_REPLACE = f"""
UPDATE command SET version = %s, changed = %s, due = %s, document = %s WHERE {_TENANT} AND id = %s AND version = %s
"""
_DUE = "SELECT document FROM command WHERE due <= %s ORDER BY due LIMIT %s"
_LIST = f"SELECT document FROM command WHERE {_TENANT} AND device = %s ORDER BY created DESC, id LIMIT %s"
_PRUNE = """
DELETE FROM command WHERE (tenant, id) IN (
    SELECT tenant, id FROM command WHERE due IS NULL AND changed < %s LIMIT %s)
"""


class PostgresCommands:
    """CommandLog."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, command: Command) -> Command:
        return await self._pool.run(EVERY_TENANT, lambda connection: _add(connection, command))

    async def find(self, tenant: str, command_id: str) -> Command | None:
        sql = f"SELECT document FROM command WHERE {_TENANT} AND id = %s"
        return next(iter(await self._commands(sql, tenant, command_id)), None)

    async def list_commands(self, tenant: str, hardware_id: str, limit: int) -> list[Command]:
        return await self._commands(_LIST, tenant, hardware_id, limit)

    async def list_due(self, now: Instant, limit: int) -> list[Command]:
        return await self._commands(_DUE, now, limit)

    async def replace(self, command: Command) -> bool:
        values = (*changing_columns(command), command.tenant, command.id, command.version - 1)
        return await self._change(_REPLACE, *values) > 0

    async def prune(self, before: Instant, limit: int) -> int:
        return await self._change(_PRUNE, before, limit)

    async def _commands(self, sql: str, *values: object) -> list[Command]:
        statement = sql.encode()
        rows = await self._pool.run(EVERY_TENANT, lambda one: one.execute(statement, values).fetchall())
        return [read_command(document) for (document,) in rows]

    async def _change(self, sql: str, *values: object) -> int:
        statement = sql.encode()
        return await self._pool.run(EVERY_TENANT, lambda one: one.execute(statement, values).rowcount)


def _add(connection: Connection, command: Command) -> Command:
    """One at a time for a tenant, so that no bound is passed by two."""
    locked = connection.execute(_LOCK, (command.tenant,)).fetchone()
    if locked is None:
        raise NonexistentTenant(f"There is no tenant {command.tenant!r}.")
    (tenant,) = locked
    there = connection.execute(_OF_KEY, (tenant, command.hardware_id, command.key)).fetchone()
    if there is not None:
        return read_command(there[0])
    of_tenant, of_device = only_row(connection, _OPEN, (command.hardware_id, tenant))
    check_room(of_device, of_tenant)
    connection.execute(_ADD, (tenant, *columns_of(command)))
    return command
