"""What is kept of each import: a folder with its file, what was read of it, how far it is, and its report."""

import asyncio
import fcntl
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec

from parvis.connectors.files.config import ENDINGS, InvalidMapping, Mapping, load_mapping, mapping_of
from parvis.connectors.files.report import Doubt
from parvis.kernel.durable import write_whole
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import Instant, to_datetime

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_MAPPING_NAME = re.compile(r"[\w][\w .\-]{0,59}")
_UNSAFE = re.compile(r"[^\w.\- ]")
_LONGEST_NAME_BYTES = 200
_LOOK_AGAIN_S = 0.2

Kept = TypeVar("Kept", bound=msgspec.Struct)


class Phase(Enum):
    RECEIVED = "received"
    CHECKED = "checked"
    IMPORTED = "imported"
    UNDONE = "undone"


class Origin(Enum):
    UPLOAD = "upload"
    INBOX = "inbox"
    SFTP = "sftp"
    COMMAND_LINE = "command-line"


class Counts(msgspec.Struct, frozen=True):
    """`faults` are by FaultReason's name, of rows and cells left out; `verdicts` by Verdict, of what was read.
    `unplaced` are entities whose rows name no place, the first of them with row and id. `doubts` are values that were
    taken and cannot be."""

    rows: int = 0
    records: int = 0
    verdicts: dict[str, int] = {}
    faults: dict[str, int] = {}
    unplaced: int = 0
    unplaced_first: tuple[tuple[int, str], ...] = ()
    doubts: tuple[Doubt, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """What was read of the file by that mapping."""

    mapping: Mapping
    counts: Counts


class Position(msgspec.Struct, frozen=True):
    """How far a pass over the records is. `event` is where it stands in the outbox, the rest are bytes of files."""

    offset: int = 0
    event: int = 0
    outcomes: int = 0
    made: int = 0
    verdicts: dict[str, int] = {}


class Import(msgspec.Struct, frozen=True):
    """`mapping_name` is of a saved mapping; `job_id` the job that was asked for last."""

    id: str
    tenant: str
    name: str
    origin: Origin
    created_by: str
    created_at: Instant
    size_bytes: int = 0
    mapping_name: str = ""
    mapping: Mapping | None = None
    phase: Phase = Phase.RECEIVED
    job_id: int | None = None
    ended_at: Instant | None = None


class ImportFolder:
    """The files of one import."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = path / "records.jsonl"
        self.faults = path / "faults.csv"

    def source(self, name: str) -> Path:
        return self.path / "source" / name

    def outcomes(self, *, is_dry: bool) -> Path:
        return self.path / ("check.csv" if is_dry else "import.csv")

    @property
    def made(self) -> Path:
        """What the import has made, for its undoing."""
        return self.path / "made.jsonl"

    def find(self, name: str, kind: type[Kept]) -> Kept | None:
        try:
            return msgspec.json.decode((self.path / f"{name}.json").read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def keep(self, name: str, value: msgspec.Struct, *, is_durable: bool = True) -> None:
        write_whole(self.path / f"{name}.json", msgspec.json.encode(value), is_durable=is_durable)

    def drop(self, *names: str) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)


class Folders:
    """`imports/<tenant>/<id>` and `mappings/<tenant>/<name>` below the data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._imports = data_dir / "imports"
        self._mappings = data_dir / "mappings"

    def create(self, tenant: str, name: str, origin: Origin, created_by: str, at: Instant) -> Import:
        """Raises InvalidMapping for a name that is of no kind of file known."""
        safe = _end_of(_UNSAFE.sub("_", Path(name.replace("\\", "/")).name)).lstrip(".") or "file"
        if not safe.lower().endswith(ENDINGS):
            raise InvalidMapping(f"{safe}: files are read that end in {', '.join(ENDINGS)}.")
        made = Import(f"{to_datetime(at):%Y%m%d-%H%M%S}-{token_hex(4)}", tenant, safe, origin, created_by, at)
        folder = self.folder(made)
        folder.source(safe).parent.mkdir(parents=True)
        folder.keep("import", made)
        return made

    def folder(self, one: Import) -> ImportFolder:
        return ImportFolder(self._of(one.tenant) / one.id)

    def source(self, one: Import) -> Path:
        return self.folder(one).source(one.name)

    def save(self, one: Import) -> Import:
        self.folder(one).keep("import", one)
        return one

    def get(self, tenant: str, import_id: str) -> Import:
        """Raises ResourceNotFound."""
        found = None
        if _ID.fullmatch(import_id):
            found = ImportFolder(self._of(tenant) / import_id).find("import", Import)
        if found is None:
            raise ResourceNotFound(f"There is no import {import_id[:60]!r}.")
        return found

    def list_imports(self, tenant: str, most: int = 200) -> list[Import]:
        """Newest first."""
        folder = self._of(tenant)
        names = sorted((one.name for one in folder.iterdir()), reverse=True) if folder.is_dir() else []
        found = (ImportFolder(folder / name).find("import", Import) for name in names[:most])
        return [one for one in found if one is not None]

    def remove(self, one: Import) -> None:
        rmtree(self.folder(one).path, ignore_errors=True)

    def clear_strays(self, tenant: str, older_than_s: float) -> int:
        """Remove what a crash has left that is no import; how many."""
        folder = self._of(tenant)
        before = time.time() - older_than_s
        strays = [
            one
            for one in (folder.iterdir() if folder.is_dir() else ())
            if not (one / "import.json").exists() and one.stat().st_mtime < before
        ]
        for one in strays:
            rmtree(one, ignore_errors=True)
        return len(strays)

    def tenants(self) -> Iterator[str]:
        if self._imports.is_dir():
            yield from (unquote(one.name) for one in self._imports.iterdir() if one.is_dir())

    @asynccontextmanager
    async def alone(self, tenant: str) -> AsyncIterator[None]:
        """In all processes: of two that look at once what is stored, each would store the same."""
        place = os.open(self._of(tenant), os.O_RDONLY | os.O_CLOEXEC)
        try:
            while not _is_taken(place):  # noqa: ASYNC110 (the kernel tells nobody)
                await asyncio.sleep(_LOOK_AGAIN_S)
            yield
        finally:
            fcntl.flock(place, fcntl.LOCK_UN)
            os.close(place)

    def save_mapping(self, tenant: str, name: str, mapping: Mapping) -> None:
        """Raises InvalidMapping for a name that cannot be one."""
        if not _MAPPING_NAME.fullmatch(name):
            raise InvalidMapping("A mapping's name is made of letters, digits, spaces, dots and hyphens.")
        folder = self._mappings / _folder_name(tenant)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(mapping)))

    def find_mapping(self, tenant: str, name: str) -> Mapping | None:
        """One that was saved, or written by hand in TOML. Raises InvalidMapping where it cannot be used."""
        if not _MAPPING_NAME.fullmatch(name):
            return None
        folder = self._mappings / _folder_name(tenant)
        if (saved := folder / f"{name}.json").is_file():
            return mapping_of(_decoded(saved), saved.name)
        written = folder / f"{name}.toml"
        return load_mapping(written) if written.is_file() else None

    def list_mappings(self, tenant: str) -> list[str]:
        folder = self._mappings / _folder_name(tenant)
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted({one.stem for one in found if one.suffix in (".json", ".toml")})

    def _of(self, tenant: str) -> Path:
        return self._imports / _folder_name(tenant)


def _end_of(name: str) -> str:
    """As much as a file system takes, with its ending: a letter may be four bytes."""
    return name.encode("utf-8", "replace")[-_LONGEST_NAME_BYTES:].decode("utf-8", "ignore")


def _folder_name(tenant: str) -> str:
    """Whatever a tenant is called, one folder of its own."""
    return quote(tenant, safe="").replace(".", "%2E")


def _decoded(path: Path) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise InvalidMapping(f"{path.name}: {error}.") from error


def _is_taken(place: int) -> bool:
    """Let go of when it is closed, also by a `kill -9`."""
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
