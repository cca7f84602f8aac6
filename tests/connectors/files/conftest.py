import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.query.tree import TemporalQuery
from parvis.connectors.files.client import find_files, import_files
from parvis.connectors.files.config import load_mapping
from parvis.connectors.files.report import Report
from parvis.kernel.identity import system_caller
from parvis.kernel.time import HOUR, Instant, format_instant
from parvis.stores.sqlite.store import SqliteStore

CALLER = system_caller("import")
HERE = Path(__file__).parent
BUILDINGS = ("b0", "b24", "b101")
YEARS = ("2017", "2018")


class Place:
    """A store of its own, and a folder for the files to import."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder

    async def bring(self, mapping: Path, *paths: Path, dry_run: bool = False) -> Report:
        read = load_mapping(mapping)
        return await import_files(self.broker, CALLER, read, find_files(paths, read), dry_run=dry_run)

    async def import_text(self, mapping: str, table: str, dry_run: bool = False) -> Report:
        mapping_file, data = self.folder / "mapping.toml", self.folder / "table.csv"
        mapping_file.write_text(mapping, encoding="utf-8")
        data.write_text(table, encoding="utf-8")
        return await self.bring(mapping_file, data, dry_run=dry_run)

    async def history(self, entity_id: str, attribute: str) -> dict[str, object]:
        """By the time of observation, in text."""
        name = self.broker.contexts.parvis.expand(attribute)
        history = await self.broker.history(CALLER, entity_id, TemporalQuery(attrs=(name,), limit=1_000_000))
        instances = history.instances.get((name, ""), [])
        by_time = {format_instant(one.observed_at or 0): one.value for one in instances}
        assert len(by_time) == len(instances)
        return by_time


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await SqliteStore.open(":memory:")
    yield Place(Broker(store, Contexts()), tmp_path)
    await store.close()


def hourly(start: Instant, values: list[float | str]) -> dict[str, object]:
    """An unbroken series by its hours in UTC: independent of how the file writes local times."""
    return {
        format_instant(start + hour * HOUR): value for hour, value in enumerate(values) if not isinstance(value, str)
    }


@pytest.fixture
def inflow_file(shared_data: Callable[[str], Path]) -> Path:
    return shared_data("water/InflowData.xlsx")


@pytest.fixture
def building_files(shared_data: Callable[[str], Path], tmp_path: Path) -> Path:
    wanted = {f"UCam_Building_{building}/electricity/{year}.csv" for building in BUILDINGS for year in YEARS}
    with tarfile.open(shared_data("energy/cambridge_estates_subset_2017_2019.tar.gz")) as archive:
        for name in wanted:
            content = archive.extractfile(name)
            assert content is not None
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content.read())
    return tmp_path
