"""A disk that takes nothing: refused in words, nothing half stored, and well again without a hand."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parvis.kernel.time import SECOND
from parvis.stores.sqlite.store import SqliteStore
from parvis.stores.sqlite.writer import StoreFailed
from tests.contract.territory import TENANT, Ticking, bin_, bin_id, level

_ROOM_BYTES = 200_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "parvis.db")
    yield opened
    await opened.close()


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No file of this process can grow much: soon writing fails as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    longest = max(path.stat().st_size for path in folder.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest + _ROOM_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def fill_until_refused(store: SqliteStore) -> tuple[int, StoreFailed]:
    """How many were stored, and the refusal."""
    for number in range(5000):
        try:
            await store.write(TENANT, [bin_(number, level(number))])
        except StoreFailed as refusal:
            return number, refusal
    raise AssertionError("the disk was never full")


async def recovered(store: SqliteStore) -> None:
    while not store.is_writing:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def test_a_full_disk_is_told_and_outlived(store: SqliteStore, tmp_path: Path) -> None:
    with full_disk(tmp_path):
        stored, refusal = await fill_until_refused(store)
        answers = await asyncio.gather(
            *(store.write(TENANT, [bin_(9000 + number, level(1))]) for number in range(50)), return_exceptions=True
        )
        assert stored > 10
        assert refusal.retry_after_s is not None
        assert all(isinstance(answer, StoreFailed) for answer in answers)
        assert not store.is_writing
        assert "make room" in store.fault
        assert await store.find(TENANT, bin_id(stored)) is None
        assert await store.find(TENANT, bin_id(stored - 1)) is not None
        assert store.pending_changes == 0

    async with asyncio.timeout(5):
        await recovered(store)
    await store.write(TENANT, [bin_(stored, level(7))])
    events = await store.read(0, limit=10_000)
    assert [one.entity_id for one in events] == [bin_id(number) for number in range(stored + 1)]


async def test_stamps_never_go_back_also_not_with_a_new_process(tmp_path: Path) -> None:
    clock = Ticking()
    for back in (0, 5 * SECOND):
        clock.now -= back
        store = await SqliteStore.open(tmp_path / "parvis.db", clock)
        for number in range(3):
            await store.write(TENANT, [bin_(number, level(number + back))])
            clock.now -= SECOND
        events = await store.read(0)
        await store.close()
    stamps = [one.at for one in events]
    assert len(stamps) == 6
    assert stamps == sorted(stamps)
