"""Inventories in every kind of file, as other programs write them: GDAL, pyarrow, openpyxl."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from parvis.broker.model.entity import Entity, Kind
from parvis.connectors.files.config import InvalidMapping
from parvis.connectors.files.report import FaultReason, Report, Verdict
from tests.connectors.files.conftest import CALLER, Place

LAMBERT_93 = "EPSG:2154"
BINS = [("A 1", -3.3612345, 47.7481234, 1100, "verre"), ("B-2", -3.2798765, 47.7012345, 660, "papier")]
MAPPING = """
[inventory]
type = "WasteContainer"
id = "urn:ngsi-ld:WasteContainer:{ref}"
[inventory.place]
PLACE
[[inventory.attributes]]
column = "capacite"
name = "binCapacity"
value = "number"
unit_code = "LTR"
[[inventory.attributes]]
column = "flux"
name = "storedWasteKind"
"""
BY_GEOMETRY = MAPPING.replace("PLACE", 'geometry = "geometry"')


def projected() -> list[tuple[float, float]]:
    to_lambert = Transformer.from_crs("EPSG:4326", LAMBERT_93, always_xy=True)
    return [to_lambert.transform(longitude, latitude) for _, longitude, latitude, _, _ in BINS]


def write_map(path: Path, driver: str, crs: str, **options: Any) -> Path:
    """By GDAL."""
    points = projected() if crs == LAMBERT_93 else [(one[1], one[2]) for one in BINS]
    fields = [[one[0] for one in BINS], [one[3] for one in BINS], [one[4] for one in BINS]]
    data = [np.array(fields[0], object), np.array(fields[1], np.int64), np.array(fields[2], object)]
    pyogrio.raw.write(
        str(path),
        np.array([shapely.to_wkb(shapely.Point(point)) for point in points], object),
        data,
        ["ref", "capacite", "flux"],
        driver=driver,
        geometry_type="Point",
        crs=crs,
        **options,
    )
    return path


async def bring(place: Place, mapping: str, path: Path) -> Report:
    file = place.folder / "mapping.toml"
    file.write_text(mapping, encoding="utf-8")
    return await place.bring(file, path)


async def get(place: Place, entity_id: str) -> Entity:
    return await place.broker.get(CALLER, f"urn:ngsi-ld:WasteContainer:{entity_id}")


async def check_bins(place: Place) -> None:
    expand = place.broker.contexts.parvis.expand
    for (_, longitude, latitude, capacity, kind), name in zip(BINS, ("A-1", "B-2"), strict=True):
        entity = await get(place, name)
        location, held = entity.find(expand("location")), entity.find(expand("binCapacity"))
        assert location is not None
        assert held is not None
        assert location.kind is Kind.GEO_PROPERTY
        assert location.value["coordinates"] == pytest.approx([longitude, latitude], abs=2e-7)
        assert (held.value, held.unit_code) == (capacity, "LTR")
        stored = entity.find(expand("storedWasteKind"))
        assert stored is not None
        assert stored.value == kind


def geojson(path: Path) -> Path:
    return write_map(path / "bins.geojson", "GeoJSON", "EPSG:4326")


def old_geojson_in_lambert(path: Path) -> Path:
    return write_map(path / "bins.geojson", "GeoJSON", LAMBERT_93)


def geopackage(path: Path) -> Path:
    return write_map(path / "bins.gpkg", "GPKG", LAMBERT_93)


def shapefile(path: Path) -> Path:
    return write_map(path / "bins.shp", "ESRI Shapefile", LAMBERT_93)


def zipped_shapefile(path: Path) -> Path:
    return write_map(path / "bins.shp.zip", "ESRI Shapefile", LAMBERT_93)


def parquet(path: Path) -> Path:
    wkb = [shapely.to_wkb(shapely.Point(one[1], one[2])) for one in BINS]
    table = pa.table(
        {
            "ref": [one[0] for one in BINS],
            "capacite": [float(one[3]) for one in BINS],
            "flux": [one[4] for one in BINS],
            "geom": wkb,
        }
    )
    geo = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": {"encoding": "WKB"}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path / "bins.parquet")
    return path / "bins.parquet"


def json_lines(path: Path) -> Path:
    lines = [
        json.dumps({"ref": ref, "capacite": size, "flux": kind, "geometry": {"type": "Point", "coordinates": [x, y]}})
        for ref, x, y, size, kind in BINS
    ]
    (path / "bins.jsonl").write_text("\n".join(lines))
    return path / "bins.jsonl"


@pytest.mark.parametrize(
    "write", [geojson, old_geojson_in_lambert, geopackage, shapefile, zipped_shapefile, parquet, json_lines]
)
async def test_bins_of_a_map_stand_where_they_are(place: Place, tmp_path: Path, write: Any) -> None:
    path = write(tmp_path)

    report = await bring(place, BY_GEOMETRY, path)
    assert (report.rows, report.verdicts, report.faults) == (2, {Verdict.CREATED: 2}, [])
    await check_bins(place)

    again = await bring(place, BY_GEOMETRY, path)
    assert (again.verdicts, again.written) == ({Verdict.UNCHANGED: 2}, 0)


async def test_a_spreadsheet_in_lambert_93(place: Place, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["ref", "x", "y", "capacite", "flux"])
    for bin_, (x, y) in zip(BINS, projected(), strict=True):
        book.active.append([bin_[0], x, y, *bin_[3:]])
    book.save(tmp_path / "bins.xlsx")

    await bring(
        place,
        MAPPING.replace("PLACE", 'longitude = "x"\nlatitude = "y"\ncrs = "EPSG:2154"'),
        tmp_path / "bins.xlsx",
    )

    await check_bins(place)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("47.75, -3.36", {"type": "Point", "coordinates": [-3.36, 47.75]}),
        ("POINT (-3.36 47.75)", {"type": "Point", "coordinates": [-3.36, 47.75]}),
        ("SRID=4326;POINT Z (-3.36 47.75 12)", {"type": "Point", "coordinates": [-3.36, 47.75]}),
        ('{"type":"Point","coordinates":[-3.36,47.75]}', {"type": "Point", "coordinates": [-3.36, 47.75]}),
        ("LINESTRING (0 1, 2 3)", {"type": "LineString", "coordinates": [[0.0, 1.0], [2.0, 3.0]]}),
    ],
)
async def test_places_in_one_cell(place: Place, tmp_path: Path, written: str, expected: object) -> None:
    quoted = written.replace('"', '""')
    (tmp_path / "bins.csv").write_text(f'ref,geometry,capacite,flux\n7,"{quoted}",1,x\n')
    await bring(place, BY_GEOMETRY, tmp_path / "bins.csv")
    location = (await get(place, "7")).find(place.broker.contexts.parvis.expand("location"))
    assert location is not None
    assert location.value == expected


async def test_what_is_wrong_with_a_row_is_told_and_the_rest_goes_in(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bins.csv").write_text(
        "ref,geometry,capacite,flux\n"
        "1,nowhere,1,a\n"
        ",47.7;-3.3,1,a\n"
        "3,'95, 200',1,a\n"
        "4,,many,a\n"
        "4,,5,a\n"
        "5,POLYGON EMPTY,5,a\n"
        '6,"GEOMETRYCOLLECTION (POINT (1 1))",5,a\n'
        '7,"400, 1",5,a\n'
    )

    report = await bring(place, BY_GEOMETRY, tmp_path / "bins.csv")

    told = [(fault.row, fault.reason) for fault in report.faults]
    assert told == [
        (2, FaultReason.UNREADABLE_PLACE),
        (3, FaultReason.INCOMPLETE_ROW),
        (4, FaultReason.UNREADABLE_PLACE),
        (5, FaultReason.UNREADABLE_VALUE),
        (6, FaultReason.REPEATED_ID),
        (7, FaultReason.UNREADABLE_PLACE),
        (8, FaultReason.UNREADABLE_PLACE),
        (9, FaultReason.UNREADABLE_PLACE),
    ]
    assert report.verdicts == {Verdict.CREATED: 1}


async def test_only_what_differs_is_written(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "bins.csv"
    path.write_text("ref,geometry,capacite,flux\n1,,660,a\n2,,660,b\n")
    await bring(place, BY_GEOMETRY, path)
    before = await get(place, "1")
    path.write_text("ref,geometry,capacite,flux\n1,,660,a\n2,,770,b\n3,,1,c\n")

    report = await bring(place, BY_GEOMETRY, path)

    assert report.verdicts == {Verdict.UNCHANGED: 1, Verdict.UPDATED: 1, Verdict.CREATED: 1}
    assert await get(place, "1") == before


async def test_every_kind_of_value(place: Place, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("id;pose;actif;parc;poids\nx;3/12/2024;oui;urn:a:b;1 234,5\n")
    mapping = """
    [source]
    delimiter = ";"
    decimal = ","
    [inventory]
    type = "Device"
    id = "urn:x:{id}"
    attributes = [
      {column = "pose", name = "dateInstalled", value = "date", format = "%d/%m/%Y"},
      {column = "actif", name = "isIndoor", value = "boolean"},
      {column = "parc", name = "controlledAsset", value = "uri"},
      {column = "poids", name = "weight", value = "number", scale = 0.5},
    ]
    """
    await bring(place, mapping, tmp_path / "table.csv")
    entity = await place.broker.get(CALLER, "urn:x:x")
    context = place.broker.contexts.parvis
    values = {context.compact(one.name): (one.kind, one.value) for one in entity.instances}
    assert values == {
        "dateInstalled": (Kind.PROPERTY, datetime(2024, 12, 3, tzinfo=UTC).replace(tzinfo=None).isoformat()),
        "isIndoor": (Kind.PROPERTY, True),
        "controlledAsset": (Kind.RELATIONSHIP, "urn:a:b"),
        "weight": (Kind.PROPERTY, 617.25),
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.geojson", b"no json"),
        ("x.geojson", b'{"features": [{"type": "Feature", "properties": {"a": "b'),
        ("x.gpkg", b"SQLite format 3\0" + b"\0" * 200),
        ("x.shp", b"\0\0\x27\x0a" + b"\0" * 20),
        ("x.zip", b"PK\x03\x04"),
        ("x.parquet", b"PAR1PAR1"),
        ("x.pdf", b"%PDF"),
    ],
)
async def test_a_damaged_map_is_named(place: Place, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidMapping, match=name):
        await bring(place, BY_GEOMETRY, tmp_path / name)
