"""What the engine stumbled over, told as a failure that names the file."""

import contextlib
import errno
from collections.abc import Iterator, Sequence

from parvis.broker.ports.archive import ArchiveDamaged, ArchiveFileGone, WrittenFile
from parvis.kernel.errors import Overloaded, ParvisError, TooComplexQuery
from parvis.stores.archive.storage import ArchiveUnreachable, Storage, checksum


class EngineExhausted(Overloaded):
    """What was asked does not fit into the memory, or the disk to spill into, that the engine may take."""


@contextlib.contextmanager
def telling_faults(storage: Storage, files: Sequence[WrittenFile]) -> Iterator[None]:
    """Turns the engine's errors into ArchiveDamaged, ArchiveFileGone, ArchiveUnreachable, EngineExhausted or
    TooComplexQuery."""
    import duckdb

    try:
        yield
    except duckdb.InterruptException as error:
        raise TooComplexQuery("Reading the archive took too long: ask for a shorter time.") from error
    except duckdb.OutOfMemoryException as error:
        raise EngineExhausted(
            "The archive's engine has no memory left for this: ask for less, or set archive.memory_mib."
        ) from error
    except duckdb.Error as error:
        damaged = find_damage(storage, files)
        if damaged is not None:
            raise damaged from error
        if isinstance(error, duckdb.IOException):
            raise ArchiveUnreachable(f"The archive cannot be read or written: {_first_line(error)}") from error
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES):
            raise
        raise ArchiveUnreachable(f"The archive cannot be written: {error.strerror}.") from error


def find_damage(storage: Storage, files: Sequence[WrittenFile]) -> ParvisError | None:
    """The first file that is not there, or not what was written; sizes are compared before contents."""
    for check in (check_size, check_contents):
        for file in files:
            try:
                check(storage, file)
            except (ArchiveDamaged, ArchiveFileGone) as fault:
                return fault
    return None


def check_size(storage: Storage, file: WrittenFile) -> None:
    """Raises ArchiveFileGone or ArchiveDamaged."""
    size = storage.find_size(file.path)
    if size is None:
        raise ArchiveFileGone(f"The archive's file {file.path} is not there.", file=file.path)
    if size != file.bytes:
        raise ArchiveDamaged(f"The archive's file {file.path} has {size} bytes, not {file.bytes}.", file=file.path)


def check_contents(storage: Storage, file: WrittenFile) -> None:
    """Raises ArchiveFileGone or ArchiveDamaged."""
    if checksum(storage.read(file.path)) != file.checksum:
        raise ArchiveDamaged(f"The archive's file {file.path} is not what was written.", file=file.path)


def verify(storage: Storage, file: WrittenFile) -> None:
    """Size, then every byte. Raises ArchiveFileGone or ArchiveDamaged, which name the file."""
    check_size(storage, file)
    check_contents(storage, file)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
