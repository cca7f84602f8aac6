"""Where the instances under test keep their data: a fresh store for each, gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from parvis.kernel.errors import ParvisError

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made within, with a name nobody can foresee


class InvalidStore(ParvisError):
    title = "This store cannot be tested"


@contextmanager
def working_folder(store: str) -> Iterator[Path]:
    """For everything that instances and mock servers write: on a file system in memory for the store `memory`."""
    parent = _IN_MEMORY if store == "memory" and _IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="parvis-conformance-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def fresh_store(store: str) -> Iterator[str]:
    """The URL of an empty store; of a PostgreSQL server a database that is dropped afterwards. Raises InvalidStore."""
    if store in ("memory", "sqlite"):
        yield ""
    elif urlsplit(store).scheme in ("postgresql", "postgres"):
        with _fresh_database(store) as url:
            yield url
    else:
        raise InvalidStore("The store is memory, sqlite or postgresql://USER@HOST/DATABASE.")


@contextmanager
def _fresh_database(url: str) -> Iterator[str]:
    import psycopg
    from psycopg.sql import SQL, Identifier

    name = f"parvis_conformance_{uuid4().hex}"
    try:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(Identifier(name)))
    except psycopg.Error as error:
        raise InvalidStore(f"No database can be made for the test: {error}") from error
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
