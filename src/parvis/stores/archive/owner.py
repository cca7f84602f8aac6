"""The mark in an archive that says whose it is: a database sweeps files that its catalogue does not name."""

from pathlib import Path

import msgspec

from parvis.broker.ports.archive import ArchiveDamaged, ArchiveFileGone, ClosedRows, Owner
from parvis.kernel.errors import ParvisError
from parvis.stores.archive.layout import is_file_path
from parvis.stores.archive.storage import Storage

MARK = "_owner.json"
"""Readers of whole folders pass over names that begin so."""

_REMEDY = (
    "Give this database an archive of its own (archive.url); or, if no other uses this one any more,"
    " run: parvis archive adopt"
)


class ArchiveOwned(ParvisError):
    """The archive is another database's, which would lose its files: nothing was moved or deleted."""

    title = "The archive belongs to another database"


def claim(storage: Storage, rows: ClosedRows) -> None:
    """Make the archive this database's own, where it is nobody's yet.

    Raises:
        ArchiveOwned, ArchiveUnreachable, ArchiveDamaged
    """
    if not check_owner(storage, rows):
        adopt(storage, rows.owner)


def check_owner(storage: Storage, rows: ClosedRows) -> bool:
    """Whether there is a mark. Raises ArchiveOwned, ArchiveUnreachable, ArchiveDamaged."""
    found = find_owner(storage)
    if found is None and _is_full_of_others(storage, rows):
        raise ArchiveOwned(f"In {_place_of(storage)} lie files of which this database knows none. {_REMEDY}")
    if found is not None and not _is_same(found, _as_marked(storage, rows.owner)):
        raise ArchiveOwned(f"{_place_of(storage)} belongs to {_told(found)}. {_REMEDY}")
    return found is not None


def adopt(storage: Storage, owner: Owner) -> None:
    """Whoever had it before may no longer move days into it. Raises ArchiveUnreachable."""
    with storage.scratch() as folder:
        made = folder / MARK
        made.write_bytes(msgspec.json.encode(_as_marked(storage, owner)._asdict()))
        storage.publish(made, MARK)


def find_owner(storage: Storage) -> Owner | None:
    """Raises ArchiveUnreachable, ArchiveDamaged."""
    try:
        content = b"".join(storage.read(MARK))
    except ArchiveFileGone:
        return None
    try:
        return Owner(**msgspec.json.decode(content, type=dict[str, str]))
    except (msgspec.MsgspecError, TypeError) as fault:
        raise ArchiveDamaged(f"The archive's file {MARK} is not what was written. {_REMEDY}", file=MARK) from fault


def _is_full_of_others(storage: Storage, rows: ClosedRows) -> bool:
    """Whether files lie there and the catalogue names none."""
    if any(rows.list_files(tenant) for tenant in rows.list_tenants()):
        return False
    return any(is_file_path(one.path) for one in storage.list())


def _is_same(one: Owner, other: Owner) -> bool:
    return one.database == other.database and (one.place == other.place or not one.place or not other.place)


def _as_marked(storage: Storage, owner: Owner) -> Owner:
    """An archive that lies beside its database is copied and moved with it."""
    if storage.file_system is not None or not owner.place.startswith("/"):
        return owner
    lies_within = Path(storage.locate(MARK)).resolve().is_relative_to(Path(owner.place).parent)
    return Owner(owner.database, "") if lies_within else owner


def _place_of(storage: Storage) -> str:
    return storage.locate("").rstrip("/") if storage.file_system is None else "the bucket"


def _told(owner: Owner) -> str:
    return f"database {owner.database}" + (f" at {owner.place}" if owner.place else "")
