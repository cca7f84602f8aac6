"""Reading one entity's series, and aggregates over a page of entities, from the files that a catalogue names."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from parvis.broker.model.entity import Instance
from parvis.broker.ports.archive import ArchiveFile, PendingErasure
from parvis.broker.query.tree import Method
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.partials import Partials
from parvis.broker.temporal.reading import Window
from parvis.kernel.errors import Overloaded, TooComplexQuery
from parvis.kernel.time import DAY, HOUR, SECOND
from parvis.stores.archive import sums
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.rows import Stored
from parvis.stores.archive.source import sources_of
from parvis.stores.archive.storage import FolderStorage
from parvis.stores.archive.write import write_day
from tests.stores.archive.town import (
    ALWAYS,
    HARBOUR,
    LEVEL,
    LIMITS,
    MARKET,
    MIDNIGHT,
    TODAY,
    Known,
    catalogued,
    hourly,
    of_entity,
    partials_of,
    partition,
    removal,
    row,
    write,
)

KEY = (LEVEL, "")
ALL_METHODS = frozenset(Method)


class Opened(FolderStorage):
    """Remembers which files were to be opened."""

    def __init__(self, folder: FolderStorage) -> None:
        super().__init__(folder.root)
        self.located: list[str] = []

    def locate(self, path: str) -> str:
        self.located.append(path)
        return super().locate(path)


def write_days(folder: FolderStorage, days: int) -> tuple[ArchiveFile, ...]:
    files = []
    for day in range(TODAY, TODAY + days):
        rows = hourly(day=day, first_seq=1 + 24 * (day - TODAY))
        made = write_day(folder, Limits(1, 64, 256), partition(day), "g", rows)
        assert made is not None
        files.append(ArchiveFile(partition(day), made.file, 0))
    return tuple(files)


def numbers_of(instances: Sequence[Instance]) -> list[int]:
    return [one.seq for one in instances]


def test_an_instance_comes_back_as_it_was(folder: FolderStorage, reader: ArchiveReader) -> None:
    put = row(5, MIDNIGHT, 21, dataset="urn:ngsi-ld:Dataset:a", unit="CEL", extra='{"x":{"type":"Property","value":1}}')
    known = Known(MARKET, (catalogued(write(folder, [put])),))
    (found,) = of_entity(reader, known).read((LEVEL, "urn:ngsi-ld:Dataset:a"), ALWAYS, 5, last=False)
    assert (found.value, type(found.value)) == (21, int)
    assert (found.name, found.dataset, found.unit_code) == (LEVEL, "urn:ngsi-ld:Dataset:a", "CEL")
    assert (found.observed_at, found.modified_at, found.seq) == (MIDNIGHT, MIDNIGHT + SECOND, 5)
    assert found.extra == {"x": {"type": "Property", "value": 1}}


def test_an_instance_without_observed_at_was_seen_when_it_was_recorded(
    folder: FolderStorage, reader: ArchiveReader
) -> None:
    known = Known(MARKET, (catalogued(write(folder, [row(1, MIDNIGHT, observed=False)])),))
    (found,) = of_entity(reader, known).read(KEY, ALWAYS, 5, last=False)
    assert (found.observed_at, found.modified_at) == (None, MIDNIGHT)


def test_only_the_series_asked_for_is_told_and_no_removal(folder: FolderStorage, reader: ArchiveReader) -> None:
    rows = [row(1, MIDNIGHT), row(2, MIDNIGHT, entity=HARBOUR), row(3, MIDNIGHT, dataset="urn:d"), removal(4, MIDNIGHT)]
    source = of_entity(reader, Known(MARKET, (catalogued(write(folder, rows)),)))
    assert numbers_of(source.read(KEY, ALWAYS, 9, last=False)) == [1]
    assert source.extent(KEY, ALWAYS) == (MIDNIGHT, MIDNIGHT)
    assert partials_of(source, KEY, ALWAYS, [(MIDNIGHT, MIDNIGHT + HOUR)], ALL_METHODS)[0].instances == 1


@pytest.mark.parametrize("last", [False, True])
def test_files_that_cannot_add_to_a_short_answer_stay_closed(folder: FolderStorage, last: bool) -> None:
    files = write_days(folder, 12)
    opened = Opened(folder)
    reader = ArchiveReader(opened, Limits())
    found = of_entity(reader, Known(MARKET, files)).read(KEY, ALWAYS, 30, last=last)
    reader.close()
    assert numbers_of(found) == (list(range(259, 289)) if last else list(range(1, 31)))
    assert len(opened.located) <= 4


def test_a_window_bounds_the_answer(folder: FolderStorage, reader: ArchiveReader) -> None:
    source = of_entity(reader, Known(MARKET, write_days(folder, 2)))
    window = Window(False, MIDNIGHT + 22 * HOUR, MIDNIGHT + 26 * HOUR)
    assert numbers_of(source.read(KEY, window, 100, last=False)) == [23, 24, 25, 26]
    assert source.extent(KEY, window) == (MIDNIGHT + 22 * HOUR, MIDNIGHT + 25 * HOUR)
    assert source.extent(KEY, Window(False, 0, 1)) is None


def test_late_instances_come_in_the_order_asked_for(folder: FolderStorage, reader: ArchiveReader) -> None:
    """Instance 1 was observed first and recorded last."""
    rows = [row(9, MIDNIGHT, delay=5 * HOUR), row(2, MIDNIGHT + HOUR), row(3, MIDNIGHT + 2 * HOUR)]
    source = of_entity(reader, Known(MARKET, (catalogued(write(folder, rows)),)))
    by_recorded = ALWAYS._replace(by_recorded=True)
    assert numbers_of(source.read(KEY, ALWAYS, 9, last=False)) == [9, 2, 3]
    assert numbers_of(source.read(KEY, by_recorded, 9, last=False)) == [2, 3, 9]
    assert numbers_of(source.read(KEY, by_recorded, 1, last=True)) == [9]
    assert source.extent(KEY, by_recorded) == (MIDNIGHT + HOUR + SECOND, MIDNIGHT + 5 * HOUR)
    assert numbers_of(source.read(KEY, by_recorded._replace(end=MIDNIGHT + 3 * HOUR), 9, last=False)) == [2, 3]


def test_what_is_erased_is_told_no_more(folder: FolderStorage, reader: ArchiveReader) -> None:
    files = (catalogued(write(folder, hourly())),)
    erasures = (
        PendingErasure(1, Erasure(MARKET, seq=1), 99),
        PendingErasure(2, Erasure(MARKET, LEVEL, before=MIDNIGHT + 20 * HOUR), 22),
    )
    source = of_entity(reader, Known(MARKET, files, erasures))
    assert numbers_of(source.read(KEY, ALWAYS, 99, last=False)) == [21, 22, 23, 24]
    assert partials_of(source, KEY, ALWAYS, [(MIDNIGHT, MIDNIGHT + DAY)], ALL_METHODS)[0].instances == 4


def test_more_distinct_values_than_memory_is_meant_for_are_refused(
    folder: FolderStorage, reader: ArchiveReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(n, MIDNIGHT + n * HOUR, n / 2) for n in range(9)]
    source = of_entity(reader, Known(MARKET, (catalogued(write(folder, rows)),)))
    monkeypatch.setattr(sums, "MOST_DISTINCT", 8)
    distinct = frozenset({Method.DISTINCT_COUNT})
    assert partials_of(source, KEY, ALWAYS, [(MIDNIGHT, MIDNIGHT + 8 * HOUR)], distinct)[0].instances == 8
    with pytest.raises(TooComplexQuery):
        partials_of(source, KEY, ALWAYS, [(MIDNIGHT, MIDNIGHT + 9 * HOUR)], distinct)


def test_partials_are_those_of_the_values(folder: FolderStorage, reader: ArchiveReader) -> None:
    values: list[Stored] = [1, 2.5, -4, 2**60 + 1, 1e-9, "text", b"true", b'{"a":1}', 2.5, 7]
    rows = [row(n, MIDNIGHT + n * HOUR, value) for n, value in enumerate(values)]
    source = of_entity(reader, Known(MARKET, (catalogued(write(folder, rows)),)))
    periods = [(MIDNIGHT + n * 5 * HOUR, MIDNIGHT + (n + 1) * 5 * HOUR) for n in range(3)]
    found = partials_of(source, KEY, ALWAYS, periods, ALL_METHODS)
    expected = [Partials.of(values[:5]), Partials.of(values[5:]), Partials.of([])]
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    assert [one.distinct for one in found] == [one.distinct for one in expected]
    for one, other in zip(found[:2], expected, strict=False):
        assert one[2:7] == pytest.approx(other[2:7])


def test_only_what_the_methods_need_is_worked_out(folder: FolderStorage, reader: ArchiveReader) -> None:
    source = of_entity(reader, Known(MARKET, (catalogued(write(folder, hourly())),)))
    (found,) = partials_of(source, KEY, ALWAYS, [(MIDNIGHT, MIDNIGHT + DAY)], frozenset({Method.MAX}))
    assert found == Partials(24, 24, largest=23 / 24)


def test_periods_that_the_window_makes_empty_have_nothing(folder: FolderStorage, reader: ArchiveReader) -> None:
    source = of_entity(reader, Known(MARKET, (catalogued(write(folder, hourly())),)))
    start = MIDNIGHT + 90 * 60 * SECOND
    window = Window(False, start, MIDNIGHT + DAY)
    periods = window.within([(MIDNIGHT + n * HOUR, MIDNIGHT + (n + 1) * HOUR) for n in range(24)])
    counts = [one.instances for one in partials_of(source, KEY, window, periods, frozenset({Method.TOTAL_COUNT}))]
    assert counts == [0, 0] + [1] * 22


class Asked(ArchiveReader):
    """Counts the questions that its engine is asked."""

    questions = 0

    @contextlib.contextmanager
    def cursor(self, files: Sequence[ArchiveFile]) -> Iterator[Any]:
        self.questions += 1
        with super().cursor(files) as cursor:
            yield cursor


@pytest.mark.parametrize("by_recorded", [False, True])
@pytest.mark.parametrize("lengths", [[5] * 5, [24], [1, 20], [2, 7, 3, 8]], ids=str)
def test_a_page_is_told_what_each_of_its_entities_would_be_alone(
    folder: FolderStorage, lengths: list[int], by_recorded: bool
) -> None:
    others = [row(50 + hour, MIDNIGHT + hour * HOUR, hour * 2.5, HARBOUR) for hour in range(3, 20)]
    texts = [row(80, MIDNIGHT, "full", "urn:text"), row(81, MIDNIGHT + HOUR, b"[1]", "urn:text"), row(82, MIDNIGHT, 1)]
    noise = [row(83, MIDNIGHT, 1, "urn:nobody"), row(84, MIDNIGHT, 9, HARBOUR, "urn:other"), removal(85, MIDNIGHT)]
    files = (catalogued(write(folder, [*hourly(), *others, *texts, *noise])),)
    erased = (PendingErasure(1, Erasure(HARBOUR, LEVEL, before=MIDNIGHT + 5 * HOUR), 99),)
    entities = [Known(MARKET, files), Known(HARBOUR, files, erased), Known("urn:text", files), Known("urn:gone", ())]
    reader = Asked(folder, LIMITS)
    start = MIDNIGHT + HOUR // 2
    window = Window(by_recorded, start, MIDNIGHT + 23 * HOUR, asked_from=start)
    ends = [start + sum(lengths[: n + 1]) * HOUR for n in range(len(lengths))]
    periods = window.within(zip([start, *ends], ends, strict=False))

    page = sources_of(reader, entities)
    together = [(one.extent(KEY, window), partials_of(one, KEY, window, periods, ALL_METHODS)) for one in page]
    assert reader.questions == 3
    for entity, (extent, found) in zip(entities, together, strict=True):
        alone = of_entity(reader, entity)
        assert extent == alone.extent(KEY, window)
        assert found == partials_of(alone, KEY, window, periods, ALL_METHODS)
    delay = SECOND if by_recorded else 0
    assert together[1][0] == (MIDNIGHT + 5 * HOUR + delay, MIDNIGHT + 19 * HOUR + delay)
    assert sum(one.instances for one in together[1][1]) == 15
    assert together[2][1][0].distinct == {b"[1]"}
    reader.close()


def test_periods_of_an_entitys_own_are_asked_of_it_alone(folder: FolderStorage, reader: ArchiveReader) -> None:
    files = (catalogued(write(folder, [*hourly(), row(99, MIDNIGHT, 5, HARBOUR)])),)
    market, harbour = sources_of(reader, [Known(MARKET, files), Known(HARBOUR, files)])
    window = Window(False, MIDNIGHT - DAY, MIDNIGHT + DAY)
    for source, count in ((market, 24), (harbour, 1), (market, 24)):
        [found] = partials_of(source, KEY, window, [(MIDNIGHT, MIDNIGHT + DAY)], frozenset({Method.TOTAL_COUNT}))
        assert found.instances == count


def test_no_more_reads_run_at_once_than_may(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis.stores.archive.read.WAIT_S", 0.05)
    files = [catalogued(write(folder, hourly()))]
    reader = ArchiveReader(folder, Limits(readers=1))
    source = of_entity(reader, Known(MARKET, tuple(files)))
    with reader.cursor(files), pytest.raises(Overloaded):
        source.read(KEY, ALWAYS, 99, last=False)
    assert len(source.read(KEY, ALWAYS, 99, last=False)) == 24
    reader.close()


def test_many_threads_read_with_one_reader(folder: FolderStorage) -> None:
    files = write_days(folder, 3)
    reader = ArchiveReader(folder, Limits(readers=2))
    found: list[int] = []

    def read() -> None:
        source = of_entity(reader, Known(MARKET, files))
        found.append(len(source.read(KEY, ALWAYS, 1000, last=False)))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader.close()
    assert found == [72] * 8


def test_every_read_finds_the_footers_that_others_have_read(reader: ArchiveReader) -> None:
    with reader.cursor(()) as cursor:
        assert cursor.execute("SELECT current_setting('parquet_metadata_cache')").fetchall() == [(True,)]
        assert cursor.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_footers_beyond_what_is_allowed_are_forgotten_once_nobody_reads(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.stores.archive.read.GROUPS_A_MIB", 2 / LIMITS.memory_mib)
    files = write_days(folder, 3)
    reader = ArchiveReader(folder, LIMITS)
    kept = []
    for file in (files[0], files[0], files[1], files[2], files[0]):
        with reader.cursor(files[:1]) as other:
            other.execute("SELECT 1")
            assert len(of_entity(reader, Known(MARKET, (file,))).read(KEY, ALWAYS, 99, last=False)) == 24
            assert engines(folder) == 1
        kept.append(engines(folder))
    reader.close()
    assert kept == [1, 1, 1, 0, 1]


def engines(folder: FolderStorage) -> int:
    """Each has a folder to spill into."""
    return len(list((folder.root / ".scratch").iterdir()))
