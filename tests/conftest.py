"""Fixtures every test may use."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests import system_tools

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("PARVIS_SHARED_DATA", ROOT.parent / "shared/data"))


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program."""
    return system_tools.require_chromium()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running MQTT broker that is not ours."""
    with system_tools.running_mosquitto(tmp_path_factory.mktemp("mosquitto")) as port:
        yield port


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an empty database."""
    with system_tools.running_postgresql(tmp_path_factory.mktemp("postgresql")) as dsn:
        yield dsn


@pytest.fixture
def postgres_url(postgresql: str) -> Iterator[str]:
    """An empty database of its own, of a role that is no superuser: row-level security binds it."""
    name = f"town_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as cluster:
        if cluster.execute("SELECT 1 FROM pg_roles WHERE rolname = 'territory'").fetchone() is None:
            cluster.execute("CREATE ROLE territory LOGIN")
        cluster.execute(f"CREATE DATABASE {name} OWNER territory")
        yield postgresql.replace("parvis@", "territory@").removesuffix("postgres") + name
        cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def free_port() -> int:
    return system_tools.free_port()


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Recorded real series, by their path below the shared folder; not part of the repository."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"recorded series {name} not found: set PARVIS_SHARED_DATA")
        return path

    return find


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for tool in sorted(system_tools.missing_tools):
        terminalreporter.write_line(f"## MISSING: {tool}: tests were not run", red=True, bold=True)
