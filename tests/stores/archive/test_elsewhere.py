"""The same files in DuckDB alone, pandas and a cluster of Spark: the numbers that the temporal API tells."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client import CollectorRegistry

from parvis.bootstrap import open_platform
from parvis.kernel.settings import AccessSettings, MqttSettings, Settings
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import DAY, MINUTE, Instant, format_instant, from_datetime, parse_instant
from parvis.web.server import assemble
from tests import system_tools
from tests.stores.archive.town import BIN, HARBOUR, LEVEL, MARKET, MIDNIGHT, NOTE

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/reference/archive.md"
ENTITIES = (MARKET, HARBOUR)
MINUTES = 10
STEPS = DAY // (MINUTES * MINUTE)
"""Of a day."""
JAVA_ENDS_WITHIN_S = 20
Means = Mapping[tuple[str, Instant], float]


class Town(NamedTuple):
    """A working directory with a data directory `data`, and the hourly means that the temporal API told."""

    folder: Path
    means: Means


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Three days came in over HTTP, and `parvis archive run` moved all of them to files."""
    folder = tmp_path_factory.mktemp("town")
    asyncio.run(bring_in(folder / "data"))
    command = [
        str(Path(sys.executable).with_name("parvis")),
        "archive",
        "run",
        "--data",
        "data",
        "--until",
        "2026-05-30",
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.stdout == f"3 days moved: 3 files with {len(ENTITIES) * (3 * STEPS + 1)} rows.\n", run.stderr
    return Town(folder, asyncio.run(ask_for_means(folder / "data")))


async def bring_in(data_dir: Path) -> None:
    async with served(data_dir) as client:
        for number, entity in enumerate(ENTITIES):
            document = {"id": entity, "type": BIN, LEVEL: levels(number), NOTE: note(number)}
            answer = await client.post("/ngsi-ld/v1/temporal/entities", json=document)
            assert answer.status_code == 201, answer.text


@asynccontextmanager
async def served(data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir, access=AccessSettings(auth=False), mqtt=MqttSettings(enabled=False))
    async with open_platform(settings, listen=False) as platform:
        transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


def levels(number: int) -> list[dict[str, Any]]:
    steps = range(3 * STEPS)
    return [
        {"type": "Property", "value": (step * step + number * 17) % 101 / 7, "observedAt": observed(step)}
        for step in steps
    ]


def note(number: int) -> dict[str, Any]:
    return {"type": "Property", "value": "full", "observedAt": observed(number)}


def observed(step: int) -> str:
    return format_instant(MIDNIGHT + step * MINUTES * MINUTE)


async def ask_for_means(data_dir: Path) -> Means:
    """As the temporal API tells them."""
    means = {}
    asked = {"attrs": LEVEL, "options": "aggregatedValues", "aggrMethods": "avg", "aggrPeriodDuration": "PT1H"}
    async with served(data_dir) as client:
        for entity in ENTITIES:
            answer = await client.get(f"/ngsi-ld/v1/temporal/entities/{entity}", params=asked)
            assert answer.status_code == 200, answer.text
            for mean, start, _ in answer.json()[LEVEL]["avg"]:
                means[entity, parse_instant(start)] = mean
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
    monkeypatch.chdir(town.folder)
    scope: dict[str, Any] = {}
    exec(snippet("duckdb"), scope)
    same({(entity, hour): mean for entity, hour, mean in scope["means"]}, town.means)


def test_pandas_tells_the_same_means(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(town.folder)
    scope: dict[str, Any] = {}
    exec(snippet("pandas"), scope)
    found = {(entity, from_datetime(hour.to_pydatetime())): mean for (entity, hour), mean in scope["means"].items()}
    same(found, town.means)


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
    rows, partitions, workers = run_spark(town, snippet("pyspark") + TELL)
    same({(entity, instant(hour)): mean for entity, hour, mean in rows}, town.means)
    assert partitions == [["default", BIN, f"2026-05-{day}"] for day in (27, 28, 29)]
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
