"""What the store knows to be wrong of itself, and what it can mend."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parvis.broker.query.tree import EntityQuery, GeoQuery, GeoRelation, TypeIs
from parvis.stores.sqlite.integrity import find_damage, find_faults, repair
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import BIN, PLACE, TENANT, bin_, bin_id, level, place

AROUND = GeoQuery(GeoRelation.NEAR, {"type": "Point", "coordinates": [-3.3, 47.7]}, PLACE, max_distance_m=2_000)
INDEX_SQL = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'entity_by_type'"


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    store = await SqliteStore.open(tmp_path / "parvis.db")
    await store.write(TENANT, [bin_(number, level(number), place(-3.3, 47.7)) for number in range(3)])
    await store.close()
    return tmp_path / "parvis.db"


async def found(path: Path, query: EntityQuery) -> list[str]:
    store = await SqliteStore.open(path)
    try:
        return [one.id for one in (await store.query(TENANT, query)).entities]
    finally:
        await store.close()


def change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_sound_file_has_no_fault(path: Path) -> None:
    assert find_damage(path) == []
    assert find_faults(path) == []
    assert repair(path) == []


async def test_places_that_were_lost_are_found_again(path: Path) -> None:
    change(path, "DELETE FROM place WHERE id = 1", "UPDATE geometry SET name = 99 WHERE id = 2")
    assert await found(path, EntityQuery(geo=AROUND)) == [bin_id(2)]

    [fault] = find_faults(path)
    assert "places" in fault.words
    assert repair(path) == [fault]

    assert find_faults(path) == []
    assert await found(path, EntityQuery(geo=AROUND)) == [bin_id(0), bin_id(1), bin_id(2)]


def test_attributes_without_an_entity_are_taken_out(path: Path) -> None:
    change(path, "DELETE FROM entity WHERE id = 3")

    faults = repair(path)

    assert any("belong to no entity" in fault.words for fault in faults)
    assert find_faults(path) == []


async def test_an_index_that_lies_is_made_anew(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(INDEX_SQL, ("IS NULL", "IS NOT NULL"))
    connection.close()
    columns = "9, tenant, 'urn:x', typeset, NULL, 0, 0, NULL, NULL, NULL"
    change(path, f"INSERT INTO entity SELECT {columns} FROM entity WHERE id = 1")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(INDEX_SQL, ("IS NOT NULL", "IS NULL"))
    connection.close()
    assert "urn:x" not in await found(path, EntityQuery(types=TypeIs(BIN)))

    [fault] = find_faults(path)
    assert fault.remedy == "the indexes are made anew"
    repair(path)

    assert find_faults(path) == []
    assert "urn:x" in await found(path, EntityQuery(types=TypeIs(BIN)))


def test_what_cannot_be_mended_asks_for_a_backup(path: Path) -> None:
    change(path, "DELETE FROM log", "DELETE FROM word")

    faults = find_faults(path)

    assert len(faults) == 2
    assert all("restore a backup" in fault.words and not fault.remedy for fault in faults)
    assert repair(path) == []


def test_a_file_with_torn_pages_asks_for_a_backup(path: Path) -> None:
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)

    assert find_damage(path)
    assert any("restore a backup" in fault.words for fault in find_faults(path))


async def test_a_store_of_another_version_is_told_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as older:
        older.execute("PRAGMA user_version = 1")

    assert ["start Parvis to migrate it" in fault.words for fault in find_faults(path)] == [True]
    assert repair(path) == []
    with closing(sqlite3.connect(path)) as older:
        assert older.execute("PRAGMA user_version").fetchone() == (1,)
