"""What a table held and what became of it, within bounds however long the table is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from parvis.kernel.time import Instant

LONGEST_TOLD = 80
MOST_FAULTS_KEPT = 100
MOST_SERIES_KEPT = 10_000
MOST_UNPLACED_KEPT = 20
MOST_DOUBTS_KEPT = 5
"""Of one column."""
SeriesKey = tuple[str, str, str]
"""(entity id, attribute, dataset)."""


class FaultReason(Enum):
    """Why a cell or row was left out."""

    UNREADABLE_ROW = "a row that cannot be read"
    UNREADABLE_TIME = "a time that cannot be read"
    SKIPPED_HOUR = "a local time that never was (change to summer time)"
    REPEATED_HOUR = "a local time that was twice (change to winter time)"
    UNREADABLE_VALUE = "a value that cannot be read"
    UNREADABLE_PLACE = "a place that cannot be read, or that is not on Earth"
    REPEATED_ID = "an id that another row had before"
    INCOMPLETE_ROW = "a row too short, or without what the entity's id needs"
    CONFLICT = "another value at the same time, in the file or stored"
    REFUSED = "refused by the broker"


@dataclass(frozen=True, slots=True)
class Fault:
    file: str
    row: int
    column: str
    text: str
    reason: FaultReason


class Doubt(msgspec.Struct):
    """Values of a column that cannot be, though they are taken: what lies outside of `least` to `most`, which are as
    `term` is stored, in `unit_code`, or instants where `is_time`. `first` are rows with what stands there."""

    column: str
    term: str
    unit_code: str
    least: float
    most: float
    is_time: bool = False
    count: int = 0
    first: list[tuple[int, str]] = []

    def note(self, row: int, text: str) -> None:
        self.count += 1
        if len(self.first) < MOST_DOUBTS_KEPT:
            self.first.append((row, text[:LONGEST_TOLD]))


@dataclass(slots=True)
class SeriesReport:
    """`gaps` are empty cells; `repeats` the same value at the same time again; `stored_before` were in the store."""

    instances: int = 0
    first: Instant | None = None
    last: Instant | None = None
    gaps: int = 0
    repeats: int = 0
    stored_before: int = 0

    def note(self, at: Instant) -> None:
        self.instances += 1
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)


class Verdict(Enum):
    """What becomes of something that could be read."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    ADDED = "added"
    STORED_BEFORE = "stored-before"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    REFUSED = "refused"


@dataclass(slots=True)
class Report:
    """`written` counts what reached the store: 0 after a dry run. `repeated_hours`: local times told apart by order.

    `verdicts` count what could be read; what could not is in the faults. Series beyond MOST_SERIES_KEPT have no report
    of their own. `unplaced` are entities whose rows name no place, the first of them with row and id. `doubts` are by
    column.
    """

    files: int = 0
    rows: int = 0
    written: int = 0
    repeated_hours: int = 0
    series: dict[SeriesKey, SeriesReport] = field(default_factory=dict)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    on_fault: Callable[[Fault], None] | None = None
    fault_counts: Counter[FaultReason] = field(default_factory=Counter)
    unplaced: int = 0
    unplaced_first: list[tuple[int, str]] = field(default_factory=list)
    doubts: dict[str, Doubt] = field(default_factory=dict)

    def of(self, key: SeriesKey) -> SeriesReport:
        found = self.series.get(key)
        if found is None:
            found = SeriesReport()
            if len(self.series) < MOST_SERIES_KEPT:
                self.series[key] = found
        return found

    def fault(self, fault: Fault) -> None:
        self.fault_counts[fault.reason] += 1
        if self.on_fault is not None:
            self.on_fault(fault)
        if len(self.faults) < MOST_FAULTS_KEPT:
            self.faults.append(fault)

    def note_unplaced(self, row: int, entity_id: str) -> None:
        self.unplaced += 1
        if len(self.unplaced_first) < MOST_UNPLACED_KEPT:
            self.unplaced_first.append((row, entity_id))

    @property
    def instances(self) -> int:
        return sum(one.instances for one in self.series.values())
