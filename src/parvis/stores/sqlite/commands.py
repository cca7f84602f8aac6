"""Commands to devices in SQLite."""

from parvis.fleet.commands.command import Command, changing_columns, check_room, columns_of, read_command
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.time import Instant
from parvis.stores.sqlite.database import Connection, RunSql

_TENANT = "tenant = (SELECT id FROM tenant WHERE name = ?)"
_OF_KEY = f"SELECT document FROM command WHERE {_TENANT} AND device = ? AND key = ?"
_OPEN = f"""
SELECT count(*), ifnull(sum(device = ?), 0) FROM command INDEXED BY command_open WHERE {_TENANT} AND due IS NOT NULL
"""
_ADD = """
INSERT INTO command (tenant, id, device, key, created, version, changed, due, document)
SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM tenant WHERE name = ?
"""
_REPLACE = f"""
UPDATE command SET version = ?, changed = ?, due = ?, document = ? WHERE {_TENANT} AND id = ? AND version = ?
"""
_DUE = "SELECT document FROM command INDEXED BY command_due WHERE due <= ? ORDER BY due LIMIT ?"
_LIST = f"SELECT document FROM command WHERE {_TENANT} AND device = ? ORDER BY created DESC, id LIMIT ?"
_PRUNE = """
DELETE FROM command WHERE (tenant, id) IN (
    SELECT tenant, id FROM command INDEXED BY command_over WHERE due IS NULL AND changed < ? LIMIT ?)
"""


class SqliteCommands:
    """CommandLog."""

    def __init__(self, write: RunSql, read: RunSql) -> None:
        self._write = write
        self._read = read

    async def add(self, command: Command) -> Command:
        added: Command = await self._write(lambda connection: _add(connection, command))
        return added

    async def find(self, tenant: str, command_id: str) -> Command | None:
        sql = f"SELECT document FROM command WHERE {_TENANT} AND id = ?"
        return next(iter(await self._commands(sql, tenant, command_id)), None)

    async def list_commands(self, tenant: str, hardware_id: str, limit: int) -> list[Command]:
        return await self._commands(_LIST, tenant, hardware_id, limit)

    async def list_due(self, now: Instant, limit: int) -> list[Command]:
        return await self._commands(_DUE, now, limit)

    async def replace(self, command: Command) -> bool:
        values = (*changing_columns(command), command.tenant, command.id, command.version - 1)
        return bool(await self._write(lambda connection: connection.execute(_REPLACE, values).rowcount))

    async def prune(self, before: Instant, limit: int) -> int:
        return int(await self._write(lambda connection: connection.execute(_PRUNE, (before, limit)).rowcount))

    async def _commands(self, sql: str, *values: object) -> list[Command]:
        rows = await self._read(lambda connection: connection.execute(sql, values).fetchall())
        return [read_command(document) for (document,) in rows]


def _add(connection: Connection, command: Command) -> Command:
    there = connection.execute(_OF_KEY, (command.tenant, command.hardware_id, command.key)).fetchone()
    if there is not None:
        return read_command(there[0])
    of_tenant, of_device = connection.execute(_OPEN, (command.hardware_id, command.tenant)).fetchone()
    check_room(of_device, of_tenant)
    if connection.execute(_ADD, (*columns_of(command), command.tenant)).rowcount == 0:
        raise NonexistentTenant(f"There is no tenant {command.tenant!r}.")
    return command
