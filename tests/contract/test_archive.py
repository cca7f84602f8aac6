"""What every store with an archive does: history is the same before, while and after days move into files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.ports.archive import ArchiveDamaged, Erasure, HotArchive
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.retention import KeepRule, Retention
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant, parse_duration
from parvis.stores.archive.move import Archiver, Plan, Summary
from tests.contract.archiving import ARCHIVED_STORES, Archived
from tests.contract.territory import BIN, LAMP, LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level, note

FIRST = NOON - 40 * DAY
EVERYTHING = TemporalQuery()
HOURS = range(0, 72, 6)
METHODS = tuple(Method)


@pytest.fixture(params=list(ARCHIVED_STORES))
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await ARCHIVED_STORES[request.param](tmp_path, Ticking())
    yield opened
    await opened.close()


@pytest.fixture
async def moved(archived: Archived) -> Archived:
    """Levels 0, 6 ... 66, written hours after FIRST, all moved into the files of three or four days."""
    await archived.store.write(TENANT, [bin_(1, *levels(*HOURS), keep_newest=True)])
    await archived.run()
    return archived


def levels(*hours: int, value: int | None = None) -> list[object]:
    return [level(hour if value is None else value, FIRST + hour * HOUR) for hour in hours]


async def values(archived: Archived, query: TemporalQuery = EVERYTHING, number: int = 1) -> list[object]:
    told = await archived.store.history(TENANT, bin_id(number), query)
    assert told is not None
    return [one.value for one in told.instances.get((LEVEL, ""), [])]


async def test_what_is_in_files_is_read_as_before(moved: Archived) -> None:
    files = await moved.archive.list_files()

    assert await values(moved) == list(HOURS)
    assert sum(one.file.rows for one in files) == len(HOURS)
    assert {one.partition.types for one in files} == {(BIN,)}
