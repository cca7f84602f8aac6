"""Reading files of the archive tells what a plain list of the same instances tells."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.model.entity import AttributeKey, Instance
from parvis.broker.ports.archive import ArchiveFile, ArchiveRow, PendingErasure
from parvis.broker.query.tree import Method
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.partials import Partials
from parvis.broker.temporal.reading import Source, Window
from parvis.kernel.time import HOUR, Instant
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.rows import Stored, stored_value, value_columns
from parvis.stores.archive.source import sources_of
from parvis.stores.archive.storage import FolderStorage
from parvis.stores.archive.write import write_day
from tests.stores.archive.town import MIDNIGHT, TODAY, Known, of_entity, partials_of, partition
from tests.strategies import DATASETS, NAMES, json_values

ENTITIES = ("urn:ngsi-ld:Bin:1", "urn:ngsi-ld:Bin:2", "urn:ngsi-ld:Bin:é'\"")
LIMITS = Limits(threads=1, memory_mib=64, spill_mib=64)
GENERATIONS = iter(range(10**9))

times = st.integers(0, 47).map(lambda half: MIDNIGHT + half * HOUR // 2)
wholes = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 0]))
texts = st.text(st.characters(codec="utf-8"), max_size=6)
stored_values: st.SearchStrategy[Stored] = st.one_of(
    wholes,
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    json_values.filter(lambda value: not isinstance(value, str | float) and type(value) is not int).map(
        msgspec.json.encode
    ),
)


@given(stored_values)
def test_a_value_comes_back_from_its_columns(value: Stored) -> None:
    back = stored_value(*value_columns(value))
    assert back == value
    assert type(back) is type(value)


def a_row(
    entity: str, key: AttributeKey, time: Instant, value: Stored, delay: int, observed: bool, removed: bool
) -> ArchiveRow:
    kind, held = (0, None) if removed else (1, value)
    extra = '{"by":"é"}' if delay == HOUR else None
    return ArchiveRow(entity, *key, time, 0, observed, kind, "", held, extra, time + delay * observed)


rows = st.builds(
    a_row,
    st.sampled_from(ENTITIES),
    st.tuples(st.sampled_from(NAMES[:2]), st.sampled_from(DATASETS[:2])),
    times,
    stored_values,
    st.sampled_from([0, 1, HOUR, 30 * HOUR]),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
)
numbered = st.lists(rows, min_size=1, max_size=25).map(
    lambda some: [one._replace(seq=number) for number, one in enumerate(some, 1)]
)
windows = st.builds(
    lambda by_recorded, ends: Window(by_recorded, min(ends), max(ends) + 1), st.booleans(), st.tuples(times, times)
)
erasures = st.lists(
    st.builds(
        Erasure,
        st.sampled_from(ENTITIES),
        st.none() | st.sampled_from(NAMES[:2]),
        st.none() | st.sampled_from(DATASETS[:2]),
        st.none() | st.integers(1, 25),
        st.none() | times,
    ),
    max_size=2,
)


def choose(
    rows: Sequence[ArchiveRow], pending: Sequence[PendingErasure], entity: str, key: AttributeKey, window: Window
) -> list[ArchiveRow]:
    """What a plain list of the instances has of a series, in order."""
    mine = [one for one in rows if (one.entity, one.attribute, one.dataset) == (entity, *key) and one.kind]
    left = [one for one in mine if not any(covers(erasure, one) for erasure in pending)]
    return sorted(
        (one for one in left if window.start <= time_of(one, window) < window.end),
        key=lambda one: (time_of(one, window), one.seq),
    )


def covers(pending: PendingErasure, one: ArchiveRow) -> bool:
    return pending.erasure.entity_id == one.entity and pending.covers(one.attribute, one.dataset, one.seq, one.time)


def time_of(one: ArchiveRow, window: Window) -> Instant:
    return one.recorded if window.by_recorded else one.time


@pytest.fixture(scope="module")
def reader() -> Iterator[ArchiveReader]:
    with tempfile.TemporaryDirectory() as folder:
        reader = ArchiveReader(FolderStorage(Path(folder)), LIMITS)
        yield reader
        reader.close()


def written(reader: ArchiveReader, rows: Sequence[ArchiveRow]) -> tuple[ArchiveFile, ...]:
    """Two files: one of every other row, one of the rest, which is written and then joined by more."""
    first = write_day(reader.storage, LIMITS, partition(), f"a{next(GENERATIONS)}", rows[::2])
    early = write_day(reader.storage, LIMITS, partition(), f"b{next(GENERATIONS)}", rows[1::4])
    old = early.file if early is not None else None
    joined = write_day(reader.storage, LIMITS, partition(), f"c{next(GENERATIONS)}", rows[3::4], old)
    return tuple(ArchiveFile(partition(TODAY), made.file, 0) for made in (first, joined) if made is not None)


@settings(max_examples=25, deadline=None)
@given(numbered, erasures, windows, st.integers(1, 30))
def test_a_read_tells_what_the_plain_list_tells(
    reader: ArchiveReader, rows: list[ArchiveRow], erasures: list[Erasure], window: Window, limit: int
) -> None:
    entity, key = rows[-1].entity, (rows[-1].attribute, rows[-1].dataset)
    pending = tuple(PendingErasure(n, one, 20) for n, one in enumerate(erasures) if one.entity_id == entity)
    source = of_entity(reader, Known(entity, written(reader, rows), pending))
    expected = choose(rows, pending, entity, key, window)
    assert told(source.read(key, window, limit, last=False)) == plain(expected[:limit])
    assert told(source.read(key, window, limit, last=True)) == plain(expected[-limit:])
    ends = [time_of(one, window) for one in expected]
    assert source.extent(key, window) == ((ends[0], ends[-1]) if ends else None)
    check_partials(source, key, window, expected)


@settings(max_examples=25, deadline=None)
@given(numbered, erasures, windows)
def test_a_page_tells_what_the_plain_list_tells(
    reader: ArchiveReader, rows: list[ArchiveRow], erasures: list[Erasure], window: Window
) -> None:
    files, key = written(reader, rows), (rows[-1].attribute, rows[-1].dataset)
    window = window._replace(asked_from=window.start)
    pending = tuple(PendingErasure(n, one, 20) for n, one in enumerate(erasures))
    known = [
        Known(one, files, tuple(erased for erased in pending if erased.erasure.entity_id == one)) for one in ENTITIES
    ]
    for entity, source in zip(ENTITIES, sources_of(reader, known), strict=True):
        expected = choose(rows, pending, entity, key, window)
        ends = [time_of(one, window) for one in expected]
        assert source.extent(key, window) == ((ends[0], ends[-1]) if ends else None)
        check_partials(source, key, window, expected)


def check_partials(source: Source, key: AttributeKey, window: Window, rows: Sequence[ArchiveRow]) -> None:
    middle = (window.start + window.end) // 2
    periods = [(window.start, middle), (middle, window.end)]
    found = partials_of(source, key, window, periods, frozenset(Method))
    for (start, end), partials in zip(periods, found, strict=True):
        within = [one.value for one in rows if start <= time_of(one, window) < end]
        compare(partials, Partials.of(value for value in within if value is not None))


def told(instances: Sequence[Instance]) -> list[tuple[object, ...]]:
    return [(one.seq, one.observed_at, one.modified_at, one.value, one.extra) for one in instances]


def plain(rows: Sequence[ArchiveRow]) -> list[tuple[object, ...]]:
    return [
        (
            one.seq,
            one.time if one.observed else None,
            one.recorded,
            msgspec.json.decode(one.value) if isinstance(one.value, bytes) else one.value,
            one.extra and msgspec.json.decode(one.extra),
        )
        for one in rows
    ]


def compare(found: Partials, expected: Partials) -> None:
    """Sums are of binary64: an integer beyond 2^53 counts as the nearest such number."""
    assert found[:2] == expected[:2]
    assert found.distinct == expected.distinct
    if expected.smallest is None or expected.largest is None:
        assert found[2:7] == (None,) * 5
        return
    assert (found.smallest, found.largest) == (float(expected.smallest), float(expected.largest))
    scale = max(abs(expected.smallest), abs(expected.largest))
    if scale < 1e150:
        assert found.total == pytest.approx(expected.total, rel=1e-9, abs=scale * 1e-9)
        assert found.scatter == pytest.approx(expected.scatter, rel=1e-6, abs=scale * scale * 1e-9)
