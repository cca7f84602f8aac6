"""The whole past of some entities in one snapshot: what is hot, and what the archive reads of it."""

from collections.abc import Sequence
from typing import NamedTuple

from parvis.broker.model.entity import Iri
from parvis.broker.ports.archive import ArchivedEntity, ArchivedSource, ReadArchived
from parvis.broker.temporal.instance import Found, FoundOutdated, find_instance
from parvis.broker.temporal.reading import Head, Member, has_any
from parvis.kernel.errors import Overloaded
from parvis.stores.sqlite.catalogue import FilesOfDays, find_archived, is_forgotten
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.temporal import HotHistory, find_head

_CORRECTED = "SELECT 1 FROM erasure WHERE entity = ? AND upto >= ? AND (SELECT max(seq) FROM log) > ?"


class PastChanged(Overloaded):
    """An instance was erased after `unsettled` was found, and its corrected form may be missing there."""


class NotHot(Exception):
    """Some of it lies in files, which are read in a thread."""


class _Opened(NamedTuple):
    head: Head
    hot: HotHistory
    archived: ArchivedEntity | None
    is_forgotten: bool


class Past(NamedTuple):
    """`unsettled`: the entity's rows in the log, found before the snapshot, when `newest` was the newest of all."""

    names: Names
    tenant: str
    number: int
    urn: str
    unsettled: list[int]
    newest: int

    def open(self, connection: Connection, known: FilesOfDays | None) -> _Opened | None:
        """Raises PastChanged."""
        found = find_head(connection, self.names, self.tenant, self.urn)
        if found is None:
            return None
        if self._is_outdated(connection):
            raise PastChanged(f"The history of {self.urn} is being changed all the time: try again.")
        archived = find_archived(connection, self.names, self.number, self.urn, known)
        return _Opened(found[1], self._hot(connection), archived, is_forgotten(connection, self.number))

    def find_instance(self, connection: Connection, name: Iri, seq: int, read_archived: ReadArchived) -> Found | None:
        """Raises FoundOutdated, ArchiveFileGone, ArchiveDamaged."""
        if self._is_outdated(connection):
            raise FoundOutdated
        archived = find_archived(connection, self.names, self.number, self.urn)
        in_files = read_archived([archived]) if archived is not None else []
        return find_instance([self._hot(connection), *in_files], archived, name, seq)

    def _is_outdated(self, connection: Connection) -> bool:
        return connection.execute(_CORRECTED, (self.number, self.newest, self.newest)).fetchone() is not None

    def _hot(self, connection: Connection) -> HotHistory:
        return HotHistory(connection, self.names, self.number, self.unsettled)


def in_no_files(_entities: Sequence[ArchivedEntity]) -> Sequence[ArchivedSource]:
    """A ReadArchived. Raises NotHot."""
    raise NotHot


def open_pasts(connection: Connection, pasts: Sequence[Past], read_archived: ReadArchived) -> list[Member]:
    """Of the entities that are, or of which something is left.

    Raises ArchiveFileGone, ArchiveDamaged, PastChanged.
    """
    known: FilesOfDays | None = {} if len(pasts) > 1 else None
    found = [one for past in pasts if (one := past.open(connection, known)) is not None]
    archived = [one.archived for one in found if one.archived is not None]
    in_files = iter(read_archived(archived) if archived else ())
    members = []
    for one in found:
        sources = [one.hot] if one.archived is None else [one.hot, next(in_files)]
        if not one.is_forgotten or has_any(sources):
            members.append(Member(one.head, sources))
    return members
