"""What is guessed of files as towns write them."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
import pytest

from parvis.connectors.files.config import InvalidMapping, Inventory, Mapping, Source
from parvis.connectors.files.guess import Guess, guess_file
from parvis.connectors.files.proposal import guess_crs, guess_term, guess_type, list_terms
from tests.connectors.files.conftest import Place
from tests.connectors.files.test_inventories import geojson, geopackage, parquet

TERMS = list_terms()
BINS = """Inventaire des points d'apport volontaire;;;;;
Réf;Désignation;Capacité (l);Taux de remplissage (%);X;Y
PAV-1;Place de l'Église;3000;42,5;218400,12;6755200,5
PAV-2;Rue du Port;4000;7,25;221900,55;6750100,75
"""
WEATHER = """date_heure,station,temperature (°C),humidite
03/02/2026 14:00,s1,7.5,81
03/02/2026 15:00,s1,8.1,80
03/02/2026 14:00,s2,6.9,85
03/02/2026 15:00,s2,,86
"""


def guess(path: Path, content: bytes | None = None) -> Guess:
    if content is not None:
        path.write_bytes(content)
    return guess_file(path, TERMS, "Europe/Paris")


@pytest.mark.parametrize(
    ("encoding", "found"), [("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("cp1252", "cp1252")]
)
def test_a_french_table_of_containers_in_lambert_93(tmp_path: Path, encoding: str, found: str) -> None:
    told = guess(tmp_path / "conteneurs_2026.csv", BINS.encode(encoding))

    assert told.mapping.source == Source(delimiter=";", decimal=",", encoding=found, header_row=2)
    inventory = told.mapping.inventory
    assert inventory is not None
    assert inventory.type == "WasteContainer"
    assert inventory.id == "urn:ngsi-ld:WasteContainer:{Réf}"
    assert inventory.place is not None
    assert (inventory.place.longitude, inventory.place.latitude, inventory.place.crs) == ("X", "Y", "EPSG:2154")
    assert [(one.column, one.name, one.value, one.unit_code) for one in inventory.attributes] == [
        ("Réf", "ref", "text", ""),
        ("Désignation", "name", "text", ""),
        ("Capacité (l)", "capacity", "number", "LTR"),
        ("Taux de remplissage (%)", "fillingLevel", "number", "P1"),
    ]


async def test_what_was_guessed_can_be_imported(place: Place, tmp_path: Path) -> None:
    from parvis.connectors.files.client import find_files, import_files
    from tests.connectors.files.conftest import CALLER

    for name, content in (("conteneurs.csv", BINS), ("meteo.csv", WEATHER)):
        path = tmp_path / name
        told = guess(path, content.encode())
        report = await import_files(place.broker, CALLER, told.mapping, find_files([path], told.mapping))
        assert report.faults == []
        assert report.written == (2 if name == "conteneurs.csv" else 7)
    assert (await place.history("urn:ngsi-ld:WeatherObserved:s1", "temperature"))["2026-02-03T13:00:00Z"] == 7.5


def test_measurements_of_stations_are_series(tmp_path: Path) -> None:
    mapping = guess(tmp_path / "meteo.csv", WEATHER.encode()).mapping

    assert mapping.time is not None
    assert (mapping.time.column, mapping.time.format, mapping.time.zone) == (
        "date_heure",
        "%d/%m/%Y %H:%M",
        "Europe/Paris",
    )
    assert [(one.column, one.entity, one.attribute, one.unit_code) for one in mapping.series] == [
        ("temperature (°C)", "urn:ngsi-ld:WeatherObserved:{station}", "temperature", "CEL"),
        ("humidite", "urn:ngsi-ld:WeatherObserved:{station}", "relativeHumidity", ""),
    ]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("2026-02-03T14:00:00Z", "iso"),
        ("2026-02-03 14:00", "iso"),
        ("03/02/2026", "%d/%m/%Y"),
        ("03-02-2026 14:00:30", "%d-%m-%Y %H:%M:%S"),
        ("1770127200", "epoch-s"),
        ("1770127200000", "epoch-ms"),
        ("20260203", "iso"),
    ],
)
def test_times(tmp_path: Path, written: str, found: str) -> None:
    told = guess(tmp_path / "x.csv", f"timestamp,v\n{written},1\n{written},2\n".encode())
    assert told.columns[0].format == found


@pytest.mark.parametrize("write", [geojson, geopackage, parquet])
def test_maps_say_themselves_what_they_are(tmp_path: Path, write: object) -> None:
    path = write(tmp_path)  # type: ignore[operator]
    inventory = guess(path).mapping.inventory
    assert inventory is not None
    assert inventory.id == "urn:ngsi-ld:WasteContainer:{ref}"
    assert inventory.place is not None
    assert inventory.place.geometry == "geometry"
    assert {one.name for one in inventory.attributes} == {"ref", "capacity", "storedWasteKind"}


@pytest.mark.parametrize(
    ("point", "crs"),
    [
        ((-3.3, 47.7), "EPSG:4326"),
        ((218_400, 6_755_200), "EPSG:2154"),
        ((1_218_400, 7_255_200), "EPSG:3948"),
        ((168_000, 2_320_000), "EPSG:27572"),
        ((-367_000, 6_060_000), "EPSG:3857"),
    ],
)
def test_projections_show_in_the_size_of_their_numbers(point: tuple[float, float], crs: str) -> None:
    assert guess_crs([point]) == crs


def test_names_are_found_by_likeness() -> None:
    assert guess_term("Filling level", TERMS) == "fillingLevel"
    assert guess_term("relative_humidty", TERMS) == "relativeHumidity"
    assert guess_term("N° de bac", TERMS) == "nDeBac"
    assert guess_type("lampadaires-centre.geojson", [], TERMS) == "Streetlight"
    assert guess_type("x.csv", ["whatever"], TERMS) == "PointOfInterest"


POINT = "POINT(-3.37 47.72)"
IN_HEX = "0101000020E61000000AD7A3703D0A0BC05C8FC2F528DC4740"
TREES = [
    (
        "arbres.csv",
        f"id;essence;hauteur;lat;lon;geom\n1;Platane;12,5;47,72;-3,37;{POINT}\n2;Tilleul;8;47,72;-3,37;{POINT}\n",
        ("{id}", "geom", {"id": "identifier", "essence": "species", "hauteur": "height"}),
    ),
    (
        "patrimoine.csv",
        "nom,essence,hauteur,lat,lon\nArbre,Platane,12.5,47.72,-3.37\nArbre,Tilleul,8,47.73,-3.38\nArbre,Tilleul,8,47.74,-3.38\n",
        ("{lat}_{lon}", "", {"nom": "name", "essence": "species", "hauteur": "height"}),
    ),
    (
        "vert.csv",
        f"gid,espece,genre,hauteur_m,annee_plantation,the_geom\n1,x,Tilia,9,1987,{IN_HEX}\n2,x,Tilia,9,1990,{IN_HEX}\n",
        (
            "{gid}",
            "the_geom",
            {
                "gid": "gid",
                "espece": "species",
                "genre": "genus",
                "hauteur_m": "height",
                "annee_plantation": "yearPlanted",
            },
        ),
    ),
]


@pytest.mark.parametrize(("name", "content", "told"), TREES)
def test_trees_as_towns_write_them(
    tmp_path: Path, name: str, content: str, told: tuple[str, str, dict[str, str]]
) -> None:
    found = guess(tmp_path / name, content.encode())
    inventory = found.mapping.inventory
    assert inventory is not None
    assert inventory.place is not None
    assert (inventory.type, inventory.id.removeprefix("urn:ngsi-ld:Tree:"), inventory.place.geometry) == (
        "Tree",
        *told[:2],
    )
    assert {one.column: one.name for one in inventory.attributes} == told[2]
    assert found.points[0] == pytest.approx((-3.37, 47.72), abs=0.02)
    assert {one.unit_code for one in inventory.attributes} == ({"", "MTR"} if name == "vert.csv" else {""})


def test_a_date_of_an_object_on_a_map_makes_no_series(tmp_path: Path) -> None:
    trees = """{"type": "FeatureCollection", "features": [{"type": "Feature", "properties":
    {"hauteur": 12, "date_plantation": "2001-03-01"}, "geometry": {"type": "Point", "coordinates": [-3.3, 47.7]}}]}"""
    inventory = guess(tmp_path / "arbres.geojson", trees.encode()).mapping.inventory
    assert inventory is not None
    assert inventory.id == "urn:ngsi-ld:Tree:{geometry}"


def workbook(path: Path, *rows: Sequence[object]) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


TREES_TITLES = ["N° arbre", "Essence", "Hauteur (m)", "Date plantation", "Latitude", "Longitude"]
TREES_ROWS: list[list[object]] = [
    [number, ("Tilleul", "Chêne")[number % 2], 5 + number, date(1990 + number, 3, 1), 47.7 + number / 1e3, -3.3]
    for number in range(1, 9)
]


@pytest.mark.parametrize(("above", "header_row"), [((), 1), ((["Patrimoine arboré"], []), 3)])
def test_a_workbook_of_trees_is_of_objects_below_its_title(
    tmp_path: Path, above: tuple[list[object], ...], header_row: int
) -> None:
    mapping = guess(workbook(tmp_path / "arbres.xlsx", *above, list(TREES_TITLES), *TREES_ROWS)).mapping
    assert mapping.source.header_row == header_row
    assert mapping.inventory is not None
    assert mapping.inventory.id == "urn:ngsi-ld:Tree:{N° arbre}"
    assert mapping.inventory.place is not None
    assert {one.column: one.value for one in mapping.inventory.attributes}["Date plantation"] == "date"


def test_a_mapping_of_other_columns_is_guessed_anew_from_the_row_that_was_said(tmp_path: Path) -> None:
    path = workbook(tmp_path / "arbres.xlsx", ["N°", "Titre"], list(TREES_TITLES), *TREES_ROWS)
    wrong = Mapping(inventory=Inventory("Tree", "urn:ngsi-ld:Tree:{N°}"), source=Source(header_row=2))
    anew = guess_file(path, TERMS, "Europe/Paris", wrong).mapping
    assert anew.source.header_row == 2
    assert anew.inventory is not None
    assert anew.inventory.id == "urn:ngsi-ld:Tree:{N° arbre}"


DAYS = "jour,essence,hauteur,lat,lon\n2026-02-03,Tilleul,8,47.72,-3.37\n2026-02-04,Tilleul,9,47.73,-3.38\n"


@pytest.mark.parametrize(
    ("content", "is_of_objects"),
    [(DAYS, True), (DAYS.replace("-03,", "-03 14:00,").replace("-04,", "-04 14:05,"), False)],
)
def test_what_is_told_of_a_day_each_elsewhere_is_an_object_but_a_track_is_not(
    tmp_path: Path, content: str, is_of_objects: bool
) -> None:
    assert (guess(tmp_path / "x.csv", content.encode()).mapping.inventory is not None) == is_of_objects


@pytest.mark.parametrize("sensors", [("salle",), ("salle", "mairie")])
def test_readings_of_whole_ids_are_of_these(tmp_path: Path, sensors: tuple[str, ...]) -> None:
    rows = [
        f"2026-02-03T{hour:02}:00Z,urn:ngsi-ld:IndoorEnvironmentObserved:{one},19.{hour}\n"
        for hour in range(9)
        for one in sensors
    ]
    mapping = guess(tmp_path / "x.csv", "".join(["horodatage,capteur,temperature\n", *rows]).encode()).mapping
    assert [(one.entity, one.type) for one in mapping.series] == [("{capteur}", "IndoorEnvironmentObserved")]


def test_works_whose_number_comes_again_are_told_apart_by_more_columns(tmp_path: Path) -> None:
    rows = [f"w{number % 3};D{number % 8};{('totale', 'partielle')[number % 2]};ouvert\n" for number in range(24)]
    inventory = guess(tmp_path / "x.csv", "".join(["id;route;coupure;statut\n", *rows]).encode()).mapping.inventory
    assert inventory is not None
    assert inventory.id == "urn:ngsi-ld:PointOfInterest:{id}_{route}"


@pytest.mark.parametrize(("name", "term"), [("bancs.csv", "capacity"), ("parkings.csv", "totalSpotNumber")])
def test_places_are_of_cars_only_where_cars_stand(tmp_path: Path, name: str, term: str) -> None:
    inventory = guess(tmp_path / name, b"ref;places\nB1;3\nB2;4\n").mapping.inventory
    assert inventory is not None
    assert [one.name for one in inventory.attributes] == ["ref", term]


async def test_trees_without_a_number_are_told_apart_by_their_places(place: Place, tmp_path: Path) -> None:
    from parvis.connectors.files.client import find_files, import_files
    from tests.connectors.files.conftest import CALLER

    trees = [
        {"type": "Feature", "properties": {"hauteur": 12}, "geometry": {"type": "Point", "coordinates": [east, 47.7]}}
        for east in (-3.3, -3.31)
    ]
    path = tmp_path / "arbres.geojson"
    told = guess(path, msgspec.json.encode({"type": "FeatureCollection", "features": trees}))
    report = await import_files(place.broker, CALLER, told.mapping, find_files([path], told.mapping))
    assert (report.faults, report.written) == ([], 2)
    assert await place.broker.find(CALLER, "urn:ngsi-ld:Tree:47.7_-3.31") is not None


@pytest.mark.parametrize("content", [b"a", b"a;b\n" * 3, b'"' * 1000])
def test_a_file_of_no_table_is_still_shown(tmp_path: Path, content: bytes) -> None:
    assert guess(tmp_path / "x.csv", content).columns


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\x00" * 40])
def test_a_file_of_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidMapping, match=r"x\.csv"):
        guess(tmp_path / "x.csv", content)
