"""The same files in DuckDB alone, pandas and a cluster of Spark: the numbers that the temporal API tells."""

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from parvis.broker.ports.archive import ArchiveFile
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery
from parvis.broker.temporal.reading import Head, read_aggregates
from parvis.kernel.settings import load_settings
from parvis.kernel.time import DAY, HOUR, Duration, Instant, from_datetime
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.storage import FolderStorage
from parvis.stores.archive.write import write_day
from tests import system_tools
from tests.stores.archive.town import (
    BIN,
    HARBOUR,
    LEVEL,
    LIMITS,
    MARKET,
    NOTE,
    TODAY,
    Known,
    catalogued,
    partition,
    removal,
    row,
)

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/reference/archive.md"
ENTITIES = (MARKET, HARBOUR)
MINUTES = 10
JAVA_ENDS_WITHIN_S = 20
Means = Mapping[tuple[str, Instant], float]


class Town(NamedTuple):
    """A data directory's archive of three days, in the folder `data` of a working directory."""

    folder: Path
    files: tuple[ArchiveFile, ...]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    folder, files = FolderStorage(tmp_path / "data/archive"), []
    for day in range(TODAY, TODAY + 3):
        rows = [
            row(seq(day, number, step), day * DAY + step * MINUTES * 60_000_000, level(day, number, step), entity)
            for number, entity in enumerate(ENTITIES)
            for step in range(DAY // (MINUTES * 60_000_000))
        ]
        others = [row(seq(day, 3, 7), day * DAY, "full", attribute=NOTE), removal(seq(day, 3, 8), day * DAY + HOUR)]
        made = write_day(folder, LIMITS, partition(day), f"g{day}", rows + others)
        assert made is not None
        files.append(catalogued(made, day))
    return Town(tmp_path, tuple(files))


def seq(day: int, number: int, step: int) -> int:
    return (day - TODAY) * 1000 + number * 300 + step + 10


def level(day: int, number: int, step: int) -> float:
    return round((day * 31 + number * 17 + step * step) % 101 / 7, 3)


def means_of_the_api(town: Town) -> Means:
    """What the temporal API works out of the archive: `options=aggregatedValues`, `aggrMethods=avg`, PT1H."""
    reader = ArchiveReader(FolderStorage(town.folder / "data/archive"), LIMITS)
    aggregation = Aggregation((Method.AVG,), Duration((0, HOUR)))
    means = {}
    for entity in ENTITIES:
        source = reader.of_entity(Known(entity, town.files))
        told = read_aggregates(Head(entity, (BIN,), (), 0, 0, None), [source], TemporalQuery(), aggregation)
        for bucket in told.buckets[LEVEL, ""]:
            mean = bucket.values[Method.AVG]
            assert mean is not None
            means[entity, bucket.start] = mean
    reader.close()
    return means


def snippet(library: str) -> str:
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (found,) = [block for block in blocks if f"import {library}\n" in block or f"from {library}" in block]
    return found


def same(found: Means, expected: Means) -> None:
    assert len(expected) == len(ENTITIES) * 3 * 24
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12)


def test_duckdb_tells_the_same_means(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = means_of_the_api(town)
    monkeypatch.chdir(town.folder)
    scope: dict[str, Any] = {}
    exec(snippet("duckdb"), scope)
    same({(entity, hour): mean for entity, hour, mean in scope["means"]}, expected)


def test_pandas_tells_the_same_means(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = means_of_the_api(town)
    monkeypatch.chdir(town.folder)
    scope: dict[str, Any] = {}
    exec(snippet("pandas"), scope)
    found = {(entity, from_datetime(hour.to_pydatetime())): mean for (entity, hour), mean in scope["means"].items()}
    same(found, expected)


TELL = """
import json
rows = [(row.entity, row.hour.isoformat(), row.mean) for row in means.collect()]
partitions = [tuple(map(str, row)) for row in history.select("tenant", "type", "day").distinct().collect()]
workers = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
spark.stop()
print("TOLD " + json.dumps([rows, sorted(partitions), workers]))
"""


@pytest.mark.slow
def test_a_cluster_of_spark_tells_the_same_means(town: Town) -> None:
    """A master, two workers and their executors, each a process of its own; all of them end."""
    expected = means_of_the_api(town)
    rows, partitions, workers = run_spark(town, snippet("pyspark") + TELL)
    same({(entity, instant(hour)): mean for entity, hour, mean in rows}, expected)
    assert partitions == [["town", BIN, f"2026-05-{day}"] for day in (27, 28, 29)]
    assert workers == 2


def instant(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def run_spark(town: Town, program: str) -> Any:
    """What the program told on a local cluster of two workers."""
    java = system_tools.require_java()
    mark = f"-Dparvis.test={uuid.uuid4().hex}"
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": mark,
        "spark.executor.extraJavaOptions": mark,
        "spark.executor.memory": "512m",
        "spark.local.dir": str(town.folder / "spark"),
        "spark.sql.warehouse.dir": str(town.folder / "warehouse"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    }
    options = " ".join(f"--conf {key}={value}" for key, value in settings.items())
    environment = {
        **os.environ,
        "JAVA_HOME": str(java),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--master local-cluster[2,1,1024] {options} pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(town.folder / "work"),
        "TZ": "UTC",
    }
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=town.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    wait_until_ended(mark)
    return json.loads(run.stdout.rpartition("TOLD ")[2])


def wait_until_ended(mark: str) -> None:
    deadline = time.monotonic() + JAVA_ENDS_WITHIN_S
    while left := marked_processes(mark):
        assert time.monotonic() < deadline, f"Java still runs: {left}"
        time.sleep(0.2)


def marked_processes(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if mark.encode() in command:
            found.append(path.parent.name)
    return found


def test_the_settings_of_the_how_to_are_settings(tmp_path: Path) -> None:
    page = (ROOT / "docs/howto/archive-on-s3.md").read_text(encoding="utf-8")
    (settings,) = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "territory.toml").write_text(settings, encoding="utf-8")
    assert load_settings(tmp_path).archive.url == "s3://history/trevalan"
