"""Whether a database agrees with itself, and the mending of what follows from the rest.

PostgreSQL looks after its own pages: `pg_amcheck` and data checksums say more of them than a client can.
"""

from collections.abc import Callable
from typing import NamedTuple

from psycopg import sql

from parvis.broker.ports.integrity import Fault
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Database, only_row, scoped

_ORPHAN = (
    "NOT EXISTS (SELECT 1 FROM entity e WHERE e.tenant = attribute.tenant AND e.id = attribute.entity"
    " AND e.deleted IS NULL)"
)
_INVALID_INDEXES = (
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND n.nspname = current_schema()"
)


class _Check(NamedTuple):
    """`counted` finds how much is wrong; `mend` puts it right, or is None where nothing can."""

    counted: str
    words: str
    remedy: str = ""
    mend: Callable[[Connection], object] | None = None


def find_faults(url: str) -> list[Fault]:
    """Everything this store can know to be wrong of itself. Raises StoreUnreachable."""
    with Database(url).connect() as connection:
        return [Fault(check.words.format(wrong), check.remedy) for check, wrong in _wrong(connection)]


def repair(url: str) -> list[Fault]:
    """Mend what can be mended; the faults that were. Raises StoreUnreachable."""
    mended = []
    with Database(url).connect() as connection:
        for check, wrong in _wrong(connection):
            if check.mend is not None:
                with scoped(connection, EVERY_TENANT):
                    check.mend(connection)
                mended.append(Fault(check.words.format(wrong), check.remedy))
    return mended


def _wrong(connection: Connection) -> list[tuple[_Check, int]]:
    with scoped(connection, EVERY_TENANT):
        counts = [(check, int(only_row(connection, check.counted)[0])) for check in _CHECKS]
    return [(check, wrong) for check, wrong in counts if wrong]


def _drop_orphans(connection: Connection) -> None:
    connection.execute(f"DELETE FROM attribute WHERE {_ORPHAN}".encode())


def _number_on(connection: Connection) -> None:
    connection.execute(
        "UPDATE numbers SET log = greatest(log, (SELECT coalesce(max(seq), 0) FROM history)),"
        " event = greatest(event, (SELECT coalesce(max(seq), 0) FROM outbox))"
    )


def _drop_invalid_indexes(connection: Connection) -> None:
    """What CREATE INDEX CONCURRENTLY leaves behind when it fails: whoever wants the index makes it again."""
    for (name,) in connection.execute(_INVALID_INDEXES.encode()).fetchall():
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))


_CHECKS = (
    _Check(
        f"SELECT count(*) FROM attribute WHERE {_ORPHAN}",
        "{} attributes belong to no entity",
        "they are taken out of the present; their history stays",
        _drop_orphans,
    ),
    _Check(
        "SELECT count(*) FROM numbers WHERE log < (SELECT max(seq) FROM history)"
        " OR event < (SELECT max(seq) FROM outbox)",
        "numbers would be given twice",
        "numbering goes on after the newest",
        _number_on,
    ),
    _Check(
        f"SELECT count(*) FROM ({_INVALID_INDEXES}) i",
        "{} indexes are unfinished",
        "they are dropped, and made again when they are asked for",
        _drop_invalid_indexes,
    ),
    _Check(
        "SELECT count(*) FROM attribute a WHERE NOT EXISTS (SELECT 1 FROM word w WHERE w.id = a.name)"
        " OR NOT EXISTS (SELECT 1 FROM shape s WHERE s.id = a.shape)",
        "{} attributes have a name or a shape that is not known; restore a backup",
    ),
    _Check(
        "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)",
        "the role is above row-level security, which keeps tenants apart: connect as one that is no superuser",
    ),
)
