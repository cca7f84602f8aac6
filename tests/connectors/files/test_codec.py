import gzip
import zipfile
from pathlib import Path

import openpyxl
import pytest

from parvis.connectors.files import codec
from parvis.connectors.files.codec import LONGEST_LINE, open_table
from parvis.connectors.files.config import InvalidMapping, Source, mapping_of
from parvis.connectors.files.table import Unreadable

ROWS = b"time,value\n2026-01-01T00:00:00Z,1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("no-workbook.xlsx", b"PK no zip"),
        ("cut-short.csv.gz", gzip.compress(ROWS * 10_000)[:-20]),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidMapping, match=name), open_table(path, Source()) as table:
        list(table.rows)


@pytest.mark.parametrize(
    "line", [b"2026-01-01T01:00:00Z," + b"9" * 200_000, b"2026-01-01T01:00:00Z,\xff\xfe", b"2026-01-01T01:00:00Z,\x00"]
)
def test_a_line_that_cannot_be_read_does_not_stop_the_rest(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(ROWS + line + b"\n2026-01-01T02:00:00Z,2\n")
    with open_table(path, Source()) as table:
        rows = list(table.rows)
    assert [number for number, row in rows if isinstance(row, Unreadable)] == [3]
    assert rows[-1] == (4, ["2026-01-01T02:00:00Z", "2"])


def test_a_line_without_an_end_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"time,value\n" + b"x" * (3 * LONGEST_LINE))
    with open_table(path, Source()) as table:
        rows = [row for _, row in table.rows]
    assert rows
    assert all(isinstance(row, Unreadable) for row in rows)


@pytest.mark.parametrize("name", ["endless.csv.gz", "endless.jsonl.gz"])
def test_a_packed_file_that_goes_on_and_on_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(codec, "LONGEST_TEXT", 1000)
    path = tmp_path / name
    path.write_bytes(gzip.compress(b'{"a":1}\n' + b"\n" * 5000))
    with pytest.raises(InvalidMapping, match="longer than any file"), open_table(path, Source()) as table:
        list(table.rows)


@pytest.mark.parametrize("encoding", ["undefined", "a\0b", "zlib_codec", "klingon"])
def test_an_encoding_that_is_none_is_told(encoding: str) -> None:
    mapping = {"inventory": {"type": "Bin", "id": "urn:{a}"}, "source": {"encoding": encoding}}
    with pytest.raises(InvalidMapping, match="no encoding"):
        mapping_of(mapping, "bins.toml")


def test_a_workbook_whose_parts_are_no_longer_sound_is_refused_with_a_sentence(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.save(tmp_path / "sound.xlsx")
    changes = {
        "docProps/core.xml": (b"</cp:coreProperties>", b"</cp:core>"),
        "xl/worksheets/sheet1.xml": (b"summaryBelow", b"ummaryBelow"),
    }
    for member, (known, damaged) in changes.items():
        path = tmp_path / "damaged.xlsx"
        with zipfile.ZipFile(tmp_path / "sound.xlsx") as sound, zipfile.ZipFile(path, "w") as written:
            for name in sound.namelist():
                content = sound.read(name)
                written.writestr(name, content.replace(known, damaged) if name == member else content)
        with pytest.raises(InvalidMapping, match="cannot be read"), open_table(path, Source()) as table:
            list(table.rows)
