"""The archive of closed days: bytes of a row, means over everything, one series for a month.

5 787 series, one observation every five minutes, 30 days: 50 million rows, written as the nightly move writes them.
Published beside it: DuckDB on the same files, asked in SQL by hand, in the same run.

The values are levels of one decimal that follow the day with noise. In the regular month every instance is observed on
the full five minutes and recorded 50 ms later, in the same order every time. In the jittered one each device has its
own second, drifts by one, and is recorded up to a second later in an order of chance: nothing of that can be packed
away.
"""

import argparse
import asyncio
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import msgspec
import numpy as np

from benchmarks.harness.archived import take_over
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell
from parvis.bootstrap.archive import ArchiveAtHand
from parvis.bootstrap.stores import open_store
from parvis.broker.api.parameters import MAX_LIMIT
from parvis.broker.model.entity import AttributeKey
from parvis.broker.ports.archive import ArchiveFile, Partition, PendingErasure
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeRelation
from parvis.broker.temporal.aggregates import count_together, list_aggregates
from parvis.broker.temporal.reading import EVER, Head, Member, Source, Window
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, Duration, format_instant, system_clock
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.rows import Columns
from parvis.stores.archive.source import sources_of
from parvis.stores.archive.storage import FolderStorage
from parvis.stores.archive.write import write_columns

SERIES = 5_787
A_DAY = 288
DAYS = 30
FIRST_DAY = 20_600
TYPE = "https://uri.etsi.org/ngsi-ld/default-context/WasteContainer"
LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/fillingLevel"
PIECE_SERIES = 400
LIMITS = Limits(threads=2, memory_mib=2048)
WARM_UP = 5
READS = 100
ROUNDS = 2

BY_HAND = """
    SELECT entity, time_bucket(to_microseconds(?), time) AS start, avg(number) AS mean
    FROM read_parquet(?) WHERE attribute = ? AND kind <> 0 GROUP BY ALL
"""
SERIES_BY_HAND = """
    SELECT epoch_us(time), number FROM read_parquet(?)
    WHERE entity = ? AND attribute = ? AND dataset = '' ORDER BY time
"""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    jitter: bool


REGULAR, JITTERED = Case("regular", jitter=False), Case("jittered", jitter=True)


@dataclass(frozen=True, slots=True)
class OneEntity:
    """What the catalogue says of it: it is in every file."""

    entity_id: str
    files: Sequence[ArchiveFile]
    erasures: tuple[PendingErasure, ...] = ()

    def list_series(self) -> set[AttributeKey]:
        return {(LEVEL, "")}

    def list_files(self, key: AttributeKey, window: Window) -> Sequence[ArchiveFile]:
        return self.files


def main(rows: int = SERIES * A_DAY * DAYS, folder: Path | None = None) -> list[Figure]:
    series = max(1, rows // (A_DAY * DAYS))
    with TemporaryDirectory(prefix="parvis-bench-", dir=folder) as parent:
        regular = write_month(FolderStorage(Path(parent, "regular")), REGULAR, series, days=1)
        data_dir = Path(parent, "data")
        storage = FolderStorage(data_dir / "archive")
        files = write_month(storage, JITTERED, series, DAYS)
        names = [entity(number) for number in range(series)]
        asyncio.run(take_over(data_dir, files, names, (LEVEL, "")))
        hourly, daily = (means_of_everything(data_dir, storage, files, names, period) for period in (HOUR, DAY))
        reader = ArchiveReader(storage, LIMITS)
        one, one_bare = months_of_one_series(reader, storage, files, series)
        means = hourly_means_of_one_series(reader, files, series)
        reader.close()
    by_hand = "DuckDB on the same files"
    return [
        Figure("bytes per archived row, a regular day", bytes_a_row(regular), "B", 7, smaller_is_better=True),
        Figure("bytes per archived row, a jittered month", bytes_a_row(files), "B", 7, smaller_is_better=True),
        Figure(
            f"hourly means of {sum(one.file.rows for one in files):,} archived rows, as pages of a type-wide query",
            hourly.ours, "s of processor time", 1.3 * hourly.bare, hourly.bare, by_hand, smaller_is_better=True,
        ),
        Figure(
            "the same with its answers as JSON over HTTP", hourly.over_http, "s of processor time", None, hourly.bare,
            by_hand, smaller_is_better=True,
        ),
        Figure(
            "daily means of them", daily.ours, "s of processor time", None, daily.bare, by_hand, smaller_is_better=True,
        ),
        Figure(
            "the same with its answers as JSON over HTTP", daily.over_http, "s of processor time", None, daily.bare,
            by_hand, smaller_is_better=True,
        ),
        Figure(
            "one archived series for a month, 8 640 instances, warm, p50", percentile_ms(one, 0.5), "ms", 40,
            percentile_ms(one_bare, 0.5), f"{by_hand}, two columns", smaller_is_better=True,
        ),
        Figure(
            "one archived series for a month, 8 640 instances, warm, p95", percentile_ms(one, 0.95), "ms", None,
            percentile_ms(one_bare, 0.95), f"{by_hand}, two columns", smaller_is_better=True,
        ),
        Figure(
            "its 720 hourly means, warm, p50", percentile_ms(means, 0.5), "ms", 40, smaller_is_better=True,
        ),
    ]  # fmt: skip


def write_month(storage: FolderStorage, case: Case, series: int, days: int) -> list[ArchiveFile]:
    files, chance = [], np.random.default_rng(1)
    phase = chance.integers(0, 300, series) * SECOND if case.jitter else np.zeros(series, np.int64)
    began = time.perf_counter()
    for day in range(FIRST_DAY, FIRST_DAY + days):
        partition = Partition("default", (TYPE,), day)
        made = write_columns(storage, LIMITS, partition, "1", a_day(case, day, phase, chance))
        assert made is not None
        files.append(ArchiveFile(partition, made.file, 0))
    rows = sum(one.file.rows for one in files)
    print(f"{case.name}: {rows:,} rows in {time.perf_counter() - began:.0f} s", flush=True)
    return files


def a_day(case: Case, day: int, phase: np.ndarray[Any, Any], chance: np.random.Generator) -> Iterator[Columns]:
    """In pieces of some series each."""
    series = len(phase)
    step = np.tile(np.arange(A_DAY), series)
    moment = day * DAY + step * 5 * MINUTE + np.repeat(phase, A_DAY)
    delay = np.full(len(step), 50_000)
    number = np.repeat(np.arange(series), A_DAY)
    order = step * series + number
    if case.jitter:
        moment += chance.integers(-1, 2, len(step)) * SECOND
        delay = chance.integers(20_000, SECOND, len(step))
        order = np.argsort(np.argsort(moment + delay, kind="stable"), kind="stable")
    value = np.round(50 + 25 * np.sin(2 * np.pi * step / A_DAY) + chance.normal(0, 2, len(step)), 1)
    for start in range(0, series, PIECE_SERIES):
        of = slice(start * A_DAY, min(start + PIECE_SERIES, series) * A_DAY)
        yield columns(number[of], moment[of], order[of] + day * len(step), value[of], delay[of])


def columns(
    number: np.ndarray[Any, Any], moment: np.ndarray[Any, Any], order: np.ndarray[Any, Any],
    value: np.ndarray[Any, Any], delay: np.ndarray[Any, Any],
) -> Columns:  # fmt: skip
    count = len(number)
    names = {one: entity(one) for one in np.unique(number).tolist()}
    return {
        "entity": np.array([names[one] for one in number.tolist()], dtype=object),
        "attribute": constant(LEVEL, count),
        "dataset": constant("", count),
        "time": moment,
        "seq": order,
        "observed": np.ones(count, np.bool_),
        "kind": np.ones(count, np.int8),
        "unit": constant("P1", count),
        "number": value,
        "whole": np.zeros(count, np.bool_),
        "text": constant(None, count),
        "json": constant(None, count),
        "extra": constant(None, count),
        "delay_us": delay,
    }


def constant(value: str | None, count: int) -> np.ndarray[Any, Any]:
    return np.full(count, value, dtype=object)


def entity(number: int) -> str:
    return f"urn:ngsi-ld:WasteContainer:trevalan-{number:05d}"


def bytes_a_row(files: Sequence[ArchiveFile]) -> float:
    return sum(one.file.bytes for one in files) / sum(one.file.rows for one in files)


@dataclass(frozen=True, slots=True)
class Means:
    """Seconds of processor time, the best of some rounds in turn: as the store tells them, as the platform answers, and
    by hand to columns of numpy.
    """

    ours: float
    over_http: float
    bare: float


def means_of_everything(
    data_dir: Path, storage: FolderStorage, files: Sequence[ArchiveFile], names: Sequence[str], period_us: int
) -> Means:
    located = [storage.locate(one.file.path) for one in files]
    start = FIRST_DAY * DAY - period_us
    query = TemporalQuery(TimeRelation.BETWEEN, start, start + len(files) * DAY + 2 * period_us, attrs=(LEVEL,))
    ours, over_http, bare = [], [], []
    with bare_engine() as engine:
        for _ in range(ROUNDS):
            theirs, took = processor_time(lambda: engine.execute(BY_HAND, [period_us, located, LEVEL]).fetchnumpy())
            bare.append(took)
            mine, took = asyncio.run(means_of_the_store(data_dir, names, query, period_us))
            ours.append(took)
            check_means(mine, theirs["mean"])
            told, took = means_over_http(data_dir, query, period_us)
            over_http.append(took)
            check_means(told, theirs["mean"])
    return Means(min(ours), min(over_http), min(bare))


async def means_of_the_store(
    data_dir: Path, names: Sequence[str], query: TemporalQuery, period_us: int
) -> tuple[np.ndarray[Any, Any], float]:
    """As `GET /temporal/entities` asks it for pages as long as they may be, after a first one of some entities."""
    settings = load_settings(data_dir)
    archive = ArchiveAtHand(settings)
    store = await open_store(settings, archive.read)
    mean = Aggregation((Method.AVG,), Duration((0, period_us)))
    together = min(MAX_LIMIT, count_together(query, mean, system_clock()))
    await store.list_aggregates("default", names[:20], query, mean)
    began, means = time.process_time(), []
    for first in range(0, len(names), together):
        page = await store.list_aggregates("default", names[first : first + together], query, mean)
        means += [told.buckets[LEVEL, ""].columns[Method.AVG] for told in page]
    took = time.process_time() - began
    await store.close()
    archive.close()
    return np.concatenate(means), took


def means_over_http(data_dir: Path, query: TemporalQuery, period_us: int) -> tuple[np.ndarray[Any, Any], float]:
    """Of the process that answers, page after page, after a first one of some entities."""
    assert query.at is not None
    assert query.end is not None
    asked = (
        f"/ngsi-ld/v1/temporal/entities?type=WasteContainer&attrs=fillingLevel&timerel=between"
        f"&timeAt={format_instant(query.at)}&endTimeAt={format_instant(query.end)}"
        f"&options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=PT{period_us // SECOND}S&limit="
    )
    with serving(data_dir) as served:
        fetch_page(served, f"{asked}20")
        began, means, next_path = served.cpu_s(), list[float](), f"{asked}{MAX_LIMIT}"
        while next_path:
            page, next_path = fetch_page(served, next_path)
            means += [mean for one in page for mean, _, _ in one["fillingLevel"]["avg"]]
        return np.array(means), served.cpu_s() - began


def fetch_page(served: Served, path: str) -> tuple[Any, str]:
    """The page, and the path of the next one; empty at the end."""
    with urllib.request.urlopen(served.address + path) as answer:
        links = ",".join(answer.headers.get_all("Link") or [])
        found = re.search(r'<(/[^>]*)>; *rel="next"', links)
        return msgspec.json.decode(answer.read()), found[1] if found else ""


def check_means(ours: np.ndarray[Any, Any], bare: np.ndarray[Any, Any]) -> None:
    if len(ours) != len(bare) or not np.allclose(np.sort(ours), np.sort(bare)):
        raise RuntimeError("the means are not those of DuckDB")


def months_of_one_series(
    reader: ArchiveReader, storage: FolderStorage, files: Sequence[ArchiveFile], series: int
) -> tuple[list[float], list[float]]:
    """Seconds of each read, ours to instances and by hand to two columns; another series each time."""
    located = [storage.locate(one.file.path) for one in files]

    def ours(name: str) -> int:
        return len(one_source(reader, name, files).read((LEVEL, ""), EVER, 100_000, last=False))

    with bare_engine() as engine:

        def by_hand(name: str) -> int:
            return len(engine.execute(SERIES_BY_HAND, [located, name, LEVEL]).fetchall())

        return each_series(ours, series, len(files)), each_series(by_hand, series, len(files))


def hourly_means_of_one_series(reader: ArchiveReader, files: Sequence[ArchiveFile], series: int) -> list[float]:
    start = FIRST_DAY * DAY
    query = TemporalQuery(TimeRelation.BETWEEN, start - HOUR, start + len(files) * DAY + HOUR)
    hourly = Aggregation((Method.AVG, Method.TOTAL_COUNT), Duration((0, HOUR)))

    def means(name: str) -> int:
        source = one_source(reader, name, files)
        [told] = list_aggregates([Member(Head(name, (TYPE,), (), 0, 0, None), [source])], query, hourly)
        return int(told.buckets[LEVEL, ""].columns[Method.TOTAL_COUNT].sum())

    return each_series(means, series, len(files))


def one_source(reader: ArchiveReader, name: str, files: Sequence[ArchiveFile]) -> Source:
    [source] = sources_of(reader, [OneEntity(name, files)])
    return source


def each_series(read: Callable[[str], int], series: int, days: int) -> list[float]:
    took = []
    for number in range(WARM_UP + READS):
        count, seconds = timed(lambda number=number: read(entity(number * 37 % series)))  # type: ignore[misc]
        if count != A_DAY * days:
            raise RuntimeError(f"{count} instances were read")
        took.append(seconds)
    return took[WARM_UP:]


def bare_engine() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(config={"threads": LIMITS.threads, "autoinstall_known_extensions": False})
    engine.execute("SET parquet_metadata_cache = true")
    return engine


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def processor_time(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    return call(), time.process_time() - began


def percentile_ms(seconds: list[float], part: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * part))] * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=SERIES * A_DAY * DAYS)
    parser.add_argument("--folder", type=Path, help="where the files are made; 400 MB for 50 million rows")
    given = parser.parse_args()
    tell(*main(given.rows, given.folder))
