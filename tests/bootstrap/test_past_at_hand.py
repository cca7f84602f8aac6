"""Years that are brought become files in a process that is not the platform's, and that ends when it is not needed."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from parvis.bootstrap.archive import ArchiveAtHand, PastAtHand
from parvis.broker.ports.past import Brought, OldObservations, OldSeries
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.settings import Settings
from parvis.kernel.time import DAY, HOUR
from parvis.stores.archive.move import WorkerFailed
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import LEVEL, NOON, TENANT, Ticking, bin_, bin_id, level

FIRST = NOON // DAY * DAY - 30 * DAY


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    archive = ArchiveAtHand(Settings(data_dir=tmp_path))
    opened = await SqliteStore.open(tmp_path / "parvis.db", Ticking(), archive.read)
    await opened.write(TENANT, [bin_(1, level(50, NOON))])
    yield opened
    await opened.close()
    archive.close()


def a_day(number: int) -> OldObservations:
    hours = np.arange(24)
    times = FIRST + number * DAY + hours * HOUR
    return OldObservations([OldSeries(bin_id(1), LEVEL)], np.zeros(24, np.int32), times, hours.astype(float))


async def test_pieces_are_brought_by_one_process_which_ends_after_a_while(store: SqliteStore, tmp_path: Path) -> None:
    past = PastAtHand(Settings(data_dir=tmp_path), store, hand_rests_s=2)

    others = set(multiprocessing.active_children())
    assert await past.bring(TENANT, a_day(0)) == Brought(written=24, files=1)
    [first] = set(multiprocessing.active_children()) - others
    assert await past.bring(TENANT, a_day(0)) == Brought(stored_before=24)
    assert await past.bring(TENANT, a_day(1)) == Brought(written=24, files=1)
    assert set(multiprocessing.active_children()) - others == {first}
    await asyncio.to_thread(first.join, 10)

    assert first.exitcode == 0
    told = await store.history(TENANT, bin_id(1), TemporalQuery())
    assert told is not None
    assert [one.value for one in told.instances[LEVEL, ""]] == [*map(float, range(24)), *map(float, range(24)), 50]


async def test_where_the_process_dies_nothing_is_known_of_and_the_next_one_brings_it(
    store: SqliteStore, tmp_path: Path
) -> None:
    past = PastAtHand(Settings(data_dir=tmp_path), store)
    others = set(multiprocessing.active_children())
    await past.bring(TENANT, a_day(0))
    [hand] = set(multiprocessing.active_children()) - others
    hand.kill()

    with pytest.raises(WorkerFailed):
        await past.bring(TENANT, a_day(1))
    assert await past.bring(TENANT, a_day(1)) == Brought(written=24, files=1)
