"""Rows of the archive that may name somebody: those with a text or a document in them, and all of certain entities
and attributes."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from parvis.broker.ports.archive import ArchiveFile, ArchiveRow, PendingErasure
from parvis.stores.archive.engine import Limits, connect, not_erased
from parvis.stores.archive.faults import telling_faults
from parvis.stores.archive.leaving import row_of
from parvis.stores.archive.rows import REMOVED
from parvis.stores.archive.storage import Storage

if TYPE_CHECKING:
    from parvis.stores.archive.engine import Connection

ROWS_AT_ONCE = 5_000
_READ = (
    "SELECT entity, attribute, dataset, epoch_us(time), seq, observed, kind, unit, number, whole, text, json, extra,"
    " delay_us FROM read_parquet(?, hive_partitioning = false) AS rows"
    f" WHERE kind <> {REMOVED} AND (text IS NOT NULL OR json IS NOT NULL OR extra IS NOT NULL"
    " OR list_contains(?::VARCHAR[], entity)"
    " OR list_contains(?::VARCHAR[], regexp_extract(attribute, '[^/#:]*$'))) AND "
)
ListErasures = Callable[[ArchiveFile], Sequence[PendingErasure]]


def list_naming(
    storage: Storage, limits: Limits, spill: Path, files: Sequence[ArchiveFile], erasures: ListErasures,
    entities: Collection[str], names: Collection[str],
) -> Iterator[ArchiveRow]:  # fmt: skip
    """`names` of attributes are local. Raises ArchiveFileGone, ArchiveDamaged, ArchiveUnreachable, EngineExhausted."""
    engine = connect(limits, spill, storage.file_system)
    try:
        for file in files:
            yield from _of_file(engine, storage, file, erasures(file), (sorted(entities), sorted(names)))
    finally:
        engine.close()


def _of_file(
    engine: "Connection",
    storage: Storage,
    file: ArchiveFile,
    erasures: Sequence[PendingErasure],
    wanted: tuple[list[str], list[str]],
) -> Iterator[ArchiveRow]:
    kept = not_erased(erasures)
    with telling_faults(storage, [file.file]):
        found = engine.execute(_READ + kept.sql, [[storage.locate(file.file.path)], *wanted, *kept.parameters])
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from map(row_of, rows)
