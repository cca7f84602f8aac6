"""Where hot stores and the archive of closed days meet.

A hot store keeps the archive's catalogue beside its rows, so that one transaction says in which of the two each
instance is. The archive keeps files that never change and knows no hot store.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec

from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.reading import Source, Window
from parvis.broker.temporal.retention import NO_EXPIRY, Expiry
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.time import DAY, Instant

SNAPSHOTS = 4
"""How often a read is tried: a file that was replaced under it is one that a newer snapshot does not name."""
Day = int
"""Whole days since the Unix epoch, UTC."""
BLOCK_DAYS = 60
"""Of which a catalogue knows in one number in which of them a series has rows."""


def day_of(instant: Instant) -> Day:
    return instant // DAY


def blocks_of(days: Iterable[Day]) -> dict[int, int]:
    """By block, a bit for each of its days."""
    blocks: dict[int, int] = {}
    for day in days:
        block, bit = divmod(day, BLOCK_DAYS)
        blocks[block] = blocks.get(block, 0) | 1 << bit
    return blocks


class ArchiveDamaged(ParvisError):
    """A file of the archive is not what was written, so a part of the history cannot be told."""

    type_uri = PARVIS_ERRORS + "archive-damaged"
    title: ClassVar[str] = "A part of the history cannot be read"
    status = 503


class ArchiveFileGone(ParvisError):
    """A file that the catalogue named is not there: it was replaced, or it is lost."""

    type_uri = PARVIS_ERRORS + "archive-file-gone"
    title: ClassVar[str] = "A part of the history cannot be read"
    status = 503


class MoveOutdated(ParvisError):
    """The catalogue has changed since the files of a move were written: nothing was recorded."""

    title: ClassVar[str] = "The archive has changed meanwhile"


class Partition(NamedTuple):
    """What one file holds: the instances of a closed day, of entities that had these types when they were moved."""

    tenant: str
    types: tuple[Iri, ...]
    day: Day


class ArchiveRow(NamedTuple):
    """`kind` 0: the instance was removed. `value` as stores keep it: number, text, or the bytes of other JSON."""

    entity: str
    attribute: Iri
    dataset: str
    time: Instant
    seq: int
    observed: bool
    kind: int
    unit: str
    value: int | float | str | bytes | None
    extra: str | None
    recorded: Instant


class WrittenFile(msgspec.Struct, frozen=True):
    """A file as it was written. `path` is relative to the archive; times are those of the first and last rows."""

    path: str
    rows: int
    bytes: int
    checksum: str
    first: Instant
    last: Instant
    first_recorded: Instant
    last_recorded: Instant


class ArchiveFile(msgspec.Struct, frozen=True):
    """A file of the catalogue. Erasures up to number `erased` are worked in; `expired` is taken out."""

    partition: Partition
    file: WrittenFile
    erased: int
    expired: Expiry = NO_EXPIRY


class PendingErasure(msgspec.Struct, frozen=True):
    """An erasure that some file may not show yet. It is of instances up to `upto`, not of later ones."""

    number: int
    erasure: Erasure
    upto: int

    def covers(self, attribute: Iri, dataset: str, seq: int, time: Instant) -> bool:
        return seq <= self.upto and self.erasure.covers(attribute, dataset, seq, time)


def files_of(
    rows: Iterable[Sequence[Any]], tenant_of: Callable[[int], str], types_of: Callable[[int], tuple[Iri, ...]]
) -> list[ArchiveFile]:
    """Of the catalogue's columns: tenant, type set, day, those of WrittenFile, erased, expired."""
    return [
        ArchiveFile(
            Partition(tenant_of(tenant), types_of(typeset), day),
            WrittenFile(*columns),
            erased,
            msgspec.json.decode(expired, type=Expiry),
        )
        for tenant, typeset, day, *columns, erased, expired in rows
    ]


def erasures_of(
    rows: Iterable[Sequence[Any]], name_of: Callable[[int], Iri], dataset_of: Callable[[int], str]
) -> list[PendingErasure]:
    """Of the catalogue's columns: number, entity, name, dataset, seq, before, since, upto."""
    erasures = []
    for number, urn, name, dataset, seq, before, since, upto in rows:
        attribute = None if name is None else name_of(name)
        of_dataset = None if dataset is None else dataset_of(dataset)
        erasures.append(PendingErasure(number, Erasure(urn, attribute, of_dataset, seq, before, since), upto))
    return erasures


class ArchivedEntity(Protocol):
    """What the catalogue says of one entity, in the snapshot of a read."""

    @property
    def entity_id(self) -> str: ...

    @property
    def erasures(self) -> Sequence[PendingErasure]: ...

    def list_series(self) -> set[AttributeKey]: ...

    def list_files(self, key: AttributeKey, window: Window) -> Sequence[ArchiveFile]:
        """Those that may hold instances of the series in the window, by day."""
        ...


class ArchivedSource(Source, Protocol):
    def expect(self, keys: Sequence[AttributeKey]) -> None:
        """What `list_last` is about. It reads for all that are read together, once each of them was told."""
        ...

    def list_last(self, window: Window) -> list[Instance]:
        """Of each series the last instance in the window; a removal counts as one."""
        ...


ReadArchived = Callable[[Sequence[ArchivedEntity]], Sequence[ArchivedSource]]
"""What reads the archive's side of each entity: called in a thread, within the snapshot."""


def no_archive(_entities: Sequence[ArchivedEntity]) -> Sequence[ArchivedSource]:
    raise ArchiveFileGone("A part of this history is archived, and the store was opened without its archive.")


class SeriesOfFile(NamedTuple):
    entity_id: str
    attribute: Iri
    dataset: str


class Owner(NamedTuple):
    """The database that an archive belongs to. `place` differs for a copy of it; empty where that is not known."""

    database: str
    place: str


class ClosedRows(Protocol):
    """Hot rows in one snapshot of a process or thread of its own."""

    @property
    def upto(self) -> int:
        """Rows up to this number are settled: nothing is added to them any more."""
        ...

    @property
    def newest_erasure(self) -> int: ...

    @property
    def owner(self) -> Owner: ...

    def list_tenants(self) -> list[str]: ...

    def list_days(self, tenant: str, before: Day) -> list[Day]:
        """Days before `before` that have rows to move."""
        ...

    def list_files(self, tenant: str, day: Day | None = None) -> list[ArchiveFile]: ...

    def list_erasures(self, file: ArchiveFile) -> list[PendingErasure]:
        """Those that the file is to show and does not yet."""
        ...

    def read_day(self, tenant: str, day: Day) -> Iterator[tuple[tuple[Iri, ...], Iterator[ArchiveRow]]]:
        """The rows of a day by types; each part in the order of the first five members, read before the next."""
        ...

    def list_types(self, tenant: str) -> dict[str, tuple[Iri, ...]]:
        """Of every entity that is."""
        ...

    def list_held(self, tenant: str, entities: Sequence[str], days: range) -> Iterator[tuple[SeriesOfFile, Instant]]:
        """Each instance of these entities that is hot, and in these days."""
        ...


class OpenClosedRows(Protocol):
    """Opens a snapshot; it can be sent to another process where `in_process` is False."""

    @property
    def in_process(self) -> bool: ...

    def __call__(self) -> AbstractContextManager[ClosedRows]: ...


class Replacement(msgspec.Struct, frozen=True):
    """The new file of a partition (None: nothing is left of it) in place of the old one (None: there was none)."""

    partition: Partition
    old_path: str | None
    new: WrittenFile | None
    expired: Expiry = NO_EXPIRY


class Move(msgspec.Struct, frozen=True):
    """What one transaction records: from now on rows of the day up to `upto` are read in files only; 0: no row left.

    `erased` is the newest erasure that the new files show.
    """

    tenant: str
    day: Day
    upto: int
    erased: int
    replacements: tuple[Replacement, ...]


class Summary(msgspec.Struct, frozen=True):
    """What a run has done: days moved or made anew, their files and rows, erasures worked into all files, and files
    swept. `problems` are for people.
    """

    days: int = 0
    files: int = 0
    rows: int = 0
    erasures: int = 0
    swept: int = 0
    problems: tuple[str, ...] = ()


class FileFault(msgspec.Struct, frozen=True):
    """A file of the archive is damaged or lost: `words` say how."""

    path: str
    words: str
    found: Instant


class HotArchive(Protocol):
    """The hot side of the archive: the catalogue, and rows that leave."""

    def closed_rows(self) -> OpenClosedRows: ...

    async def settle(self) -> None:
        """Bring what was written until now into the form that can be moved."""
        ...

    async def note_series(self, partition: Partition, series: Sequence[SeriesOfFile]) -> None:
        """Readers look for these series in the partition's file; called before the move is recorded."""
        ...

    async def note_days(
        self, tenant: str, days: Mapping[tuple[Iri, ...], Sequence[Day]], series: Mapping[SeriesOfFile, tuple[Iri, ...]]
    ) -> None:
        """The same of many files: each series may be in those of its types' days. New names are known from now on."""
        ...

    async def reserve(self, count: int) -> int:
        """So many numbers that no other instance is given, from the one returned; durably."""
        ...

    async def record(self, move: Move) -> None:
        """In one transaction. Raises MoveOutdated."""
        ...

    async def purge(self) -> bool:
        """Delete some rows that recorded moves have taken; False once nothing is left of any move."""
        ...

    async def close_erasures(self, newest: int) -> int:
        """Forget erasures up to number `newest` that every file shows; how many.

        Later ones stay: the files that another run is just making may not show them.
        """
        ...

    async def tidy(self, now: Instant) -> None:
        """Let go of what the moves have emptied."""
        ...

    async def list_files(self, tenant: str | None = None) -> list[ArchiveFile]: ...

    async def list_erasures(self) -> list[PendingErasure]: ...

    async def note_faults(self, faults: Sequence[FileFault], whole: Sequence[str]) -> None:
        """Those stay noted that are noted already; files that are `whole` are forgotten."""
        ...

    async def list_faults(self) -> list[FileFault]: ...
