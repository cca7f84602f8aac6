"""`kill -9` in the middle of an import: it goes on where it was, and nothing is doubled."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from parvis.bootstrap import open_platform
from parvis.broker.query.tree import TemporalQuery
from parvis.cli.options import settings_beside
from parvis.connectors.files.config import Mapping, Series, Time
from parvis.connectors.files.folders import Folders, Import, Origin, Phase, Position
from parvis.connectors.files.imports import ATTEMPTS, IMPORT
from parvis.kernel.identity import DEFAULT_TENANT, system_caller
from parvis.kernel.jobs import NewJob
from parvis.kernel.time import MINUTE, format_instant, system_clock

ROWS = 60_000
STATIONS = 3
MAPPING = Mapping(
    Time("time"), (Series("value", "urn:ngsi-ld:WaterObserved:{station}", "WaterObserved", "waterLevel"),)
)


@contextmanager
def running(data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    options = ["--data", str(data), "--port", "0", "--mqtt-port", "0", "--auth", "off"]
    command = [sys.executable, "-c", "from parvis.cli import main; main()", "up", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(look: Callable[[], bool], process: "subprocess.Popen[bytes]", within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not look():
        assert process.poll() is None, f"the platform ended with {process.returncode}"
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def write_table(path: Path) -> None:
    with path.open("w") as table:
        table.write("time,station,value\n")
        for number in range(ROWS):
            table.write(f"{format_instant(number // STATIONS * MINUTE)},s{number % STATIONS},{number}\n")


async def ask_for(data: Path, one: Import) -> None:
    async with open_platform(settings_beside(data), listen=False) as platform:
        await platform.jobs.queue.add(NewJob(DEFAULT_TENANT, IMPORT, {"import": one.id}, "test", ATTEMPTS))


async def read_back(data: Path) -> tuple[list[int], int]:
    """All values of all stations, and how many events there are."""
    values: list[int] = []
    caller = system_caller("test")
    async with open_platform(settings_beside(data), listen=False) as platform:
        name = platform.broker.contexts.parvis.expand("waterLevel")
        for number in range(STATIONS):
            query = TemporalQuery(attrs=(name,), limit=ROWS)
            history = await platform.broker.history(caller, f"urn:ngsi-ld:WaterObserved:s{number}", query)
            values += [one.value for one in history.instances[name, ""]]
    return values, len(values)


@pytest.mark.slow
def test_an_import_that_was_killed_twice_brings_each_value_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    folders = Folders(data)
    one = folders.create(DEFAULT_TENANT, "levels.csv", Origin.COMMAND_LINE, "test", system_clock())
    write_table(folders.source(one))
    one = folders.save(msgspec.structs.replace(one, mapping=MAPPING))
    asyncio.run(ask_for(data, one))
    folder = folders.folder(one)

    def has_passed(share: float) -> bool:
        position = folder.find("position", Position)
        return position is not None and position.offset > share * folder.records.stat().st_size

    for share in (0.1, 0.5):
        with running(data) as process:
            until(lambda share=share: has_passed(share), process)  # type: ignore[misc]
    assert folders.get(DEFAULT_TENANT, one.id).phase is Phase.RECEIVED, "it was killed on its way"
    with running(data) as process:
        until(lambda: folders.get(DEFAULT_TENANT, one.id).phase is Phase.IMPORTED, process)

    position = folder.find("position", Position)
    assert position is not None
    assert position.verdicts == {"added": ROWS}, "no value was met twice"
    values, count = asyncio.run(read_back(data))
    assert (count, set(values)) == (ROWS, set(range(ROWS)))
    lines = folder.outcomes(is_dry=False).read_text().splitlines()
    assert [int(line.split(",", 1)[0]) for line in lines[1:]] == list(range(2, ROWS + 2))
