"""What every storage promises, on a folder and on a server that speaks S3."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from parvis.broker.ports.archive import ArchiveFileGone, ArchiveRow
from parvis.kernel.settings import InvalidSettings
from parvis.kernel.time import DAY, system_clock
from parvis.stores.archive.faults import find_damage, verify
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.storage import ArchiveUnreachable, FolderStorage, Storage, open_storage
from parvis.stores.archive.write import write_day
from tests.stores.archive.conftest import SECRET
from tests.stores.archive.cutting import cut_after
from tests.stores.archive.town import (
    ALWAYS,
    LEVEL,
    LIMITS,
    MARKET,
    Known,
    catalogued,
    hourly,
    of_entity,
    partition,
    write,
)


def publish(storage: Storage, path: str, content: bytes) -> None:
    with storage.scratch() as scratch:
        made = scratch / "made"
        made.write_bytes(content)
        storage.publish(made, path)


def test_what_is_published_is_found_read_listed_and_deleted(storage: Storage) -> None:
    content = os.urandom(3_000_000)
    publish(storage, "tenant=a/type=b%2Fc/day=2026-05-27/g.parquet", content)
    publish(storage, "tenant=a/d/g.parquet", b"x")
    assert storage.find_size("tenant=a/type=b%2Fc/day=2026-05-27/g.parquet") == 3_000_000
    assert b"".join(storage.read("tenant=a/type=b%2Fc/day=2026-05-27/g.parquet")) == content
    assert sorted(one.path for one in storage.list()) == [
        "tenant=a/d/g.parquet", "tenant=a/type=b%2Fc/day=2026-05-27/g.parquet",
    ]  # fmt: skip
    assert [(one.path, one.bytes) for one in storage.list("tenant=a/d")] == [("tenant=a/d/g.parquet", 1)]
    assert all(abs(one.modified - system_clock()) < DAY for one in storage.list())
    storage.delete("tenant=a/d/g.parquet")
    storage.delete("tenant=a/d/g.parquet")
    assert storage.find_size("tenant=a/d/g.parquet") is None
    assert list(storage.list("tenant=a/d")) == []


def test_a_file_that_is_not_there_is_said_to_be_gone(storage: Storage) -> None:
    with pytest.raises(ArchiveFileGone):
        list(storage.read("tenant=a/none.parquet"))
    assert list(storage.list()) == []


def test_a_day_is_written_merged_and_read(storage: Storage) -> None:
    first = write(storage, hourly())
    merged = write(storage, hourly("urn:ngsi-ld:WasteContainer:new", first_seq=50), "g2", old=first.file)
    verify(storage, merged.file)
    reader = ArchiveReader(storage, LIMITS)
    source = of_entity(reader, Known(MARKET, (catalogued(merged),)))
    assert [one.seq for one in source.read((LEVEL, ""), ALWAYS, 100, last=False)] == list(range(1, 25))
    reader.close()


def test_a_deleted_file_is_gone_for_a_reader_that_knew_it(storage: Storage) -> None:
    made = write(storage, hourly())
    storage.delete(made.file.path)
    assert isinstance(find_damage(storage, [made.file]), ArchiveFileGone)
    reader = ArchiveReader(storage, LIMITS)
    with pytest.raises(ArchiveFileGone, match=r"g1\.parquet"):
        of_entity(reader, Known(MARKET, (catalogued(made),))).read((LEVEL, ""), ALWAYS, 9, last=False)
    reader.close()


def rows_that_end_early() -> Iterator[ArchiveRow]:
    yield from hourly()
    raise RuntimeError("the hot store is gone")


def test_a_failure_before_the_end_leaves_nothing(storage: Storage) -> None:
    with pytest.raises(RuntimeError):
        write_day(storage, LIMITS, partition(), "g1", rows_that_end_early())
    assert list(storage.list()) == []


def test_an_interrupted_upload_is_seen_by_nobody(
    bucket: Storage, bucket_url: str, s3_server: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is cut in the middle of a file of several parts."""
    with cut_after(7_000_000, s3_server[1]) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        cut = open_storage(bucket_url, tmp_path)
        with pytest.raises(ArchiveUnreachable) as caught:
            publish(cut, "tenant=a/g.parquet", os.urandom(20_000_000))
    assert SECRET not in str(caught.value)
    assert bucket.find_size("tenant=a/g.parquet") is None
    assert list(bucket.list()) == []


def test_a_server_that_does_not_answer_is_said_to_be_unreachable(
    bucket: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_port: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port}")
    away = open_storage("s3://history", tmp_path)
    with pytest.raises(ArchiveUnreachable) as caught:
        list(away.list())
    assert SECRET not in str(caught.value)


def test_a_read_only_folder_is_said_to_be_unreachable(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"a file where the folder should be")
    with pytest.raises(ArchiveUnreachable):
        write(FolderStorage(tmp_path / "archive"), hourly())


DYING = """
import os, sys
from pathlib import Path
from parvis.stores.archive.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "made.parquet").write_bytes(b"half")
    os._exit(9)
"""


def test_scratch_that_a_dead_process_left_is_swept_and_what_is_in_use_stays(storage: Storage) -> None:
    with storage.scratch() as used:
        subprocess.run([sys.executable, "-c", DYING, str(used.parent)], check=False)
        os.utime(used, (0, 0))
        assert len(list(used.parent.iterdir())) == 2
        assert storage.sweep_scratch() == 1
        assert list(used.parent.iterdir()) == [used]
    assert storage.sweep_scratch() == 0


def test_scratch_that_died_before_it_had_a_lock_is_swept_later(folder: FolderStorage) -> None:
    left = folder.root / ".scratch/half-made"
    left.mkdir(parents=True)
    assert folder.sweep_scratch() == 0
    os.utime(left, (0, 0))
    assert folder.sweep_scratch() == 1


def test_nobody_lists_what_is_being_made(folder: FolderStorage) -> None:
    with folder.scratch() as scratch:
        (scratch / "made.parquet").write_bytes(b"half")
        assert list(folder.list()) == []


def test_deleting_the_last_file_of_a_day_takes_its_folders(folder: FolderStorage) -> None:
    publish(folder, "tenant=a/type=b/day=2026-05-27/g.parquet", b"x")
    folder.delete("tenant=a/type=b/day=2026-05-27/g.parquet")
    assert [one.name for one in folder.root.iterdir()] == [".scratch"]


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix"])
def test_a_bucket_needs_a_name(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="bucket"):
        open_storage(url, tmp_path)


def test_the_archive_lies_in_the_data_directory_unless_told_otherwise(tmp_path: Path) -> None:
    assert open_storage("", tmp_path).locate("x") == str(tmp_path / "archive/x")
    assert open_storage("/srv/history", tmp_path).locate("x") == "/srv/history/x"
