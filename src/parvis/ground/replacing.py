"""Files that take the place of others once all of them are whole."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from parvis.kernel.durable import sync

_LOCK: Final = ".ground.lock"
_WORKSHOP: Final = ".ground-"


@contextmanager
def replacing(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """An empty folder of one's own beside the files. Those of these `names` that the block has made there come into
    `folder` together, on disk before; none does where it fails.

    Whoever does the same at once comes wholly before or wholly after. What a killed process has left is swept. A crash
    of the machine between two renames leaves the first file new and the second old, each of them whole.
    """
    with _alone(folder):
        _sweep(folder)
        workshop = Path(mkdtemp(prefix=_WORKSHOP, dir=folder))
        in_use = os.open(workshop, os.O_RDONLY)
        fcntl.flock(in_use, fcntl.LOCK_EX)
    try:
        yield workshop
        for name in names:
            sync(workshop / name)
        with _alone(folder):
            for name in names:
                (workshop / name).replace(folder / name)
            sync(folder)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
        os.close(in_use)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """The kernel gives a lock back with the process that held it."""
    for workshop in folder.glob(f"{_WORKSHOP}*/"):
        with suppress(OSError):
            descriptor = os.open(workshop, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(workshop, ignore_errors=True)
            finally:
                os.close(descriptor)
