import pytest

from parvis.connectors.files.config import InvalidMapping
from parvis.connectors.files.report import FaultReason
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import parse_instant
from tests.connectors.files.conftest import Place

WIDE = """
[time]
column = "time"
zone = "UTC"
[[series]]
column = "zone {zone}"
entity = "urn:ngsi-ld:DistrictMeteredArea:{zone}"
type = "DistrictMeteredArea"
attribute = "inflow"
unit_code = "G51"
"""
LONG = """
[source]
delimiter = ";"
decimal = ","
[time]
column = "when"
format = "%d/%m/%Y %H:%M"
zone = "Europe/Paris"
[[series]]
column = "reading"
entity = "urn:ngsi-ld:Building:{meter}"
type = "Building"
attribute = "electricityUse"
where = { energy = "electricity" }
[[series]]
column = "reading"
entity = "urn:ngsi-ld:Building:{meter}"
type = "Building"
attribute = "gasUse"
scale = 0.5
where = { energy = "gas" }
"""
NORTH, SOUTH = "urn:ngsi-ld:DistrictMeteredArea:north", "urn:ngsi-ld:DistrictMeteredArea:south"
TABLE = """time,zone north,zone south,remark
2026-01-01 00:00,3,1.25,
2026-01-01 01:00,,1.5,meter off
2026-01-01 02:00,4,NaN,
"""


async def test_a_wide_table_becomes_a_series_for_each_column(place: Place) -> None:
    report = await place.import_text(WIDE, TABLE)

    assert await place.history(NORTH, "inflow") == {"2026-01-01T00:00:00Z": 3, "2026-01-01T02:00:00Z": 4}
    assert await place.history(SOUTH, "inflow") == {"2026-01-01T00:00:00Z": 1.25, "2026-01-01T01:00:00Z": 1.5}
    assert (report.rows, report.instances, report.written) == (3, 4, 4)


async def test_gaps_are_left_out_and_counted(place: Place) -> None:
    report = await place.import_text(WIDE, TABLE)

    north = report.series[NORTH, "inflow", ""]
    assert (north.gaps, north.instances) == (1, 2)
    assert (north.first, north.last) == (parse_instant("2026-01-01T00:00:00Z"), parse_instant("2026-01-01T02:00:00Z"))
    assert not report.faults


async def test_a_long_table_names_its_entities_in_its_rows(place: Place) -> None:
    table = (
        "meter;when;energy;reading\n"
        "b1;01/07/2026 00:00;electricity;10,5\n"
        "b1;01/07/2026 00:00;gas;3\n"
        "b2;01/07/2026 00:00;electricity;11\n"
        "b2;01/07/2026 00:00;water;99\n"
    )

    await place.import_text(LONG, table)

    at = "2026-06-30T22:00:00Z"
    assert await place.history("urn:ngsi-ld:Building:b1", "electricityUse") == {at: 10.5}
    assert await place.history("urn:ngsi-ld:Building:b1", "gasUse") == {at: 1.5}
    assert await place.history("urn:ngsi-ld:Building:b2", "electricityUse") == {at: 11}


async def test_the_entity_stands_as_last_measured_with_its_unit(place: Place) -> None:
    await place.import_text(WIDE, TABLE)
    expand = place.broker.contexts.parvis.expand

    from tests.connectors.files.conftest import CALLER

    entity = await place.broker.get(CALLER, NORTH)

    inflow = entity.find(expand("inflow"))
    assert inflow is not None
    assert (inflow.value, inflow.unit_code) == (4, "G51")
    assert entity.types == (expand("DistrictMeteredArea"),)


async def test_the_same_file_twice_does_not_double(place: Place) -> None:
    await place.import_text(WIDE, TABLE)
    before = await place.history(NORTH, "inflow")

    again = await place.import_text(WIDE, TABLE)

    assert await place.history(NORTH, "inflow") == before
    assert (again.written, again.instances) == (0, 0)
    assert [one.stored_before for one in again.series.values()] == [2, 2]


async def test_a_longer_file_adds_what_is_new(place: Place) -> None:
    await place.import_text(WIDE, TABLE)

    report = await place.import_text(WIDE, TABLE + "2026-01-01 03:00,5,,\n")

    assert report.written == 1
    assert list((await place.history(NORTH, "inflow")).values()) == [3, 4, 5]


async def test_another_value_at_a_known_time_is_a_conflict_not_a_second_truth(place: Place) -> None:
    await place.import_text(WIDE, TABLE)

    report = await place.import_text(WIDE, TABLE.replace("00:00,3,", "00:00,33,"))

    assert report.fault_counts == {FaultReason.CONFLICT: 1}
    assert report.faults[0].row == 2
    assert list((await place.history(NORTH, "inflow")).values()) == [3, 4]


async def test_rows_repeated_within_a_file_are_told_apart_from_conflicts(place: Place) -> None:
    repeated = "2026-01-01 00:00,3,7,\n"

    report = await place.import_text(WIDE, TABLE + repeated)

    assert report.series[NORTH, "inflow", ""].repeats == 1
    assert report.fault_counts == {FaultReason.CONFLICT: 1}
    assert (await place.history(SOUTH, "inflow"))["2026-01-01T00:00:00Z"] == 1.25


async def test_a_dry_run_reports_the_same_and_writes_nothing(place: Place) -> None:
    dry = await place.import_text(WIDE, TABLE, dry_run=True)
    with pytest.raises(ResourceNotFound):
        await place.history(NORTH, "inflow")

    real = await place.import_text(WIDE, TABLE)

    assert (dry.written, real.written) == (0, 4)
    assert dry.series == real.series


async def test_what_cannot_be_read_is_reported_with_its_row(place: Place) -> None:
    table = TABLE + "tomorrow,1,1,\n2026-01-01 04:00,broken,1e999,\n2026-01-01 05:00,6\n"

    report = await place.import_text(WIDE, table)

    assert [(fault.row, fault.column, fault.text, fault.reason) for fault in report.faults] == [
        (5, "time", "tomorrow", FaultReason.UNREADABLE_TIME),
        (6, "zone north", "broken", FaultReason.UNREADABLE_VALUE),
        (6, "zone south", "1e999", FaultReason.UNREADABLE_VALUE),
        (7, "zone south", "", FaultReason.INCOMPLETE_ROW),
    ]
    assert (await place.history(NORTH, "inflow"))["2026-01-01T05:00:00Z"] == 6


async def test_faults_kept_are_bounded_but_all_are_counted(place: Place) -> None:
    table = TABLE + "".join(f"{number},1,1,\n" for number in range(500))

    report = await place.import_text(WIDE, table)

    assert report.fault_counts[FaultReason.UNREADABLE_TIME] == 500
    assert len(report.faults) == 100


async def test_times_with_an_offset_need_no_zone(place: Place) -> None:
    mapping = WIDE.replace('zone = "UTC"\n', "")

    await place.import_text(mapping, "time,zone north\n2026-01-01T00:00+01:00,1\n")

    assert await place.history(NORTH, "inflow") == {"2025-12-31T23:00:00Z": 1}


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        (WIDE.replace('"zone {zone}"', '"zoen {zone}"'), "Did you mean 'zone "),
        (WIDE.replace('column = "time"', 'column = "times"'), "Did you mean 'time'?"),
        (WIDE.replace("UTC", "Europe/Pari"), "no time zone 'Europe/Pari'"),
        (WIDE.replace("UTC", "z" * 300), "no time zone"),
        (WIDE.replace("unit_code", "unitcode"), "unitcode"),
        (WIDE.replace("{zone}", "{area}", 1), "no column 'zone'"),
        ("[time]\ncolumn = 'time'\n", "series"),
        ("[time", "TOML"),
    ],
)
async def test_a_mapping_that_does_not_fit_is_refused(place: Place, mapping: str, complaint: str) -> None:
    with pytest.raises(InvalidMapping) as refusal:
        await place.import_text(mapping, TABLE)
    assert complaint.lower() in refusal.value.detail.lower()
