"""A file to records and faults, in a process of its own: what a hostile or huge file does there harms nobody."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from parvis.connectors.files.client import read_table
from parvis.connectors.files.codec import open_table
from parvis.connectors.files.config import InvalidMapping, Mapping
from parvis.connectors.files.folders import Counts, ImportFolder, Reading
from parvis.connectors.files.guess import guess_file
from parvis.connectors.files.intake import Record
from parvis.connectors.files.inventory import Entry
from parvis.connectors.files.mapping import Observation
from parvis.connectors.files.proposal import list_terms
from parvis.connectors.files.report import Fault, Report
from parvis.connectors.files.wanted import Wanted
from parvis.kernel.jobs import JobContext, WorkFailed

MOST_ROWS = 50_000_000
MOST_FAULTS_WRITTEN = 1_000_000
COLUMNS = ("row", "outcome", "entity", "column", "text")
_TELL_EVERY = 5_000
_MOST_SHARE = 0.99


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """An observation as a line; `series` is its place in the mapping."""

    series: int
    entity_id: str
    at: int
    value: int | float | str
    row: int


def read(context: JobContext) -> Any:
    """The work of the process: `folder` is the import's, `name` the file's."""
    folder = ImportFolder(Path(context.arguments["folder"]))
    mapping = msgspec.convert(context.arguments["mapping"], Mapping)
    try:
        return msgspec.to_builtins(read_file(folder, context.arguments["name"], mapping, context.report))
    except InvalidMapping as refusal:
        raise WorkFailed(refusal.detail) from refusal


def look(context: JobContext) -> Any:
    """What the file may mean, what it shows by the mapping given, or what it may mean as what is wanted of it."""
    arguments = context.arguments
    mapping = msgspec.convert(arguments["mapping"], Mapping | None)
    wanted = msgspec.convert(arguments["wanted"], Wanted | None)
    path = ImportFolder(Path(arguments["folder"])).source(arguments["name"])
    try:
        return msgspec.to_builtins(guess_file(path, list_terms(), arguments["zone"], mapping, wanted))
    except InvalidMapping as refusal:
        raise WorkFailed(refusal.detail) from refusal


def read_file(folder: ImportFolder, name: str, mapping: Mapping, tell: Callable[[float, str], None]) -> Counts:
    """Write `records.jsonl` and `faults.csv`, whole or not at all. Raises InvalidMapping."""
    folder.drop("reading.json", "position.json", "pending.json", "made.jsonl", "check.csv", "import.csv")
    records, faults = folder.path / ".records", folder.path / ".faults"
    report = Report()
    with records.open("wb") as lines, faults.open("w", encoding="utf-8", newline="") as told:
        sheet = csv.writer(told)
        sheet.writerow(COLUMNS)
        report.on_fault = lambda fault: _write_fault(sheet, fault, report)
        count = _write_records(folder.source(name), name, mapping, report, lines.write, tell)
        for file in (lines, told):
            file.flush()
            os.fsync(file.fileno())
    records.replace(folder.records)
    faults.replace(folder.faults)
    counts = Counts(
        report.rows,
        count,
        faults={reason.name: number for reason, number in report.fault_counts.items()},
        unplaced=report.unplaced,
        unplaced_first=tuple(report.unplaced_first),
        doubts=tuple(report.doubts.values()),
    )
    folder.keep("reading", Reading(mapping, counts))
    return counts


def _write_records(
    path: Path,
    name: str,
    mapping: Mapping,
    report: Report,
    write: Callable[[bytes], int],
    tell: Callable[[float, str], None],
) -> int:
    encode = msgspec.json.Encoder().encode
    numbers = {id(series): number for number, series in enumerate(mapping.series)}
    done = 0
    count = 0

    with open_table(path, mapping.source) as table:

        def progress(rows: int) -> None:
            nonlocal done
            done += rows
            if done > MOST_ROWS:
                raise InvalidMapping(f"{name} has more than {MOST_ROWS} rows: import it in parts.")
            if done % _TELL_EVERY == 0:
                tell(min(_MOST_SHARE, done / max(table.expected, done)), "reading")

        for record in read_table(table, mapping, name, {}, report, progress):
            write(encode(_line_of(record, numbers)) + b"\n")
            count += 1
    return count


def _line_of(record: Record, numbers: dict[int, int]) -> Entry | Seen:
    if isinstance(record, Observation):
        return Seen(numbers[id(record.series)], record.entity_id, record.at, record.value, record.row)
    return record


def decoder_of(mapping: Mapping) -> Callable[[bytes], Record]:
    """From a line back to what was read."""
    if mapping.inventory is not None:
        return msgspec.json.Decoder(Entry).decode
    decode = msgspec.json.Decoder(Seen).decode

    def observation(line: bytes) -> Observation:
        seen = decode(line)
        return Observation(mapping.series[seen.series], seen.entity_id, seen.at, seen.value, seen.row)

    return observation


def _write_fault(sheet: Any, fault: Fault, report: Report) -> None:
    if report.fault_counts.total() <= MOST_FAULTS_WRITTEN:
        sheet.writerow((fault.row, fault.reason.name.lower(), "", fault.column, fault.text))
