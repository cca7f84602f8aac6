import os
import subprocess
import sys
from pathlib import Path

import pytest

from parvis.ground.replacing import replacing

NAMES = ("map", "roads")
KILLED = """
import os, signal, sys
from pathlib import Path
from parvis.ground.replacing import replacing
with replacing(Path(sys.argv[1]), ("map", "roads")) as workshop:
    (workshop / "map").write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def texts(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in NAMES]


def left(folder: Path) -> list[Path]:
    return [one for one in folder.iterdir() if one.is_dir()]


def write(workshop: Path, text: str) -> None:
    for name in NAMES:
        (workshop / name).write_text(text)


def test_two_at_once_do_not_write_into_one_file(tmp_path: Path) -> None:
    with replacing(tmp_path, NAMES) as first:
        (first / "map").write_text("first")
        with replacing(tmp_path, NAMES) as second:
            write(second, "second")
        assert texts(tmp_path) == ["second", "second"]
        (first / "roads").write_text("first")
    assert texts(tmp_path) == ["first", "first"]
    assert not left(tmp_path)


def test_a_failure_replaces_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, "older")
    with pytest.raises(FileNotFoundError), replacing(tmp_path, NAMES) as workshop:
        (workshop / "map").write_text("alone")
    assert texts(tmp_path) == ["older", "older"]
    assert not left(tmp_path)


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, os.fspath(tmp_path)], check=False, timeout=60)
    (orphan,) = left(tmp_path)
    with replacing(tmp_path, NAMES) as workshop:
        assert left(tmp_path) == [workshop]
        assert workshop != orphan
        write(workshop, "fresh")
