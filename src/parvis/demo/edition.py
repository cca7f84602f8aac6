"""Which code and libraries make the territory: what others made of the same seed is not mixed with ours."""

import hashlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import parvis.demo
import parvis.ground

LIBRARIES = ("numpy", "shapely", "wntr")


@cache
def edition() -> str:
    """A mark of all files of the demonstration, of the code that draws them, and of what both calculate with."""
    files = [path for package in (parvis.demo, parvis.ground) for path in _files(Path(package.__path__[0]))]
    return digest(files, [sys.version.partition(" ")[0], *map(_version, LIBRARIES)])


def digest(files: list[Path], versions: list[str]) -> str:
    found = hashlib.sha256("\0".join(versions).encode())
    for path in files:
        found.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:12]


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file() and one.parent.name != "__pycache__")


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
