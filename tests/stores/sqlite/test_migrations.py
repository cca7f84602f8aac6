"""The schema: from scratch, and by every migration from the first one on."""

import sqlite3
from pathlib import Path

import pytest

from parvis.broker.ports.store import StoreNotUsable
from parvis.stores.sqlite.database import SCHEMA, Connection, Database


def tables(connection: Connection) -> dict[str, object]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    columns = {name: connection.execute(f"PRAGMA table_xinfo({name})").fetchall() for (name,) in names}
    indexes = {name: sorted(connection.execute(f"PRAGMA index_list({name})").fetchall()) for (name,) in names}
    rows = connection.execute("SELECT * FROM settling").fetchall()
    return {"columns": columns, "indexes": indexes, "settling": rows}


@pytest.mark.parametrize("version", range(1, SCHEMA.version + 1))
def test_a_migrated_store_equals_a_new_one(tmp_path: Path, version: int) -> None:
    new = Database(tmp_path / "new.db").connect_writer()
    old = sqlite3.connect(tmp_path / "old.db")
    for step in SCHEMA.migrations[:version]:
        old.executescript(step)
    old.executescript(f"PRAGMA user_version = {version}")
    old.close()

    migrated = Database(tmp_path / "old.db").connect_writer()

    assert migrated.execute("PRAGMA user_version").fetchone() == (SCHEMA.version,)
    assert tables(migrated) == tables(new)
    migrated.close()
    new.close()


def test_the_history_of_an_older_store_is_its_first_segment(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "old.db")
    for step in SCHEMA.migrations[:2]:
        old.executescript(step)
    old.executescript("INSERT INTO history VALUES (7, 1, 0, 1000, 5, 2, 12.5, 1, '{}', 2000); PRAGMA user_version = 2")
    old.close()

    migrated = Database(tmp_path / "old.db").connect_writer()

    assert migrated.execute("SELECT * FROM history").fetchall() == [(1, 7, 1, 0, 1000, 5, 2, 12.5, 1, "{}", 2000)]
    assert migrated.execute("SELECT * FROM segment").fetchall() == [(1, 1)]
    migrated.close()


def test_a_store_of_a_newer_parvis_is_left_alone(tmp_path: Path) -> None:
    connection = Database(tmp_path / "parvis.db").connect_writer()
    connection.execute(f"PRAGMA user_version = {SCHEMA.version + 1}")
    connection.close()

    with pytest.raises(StoreNotUsable, match="install a newer one"):
        Database(tmp_path / "parvis.db").connect_writer()


def test_the_entities_of_an_older_store_wait_to_be_found_by_their_words(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "old.db")
    for step in SCHEMA.migrations[:2]:
        old.executescript(step)
    old.executescript(
        "INSERT INTO tenant VALUES (1, 'default'); INSERT INTO typeset VALUES (1, '[]');"
        "INSERT INTO entity (id, tenant, urn, typeset, created, modified, deleted) VALUES"
        " (7, 1, 'urn:a', 1, 0, 0, NULL), (8, 1, 'urn:b', 1, 0, 0, 5); PRAGMA user_version = 2"
    )
    old.close()

    migrated = Database(tmp_path / "old.db").connect_writer()

    assert migrated.execute("SELECT entity FROM unsearched").fetchall() == [(7,)]
    migrated.close()
