"""Whole or not at all: before, while and after a write that is cut off."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parvis.kernel.durable import UNFINISHED, sync, write_whole, writing_whole

KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from parvis.kernel.durable import writing_whole
with writing_whole(Path(sys.argv[1])) as file:
    file.write(b"half of")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "story.json"

    write_whole(path, b"first")
    write_whole(path, b"second")

    assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["story.json"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "日" * 85])
def test_a_name_may_be_as_long_as_the_file_system_takes(name: str, tmp_path: Path) -> None:
    write_whole(tmp_path / name, b"whole")

    assert names(tmp_path) == [name]


def test_who_is_killed_while_writing_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "story.json"
    write_whole(path, b"whole")

    ended = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(path)], check=False)

    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"whole"
    assert [name for name in names(tmp_path) if not name.startswith(UNFINISHED)] == ["story.json"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_the_file_before_and_nothing_beside(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "story.json"
    write_whole(path, b"whole")

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path if name == "replace" else os, name, fill)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"more")

    assert path.read_bytes() == b"whole"
    assert names(tmp_path) == ["story.json"]


def test_who_finds_what_is_written_wrong_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "ground.pmtiles"
    write_whole(path, b"whole")

    def write_nonsense() -> None:
        with writing_whole(path) as file:
            file.write(b"nonsense")
            assert Path(file.name).suffix == path.suffix, "some look at the ending"
            raise ValueError("no map")

    with pytest.raises(ValueError, match="no map"):
        write_nonsense()

    assert path.read_bytes() == b"whole"
    assert names(tmp_path) == ["ground.pmtiles"]


@pytest.mark.parametrize(
    ("options", "synced"),
    [
        ({}, ["file", "folder"]),
        ({"syncs_folder": False}, ["file"]),
        ({"is_durable": False}, []),
    ],
)
def test_content_is_on_disk_before_the_name_and_the_name_after(
    options: dict[str, bool], synced: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen, fsync = tmp_path / "story.json", list[str](), os.fsync

    def note(descriptor: int) -> None:
        is_folder = Path(f"/proc/self/fd/{descriptor}").resolve() == tmp_path
        assert path.exists() is is_folder
        seen.append("folder" if is_folder else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_whole(path, b"whole", **options)

    assert seen == synced


def fails_with(number: int) -> Callable[[int], None]:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    return fsync


def test_only_a_folder_that_no_file_system_can_sync_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "story.json"
    path.write_bytes(b"whole")
    monkeypatch.setattr(os, "fsync", fails_with(errno.EINVAL))
    sync(tmp_path)
    with pytest.raises(OSError, match="Invalid"):
        sync(path)
    monkeypatch.setattr(os, "fsync", fails_with(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        sync(tmp_path)
