"""Folders for what is being made. A process that dies leaves its own behind, but not the lock on it."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LOCK = "in-use"
BEING_MADE_S = 60.0
"""A folder this young may not have its lock yet."""


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=parent))
    lock = os.open(made / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def sweep(parent: Path) -> int:
    """Delete the folders that no process uses any more; how many."""
    return sum(_delete_unused(folder) for folder in parent.glob("*") if folder.is_dir())


def _delete_unused(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return _is_old(folder) and _delete(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _delete(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


def _is_old(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - folder.stat().st_mtime > BEING_MADE_S
    return False


def _delete(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
