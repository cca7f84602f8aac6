"""One entity's whole past in one snapshot: what is hot, and what the archive reads of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from parvis.broker.model.entity import Iri
from parvis.broker.ports.archive import ArchivedEntity, ReadArchived
from parvis.broker.temporal.instance import Found, find_instance
from parvis.broker.temporal.reading import Head, Source, has_any
from parvis.kernel.errors import Overloaded
from parvis.stores.sqlite.catalogue import find_archived, is_forgotten
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.temporal import HotHistory, find_head

Told = TypeVar("Told")
Tell = Callable[[Head, Sequence[Source]], Told]


_CORRECTED = "SELECT 1 FROM erasure WHERE entity = ? AND upto >= ? AND (SELECT max(seq) FROM log) > ?"


class PastChanged(Overloaded):
    """An instance was erased after `unsettled` was found, and its corrected form may be missing there."""


class NotHot(Exception):
    """Some of it lies in files, which are read in a thread."""


class Past(NamedTuple):
    """`unsettled`: the entity's rows in the log, found before the snapshot, when `newest` was the newest of all."""

    names: Names
    tenant: str
    number: int
    urn: str
    unsettled: list[int]
    newest: int
    read_archived: ReadArchived

    def tell_hot(self, connection: Connection, tell: Tell[Told]) -> Told | None:
        """Raises NotHot, PastChanged."""
        if find_archived(connection, self.names, self.number, self.urn) is not None:
            raise NotHot
        return self.tell(connection, tell)

    def tell(self, connection: Connection, tell: Tell[Told]) -> Told | None:
        """Raises ArchiveFileGone, ArchiveDamaged, PastChanged."""
        found = find_head(connection, self.names, self.tenant, self.urn)
        if found is None:
            return None
        if connection.execute(_CORRECTED, (self.number, self.newest, self.newest)).fetchone():
            raise PastChanged(f"The history of {self.urn} is being changed all the time: try again.")
        sources = self._sources(connection, find_archived(connection, self.names, self.number, self.urn))
        if is_forgotten(connection, self.number) and not has_any(sources):
            return None
        return tell(found[1], sources)

    def find_instance(self, connection: Connection, name: Iri, seq: int) -> Found | None:
        """Raises ArchiveFileGone, ArchiveDamaged."""
        archived = find_archived(connection, self.names, self.number, self.urn)
        return find_instance(self._sources(connection, archived), archived, name, seq)

    def _sources(self, connection: Connection, archived: ArchivedEntity | None) -> list[Source]:
        hot = HotHistory(connection, self.names, self.number, self.unsettled)
        return [hot] if archived is None else [hot, self.read_archived(archived)]
