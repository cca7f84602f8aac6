"""Backups of an installation whose store is embedded: taken beside the running platform, brought back into an empty
folder, and tried."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from shutil import disk_usage
from tempfile import TemporaryDirectory
from time import perf_counter

from parvis import __version__
from parvis.access.audit_proof import BrokenTrail, proof_lines, prove
from parvis.access.privacy.person.cases import FOLDER as PERSONS
from parvis.backup.manifest import Drill, FileCopy, Manifest
from parvis.backup.repository import BackupUnusable, Repository, holding
from parvis.bootstrap.exports import FOLDER as EXPORTS
from parvis.bootstrap.stores import ACCESS_FILE, STORE_FILE, is_on_postgres, store_path
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import Clock, Instant, format_instant, system_clock
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.integrity import find_faults
from parvis.stores.sqlite.snapshot import Rest, copy_database, count_rows, list_archived

ARCHIVE = "archive"
COPY_SHARE = 0.3
"""Of the work, about, the copying of the databases."""
ATTEMPTS = 3
"""The archive's move may take a file away between the copy of the store that names it and the copy of the file."""
_LEFT_OUT = (".lock", "-wal", "-shm", ".mbtiles")
"""Endings of what is made anew by itself."""


class NoRoom(BackupUnusable):
    """The backup itself has no fault."""


Tell = Callable[[str, float], None]
"""What is being done, and how much of it is."""


def _silent(_words: str, _part: float) -> None:
    pass


def take_backup(
    settings: Settings, repository: Repository, tell: Tell = _silent, clock: Clock = system_clock
) -> Manifest:
    """Raises InvalidSettings where the store is not embedded, BackupUnusable where there is no room for it."""
    if is_on_postgres(settings):
        raise InvalidSettings("The store is PostgreSQL: its own tools back it up (docs/howto/backup.md).")
    before, is_first = repository.added_bytes, not repository.list_ids()
    at = clock()
    files, left_out = _keep_all(settings, repository, tell)
    added = repository.added_bytes - before
    manifest = Manifest(_id_of(format_instant(at), repository), at, __version__, files, left_out, added, is_first)
    repository.add(manifest)
    return manifest


def _keep_all(settings: Settings, repository: Repository, tell: Tell) -> tuple[tuple[FileCopy, ...], tuple[str, ...]]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with database_copies(settings, repository.folder, tell) as copies:
                sources = {path: copy for path, copy in copies.items() if copy.exists()}
                archived, left_out = _archived(settings, copies[STORE_FILE])
                sources |= archived
                sources |= dict(_others(settings.data_dir, repository.folder))
                return tuple(_kept(sources, set(archived), repository, tell)), left_out
        except FileNotFoundError as gone:
            if attempt == ATTEMPTS:
                raise BackupUnusable(f"{gone.filename} went away while it was copied: try again later.") from gone
    raise AssertionError("unreachable")


def _kept(sources: Mapping[str, Path], archived: set[str], repository: Repository, tell: Tell) -> Iterator[FileCopy]:
    """What goes away meanwhile is left out, but for the archive's files: the store names them."""
    total = sum(_size(file) for file in sources.values())
    done = 0
    for path, file in sorted(sources.items()):
        tell(path, COPY_SHARE + (1 - COPY_SHARE) * done / total if total else 1.0)
        size = _size(file)
        try:
            yield repository.keep(file, path)
        except FileNotFoundError:
            if path in archived:
                raise
        done += size


def check_room(folder: Path, needed: int) -> None:
    """Raises NoRoom."""
    free = disk_usage(folder).free
    if free < needed:
        raise NoRoom(f"{folder} has no room: {needed >> 20} MiB are needed, {free >> 20} MiB are free.")


@contextmanager
def database_copies(settings: Settings, beside: Path, tell: Tell) -> Iterator[dict[str, Path]]:
    """Consistent copies by their names, for as long as the block lasts."""
    sources = {STORE_FILE: store_path(settings), ACCESS_FILE: settings.data_dir / ACCESS_FILE}
    needed = sum(_size(path) for path in sources.values())
    check_room(beside, needed)
    with TemporaryDirectory(prefix=".parvis-", dir=beside) as folder:
        copies, done = {}, 0
        for name, source in sources.items():
            copies[name], size = Path(folder, name), _size(source)
            if source.exists():
                copy_database(source, copies[name], _part_of(name, done, size, needed, tell))
            done += size
        yield copies


def _part_of(name: str, done: int, size: int, total: int, tell: Tell) -> Rest:
    return lambda part: tell(name, COPY_SHARE * (done + size * part) / total if total else COPY_SHARE)


def _archived(settings: Settings, store: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    if not store.exists():
        return {}, ()
    listed = list_archived(store)
    if settings.archive.url:
        return {}, (f"{len(listed)} files of the archive in {settings.archive.url}",) if listed else ()
    return {f"{ARCHIVE}/{one.path}": settings.data_dir / ARCHIVE / one.path for one in listed}, ()


def _others(folder: Path, repository: Path) -> Iterator[tuple[str, Path]]:
    """But for the databases, their logs, the archive, of which the store says what belongs to it, what is kept of
    somebody for some days, and the backups."""
    apart = {(folder / name).resolve() for name in (ARCHIVE, EXPORTS, PERSONS)} | {repository.resolve()}
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = [name for name in folders if (here / name).resolve() not in apart]
        for name in names:
            path = here / name
            is_database = here == folder and name in (STORE_FILE, ACCESS_FILE)
            if not is_database and not name.endswith(_LEFT_OUT) and path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


def restore_backup(repository: Repository, manifest: Manifest, data_dir: Path, tell: Tell = _silent) -> None:
    """Into a folder that is empty or not there yet. Raises BackupUnusable."""
    if data_dir.exists() and any(data_dir.iterdir()):
        raise BackupUnusable(f"{data_dir} is not empty: restore into another folder, and move it there yourself.")
    data_dir.mkdir(parents=True, exist_ok=True)
    done = 0
    for copy in manifest.files:
        tell(copy.path, done / max(1, manifest.bytes))
        repository.bring_back(copy, _below(data_dir, copy.path))
        done += copy.bytes


def run_drill(
    repository: Repository, backup_id: str, folder: Path, tell: Tell = _silent, clock: Clock = system_clock
) -> Drill:
    """Bring it back beside, look at all of it as `parvis check` would, and keep how that went.

    Raises NoRoom, BackupUnusable.
    """
    at, began_s = clock(), perf_counter()
    try:
        manifest = repository.get(backup_id)
        check_room(folder, manifest.bytes)
        counts, audit_digest = try_backup(repository, manifest, folder, tell)
    except NoRoom:
        raise
    except BackupUnusable as fault:
        repository.note_drill(backup_id, Drill(at, perf_counter() - began_s, fault=fault.detail))
        raise
    drill = Drill(at, perf_counter() - began_s, counts, audit_digest)
    repository.note_drill(backup_id, drill)
    return drill


def try_backup(
    repository: Repository, manifest: Manifest, folder: Path, tell: Tell = _silent
) -> tuple[dict[str, int], str]:
    """What was found in it, and the newest digest of its audit trail. Raises BackupUnusable."""
    with TemporaryDirectory(prefix="parvis-drill-", dir=folder) as place:
        data_dir = Path(place, "data")
        restore_backup(repository, manifest, data_dir, tell)
        tell("looking at the databases", 1.0)
        settings = replace(load_settings(data_dir), data_dir=data_dir)
        store = data_dir / STORE_FILE
        check_databases(store, data_dir / ACCESS_FILE)
        if store.exists() and not settings.archive.url:
            _check_archive(store, manifest)
        counts = count_rows(store) if store.exists() else {}
        entries, digest = _check_audit(data_dir / ACCESS_FILE)
    return {**counts, "audit entries": entries}, digest


def forget_older(repository: Repository, before: Instant) -> tuple[int, int]:
    """How many backups went, and how many pieces with them; the newest stays. Raises BackupUnusable."""
    with holding(repository.folder, alone=True):
        old = {one for one in repository.list_ids()[:-1] if repository.get(one).at < before}
        return len(old), repository.forget(old)


def check_databases(*paths: Path) -> None:
    for path in paths:
        if path.exists() and (faults := _faults_of(path)):
            raise BackupUnusable(f"{path.name} is not sound: {'; '.join(faults[:3])}.")


def _faults_of(path: Path) -> list[str]:
    if path.name == STORE_FILE:
        return [fault.words for fault in find_faults(path)]
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    except sqlite3.DatabaseError as fault:
        return [str(fault)]
    finally:
        connection.close()


def _check_archive(store: Path, manifest: Manifest) -> None:
    """Digests of files were compared when they came back; here with what the store knows of them."""
    kept = {copy.path: copy.digest for copy in manifest.files}
    for one in list_archived(store):
        if kept.get(f"{ARCHIVE}/{one.path}") != one.checksum:
            raise BackupUnusable(f"The archive's file {one.path} in the backup is not the one that the store means.")


def _check_audit(path: Path) -> tuple[int, str]:
    if not path.exists():
        return 0, ""
    store = SqliteAccessStore(path)
    try:
        proven = prove(proof_lines(store.read_audit()))
    except BrokenTrail as fault:
        raise BackupUnusable(f"The audit trail of the backup is broken: {fault.detail}") from fault
    finally:
        store.close()
    return proven.entries, proven.digest


def _below(folder: Path, path: str) -> Path:
    """Whoever wrote a backup does not say where else on this machine files go. Raises BackupUnusable."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise BackupUnusable(f"The backup names a file outside of it: {path!r}.")
    return folder.joinpath(*parts)


def _id_of(moment: str, repository: Repository) -> str:
    plain = f"{moment[:19].replace('-', '').replace(':', '')}Z"
    taken = set(repository.list_ids())
    return next(name for name in (plain, *(f"{plain}-{number}" for number in range(2, 1_000))) if name not in taken)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
