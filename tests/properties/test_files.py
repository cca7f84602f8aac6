"""Whatever a file holds: it is read, or refused with a reason; a row that is none is counted and the rest goes on."""

import io
import json
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parvis.connectors.files import codec
from parvis.connectors.files.client import MappedFile, read_files
from parvis.connectors.files.config import Attribute, InvalidMapping, Inventory, Mapping, Place, Series, Source, Time
from parvis.connectors.files.documents import split_objects
from parvis.connectors.files.guess import guess_file
from parvis.connectors.files.intake import Record
from parvis.connectors.files.mapping import moment_of, number_of
from parvis.connectors.files.places import Places
from parvis.connectors.files.proposal import list_terms
from parvis.connectors.files.report import Report
from tests.strategies import documents

NAMES = ("x.csv", "x.csv.gz", "x.jsonl", "x.geojson", "x.xlsx", "x.parquet", "x.gpkg", "x.shp", "x.zip")
BEGINNINGS = (
    b"",
    b"a,b\n",
    b'{"a": 1}\n',
    b'{"features": [',
    b"PK\x03\x04",
    b"PAR1",
    b"SQLite format 3\0",
    b"\x1f\x8b\x08",
)
INVENTORY = Mapping(
    inventory=Inventory("Device", "urn:x:{a}", (Attribute("b", "value", "number"),), Place(geometry="geometry"))
)
SERIES = Mapping(Time("a"), (Series("b", "urn:x:{a}", "Device", "value"),))
json_values = documents(st.sampled_from(["type", "coordinates", "a"]))


def read(name: str, content: bytes, mapping: Mapping) -> tuple[list[Record], Report]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        report = Report()
        records = [one for _, one in read_files([MappedFile(path, name, {})], mapping, report, lambda rows: None)]
        return records, report


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(NAMES), st.sampled_from(BEGINNINGS), st.binary(max_size=200), st.sampled_from([INVENTORY, SERIES])
)
def test_any_bytes_are_read_or_refused(name: str, beginning: bytes, rest: bytes, mapping: Mapping) -> None:
    with suppress(InvalidMapping):
        read(name, beginning + rest, mapping)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES[:4]), st.binary(max_size=300))
@example("x.csv", b'"\n')
def test_any_bytes_are_guessed_or_refused(name: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            guess = guess_file(path, list_terms(), "Europe/Paris")
        except InvalidMapping:
            return
    assert (guess.mapping.inventory is None) != (not guess.mapping.series)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), min_size=2, max_size=4), max_size=8))
def test_each_row_of_a_table_is_an_entity_or_a_counted_fault(rows: list[list[str]]) -> None:
    lines = ["geometry,a,b", *(",".join(json.dumps(cell) for cell in row) for row in rows)]
    records, report = read("x.csv", "\n".join(lines).encode("utf-8", "surrogatepass"), INVENTORY)
    assert len(records) + report.fault_counts.total() >= report.rows
    assert len({one.row for one in records}) == len(records)


@settings(max_examples=80, deadline=None)
@given(st.lists(json_values, max_size=6), st.integers(1, 7))
def test_features_are_split_wherever_the_stream_is_cut(values: list[object], cut: int) -> None:
    objects = [{"type": "Feature", "properties": {"v": value, "s": '"}{]['}} for value in values]
    text = json.dumps(objects).encode()[1:]
    stream = io.BytesIO(text)
    found = list(split_objects(lambda _size: stream.read(cut), b"", "x"))
    assert [json.dumps(json.loads(piece)) for piece in found] == [json.dumps(one) for one in objects]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30) | json_values | st.binary(max_size=40))
def test_any_cell_is_a_place_on_earth_or_none(cell: object) -> None:
    geometry, fault = Places([0], "", Source()).read([cell])  # type: ignore[list-item]
    assert geometry is None or not fault
    if geometry is not None:
        assert geometry["type"] in {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_none(text: str) -> None:
    for decimal in (".", ","):
        number = number_of(text, Source(decimal=decimal))
        assert number is None or abs(number) < float("inf")
    for written in ("iso", "epoch-s", "epoch-ms", "%d/%m/%Y"):
        moment_of(text, written)


@given(st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: round(number, 3)))
def test_numbers_are_read_as_french_tables_write_them(number: float) -> None:
    french = f"{number:,.3f}".replace(",", "\u202f").replace(".", ",")
    assert number_of(french, Source(decimal=",")) == pytest.approx(number)


@pytest.mark.parametrize("member", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_a_bomb_is_refused_before_it_is_unpacked(member: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, b"0" * 1000)
    content = bytearray(packed.getvalue())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    with pytest.raises(InvalidMapping, match="too much"):
        read("x.xlsx", bytes(content), INVENTORY)


def _archive(names: list[str], size: int) -> bytes:
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name in names:
            archive.writestr(name, b"0" * size)
    return packed.getvalue()


def test_members_of_one_name_are_counted_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MOST_UNPACKED_BYTES", 50_000)
    with pytest.raises(InvalidMapping, match="too much"):
        read("x.xlsx", _archive(["xl/same.xml"] * 10, 10_000), INVENTORY)


def test_an_archive_of_very_many_files_is_refused() -> None:
    with pytest.raises(InvalidMapping, match="too many"):
        read("x.xlsx", _archive([str(number) for number in range(codec.MOST_MEMBERS + 1)], 1), INVENTORY)
