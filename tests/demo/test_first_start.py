"""The first start: days before are there once told, what was stopped is told again, a fault stops nothing."""

import errno
from collections.abc import AsyncIterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from parvis.bootstrap import Platform, open_platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.past import OldObservations
from parvis.broker.query.tree import TemporalQuery
from parvis.demo.devices.device import Thing
from parvis.demo.first_start import FirstStart
from parvis.demo.happenings import DemoStory
from parvis.demo.past import Days, PastSeries, columns_of
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import Line
from parvis.demo.story.stage import Stage
from parvis.demo.things import Bound
from parvis.kernel.happenings import Laying
from parvis.kernel.identity import system_caller
from parvis.kernel.settings import MqttSettings, Settings
from parvis.kernel.time import DAY, system_clock

BIN = "urn:ngsi-ld:WasteContainer:1"
HALL = "urn:ngsi-ld:Building:1"
DAYS_TOLD = 14
DIED = BrokenProcessPool("killed")
CALLER = system_caller("test")


class Memory:
    """One bin that fills by the hour; the process dies, or fails, when asked for a day that it should not know."""

    def __init__(self, dies_at: int = 0, of: Exception = DIED) -> None:
        self.dies_at, self.of = dies_at, of
        self.asked: list[Days] = []

    async def stage(self) -> Stage:
        return Stage([])

    async def things(self) -> tuple[list[Thing], list[Bound]]:
        square: dict[str, object] = {"type": "Point", "coordinates": [-3.3, 47.7]}
        hall = Thing(HALL, "Building", "Town hall", square, {"category": ["civic"]}, {"refBin": [BIN, BIN]})
        return [hall], [(BIN, {"refBuilding": HALL})]

    async def tell(self, days: Days) -> Sequence[OldObservations]:
        self.asked.append(days)
        if days.first <= self.dies_at < days.last:
            raise self.of
        level = np.arange(len(days.times), dtype=np.float64) % 100
        return list(columns_of([PastSeries(BIN, "fillingLevel", level, "P1")], days.times))

    def close(self) -> None:
        pass


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    settings = Settings(tmp_path, mqtt=MqttSettings(enabled=False))
    async with open_platform(settings, listen=False) as opened:
        context = opened.broker.contexts.parvis
        name = Instance(context.expand("name"), Kind.PROPERTY, "Bin 1")
        types = (context.expand("WasteContainer"),)
        await opened.broker.write(CALLER, [Change(BIN, Mode.UPSERT_UPDATE, (name,), types=types)])
        yield opened


async def start(platform: Platform, folder: Path, memory: Memory) -> tuple[KeptStory, DemoStory, list[str]]:
    kept = KeptStory.open(folder, 1, system_clock() / 1e6)
    story, said = DemoStory(kept, Line(), system_clock), list[str]()
    await FirstStart(memory, kept, story, DAYS_TOLD, said.append).run(platform.broker)
    return kept, story, said


async def count(platform: Platform) -> int:
    history = await platform.broker.history(CALLER, BIN, TemporalQuery(limit=1000))
    level = platform.broker.contexts.parvis.expand("fillingLevel")
    return len(history.instances.get((level, ""), []))


async def test_the_days_before_are_there_and_are_not_told_twice(platform: Platform, tmp_path: Path) -> None:
    kept, story, said = await start(platform, tmp_path / "demo", Memory())

    assert await count(platform) == DAYS_TOLD * 24
    assert kept.told_until == system_clock() // DAY
    assert story.past_share == 1
    assert story.laying is None
    assert said[-1].startswith("The past is told: 336 readings")
    again = Memory()
    await start(platform, tmp_path / "demo", again)
    assert again.asked == []


async def test_things_are_written_once_and_related(platform: Platform, tmp_path: Path) -> None:
    await start(platform, tmp_path / "demo", Memory())
    expand = platform.broker.contexts.parvis.expand
    hall, bin_ = [await platform.broker.get(CALLER, one) for one in (HALL, BIN)]

    assert bin_.find(expand("refBuilding")).value == HALL  # type: ignore[union-attr]
    assert hall.find(expand("refBin")).value == [BIN, BIN]  # type: ignore[union-attr]
    assert hall.find(expand("location")).kind is Kind.GEO_PROPERTY  # type: ignore[union-attr]
    await start(platform, tmp_path / "demo", Memory())
    assert (await platform.broker.get(CALLER, HALL)).modified_at == hall.modified_at


async def test_what_was_stopped_on_the_way_is_told_again(platform: Platform, tmp_path: Path) -> None:
    """The platform stays; the next start leaves alone what is there."""
    kept, story, said = await start(platform, tmp_path / "demo", Memory(dies_at=system_clock() // DAY - 10))

    assert 0 < await count(platform) < DAYS_TOLD * 24
    assert (kept.told_until, story.past_share) == (0, 1.0)
    assert story.laying == Laying("fault", 1.0)
    assert "could not be laid out: killed" in said[-1]

    await start(platform, tmp_path / "demo", Memory())
    assert await count(platform) == DAYS_TOLD * 24


@pytest.mark.parametrize("fault", [MemoryError(), ImportError("no wntr"), RuntimeError("EPANET: error 110")], ids=repr)
async def test_whatever_fails_in_the_other_process_is_told_and_logged(
    platform: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    _, story, said = await start(platform, tmp_path / "demo", Memory(system_clock() // DAY - 10, fault))

    assert story.laying == Laying("fault", 1.0)
    assert said[-1].endswith(str(fault) or "MemoryError")
    assert "Traceback" in caplog.text


async def test_a_full_disk_stops_nothing(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(KeptStory, "note_told", fill)
    kept, story, _ = await start(platform, tmp_path / "demo", Memory())

    assert (kept.told_until, story.laying) == (0, Laying("fault", 1.0))
