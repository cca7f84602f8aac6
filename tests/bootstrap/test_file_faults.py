"""A damaged file of the archive is told at once by whoever meets it, by every process soon, and until it is whole."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from parvis.bootstrap.archive import ArchiveAtHand
from parvis.bootstrap.file_faults import FileFaults, check_work
from parvis.broker.ports.archive import ArchiveDamaged, ArchiveFileGone
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.jobs import JobContext, WorkFailed
from parvis.kernel.settings import Settings
from parvis.kernel.time import DAY
from parvis.stores.archive.move import Archiver, Plan
from parvis.stores.postgres import check as postgres_check
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite import check as sqlite_check
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.archiving import SMALL
from tests.contract.territory import LEVEL, NOON, TENANT, bin_, bin_id, level

DAYS = (NOON - 60 * DAY, NOON - 59 * DAY)
EVERYTHING = TemporalQuery(attrs=(LEVEL,))


class Work:
    """What a job is given."""

    tenant = TENANT
    attempt = 1
    cancelled = False

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        self.reported = 0

    def report(self, progress: float, message: str = "") -> None:
        self.reported += 1


class Town:
    """Two archived days, and what a process knows of their files."""

    def __init__(self, store: Store, faults: FileFaults, at_hand: ArchiveAtHand, settings: Settings) -> None:
        self.store = store
        self.faults = faults
        self.settings = settings
        self._at_hand = at_hand

    @property
    def files(self) -> list[Path]:
        return sorted((self.settings.data_dir / "archive").rglob("*.parquet"))

    async def read(self) -> None:
        await self.store.history(TENANT, bin_id(1), EVERYTHING)

    async def check(self, work: Work) -> Any:
        return await check_work(self.settings, self.store.archive)(work)

    def another_process(self) -> FileFaults:
        return FileFaults(self.settings, lambda: self.store.archive)

    async def close(self) -> None:
        await self.store.close()
        self._at_hand.close()


async def opened(folder: Path, postgres_url: str) -> Town:
    settings = Settings(folder)
    faults = FileFaults(settings, lambda: store.archive)
    at_hand = ArchiveAtHand(settings, faults.meet)
    store: Store
    if postgres_url:
        store = await PostgresStore.open(postgres_url, read_archived=at_hand.read)
    else:
        store = await SqliteStore.open(folder / "parvis.db", read_archived=at_hand.read)
    return Town(store, faults, at_hand, settings)


@pytest.fixture(params=["sqlite", "postgres"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    url = request.getfixturevalue("prepared_postgres_url") if request.param == "postgres" else ""
    town = await opened(tmp_path, url)
    await town.store.write(TENANT, [bin_(1, *(level(1, day) for day in DAYS), keep_newest=True)])
    await Archiver(town.store.archive, Plan("", tmp_path, 7, limits=SMALL, clock=lambda: NOON, apart=False)).run()
    assert len(town.files) == 2
    yield town
    await town.close()


async def test_a_read_tells_at_once_and_what_it_told_is_forgotten_when_the_file_is_whole(town: Town) -> None:
    torn, other = town.files[0], town.another_process()
    whole = torn.read_bytes()
    torn.write_bytes(whole[:-100])
    assert town.faults.words == ""

    with pytest.raises(ArchiveDamaged):
        await town.read()

    assert town.faults.words == "files of the archive are damaged or lost: 1"
    await town.faults.look()
    await other.look()
    assert (town.faults.count, other.count) == (1, 1)
    [noted] = await town.store.archive.list_faults()
    assert torn.name in noted.path
    assert "bytes, not" in noted.words

    torn.write_bytes(whole)
    await other.look()
    await town.faults.look()
    assert (town.faults.words, other.words) == ("", "")
    assert await town.store.archive.list_faults() == []
    await town.read()


async def test_a_lost_file_is_told_once_the_catalogue_says_that_it_should_be_there(town: Town) -> None:
    town.files[0].unlink()
    with pytest.raises(ArchiveFileGone):
        await town.read()
    assert town.faults.count == 0

    await town.faults.look()

    assert town.faults.count == 1


async def test_a_file_that_was_replaced_under_a_reader_is_no_fault(town: Town) -> None:
    town.faults.meet(ArchiveFileGone("It is not there.", file="tenant=x/type=y/day=2026-01-01/ab.parquet"))
    await town.faults.look()
    assert town.faults.count == 0
    assert await town.store.archive.list_faults() == []


async def test_the_check_finds_what_nobody_has_read(town: Town) -> None:
    torn, work = town.files[1], Work()
    whole = torn.read_bytes()
    torn.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])

    with pytest.raises(WorkFailed, match=torn.name):
        await town.check(work)

    assert work.reported == 2
    await town.faults.look()
    assert town.faults.count == 1
    torn.write_bytes(whole)
    assert await town.check(Work()) == {"files": 2}
    await town.faults.look()
    assert town.faults.count == 0


async def test_the_check_of_the_store_tells_of_damaged_files(town: Town, request: pytest.FixtureRequest) -> None:
    town.files[0].write_bytes(b"")
    with pytest.raises(WorkFailed):
        await town.check(Work())

    check: Callable[[JobContext], object]
    if isinstance(town.store, PostgresStore):
        check, work = postgres_check.check, Work(url=request.getfixturevalue("prepared_postgres_url"))
    else:
        check, work = sqlite_check.check, Work(path=str(town.settings.data_dir / "parvis.db"))
    with pytest.raises(WorkFailed, match="has 0 bytes"):
        check(work)


async def test_more_than_can_be_looked_at_in_one_round_heal_in_turn(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.bootstrap.file_faults.LOOKED_AT_AGAIN", 1)
    contents = {path: path.read_bytes() for path in town.files}
    for path in contents:
        path.write_bytes(b"")
    with pytest.raises(WorkFailed):
        await town.check(Work())
    for path, whole in contents.items():
        path.write_bytes(whole)

    await town.faults.look()
    assert town.faults.count == 1
    await town.faults.look()
    assert town.faults.count == 0
