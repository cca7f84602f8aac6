import gzip
from pathlib import Path

import pytest

from parvis.connectors.files.codec import open_table
from parvis.connectors.files.config import InvalidMapping, Source

ROWS = b"time,value\n2026-01-01T00:00:00Z,1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("huge-cell.csv", ROWS + b"2026-01-01T01:00:00Z," + b"9" * 200_000),
        ("other-encoding.csv", ROWS + b"2026-01-01T01:00:00Z,\xff\xfe"),
        ("no-workbook.xlsx", b"PK no zip"),
        ("cut-short.csv.gz", gzip.compress(ROWS * 10_000)[:-20]),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidMapping, match=name), open_table(path, Source()) as table:
        list(table.rows)
