"""Whether a file is sound, and the mending of what follows from the rest: indexes, places, rows without an entity."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from parvis.broker.model.entity import Kind
from parvis.broker.model.geometry import bounds
from parvis.broker.ports.integrity import Fault
from parvis.stores.sqlite.batch import write_place
from parvis.stores.sqlite.database import SCHEMA, Connection
from parvis.stores.sqlite.rows import from_column

_MOST_TOLD = 20
_MISINDEXED = ("missing from index", "wrong # of entries in index", "non-unique entry in index")
_ORPHANS = "SELECT 1 FROM entity e WHERE e.id = attribute.entity AND e.deleted IS NULL"
_GEOMETRIES = (
    "SELECT a.entity, a.name, a.dataset, a.value FROM attribute a JOIN shape s ON s.id = a.shape"
    f" WHERE s.kind = {Kind.GEO_PROPERTY.value}"
)


class _Check(NamedTuple):
    """`counted` finds how much is wrong; `mend` puts it right, or is None where nothing can."""

    counted: str
    words: str
    remedy: str
    mend: Callable[[Connection], object] | None


def find_damage(path: Path) -> list[str]:
    """What SQLite's quick check finds wrong, without stopping who writes; nothing where the file is sound."""
    connection = _open(path, "ro")
    try:
        return _told(connection, "quick_check")
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        connection.close()


def find_faults(path: Path) -> list[Fault]:
    """Everything this store can know to be wrong of itself; reads the whole file."""
    connection = _open(path, "ro")
    try:
        return _outdated(connection) or [fault for fault, _ in _faults(connection)]
    except sqlite3.DatabaseError as error:
        return [Fault(f"{error}; restore a backup")]
    finally:
        connection.close()


def repair(path: Path) -> list[Fault]:
    """Mend what can be mended; the faults that were. No other process may have the file open."""
    connection = _open(path, "rw")
    try:
        mended: list[Fault] = []
        for fault, mend in () if _outdated(connection) else _faults(connection):
            if mend is not None:
                connection.execute("BEGIN IMMEDIATE")
                mend(connection)
                connection.execute("COMMIT")
                mended.append(fault)
        return mended
    finally:
        connection.close()


def _open(path: Path, mode: str) -> Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _told(connection: Connection, pragma: str) -> list[str]:
    rows = [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}({_MOST_TOLD})")]
    return [] if rows == ["ok"] else rows


def _faults(connection: Connection) -> Iterator[tuple[Fault, Callable[[Connection], object] | None]]:
    """A check begins when the fault before it was taken, and mended."""
    told = _told(connection, "integrity_check")
    indexes = [line for line in told if any(words in line for words in _MISINDEXED)]
    for line in told:
        if line not in indexes:
            yield Fault(f"{line}; restore a backup"), None
    if indexes:
        yield Fault(f"{'; '.join(indexes[:3])}", "the indexes are made anew"), _reindex
    if len(told) > len(indexes):
        return
    for check in _CHECKS:
        (wrong,) = connection.execute(check.counted).fetchone()
        if wrong:
            yield Fault(check.words.format(wrong), check.remedy), check.mend


def _outdated(connection: Connection) -> list[Fault]:
    """Checks are of this program's schema; an examination migrates nothing."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA.version:
        return []
    remedy = "start Parvis to migrate it" if version < SCHEMA.version else "install a newer one"
    return [Fault(f"the store has schema {version}, this Parvis wants {SCHEMA.version}: {remedy}")]


def _reindex(connection: Connection) -> None:
    connection.execute("REINDEX")


def _drop_orphans(connection: Connection) -> None:
    connection.execute(f"DELETE FROM attribute WHERE NOT EXISTS ({_ORPHANS})")


def _place_again(connection: Connection) -> None:
    connection.execute("DELETE FROM place")
    connection.execute("DELETE FROM geometry")
    for *key, value in connection.execute(_GEOMETRIES).fetchall():
        write_place(connection, (key[0], key[1], key[2]), bounds(from_column(value)))


_CHECKS = (
    _Check(
        f"SELECT count(*) FROM attribute WHERE NOT EXISTS ({_ORPHANS})",
        "{} attributes belong to no entity",
        "they are taken out of the present; their history stays",
        _drop_orphans,
    ),
    _Check(
        f"SELECT (SELECT count(*) FROM ({_GEOMETRIES}) g WHERE NOT EXISTS (SELECT 1 FROM geometry t JOIN place p"
        " ON p.id = t.id WHERE t.entity = g.entity AND t.name = g.name AND t.dataset = g.dataset))"
        f" + (SELECT abs((SELECT count(*) FROM place) - (SELECT count(*) FROM ({_GEOMETRIES}))))",
        "{} places on the map's index differ from the geometries stored",
        "the index of places is made anew from the geometries",
        _place_again,
    ),
    _Check(
        "SELECT count(*) FROM attribute a WHERE NOT EXISTS (SELECT 1 FROM word w WHERE w.id = a.name)"
        " OR NOT EXISTS (SELECT 1 FROM shape s WHERE s.id = a.shape)",
        "{} attributes have a name or a shape that is not known; restore a backup",
        "",
        None,
    ),
    _Check(
        "SELECT count(*) FROM outbox o WHERE o.first < o.last"
        " AND NOT EXISTS (SELECT 1 FROM log l WHERE l.seq = o.first)",
        "{} events of the outbox have lost their rows; restore a backup",
        "",
        None,
    ),
)
