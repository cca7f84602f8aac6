"""Fixtures every test may use."""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import jinja2
import psycopg
import pytest
from hypothesis import settings
from xdist.remote import Producer

from parvis.access import access
from parvis.access.passwords import Passwords
from parvis.stores.postgres.database import Database
from parvis.web import pages
from tests import system_tools
from tests.logged_secrets import LoggedSecrets, keys_in_log_files, watched
from tests.shares import Shares, in_turns
from tests.thrift import CompiledTemplates

pytest_plugins = ["pytester"]
settings.register_profile("suite", settings(), deadline=None)
settings.load_profile("suite")
"""An example has a deadline where its test gives it one: beside other processes a fifth of a second is no measure."""
ROOT = Path(__file__).resolve().parent.parent
_EMPTY = """
SET session_replication_role = replica;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND NOT relispartition
        AND relname NOT IN ('schema_version', 'numbers', 'subscription_version', 'source_version', 'identity')
    LOOP EXECUTE format('DELETE FROM %I', one); END LOOP;
    UPDATE numbers SET log = 0, event = 0;
END $$
"""
"""Of a database that a test has filled; connections that it left open end."""
MEMORY = Path("/dev/shm")
MEMORY_NEEDED_BYTES = 4 << 30
SHARED_DATA = Path(os.environ.get("PARVIS_SHARED_DATA", ROOT.parent / "shared/data"))


def pytest_configure(config: pytest.Config) -> None:
    """What tests write lies in memory where there is room, and waits for no disk: no test cuts the power, and what
    survives a killed process survives it there too. `--basetemp` and PYTEST_DEBUG_TEMPROOT choose another place."""
    if config.getoption("basetemp") is None and has_room(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def has_room(folder: Path) -> bool:
    return folder.is_mount() and shutil.disk_usage(folder).free >= MEMORY_NEEDED_BYTES


@pytest.fixture(scope="session", autouse=True)
def thrift() -> Iterator[None]:
    """Every platform in this process compiles a template once, and its passwords are cheap to hash: one that is
    started as a process of its own does neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "Environment", partial(jinja2.Environment, bytecode_cache=CompiledTemplates()))
        patch.setattr(access, "Passwords", partial(Passwords, memory_kib=8))
        yield


@pytest.fixture(scope="session")
def logs_of_all() -> Iterator[LoggedSecrets]:
    with watched() as logged:
        yield logged


@pytest.fixture(autouse=True)
def logged_secrets(logs_of_all: LoggedSecrets) -> Iterator[LoggedSecrets]:
    """No test may log a secret that was made while it ran."""
    yield logs_of_all
    assert logs_of_all.take() == [], "secrets stand in the log"


@pytest.fixture(scope="session", autouse=True)
def no_keys_in_log_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    assert keys_in_log_files(tmp_path_factory.getbasetemp()) == []


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
def postgresql() -> Iterator[str]:
    """The connection string of an empty database.

    Its folder is not pytest's: every session that starts closes that one to the user who runs PostgreSQL.
    """
    with (
        tempfile.TemporaryDirectory(prefix="parvis-postgresql-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as folder,
        system_tools.running_postgresql(Path(folder)) as dsn,
    ):
        yield dsn


@pytest.fixture
def postgres_url(postgresql: str) -> Iterator[str]:
    """An empty database of its own, of a role that is no superuser: row-level security binds it."""
    url = _make_database(postgresql)
    yield url
    _drop_database(postgresql, url)


@pytest.fixture(scope="session")
def shared_postgres_url(postgresql: str) -> str:
    url = _make_database(postgresql)
    Database(url).prepare()
    return url


@pytest.fixture
def prepared_postgres_url(postgresql: str, shared_postgres_url: str) -> Iterator[str]:
    """As `postgres_url`, with the newest schema and nothing in it; the tests of a session have it in turn, for to make
    one takes half a second. Who changes the schema takes `postgres_url`."""
    yield shared_postgres_url
    with psycopg.connect(
        postgresql.removesuffix("postgres") + _name(shared_postgres_url), autocommit=True
    ) as superuser:
        superuser.execute(_EMPTY)


def _make_database(postgresql: str) -> str:
    name = f"town_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as cluster:
        if cluster.execute("SELECT 1 FROM pg_roles WHERE rolname = 'territory'").fetchone() is None:
            cluster.execute("CREATE ROLE territory LOGIN")
        cluster.execute(f"CREATE DATABASE {name} OWNER territory")
    return postgresql.replace("parvis@", "territory@").removesuffix("postgres") + name


def _drop_database(postgresql: str, url: str) -> None:
    """Not by force: a test that left a connection leaves the database to the end of the cluster."""
    with (
        psycopg.connect(postgresql, autocommit=True) as cluster,
        contextlib.suppress(psycopg.errors.ObjectInUse),
    ):
        cluster.execute(f"DROP DATABASE {_name(url)}".encode())


def _name(url: str) -> str:
    return url.rsplit("/", 1)[1]


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


@pytest.hookimpl(optionalhook=True)
def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are made anew (compressed, sealed, random) differ between processes, which must name cases alike."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Shares | None:
    return Shares(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_turns(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """From the reports: a process of its own may have run the tests."""
    skipped = (str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    for tool in sorted({found[1] for reason in skipped if (found := system_tools.MISSING.search(reason))}):
        terminalreporter.write_line(f"## MISSING: {tool}: tests were not run", red=True, bold=True)
