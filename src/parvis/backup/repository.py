"""A folder of backups. Files are cut into pieces, each kept once under a name made of its content, so that the next
backup adds only what has changed. A piece, and a backup, is there whole or not at all.

    repository.json      how it is sealed
    pieces/ab/abcd...    a piece
    backups/ID           a manifest
    drills/ID            how its last drill went
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_bytes

import msgspec

from parvis.backup.manifest import Drill, FileCopy, Manifest
from parvis.backup.sealing import SALT_BYTES, Damaged, Sealing
from parvis.kernel.durable import sync, write_whole
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError, ResourceNotFound

PIECE_BYTES = 512 << 10
FORMAT = 1
_PROOF = b"parvis"
_UNFINISHED = "."
"""Begins the name of what is being written; a power cut leaves it, `forget` takes it away."""
_LEFT = (".parvis-*", "parvis-drill-*", "backups/.*", "drills/.*")
"""Of programs that were killed."""
_MANIFEST = msgspec.json.Decoder(Manifest)
_DRILL = msgspec.json.Decoder(Drill)


class BackupUnusable(ParvisError):
    type_uri = PARVIS_ERRORS + "backup-unusable"
    title = "The backup cannot be used"
    status = 409


class _Header(msgspec.Struct, frozen=True):
    """`proof` opens with the right passphrase only."""

    format: int
    is_sealed: bool
    salt: str = ""
    proof: str = ""


_HEADER = msgspec.json.Decoder(_Header)


class Repository:
    def __init__(self, folder: Path, sealing: Sealing) -> None:
        self.folder = folder
        self._sealing = sealing
        self._touched: set[Path] = set()
        self.added_bytes = 0
        """That came to the disk by this object."""

    def keep(self, source: Path, path: str) -> FileCopy:
        """A copy of a file that nobody changes. Raises FileNotFoundError."""
        whole, pieces, size = hashlib.sha256(), [], 0
        with source.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            while content := file.read(PIECE_BYTES):
                whole.update(content)
                size += len(content)
                pieces.append(self._put(content))
        return FileCopy(path, size, whole.hexdigest(), mode, tuple(pieces))

    def bring_back(self, copy: FileCopy, target: Path) -> None:
        """Raises BackupUnusable where it is not what was kept."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        with target.open("wb") as file:
            for content in self.contents(copy):
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        target.chmod(copy.mode)

    def contents(self, copy: FileCopy) -> Iterator[bytes]:
        """Piece by piece; at the end the whole is compared. Raises BackupUnusable."""
        whole = hashlib.sha256()
        for name in copy.pieces:
            content = self._get(name, copy.path)
            whole.update(content)
            yield content
        if whole.hexdigest() != copy.digest:
            raise BackupUnusable(f"{copy.path} is not as it was kept: its pieces do not make the whole.")

    def add(self, manifest: Manifest) -> None:
        """From now on the backup is there, whenever the power fails."""
        for folder in (*self._touched, self.folder / "pieces"):
            sync(folder)
        write_whole(self._manifest(manifest.id), self._sealing.seal(manifest.id, msgspec.json.encode(manifest)))

    def list_ids(self) -> list[str]:
        """The oldest first."""
        return sorted(path.name for path in (self.folder / "backups").glob("[0-9]*"))

    def get(self, backup_id: str) -> Manifest:
        """Raises ResourceNotFound, BackupUnusable."""
        if backup_id not in self.list_ids():
            raise ResourceNotFound(f"There is no backup {backup_id!r} in {self.folder}.")
        try:
            return _MANIFEST.decode(self._sealing.open(backup_id, self._manifest(backup_id).read_bytes()))
        except (Damaged, msgspec.MsgspecError) as fault:
            raise BackupUnusable(f"The list of files of backup {backup_id} is damaged.") from fault

    def note_drill(self, backup_id: str, drill: Drill) -> None:
        """In the place of the one before."""
        path = self._drill(backup_id)
        path.parent.mkdir(exist_ok=True)
        write_whole(path, self._sealing.seal(f"drill {backup_id}", msgspec.json.encode(drill)))

    def find_drill(self, backup_id: str) -> Drill | None:
        """One that cannot be read is none: it says nothing of the backup."""
        try:
            return _DRILL.decode(self._sealing.open(f"drill {backup_id}", self._drill(backup_id).read_bytes()))
        except (FileNotFoundError, Damaged, msgspec.MsgspecError):
            return None

    def forget(self, backup_ids: set[str]) -> int:
        """Drop these backups and what no other one needs; how many pieces. Nobody may add to it meanwhile.

        Raises BackupUnusable where one that stays cannot be read: what it needs is not known.
        """
        needed = {
            name
            for stays in self.list_ids()
            if stays not in backup_ids
            for file in self.get(stays).files
            for name in file.pieces
        }
        for gone in backup_ids:
            self._manifest(gone).unlink(missing_ok=True)
            self._drill(gone).unlink(missing_ok=True)
        dropped = 0
        for path in (self.folder / "pieces").glob("*/*"):
            if path.name not in needed:
                path.unlink()
                dropped += not path.name.startswith(_UNFINISHED)
        return dropped

    def _manifest(self, backup_id: str) -> Path:
        return self.folder / "backups" / backup_id

    def _drill(self, backup_id: str) -> Path:
        return self.folder / "drills" / backup_id

    def _piece(self, name: str) -> Path:
        return self.folder / "pieces" / name[:2] / name

    def _put(self, content: bytes) -> str:
        name = self._sealing.name(content)
        path = self._piece(name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            sealed = self._sealing.seal(name, content)
            write_whole(path, sealed, syncs_folder=False)
            self._touched.add(path.parent)
            self.added_bytes += len(sealed)
        return name

    def _get(self, name: str, path: str) -> bytes:
        try:
            content = self._sealing.open(name, self._piece(name).read_bytes())
        except (FileNotFoundError, Damaged) as fault:
            raise BackupUnusable(f"{path} cannot be brought back: a piece of it is missing or damaged.") from fault
        if self._sealing.name(content) != name:
            raise BackupUnusable(f"{path} cannot be brought back: a piece of it is not what was kept.")
        return content


def make_repository(folder: Path, passphrase: bytes = b"") -> Repository:
    """In a folder that is empty or not there yet. Raises BackupUnusable."""
    if folder.exists() and any(folder.iterdir()):
        raise BackupUnusable(f"{folder} holds something else: name an empty folder for the backups.")
    salt = token_bytes(SALT_BYTES)
    sealing = Sealing(passphrase, salt)
    for name in ("pieces", "backups"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    proof = sealing.seal("proof", _PROOF).hex() if passphrase else ""
    header = _Header(FORMAT, bool(passphrase), salt.hex() if passphrase else "", proof)
    write_whole(folder / "repository.json", msgspec.json.encode(header))
    return Repository(folder, sealing)


def open_repository(folder: Path, passphrase: bytes = b"") -> Repository:
    """Raises BackupUnusable."""
    header = _read_header(folder)
    if header.is_sealed != bool(passphrase):
        how = "is sealed: give its key" if header.is_sealed else "is not sealed: leave the key out"
        raise BackupUnusable(f"{folder} {how}.")
    sealing = Sealing(passphrase, bytes.fromhex(header.salt))
    if passphrase:
        try:
            sealing.open("proof", bytes.fromhex(header.proof))
        except Damaged as fault:
            raise BackupUnusable(f"The key does not open {folder}.") from fault
    return Repository(folder, sealing)


def is_sealed(folder: Path) -> bool:
    """Raises BackupUnusable."""
    return _read_header(folder).is_sealed


def _read_header(folder: Path) -> _Header:
    try:
        header = _HEADER.decode((folder / "repository.json").read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError) as fault:
        raise BackupUnusable(f"{folder} holds no backups.") from fault
    if header.format != FORMAT:
        raise BackupUnusable(f"{folder} was written by a newer Parvis.")
    return header


def open_or_make(folder: Path, passphrase: bytes = b"") -> Repository:
    """Raises BackupUnusable."""
    is_new = not folder.exists() or not any(folder.iterdir())
    return make_repository(folder, passphrase) if is_new else open_repository(folder, passphrase)


def sweep(folder: Path) -> None:
    """Take away what killed programs have left, unless another one is at work."""
    with suppress(BackupUnusable), holding(folder, alone=True):
        for pattern in _LEFT:
            for left in folder.glob(pattern):
                shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


@contextmanager
def holding(folder: Path, *, alone: bool) -> Iterator[None]:
    """Many may add at once; who forgets is alone. Ends with the process. Raises BackupUnusable."""
    with (folder / "repository.json").open("rb") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise BackupUnusable(f"Another program works on {folder} just now: try again later.") from fault
        yield
