import pytest

from parvis.fleet.devices.columns import Column, LineFault
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.devices.sheet import read_sheet, write_sheet
from parvis.kernel.errors import BadRequestData
from tests.fleet.conftest import Village

ENGLISH = """hardware_id,profile,name,latitude,longitude,groups,tags,interval,technology,attribute:kind,colour
70B3D5499E000001,bin-sensor,Market place,48.1,-3.2,north|bins,new,10 min,lorawan,glass,red
70-B3-D5-49-9E-00-00-02,bin-sensor,"Church, north side",,,,,,,,
"""
FRENCH = """Identifiant;Profil;Nom;Latitude;Longitude;Groupes;Étiquettes;Intervalle attendu;Technologie;Numéro de série
70b3d5499e000001;bin-sensor;Place du marché;48,1;-3,2;nord|bacs;neuf;1 h;LoRaWAN;A-17
"""


@pytest.fixture
def read(village: Village):  # type: ignore[no-untyped-def]
    registry = village.fleet.registry
    return lambda body: read_sheet(body, registry.profiles, registry.compact)


async def test_lines_become_records(read) -> None:  # type: ignore[no-untyped-def]
    sheet = read(ENGLISH.encode())
    (_, first), (line, second) = sheet.records
    assert first == DeviceRecord(
        hardware_id="70b3d5499e000001",
        profile="bin-sensor",
        entity_id="urn:ngsi-ld:WasteContainer:70b3d5499e000001",
        name="Market place",
        location={"type": "Point", "coordinates": [-3.2, 48.1]},
        attributes={"kind": "glass"},
        technology="lorawan",
        groups=("north", "bins"),
        tags=("new",),
        expected_interval_s=600.0,
    )
    assert (line, second.hardware_id, second.name) == (3, "70b3d5499e000002", "Church, north side")
    assert sheet.columns_left_out == ("colour",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
async def test_a_french_sheet_is_read_as_spreadsheets_there_write_it(read, encoding: str) -> None:  # type: ignore[no-untyped-def]
    ((_, record),) = read(FRENCH.encode(encoding)).records
    assert record.name == "Place du marché"
    assert record.location == {"type": "Point", "coordinates": [-3.2, 48.1]}
    assert (record.tags, record.expected_interval_s, record.serial_number) == (("neuf",), 3600.0, "A-17")


@pytest.mark.parametrize(
    ("line", "column", "fault"),
    [
        (",bin-sensor", Column.HARDWARE_ID, LineFault.MISSING),
        ("70b,bin-sensor", Column.HARDWARE_ID, LineFault.NO_HARDWARE_ID),
        ("70b3d549,", Column.PROFILE, LineFault.MISSING),
        ("70b3d549,nothing", Column.PROFILE, LineFault.UNKNOWN_PROFILE),
        ("70b3d549,bin-sensor,no urn", Column.ENTITY_ID, LineFault.NO_ENTITY_ID),
        ("70b3d549,bin-sensor,,91,0", Column.LATITUDE, LineFault.NO_PLACE),
        ("70b3d549,bin-sensor,,48", Column.LONGITUDE, LineFault.NO_PLACE),
        ("70b3d549,bin-sensor,,nan,0", Column.LATITUDE, LineFault.NO_PLACE),
        ("70b3d549,bin-sensor,,,,smoke", Column.TECHNOLOGY, LineFault.UNKNOWN_TECHNOLOGY),
        ("70b3d549,bin-sensor,,,,,often", Column.EXPECTED_INTERVAL, LineFault.NO_INTERVAL),
        ("70b3d549,bin-sensor,,,,,0", Column.EXPECTED_INTERVAL, LineFault.NO_INTERVAL),
        ("70b3d549,bin-sensor,,,,,,," + "x" * 300, Column.NAME, LineFault.TOO_MUCH),
        ("70b3d549,bin-sensor,,,,,,,,too,many", Column.HARDWARE_ID, LineFault.TOO_MANY_CELLS),
    ],
)
async def test_a_faulty_line_is_told_with_its_column_and_leaves_the_others(  # type: ignore[no-untyped-def]
    read, line: str, column: Column, fault: LineFault
) -> None:
    header = "hardware_id,profile,entity_id,latitude,longitude,technology,interval,groups,name"
    sheet = read(f"{header}\n{line}\n70b3d5499e000009,bin-sensor\n".encode())
    (told,) = sheet.faults
    assert (told.line, told.column, told.fault) == (2, column.english, fault)
    assert [record.hardware_id for _, record in sheet.records] == ["70b3d5499e000009"]


async def test_a_device_counts_once(read) -> None:  # type: ignore[no-untyped-def]
    sheet = read(b"deveui,profile\n70b3d549,bin-sensor\n70B3D549,bin-sensor\n")
    assert [(one.line, one.fault) for one in sheet.faults] == [(3, LineFault.REPEATED)]


@pytest.mark.parametrize(
    "body", [b"", b"name,profile\nx,y\n", b"PK\x03\x04\x00\x00", b'deveui,profile\n"' + b"x" * 200_000]
)
async def test_what_is_no_such_file_is_refused(read, body: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadRequestData):
        read(body)


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_what_is_exported_can_be_imported(read, language: str) -> None:  # type: ignore[no-untyped-def]
    record = DeviceRecord(
        hardware_id="70b3d549",
        profile="bin-sensor",
        entity_id="urn:ngsi-ld:WasteContainer:1",
        entity_type="WasteContainer",
        name='=1+1; "quoted", é',
        location={"type": "Point", "coordinates": [-3.25, 48.0]},
        technology="sigfox",
        groups=("+a b", "c"),
        tags=("t",),
        expected_interval_s=90.5,
        serial_number="S1",
        manufacturer="-M",
        model="@X",
    )
    text = write_sheet([record], language)
    assert "'=1+1" in text
    assert "'-M" in text
    assert [one for _, one in read(text.encode()).records] == [record]
