"""Files fetched from SFTP servers: asyncssh's own, and OpenSSH's where it is installed."""

import asyncio
import getpass
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import msgspec
import pytest

from parvis.bootstrap import Platform
from parvis.connectors.files.config import Sftp, load_mapping
from parvis.connectors.files.imports import Imports
from parvis.connectors.files.sftp import Pull
from parvis.fleet.ways.connector import InvalidConnector
from tests.connectors.files.test_imports import BINS, ROWS, count
from tests.connectors.files.test_imports import imports as imports
from tests.connectors.files.test_imports import platform as platform
from tests.system_tools import require_program


class _Door(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("town", "secret")


@pytest.fixture
def host_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
async def server(tmp_path: Path, host_key: asyncssh.SSHKey) -> AsyncIterator[asyncssh.SSHAcceptor]:
    root = tmp_path / "served"
    (root / "out").mkdir(parents=True)

    def sftp(channel: "asyncssh.SSHServerChannel[bytes]") -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(root).encode())

    async with asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host_key], server_factory=_Door, sftp_factory=sftp
    ) as one:
        yield one


def settings(server: asyncssh.SSHAcceptor, host_key: asyncssh.SSHKey, **more: object) -> Sftp:
    public = host_key.export_public_key().decode().strip()
    given = {"password": "secret", "files": "*.csv", "port": server.get_port()}
    return Sftp("127.0.0.1", "town", public, "/out", "bins", **{**given, **more})  # type: ignore[arg-type]


async def until_imported(platform: Platform, wanted: int) -> None:
    async with asyncio.timeout(20):
        while await count(platform.broker) != wanted:  # noqa: ASYNC110 - a job of its own does it
            await asyncio.sleep(0.05)


def save_bins(imports: Imports, tmp_path: Path) -> None:
    (tmp_path / "bins.toml").write_text(BINS)
    imports.folders.save_mapping("default", "bins", load_mapping(tmp_path / "bins.toml"))


async def test_a_file_is_fetched_once_and_again_when_it_has_changed(
    platform: Platform, imports: Imports, tmp_path: Path, server: asyncssh.SSHAcceptor, host_key: asyncssh.SSHKey
) -> None:
    save_bins(imports, tmp_path)
    out = tmp_path / "served/out"
    (out / "bins.csv").write_text(ROWS)
    (out / "notes.txt").write_text("not wanted")
    pull = Pull(imports, settings(server, host_key), tmp_path / "data", 1 << 20)

    assert await pull.look() == 1
    assert await pull.look() == 0
    await until_imported(platform, 2)

    (out / "bins.csv").write_text(ROWS + "4,,5\n")
    again = Pull(imports, settings(server, host_key), tmp_path / "data", 1 << 20)
    assert await again.look() == 1, "a new process knows what was fetched"
    await until_imported(platform, 3)
    assert (out / "bins.csv").exists()


async def test_what_is_to_be_deleted_is_deleted_once_it_is_here(
    platform: Platform, imports: Imports, tmp_path: Path, server: asyncssh.SSHAcceptor, host_key: asyncssh.SSHKey
) -> None:
    save_bins(imports, tmp_path)
    (tmp_path / "served/out/bins.csv").write_text(ROWS)
    await Pull(imports, settings(server, host_key, then="delete"), tmp_path / "data", 1 << 20).look()
    assert not (tmp_path / "served/out/bins.csv").exists()
    await until_imported(platform, 2)


async def test_a_file_that_is_refused_is_not_deleted(
    platform: Platform, imports: Imports, tmp_path: Path, server: asyncssh.SSHAcceptor, host_key: asyncssh.SSHKey
) -> None:
    (tmp_path / "served/out/bins.csv").write_text(ROWS)
    pull = Pull(imports, settings(server, host_key, then="delete"), tmp_path / "data", 1 << 20)
    await pull.look()
    assert pull.refused == 1, "there is no mapping of that name yet"
    assert (tmp_path / "served/out/bins.csv").exists()


async def test_files_of_one_name_on_two_servers_do_not_meet(
    imports: Imports, tmp_path: Path, server: asyncssh.SSHAcceptor, host_key: asyncssh.SSHKey
) -> None:
    pulls = [
        Pull(imports, settings(server, host_key, tenant=tenant), tmp_path / "data", 1 << 20)
        for tenant in ("default", "other")
    ]
    assert pulls[0]._incoming != pulls[1]._incoming


SSHD = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


def make_empty_folder() -> None:
    """Where sshd puts its process without rights."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)


@pytest.fixture
async def openssh(tmp_path: Path, host_key: asyncssh.SSHKey) -> AsyncIterator[int]:
    """OpenSSH's server, for this user, by key; its port."""
    program = require_program("openssh-server", "sshd")
    make_empty_folder()
    own_key = asyncssh.generate_private_key("ssh-ed25519")
    own_key.write_private_key(tmp_path / "own_key")
    own_key.write_public_key(tmp_path / "authorized_keys")
    host_key.write_private_key(tmp_path / "host_key")
    (tmp_path / "host_key").chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (tmp_path / "sshd_config").write_text(SSHD.format(port=port, folder=tmp_path))
    command = (str(program), "-D", "-e", "-f", str(tmp_path / "sshd_config"))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(10):
            line = await process.stderr.readline()
            assert b"Server listening" in line, line
        yield port
    finally:
        process.terminate()
        await process.communicate()


async def test_files_come_from_openssh_by_key(
    platform: Platform, imports: Imports, tmp_path: Path, host_key: asyncssh.SSHKey, openssh: int
) -> None:
    save_bins(imports, tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/bins.csv").write_text(ROWS)
    public = host_key.export_public_key().decode().strip()
    own_key = str(tmp_path / "own_key")
    server = Sftp("127.0.0.1", getpass.getuser(), public, str(tmp_path / "out"), "bins", openssh, private_key=own_key)
    pull = Pull(imports, msgspec.structs.replace(server, then="delete"), tmp_path / "data", 1 << 20)
    assert await pull.look() == 1
    assert not (tmp_path / "out/bins.csv").exists()
    await until_imported(platform, 2)


async def test_another_host_key_is_not_talked_to(
    imports: Imports, tmp_path: Path, server: asyncssh.SSHAcceptor
) -> None:
    pull = Pull(imports, settings(server, asyncssh.generate_private_key("ssh-ed25519")), tmp_path, 1 << 20)
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await pull.look()


async def test_a_wrong_password_is_told(
    imports: Imports, tmp_path: Path, server: asyncssh.SSHAcceptor, host_key: asyncssh.SSHKey
) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await Pull(imports, settings(server, host_key, password="guess"), tmp_path, 1 << 20).look()


async def test_a_file_that_is_too_large_is_left_there(
    imports: Imports, tmp_path: Path, server: asyncssh.SSHAcceptor, host_key: asyncssh.SSHKey
) -> None:
    save_bins(imports, tmp_path)
    (tmp_path / "served/out/bins.csv").write_bytes(b"x" * 2000)
    pull = Pull(imports, settings(server, host_key), tmp_path / "data", 1000)
    assert (await pull.look(), pull.refused) == (1, 1)
    assert not [one for one in (tmp_path / "data/sftp/incoming").rglob("*") if one.is_file()]
    assert imports.folders.list_imports("default") == []


def test_a_key_that_is_none_is_refused_at_the_start(imports: Imports, tmp_path: Path) -> None:
    with pytest.raises(InvalidConnector, match="sftp there"):
        Pull(imports, Sftp("there", "town", "no key", "/", "bins"), tmp_path, 1)
