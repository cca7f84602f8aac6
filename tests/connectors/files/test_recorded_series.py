"""Recorded real series: what is in history afterwards is what is in the file, value for value."""

import csv
from pathlib import Path

import openpyxl
import pytest

from parvis.kernel.time import parse_instant
from tests.connectors.files.conftest import BUILDINGS, HERE, YEARS, Place, hourly


@pytest.mark.slow
async def test_inflows_of_ten_district_metered_areas_in_local_time(place: Place, inflow_file: Path) -> None:
    report = await place.bring(HERE / "water_inflows.toml", inflow_file)

    book = openpyxl.load_workbook(inflow_file, read_only=True)
    _, *rows = book.worksheets[0].iter_rows(values_only=True)
    book.close()
    start = parse_instant("2021-01-01T00:00:00+01:00")
    for area in range(1, 11):
        expected = hourly(start, [row[area] for row in rows])
        assert await place.history(f"urn:ngsi-ld:DistrictMeteredArea:bwdf-{area}", "inflow") == expected
    assert report.faults == []
    assert report.repeated_hours == 2 * 2
    assert (report.rows, report.written) == (19_679, 186_619)
    assert sum(one.gaps for one in report.series.values()) == 10_171


@pytest.mark.slow
async def test_electricity_of_buildings_from_a_folder_of_files(place: Place, building_files: Path) -> None:
    mapping = HERE / "building_electricity.toml"
    report = await place.bring(mapping, building_files)

    for building in BUILDINGS:
        values: list[float | str] = []
        for year in YEARS:
            path = building_files / f"UCam_Building_{building}/electricity/{year}.csv"
            with path.open(newline="") as lines:
                values += [float(row["equipment load [kWh]"]) for row in csv.DictReader(lines)]
        expected = hourly(parse_instant("2017-01-01T00:00:00Z"), values)
        assert await place.history(f"urn:ngsi-ld:Building:ucam-{building}", "electricityUse") == expected
    assert (report.files, report.faults, report.written) == (6, [], 6 * 8760)

    again = await place.bring(mapping, building_files)

    assert again.written == 0
    assert sum(one.stored_before for one in again.series.values()) == 6 * 8760
