"""What a store gives when a tenant leaves with everything, and takes when one arrives.

Both sides work beside or before a running platform, on a connection of their own: calls block.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import ClassVar, Protocol

import msgspec

from parvis.broker.model.entity import Entity, Iri
from parvis.broker.ports.archive import ArchiveFile, ArchiveRow, Day, PendingErasure
from parvis.broker.ports.records import Record, Records
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.time import Instant


class TenantNotEmpty(ParvisError):
    """Somebody's data is there already."""

    type_uri = PARVIS_ERRORS + "tenant-not-empty"
    title: ClassVar[str] = "The tenant is not empty"
    status = 409


class Gone(msgspec.Struct, frozen=True):
    """An entity that was deleted, and whose past can still be read."""

    id: str
    types: tuple[Iri, ...]
    scopes: tuple[str, ...]
    created_at: Instant
    modified_at: Instant
    deleted_at: Instant


class Document(msgspec.Struct, frozen=True):
    """What a tenant has set up, as the store keeps it: JSON, names expanded. `consumer` reads the outbox for it."""

    id: str
    content: bytes
    consumer: str = ""


class Documents(Enum):
    """By their table."""

    SUBSCRIPTIONS = "subscription"
    REGISTRATIONS = "registration"
    SOURCE_SUBSCRIPTIONS = "source_subscription"


class Span(msgspec.Struct, frozen=True):
    """Numbers of instances, both ends included; 0 and 0 where there are none."""

    first: int = 0
    last: int = 0

    @property
    def count(self) -> int:
        return self.last - self.first + 1 if self.last else 0


class TenantSnapshot(Protocol):
    """Everything in one snapshot, in an order that does not depend on the store."""

    def list_entities(self) -> Iterator[Entity]:
        """By id."""
        ...

    def list_gone(self) -> Iterator[Gone]:
        """By id. Those whose past was erased as well are not told."""
        ...

    def list_forgotten(self) -> Iterator[str]:
        """Ids of entities that are there, and of which no past is told."""
        ...

    def list_hot(self) -> Iterator[ArchiveRow]:
        """Instances that are in no file of the archive, in any order."""
        ...

    def list_files(self) -> list[ArchiveFile]: ...

    def list_erasures(self, file: ArchiveFile) -> list[PendingErasure]:
        """Those that the file is to show and does not yet."""
        ...

    def list_documents(self, kind: Documents) -> Iterator[Document]:
        """By id."""
        ...

    def list_shelf(self, box: str) -> Iterator[tuple[bytes, bytes]]:
        """By key."""
        ...

    def list_records(self, kind: Records) -> Iterator[Record]:
        """In any order."""
        ...


OpenSnapshot = AbstractContextManager[TenantSnapshot]


class TenantIntake(Protocol):
    """One transaction: all of a tenant, or nothing. Entities come before their past."""

    shift: int
    """Added to every number of an instance: not 0 where some of these numbers are given here already."""

    def find_known(self, ids: Sequence[str]) -> set[str]:
        """Which of these were here before."""
        ...

    def put_entities(self, entities: Sequence[Entity]) -> None: ...

    def put_gone(self, gone: Sequence[Gone]) -> None: ...

    def put_forgotten(self, ids: Sequence[str]) -> None: ...

    def put_past(self, rows: Sequence[ArchiveRow]) -> None:
        """Of entities that were put."""
        ...

    def put_documents(self, kind: Documents, documents: Sequence[Document]) -> None:
        """Consumers stand at the newest event: nobody is told of what is past. What has an id that is there stays."""
        ...

    def put_shelf(self, box: str, records: Sequence[tuple[bytes, bytes]]) -> None: ...


class OpenIntake(Protocol):
    def __call__(
        self, tenant: str, numbers: Span, days: Sequence[Day], *, is_added: bool
    ) -> AbstractContextManager[TenantIntake]:
        """The transaction is committed at the end of the block, and undone where that raises.

        Raises TenantNotEmpty unless `is_added`.
        """
        ...
