"""Files of an SFTP server, fetched once each and imported by a saved mapping."""

import asyncio
import hashlib
import logging
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import join

import asyncssh
import msgspec

from parvis.connectors.files.config import ENDINGS, InvalidMapping, Sftp
from parvis.connectors.files.folders import Origin
from parvis.connectors.files.imports import Imports
from parvis.connectors.files.inbox import start_received
from parvis.fleet.ways.connector import InvalidConnector
from parvis.kernel.durable import write_whole
from parvis.kernel.identity import system_caller
from parvis.kernel.trouble import Trouble

CONNECT_S = 20.0
MOST_FILES = 10_000
_CHUNK = 1 << 18
_log = logging.getLogger(__name__)

Mark = tuple[int, int]
"""Size and time of change: a file that has another is fetched again, which changes nothing where its rows are known."""


def _private_key(text: str) -> asyncssh.SSHKey:
    """The key itself, or the path of its file."""
    return asyncssh.import_private_key(text) if "\n" in text else asyncssh.read_private_key(text)


class Pull:
    """One server. What cannot be reached is asked again; `trouble` says so once."""

    def __init__(self, imports: Imports, server: Sftp, data_dir: Path, largest_bytes: int) -> None:
        try:
            self._host_key = asyncssh.import_public_key(server.host_key)
            self._own_key = _private_key(server.private_key) if server.private_key else None
        except (OSError, ValueError) as error:
            raise InvalidConnector(f"sftp {server.host}: {error}.") from error
        self._imports = imports
        self._server = server
        self._largest_bytes = largest_bytes
        named = f"{server.tenant} {server.user}@{server.host}:{server.port}/{server.folder} {server.mapping}"
        digest = hashlib.sha256(named.encode()).hexdigest()[:24]
        self._fetched_file = data_dir / "sftp" / f"{digest}.json"
        self._incoming = data_dir / "sftp" / "incoming" / digest
        self._trouble = Trouble(f"the SFTP server {server.host} cannot be asked")
        self.refused = 0

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except (OSError, asyncssh.Error, TimeoutError) as fault:
                self._trouble.note(fault)
            else:
                self._trouble.is_over()
            await asyncio.sleep(self._server.every_s)

    async def look(self) -> int:
        """How many files were fetched. Raises OSError, asyncssh.Error, TimeoutError."""
        fetched = self._read_fetched()
        count = 0
        async with self._connected() as client:
            listed = await self._list(client)
            kept = {name: mark for name, mark in fetched.items() if name in listed}
            for name, mark in sorted(listed.items()):
                if kept.get(name) == mark:
                    continue
                is_taken = await self._fetch(client, name)
                count += 1
                kept[name] = mark
                self._keep_fetched(kept)
                if is_taken and self._server.then == "delete":
                    await client.remove(join(self._server.folder, name))
        return count

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncssh.SFTPClient]:
        server = self._server
        async with (
            asyncssh.connect(
                server.host,
                server.port,
                username=server.user,
                password=server.password or None,
                client_keys=[self._own_key] if self._own_key else None,
                known_hosts=([self._host_key], [], []),
                connect_timeout=CONNECT_S,
                keepalive_interval=15,
                agent_path=None,
                config=None,
            ) as connection,
            connection.start_sftp_client() as client,
        ):
            yield client

    async def _list(self, client: asyncssh.SFTPClient) -> dict[str, Mark]:
        found: dict[str, Mark] = {}
        async for entry in client.scandir(self._server.folder):
            name, about = str(entry.filename), entry.attrs
            is_file = about.permissions is None or stat.S_ISREG(about.permissions)
            if is_file and self._is_wanted(name) and len(found) < MOST_FILES:
                found[name] = (about.size or 0, about.mtime or 0)
        return found

    def _is_wanted(self, name: str) -> bool:
        safe = name.isprintable() and "/" not in name and not name.startswith(".")
        return safe and fnmatchcase(name, self._server.files) and name.lower().endswith(ENDINGS)

    async def _fetch(self, client: asyncssh.SFTPClient, name: str) -> bool:
        """Whether it was taken. What is refused is told and not asked for again until it changes."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        target = self._incoming / name
        try:
            await self._download(client, name, target)
            caller = system_caller("sftp", self._server.tenant)
            await start_received(self._imports, caller, target, Origin.SFTP, self._server.mapping)
        except InvalidMapping as refusal:
            self.refused += 1
            _log.warning("a file was refused", extra={"file": name, "reason": refusal.detail})
            return False
        finally:
            target.unlink(missing_ok=True)
        return True

    async def _download(self, client: asyncssh.SFTPClient, name: str, target: Path) -> None:
        size = 0
        async with client.open(join(self._server.folder, name), "rb") as remote:
            with target.open("wb") as file:
                while part := await remote.read(_CHUNK):
                    size += len(part)
                    if size > self._largest_bytes:
                        raise InvalidMapping(f"{name} has more than {self._largest_bytes >> 20} MiB.")
                    await asyncio.to_thread(file.write, part)  # type: ignore[arg-type] # opened for bytes
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())

    def _read_fetched(self) -> dict[str, Mark]:
        try:
            return msgspec.json.decode(self._fetched_file.read_bytes(), type=dict[str, Mark])
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}

    def _keep_fetched(self, fetched: dict[str, Mark]) -> None:
        self._fetched_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._fetched_file, msgspec.json.encode(fetched))
