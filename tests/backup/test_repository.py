"""What is kept comes back as it was, or it is said that it does not."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from parvis.backup.manifest import Drill, FileCopy, Manifest
from parvis.backup.repository import (
    PIECE_BYTES,
    BackupUnusable,
    Repository,
    holding,
    make_repository,
    open_or_make,
    open_repository,
    sweep,
)
from parvis.kernel.errors import ResourceNotFound

KEY = b"a long passphrase of the town"


@pytest.fixture(params=[b"", KEY], ids=["open", "sealed"])
def key(request: pytest.FixtureRequest) -> bytes:
    given: bytes = request.param
    return given


@pytest.fixture
def repository(tmp_path: Path, key: bytes) -> Repository:
    return make_repository(tmp_path / "backups", key)


def write(path: Path, *parts: int) -> Path:
    """A file of pieces that are the same where their numbers are."""
    path.write_bytes(b"".join(random.Random(part).randbytes(PIECE_BYTES) for part in parts))
    return path


def kept(repository: Repository, backup_id: str, *copies: FileCopy) -> Manifest:
    manifest = Manifest(backup_id, 0, "0.1.0", copies)
    repository.add(manifest)
    return manifest


def pieces(repository: Repository) -> list[Path]:
    return [path for path in (repository.folder / "pieces").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"text " * 300_000, random.Random(1).randbytes(PIECE_BYTES + 1)],
    ids=["empty", "a letter", "pieces that are squeezed", "pieces that are not"],
)
def test_a_file_comes_back_as_it_was(repository: Repository, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    source.chmod(0o640)
    repository.bring_back(repository.keep(source, "a/b"), tmp_path / "back" / "b")
    assert (tmp_path / "back" / "b").read_bytes() == content
    assert (tmp_path / "back" / "b").stat().st_mode & 0o777 == 0o640


def test_another_backup_adds_what_has_changed(repository: Repository, tmp_path: Path) -> None:
    repository.keep(write(tmp_path / "file", 1, 2, 3, 4), "file")
    first = repository.added_bytes
    repository.keep(write(tmp_path / "file", 1, 2, 5, 4), "file")
    assert repository.added_bytes - first < first / 3
    before = len(pieces(repository))
    repository.keep(tmp_path / "file", "under another name")
    assert len(pieces(repository)) == before


def test_who_has_the_key_opens_it_again(tmp_path: Path, repository: Repository, key: bytes) -> None:
    kept(repository, "1", repository.keep(write(tmp_path / "file", 1), "file"))
    again = open_repository(repository.folder, key)
    assert again.list_ids() == ["1"]
    again.bring_back(again.get("1").files[0], tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("wrong", [b"", b"another"])
def test_who_has_another_key_does_not(tmp_path: Path, wrong: bytes) -> None:
    make_repository(tmp_path / "backups", KEY)
    with pytest.raises(BackupUnusable, match="key"):
        open_repository(tmp_path / "backups", wrong)


def test_without_the_key_nothing_is_read(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "backups", KEY)
    (tmp_path / "file").write_bytes(b"Odile's secret" * 1000)
    kept(repository, "1", repository.keep(tmp_path / "file", "odile.txt"))
    everything = b"".join(path.read_bytes() for path in repository.folder.rglob("*") if path.is_file())
    assert b"Odile" not in everything
    assert b"odile" not in everything


@pytest.mark.parametrize("damage", ["changed", "cut", "empty", "gone", "exchanged"])
def test_damage_is_found(repository: Repository, tmp_path: Path, damage: str) -> None:
    copy = repository.keep(write(tmp_path / "file", 1, 2), "file")
    one, other = pieces(repository)
    content = bytearray(one.read_bytes())
    content[len(content) // 2] ^= 1
    act: dict[str, Callable[[], object]] = {
        "changed": lambda: one.write_bytes(content),
        "cut": lambda: one.write_bytes(content[:-1]),
        "empty": lambda: one.write_bytes(b""),
        "gone": one.unlink,
        "exchanged": lambda: one.write_bytes(other.read_bytes()),
    }
    act[damage]()
    with pytest.raises(BackupUnusable, match="file"):
        repository.bring_back(copy, tmp_path / "back")


def test_a_damaged_list_of_files_is_found(repository: Repository, tmp_path: Path) -> None:
    kept(repository, "1", repository.keep(write(tmp_path / "file", 1), "file"))
    path = repository.folder / "backups" / "1"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(BackupUnusable, match="1"):
        repository.get("1")
    with pytest.raises(BackupUnusable):
        repository.forget({"2"})


def test_pieces_that_do_not_make_the_whole_are_found(repository: Repository, tmp_path: Path) -> None:
    copy = repository.keep(write(tmp_path / "file", 1, 2), "file")
    swapped = FileCopy(copy.path, copy.bytes, copy.digest, copy.mode, copy.pieces[::-1])
    with pytest.raises(BackupUnusable, match="whole"):
        repository.bring_back(swapped, tmp_path / "back")


def test_what_another_backup_needs_stays(repository: Repository, tmp_path: Path) -> None:
    kept(repository, "1", repository.keep(write(tmp_path / "file", 1, 2), "file"))
    newer = kept(repository, "2", repository.keep(write(tmp_path / "file", 2, 3), "file"))
    (repository.folder / "pieces" / "00").mkdir(exist_ok=True)
    (repository.folder / "pieces" / "00" / ".half").write_bytes(b"of a power cut")
    assert repository.forget({"1"}) == 1
    assert len(pieces(repository)) == 2
    repository.bring_back(newer.files[0], tmp_path / "back")
    with pytest.raises(ResourceNotFound):
        repository.get("1")


def test_a_backup_of_another_name_is_not_there(repository: Repository) -> None:
    with pytest.raises(ResourceNotFound):
        repository.get("../repository.json")


def test_a_folder_in_use_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(BackupUnusable, match="something else"):
        make_repository(tmp_path)
    with pytest.raises(BackupUnusable, match="no backups"):
        open_repository(tmp_path)


def test_who_forgets_is_alone(repository: Repository) -> None:
    with (
        holding(repository.folder, alone=False),
        holding(repository.folder, alone=False),
        pytest.raises(BackupUnusable, match="Another program"),
        holding(repository.folder, alone=True),
    ):
        pass
    with holding(repository.folder, alone=True):
        pass


def test_how_a_drill_went_stays_with_the_backup(repository: Repository, tmp_path: Path, key: bytes) -> None:
    kept(repository, "1", repository.keep(write(tmp_path / "a", 1), "a"))
    assert repository.find_drill("1") is None
    drill = Drill(7, 1.5, {"entities": 3}, "ab")
    repository.note_drill("1", drill)
    assert open_or_make(repository.folder, key).find_drill("1") == drill
    (repository.folder / "drills" / "1").write_bytes(b"forged")
    assert repository.find_drill("1") is None


def test_what_killed_programs_left_goes_unless_another_is_at_work(repository: Repository, tmp_path: Path) -> None:
    kept(repository, "1", repository.keep(write(tmp_path / "a", 1), "a"))
    for name in (".parvis-x", "parvis-drill-x"):
        (repository.folder / name).mkdir()
        (repository.folder / name / "parvis.db").write_bytes(b"copy")
    with holding(repository.folder, alone=False):
        sweep(repository.folder)
        assert (repository.folder / ".parvis-x").exists()
    sweep(repository.folder)
    assert {one.name for one in repository.folder.iterdir()} == {"repository.json", "pieces", "backups"}
    assert repository.list_ids() == ["1"]
