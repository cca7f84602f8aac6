"""A PostgreSQL cluster of its own: fsync on, over a local socket, with the memory a small server gives it."""

import contextlib
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

READY_WITHIN_S = 30
SETTINGS = ("shared_buffers=1GB", "max_wal_size=8GB", "wal_compression=on")


@dataclass(frozen=True, slots=True)
class Cluster:
    """`url` is of an empty database whose owner is no superuser."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Of the server and of all its connections, as long as they last."""
        return sum(_cpu_s(pid) for pid in _family(self.pid))


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    programs = _programs()
    user = "postgres" if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="parvis-pg-") as name:
        folder = Path(name)
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
            folder.chmod(0o711)
        data = folder / "data"
        initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", "parvis", "-A", "trust", "-E", "UTF8"]
        subprocess.run(initdb, stdout=subprocess.DEVNULL, user=user, cwd="/", check=True)
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, "-h", "", "-k", folder, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
        )
        try:
            _make_database(f"postgresql://parvis@/postgres?host={folder}")
            yield Cluster(f"postgresql://territory@/territory?host={folder}", process.pid)
        finally:
            process.terminate()
            process.wait()


def _make_database(superuser: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            connection = psycopg.connect(superuser, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            break
    with connection:
        connection.execute("CREATE ROLE territory LOGIN")
        connection.execute("CREATE DATABASE territory OWNER territory")


def _programs() -> Path:
    """Debian keeps the server's programs off the PATH."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    if found is None:
        raise RuntimeError("PostgreSQL's initdb is not installed")
    return Path(found).resolve().parent


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
