"""Commands to devices in SQLite."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from parvis.fleet.commands.command import MOST_OPEN_OF_DEVICE, MOST_OPEN_OF_TENANT, Command, TooManyCommands
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.time import Instant
from parvis.stores.sqlite.database import Connection

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Command).decode
_TENANT = "tenant = (SELECT id FROM tenant WHERE name = ?)"
_OF_KEY = f"SELECT document FROM command WHERE {_TENANT} AND device = ? AND key = ?"
_OPEN = f"""
SELECT count(*), ifnull(sum(device = ?), 0) FROM command INDEXED BY command_open WHERE {_TENANT} AND due IS NOT NULL
"""
_ADD = """
INSERT INTO command (tenant, id, device, key, version, created, changed, due, document)
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

    def __init__(
        self,
        write: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        read: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
    ) -> None:
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
        values = (command.version, command.changed_at, command.due_at, _encode(command))
        where = (command.tenant, command.id, command.version - 1)
        return bool(await self._write(lambda connection: connection.execute(_REPLACE, (*values, *where)).rowcount))

    async def prune(self, before: Instant, limit: int) -> int:
        return int(await self._write(lambda connection: connection.execute(_PRUNE, (before, limit)).rowcount))

    async def _commands(self, sql: str, *values: object) -> list[Command]:
        rows = await self._read(lambda connection: connection.execute(sql, values).fetchall())
        return [_decode(document) for (document,) in rows]


def _add(connection: Connection, command: Command) -> Command:
    there = connection.execute(_OF_KEY, (command.tenant, command.hardware_id, command.key)).fetchone()
    if there is not None:
        return _decode(there[0])
    of_tenant, of_device = connection.execute(_OPEN, (command.hardware_id, command.tenant)).fetchone()
    if of_device >= MOST_OPEN_OF_DEVICE or of_tenant >= MOST_OPEN_OF_TENANT:
        raise TooManyCommands(f"{of_device} commands of the device are open, {of_tenant} of all.")
    values = (
        command.id,
        command.hardware_id,
        command.key,
        command.version,
        command.created_at,
        command.changed_at,
        command.due_at,
        _encode(command),
    )
    if connection.execute(_ADD, (*values, command.tenant)).rowcount == 0:
        raise NonexistentTenant(f"There is no tenant {command.tenant!r}.")
    return command
