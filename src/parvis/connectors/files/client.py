"""From files to the broker's history: nothing twice, nothing over what is stored."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from parvis.broker.broker import Broker
from parvis.connectors.files.codec import open_table
from parvis.connectors.files.config import InvalidMapping, Mapping, Template, pattern_of
from parvis.connectors.files.intake import AHEAD, BATCH, Intake, Record
from parvis.connectors.files.inventory import InventoryReader
from parvis.connectors.files.mapping import TableReader
from parvis.connectors.files.report import Report
from parvis.connectors.files.table import Table
from parvis.kernel.identity import Caller

Progress = Callable[[int], None]


class MappedFile(msgspec.Struct, frozen=True):
    path: Path
    name: str
    known: dict[str, str]


def find_files(paths: Iterable[Path], mapping: Mapping) -> list[MappedFile]:
    """The files given, and in folders those whose path ends as `source.file` says, in order of their names.

    Raises:
        InvalidMapping: a file that does not match, or none at all.
    """
    pattern = pattern_of(mapping.source.file) if mapping.source.file else None
    found = []
    for path in paths:
        candidates = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for one in candidates:
            known = _known_of(one, pattern, mapping.source.file.count("/") + 1)
            if known is not None:
                found.append(MappedFile(one, one.name if path == one else str(one.relative_to(path)), known))
            elif one == path:
                raise InvalidMapping(f"{path.name} does not match source.file, {mapping.source.file!r}.")
    if not found:
        raise InvalidMapping(f"No file matches source.file, {mapping.source.file!r}.")
    return found


def _known_of(path: Path, pattern: Template | None, depth: int) -> dict[str, str] | None:
    return {} if pattern is None else pattern.find("/".join(path.parts[-depth:]))


def count_rows(files: Iterable[MappedFile], mapping: Mapping) -> int:
    total = 0
    for file in files:
        with open_table(file.path, mapping.source) as table:
            total += table.expected
    return total


def read_files(
    files: Iterable[MappedFile], mapping: Mapping, report: Report, progress: Progress
) -> Iterator[tuple[MappedFile, Record]]:
    for file in files:
        with open_table(file.path, mapping.source) as table:
            report.files += 1
            for record in read_table(table, mapping, file.name, file.known, report, progress):
                yield file, record


def read_table(
    table: Table, mapping: Mapping, name: str, known: dict[str, str], report: Report, progress: Progress
) -> Iterator[Record]:
    """Raises InvalidMapping where the table has not the columns that the mapping names."""
    if mapping.inventory is not None:
        return InventoryReader(mapping, name, table, report).read(table, lambda: progress(1))
    return TableReader(mapping, name, table.header, known, report).read(table, lambda: progress(1))


async def import_files(
    broker: Broker,
    caller: Caller,
    mapping: Mapping,
    files: Iterable[MappedFile],
    *,
    dry_run: bool = False,
    progress: Progress = lambda rows: None,
) -> Report:
    """Bring every observation or object of the files in, once.

    An instance of the same entity, attribute, dataset and time is left alone: counted where its value is the same,
    reported as a conflict where it is not. Of an entity only what differs is written.
    """
    report = Report()
    intake = Intake(broker, caller, mapping, report)
    most = AHEAD if mapping.inventory is None else BATCH  # an outline may be a megabyte, and is not looked ahead for
    batch: list[Record] = []
    name = ""
    for file, record in read_files(files, mapping, report, progress):
        if len(batch) >= most or (batch and file.name != name):
            await _take(intake, batch, name, dry_run)
            batch = []
        batch.append(record)
        name = file.name
    if batch:
        await _take(intake, batch, name, dry_run)
    return report


async def _take(intake: Intake, batch: list[Record], name: str, dry_run: bool) -> None:
    await intake.look_ahead(batch)
    for start in range(0, len(batch), BATCH):
        judged = await intake.judge(batch[start : start + BATCH], name)
        if not dry_run:
            await intake.write(judged, name)
