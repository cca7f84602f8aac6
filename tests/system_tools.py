"""The programs some tests need beside Python: how they are found and started.

Where one is missing the test is skipped with a loud line; with CI=true it fails. There is no third way.
"""

import contextlib
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

START_TIMEOUT_S = 60
"""Who waits looks whether the process still lives: so long it takes only where the machine has much else to do."""
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])

Broker = contextlib.AbstractContextManager[int]
"""Of the port in use."""

PORTS = range(10_000, 32_000)
_first = os.getpid() * 601 % len(PORTS)
_ports: Iterator[int] = itertools.cycle([*PORTS[_first:], *PORTS[:_first]])

MISSING = re.compile(r"'(?:Skipped: )?([^']+) is not installed;")


def refuse(tool: str) -> NoReturn:
    message = f"{tool} is not installed; `make test` as root installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_program(tool: str, *names: str) -> Path:
    for name in names:
        found = shutil.which(name, path=SEARCH_PATH)
        if found is not None:
            return Path(found)
    refuse(tool)


def require_chromium() -> Path:
    """The browser's program, where the driver that steers it runs as well."""
    driver = [sys.executable, "-m", "playwright", "--version"]
    if subprocess.run(driver, capture_output=True, check=False).returncode != 0:
        refuse("libatomic1 (for Playwright's driver)")
    return require_program("chromium", "chromium", "chromium-browser", "google-chrome")


def require_postgresql() -> Path:
    """The folder of PostgreSQL's server programs, which Debian keeps off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    for folder in reversed(debian):
        if (folder / "initdb").exists():
            return folder
    return require_program("postgresql", "initdb").resolve().parent


def require_java() -> Path:
    """The home of a Java that Spark runs on."""
    return require_program("default-jre-headless", "java").resolve().parents[1]


def free_port() -> int:
    """Never the same one twice in a row, nor one that the kernel gives to a connection meanwhile: below those, each
    process of the tests goes through them from a place of its own."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("an endless cycle ended")


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(command: list[str | Path], port: int, user: str | None = None) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
    )
    try:
        wait_for_port(port, process)
        yield
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


@contextlib.contextmanager
def running_mosquitto(folder: Path, more: str = "") -> Iterator[int]:
    """An anonymous MQTT broker on a free port of the loopback, with `more` configuration."""
    program = require_program("mosquitto", "mosquitto")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n{more}", encoding="utf-8")
    with running([program, "-c", config], port):
        yield port


@contextlib.contextmanager
def running_nats(folder: Path) -> Iterator[int]:
    """A NATS server whose MQTT side (3.1.1, on JetStream) listens on a free port of the loopback."""
    program = require_program("nats-server", "nats-server")
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(
        f"""
        server_name: parvis-test
        listen: "127.0.0.1:{free_port()}"
        jetstream {{ store_dir: "{folder / "jetstream"}" }}
        mqtt {{ listen: "127.0.0.1:{port}", ack_wait: "1s" }}
        """,
        encoding="utf-8",
    )
    with running([program, "-c", config], port):
        yield port


def unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


class Cluster:
    """A PostgreSQL cluster in `folder`, on a port that stays the same over restarts."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self._programs = require_postgresql()
        self._user = unprivileged_user()
        self._data = folder / "cluster"
        self._settings = [word for setting in settings for word in ("-c", setting)]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.dsn = f"postgresql://parvis@127.0.0.1:{self.port}/postgres"
        self._make(folder)

    def start(self) -> None:
        options = ["-h", "127.0.0.1", "-k", "", "-p", str(self.port), *self._settings]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
        )
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends every connection; SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_TIMEOUT_S)
            self._process = None

    def _wait(self) -> None:
        """Until it takes questions: after a crash it reads its log first."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended with {self._process.returncode} before it answered")
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.dsn, connect_timeout=2):
                return
            time.sleep(0.05)
        raise TimeoutError(f"PostgreSQL does not answer on port {self.port}")

    def _make(self, folder: Path) -> None:
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            for parent in (folder, *folder.parents[:2]):
                parent.chmod(parent.stat().st_mode | 0o011)
            shutil.chown(self._data, self._user)
        subprocess.run(
            [self._programs / "initdb", "-D", self._data, "-U", "parvis", "-A", "trust", "-E", "UTF8", "--no-sync"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd="/",
            check=True,
        )


@contextlib.contextmanager
def running_postgresql(folder: Path) -> Iterator[str]:
    """A cluster of its own on a free port; yields the connection string of an empty database."""
    cluster = Cluster(folder, "fsync=off")
    cluster.start()
    try:
        yield cluster.dsn
    finally:
        cluster.stop()
