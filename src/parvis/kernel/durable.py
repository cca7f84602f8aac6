"""Files that are there whole or not at all, whenever a process is killed or the power fails."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO

UNFINISHED = ".unfinished-"
"""What a file's name begins with until it is whole; a killed process leaves it."""
_LONGEST_NAME_BYTES = 255
"""Of one name, on every file system that Linux is used with."""
_UNABLE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
"""What file systems answer that cannot write the list of a folder's names out by itself, such as some of networks."""


def write_whole(path: Path, content: bytes, *, is_durable: bool = True, syncs_folder: bool = True) -> None:
    """`is_durable`: it is on disk when this returns. Who writes many into a folder syncs that once, afterwards.

    Raises OSError; then what was there before is there still.
    """
    with writing_whole(path, is_durable=is_durable, syncs_folder=syncs_folder) as file:
        file.write(content)


@contextmanager
def writing_whole(path: Path, *, is_durable: bool = True, syncs_folder: bool = True) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` at the end of the block; where that fails, it is gone."""
    unfinished = path.with_name(f"{UNFINISHED}{token_hex(8)}-{_fitting(path.name)}")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    if is_durable and syncs_folder:
        sync(path.parent)


def _fitting(name: str) -> str:
    """What still has room behind the mark of what is unfinished, where a name is as long as names may be."""
    room = _LONGEST_NAME_BYTES - len(UNFINISHED) - 17
    return os.fsdecode(os.fsencode(name)[:room])


def sync(path: Path) -> None:
    """A file's content, or which names a folder has, is on disk when this returns. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno not in _UNABLE or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
