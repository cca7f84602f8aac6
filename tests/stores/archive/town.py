"""A day of a small town as rows of the archive, and what a catalogue would say of its files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from parvis.broker.model.entity import AttributeKey, Kind
from parvis.broker.ports.archive import ArchivedEntity, ArchiveFile, ArchiveRow, Partition, PendingErasure, WrittenFile
from parvis.broker.query.tree import Method
from parvis.broker.temporal.partials import Partials
from parvis.broker.temporal.reading import Period, Source, Window
from parvis.broker.temporal.sums import Sums
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.rows import REMOVED, Stored
from parvis.stores.archive.source import sources_of
from parvis.stores.archive.storage import FolderStorage, Storage
from parvis.stores.archive.write import Made, write_day

TODAY = 20_600
MIDNIGHT = TODAY * DAY
BIN = "https://uri.example/WasteContainer"
LEVEL = "https://uri.example/fillingLevel"
NOTE = "https://uri.example/note"
LIMITS = Limits(threads=1, memory_mib=64, spill_mib=256)
ALWAYS = Window(False, -(2**62), 2**62)
MARKET = "urn:ngsi-ld:WasteContainer:market"
HARBOUR = "urn:ngsi-ld:WasteContainer:harbour"


def partition(day: int = TODAY, tenant: str = "town", *types: str) -> Partition:
    return Partition(tenant, types or (BIN,), day)


def row(
    seq: int, time: Instant, value: Stored | None = 0.5, entity: str = MARKET, attribute: str = LEVEL,
    dataset: str = "", kind: int = Kind.PROPERTY, unit: str = "P1", extra: str | None = None,
    delay: int = SECOND, observed: bool = True,
) -> ArchiveRow:  # fmt: skip
    return ArchiveRow(
        entity, attribute, dataset, time, seq, observed, kind, unit, value, extra, time + (delay if observed else 0)
    )


def removal(seq: int, time: Instant, entity: str = MARKET, attribute: str = LEVEL) -> ArchiveRow:
    return row(seq, time, None, entity, attribute, kind=REMOVED, unit="", observed=False)


def hourly(entity: str = MARKET, day: int = TODAY, first_seq: int = 1) -> list[ArchiveRow]:
    """24 levels, one every hour: 0, 1/24, 2/24 ..."""
    return [row(first_seq + hour, day * DAY + hour * HOUR, hour / 24, entity) for hour in range(24)]


def every_minute(entities: int, minutes: int = 24 * 60, day: int = TODAY) -> Iterator[ArchiveRow]:
    """As they would come in: all entities of a minute, then those of the next."""
    seq = 0
    for minute in range(minutes):
        for number in range(entities):
            seq += 1
            entity = f"urn:ngsi-ld:WasteContainer:{number:04d}"
            yield row(seq, day * DAY + minute * MINUTE, (number * 7 + minute) % 1000 / 10, entity)


def write(
    storage: Storage, rows: Sequence[ArchiveRow], generation: str = "g1", day: int = TODAY,
    old: WrittenFile | None = None, erasures: Sequence[PendingErasure] = (),
) -> Made:  # fmt: skip
    made = write_day(storage, LIMITS, partition(day), generation, rows, old, erasures)
    assert made is not None
    return made


def catalogued(made: Made, day: int = TODAY) -> ArchiveFile:
    return ArchiveFile(partition(day), made.file, 0)


class Known(msgspec.Struct, frozen=True):
    """What a catalogue says of one entity: these files, whatever is asked for."""

    entity_id: str
    files: tuple[ArchiveFile, ...]
    erasures: tuple[PendingErasure, ...] = ()
    series: frozenset[AttributeKey] = frozenset({(LEVEL, "")})

    def list_series(self) -> set[AttributeKey]:
        return set(self.series)

    def list_files(self, key: AttributeKey, window: Window) -> Sequence[ArchiveFile]:
        return self.files


def is_entity(known: Known) -> ArchivedEntity:
    return known


def of_entity(reader: ArchiveReader, entity: ArchivedEntity) -> Source:
    [source] = sources_of(reader, [entity])
    return source


def partials_of(
    source: Source, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
) -> list[Partials]:
    found = source.partials(key, window, periods, methods)
    return found.list_partials() if isinstance(found, Sums) else list(found)


def damage(storage: FolderStorage, file: WrittenFile, at: int) -> Path:
    path = storage.root / file.path
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    return path
