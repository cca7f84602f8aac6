"""Two databases on one archive would delete each other's files: the mark in it says whose it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copytree

import psycopg
import pytest

from parvis.broker.ports.archive import ArchiveDamaged, Owner
from parvis.broker.ports.store import Store
from parvis.kernel.time import DAY
from parvis.stores.archive.move import GRACE, Archiver, Plan
from parvis.stores.archive.owner import MARK, ArchiveOwned, adopt, find_owner
from parvis.stores.archive.storage import FolderStorage, Storage, open_storage
from parvis.stores.postgres.closed_rows import open_closed_rows
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.archiving import SMALL
from tests.contract.territory import NOON, TENANT, bin_, level


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Store]:
    store = await SqliteStore.open(folder / "parvis.db")
    try:
        yield store
    finally:
        await store.close()


async def run(store: Store, url: str, folder: Path, *, later: int = 0) -> None:
    plan = Plan(url, folder, 7, limits=SMALL, clock=lambda: NOON + later, apart=False)
    await Archiver(store.archive, plan).run()


async def write(store: Store, number: int) -> None:
    await store.write(TENANT, [bin_(number, level(number, NOON - 60 * DAY))])
    await store.archive.settle()


def paths(storage: Storage) -> set[str]:
    return {one.path for one in storage.list()}


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "shared") if request.param == "folder" else request.getfixturevalue("bucket_url")


async def test_another_database_is_refused_and_deletes_nothing(url: str, tmp_path: Path) -> None:
    async with town(tmp_path / "one") as one, town(tmp_path / "other") as other:
        await write(one, 1)
        await write(other, 2)
        await run(one, url, tmp_path / "one")
        storage = open_storage(url, tmp_path / "one")
        before = paths(storage)

        with pytest.raises(ArchiveOwned, match="parvis archive adopt"):
            await run(other, url, tmp_path / "other", later=2 * GRACE)

        assert paths(storage) == before
        assert len(before) == 2
        await run(one, url, tmp_path / "one", later=2 * GRACE)
        assert paths(storage) == before


async def test_who_adopts_it_has_it_and_the_one_before_is_refused(url: str, tmp_path: Path) -> None:
    async with town(tmp_path / "one") as one, town(tmp_path / "other") as other:
        await write(one, 1)
        await run(one, url, tmp_path / "one")
        with other.archive.closed_rows()() as rows:
            adopt(open_storage(url, tmp_path / "other"), rows.owner)

        await run(other, url, tmp_path / "other")
        with pytest.raises(ArchiveOwned):
            await run(one, url, tmp_path / "one")


async def test_a_copy_of_the_database_is_told_from_it(tmp_path: Path) -> None:
    url = str(tmp_path / "shared")
    async with town(tmp_path / "one") as one:
        await write(one, 1)
        await run(one, url, tmp_path / "one")
    copytree(tmp_path / "one", tmp_path / "copy")

    async with town(tmp_path / "copy") as copy:
        with pytest.raises(ArchiveOwned):
            await run(copy, url, tmp_path / "copy")


async def test_an_archive_that_lies_beside_its_database_is_copied_with_it(tmp_path: Path) -> None:
    async with town(tmp_path / "one") as one:
        await write(one, 1)
        await run(one, "", tmp_path / "one")
    copytree(tmp_path / "one", tmp_path / "copy")

    for name in ("copy", "one"):
        async with town(tmp_path / name) as either:
            await write(either, 2)
            await run(either, "", tmp_path / name)


async def test_files_without_a_mark_are_somebody_s_unless_the_catalogue_names_them(tmp_path: Path) -> None:
    url = str(tmp_path / "shared")
    async with town(tmp_path / "one") as one, town(tmp_path / "other") as other:
        await write(one, 1)
        await run(one, url, tmp_path / "one")
        (tmp_path / "shared" / MARK).unlink()

        with pytest.raises(ArchiveOwned, match="knows none"):
            await run(other, url, tmp_path / "other")
        await run(one, url, tmp_path / "one")

    assert find_owner(FolderStorage(tmp_path / "shared")) is not None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"database": 1}', b'{"database": "x"}'])
def test_a_torn_mark_is_told(folder: FolderStorage, content: bytes) -> None:
    folder.root.mkdir()
    (folder.root / MARK).write_bytes(content)
    with pytest.raises(ArchiveDamaged, match="parvis archive adopt"):
        find_owner(folder)


async def test_a_database_on_postgresql_is_known_by_its_name_and_its_place(
    prepared_postgres_url: str, postgres_url: str, tmp_path: Path
) -> None:
    store, other = await PostgresStore.open(prepared_postgres_url), await PostgresStore.open(postgres_url)
    try:
        await run(store, str(tmp_path / "shared"), tmp_path)
        with pytest.raises(ArchiveOwned):
            await run(other, str(tmp_path / "shared"), tmp_path)
        copy_identity(prepared_postgres_url, postgres_url)
        assert owner(prepared_postgres_url).database == owner(postgres_url).database
        with pytest.raises(ArchiveOwned):
            await run(other, str(tmp_path / "shared"), tmp_path)
        await run(store, str(tmp_path / "shared"), tmp_path)
    finally:
        await store.close()
        await other.close()


def owner(url: str) -> Owner:
    with open_closed_rows(url)() as rows:
        return rows.owner


def copy_identity(url: str, copy: str) -> None:
    """As pg_dump and pg_restore would."""
    with psycopg.connect(copy) as connection:
        connection.execute("UPDATE identity SET name = %s", (owner(url).database,))
