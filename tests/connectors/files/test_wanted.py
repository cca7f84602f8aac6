"""Somebody says otherwise what the rows are: the proposal is made anew, with what they had corrected."""

from pathlib import Path

import msgspec
import pytest

from parvis.connectors.files.config import Attribute, Inventory, Mapping, Place, Series, Time
from parvis.connectors.files.guess import guess_file
from parvis.connectors.files.proposal import list_terms
from parvis.connectors.files.wanted import Wanted

TERMS = list_terms()
AS_OBJECTS, AS_SERIES = Wanted(False, "WeatherObserved"), Wanted(True, "WasteContainer")
READINGS = """date_heure,station,temperature (°C),pluie (mm)
03/02/2026 14:00,s1,7.5,0
03/02/2026 15:00,s1,8.1,0.2
03/02/2026 15:00,s2,7.9,0.4
"""
BINS = """Réf,Nom,Remplissage (%),Relevé le,Longitude,Latitude
PAV-1,Église,42,03/02/2026 08:00,-3.36,47.74
PAV-2,Port,71,03/02/2026 09:00,-3.35,47.75
PAV-3,Gare,13,03/02/2026 10:00,-3.34,47.76
"""


def looked_at(folder: Path, content: str, given: Mapping | None = None, wanted: Wanted | None = None) -> Mapping:
    path = folder / "relevés.csv"
    path.write_text(content, encoding="utf-8")
    return guess_file(path, TERMS, "Europe/Paris", given, wanted).mapping


def inventory_of(mapping: Mapping) -> Inventory:
    assert mapping.inventory is not None
    return mapping.inventory


def test_readings_that_are_to_be_objects_get_what_objects_have(tmp_path: Path) -> None:
    given = looked_at(tmp_path, READINGS)
    assert given.time is not None

    inventory = inventory_of(looked_at(tmp_path, READINGS, given, AS_OBJECTS))

    assert inventory.type == "WeatherObserved"
    assert {one.column for one in inventory.attributes} == {"date_heure", "station", "temperature (°C)", "pluie (mm)"}


def test_objects_that_are_to_be_measurements_get_a_time_and_their_numbers(tmp_path: Path) -> None:
    given = Mapping(inventory=Inventory("WasteContainer", "urn:ngsi-ld:WasteContainer:{Réf}"))
    mapping = looked_at(tmp_path, BINS, given, AS_SERIES)

    assert mapping.inventory is None
    assert mapping.time == Time("Relevé le", "%d/%m/%Y %H:%M", "Europe/Paris")
    assert mapping.series == ()  # all columns had been struck out

    whole = looked_at(tmp_path, BINS, looked_at(tmp_path, BINS, wanted=Wanted(False)), AS_SERIES)
    assert whole.series == (
        Series("Remplissage (%)", "urn:ngsi-ld:WasteContainer:{Réf}", "WasteContainer", "fillingLevel", "P1"),
    )


def test_what_was_corrected_stays_where_it_fits(tmp_path: Path) -> None:
    given = looked_at(tmp_path, BINS, wanted=Wanted(False))
    before = inventory_of(given)
    renamed = [
        msgspec.structs.replace(one, name="nameOnSite", unit_code="XX") if one.column == "Nom" else one
        for one in before.attributes
        if one.column != "Réf"
    ]
    renamed = [
        msgspec.structs.replace(one, name="occupancy") if one.column == "Remplissage (%)" else one for one in renamed
    ]
    corrected = msgspec.structs.replace(before, id=f"urn:ngsi-ld:{before.type}:{{Nom}}", attributes=tuple(renamed))
    given = msgspec.structs.replace(given, inventory=corrected)

    (series,) = looked_at(tmp_path, BINS, given, Wanted(True, "OffStreetParking")).series
    assert (series.attribute, series.unit_code) == ("occupancy", "P1")
    assert series.entity == "urn:ngsi-ld:OffStreetParking:{Nom}"

    again = inventory_of(looked_at(tmp_path, BINS, given, Wanted(False, "OffStreetParking")))
    assert {one.column: (one.name, one.unit_code) for one in again.attributes if one.column in ("Réf", "Nom")} == {
        "Nom": ("nameOnSite", "XX")
    }


def test_another_type_is_proposed_what_its_columns_mean_there(tmp_path: Path) -> None:
    rows = "ref;places;X;Y\nA;12;-3.3;47.7\nB;30;-3.4;47.8\n"
    given = looked_at(tmp_path, rows, wanted=Wanted(False, "Bench"))
    assert [one.name for one in inventory_of(given).attributes] == ["ref", "capacity"]

    parking = inventory_of(looked_at(tmp_path, rows, given, Wanted(False, "OffStreetParking")))

    assert [one.name for one in parking.attributes] == ["ref", "totalSpotNumber"]
    assert parking.id == "urn:ngsi-ld:OffStreetParking:{ref}"
    assert parking.place == Place(longitude="X", latitude="Y", crs="EPSG:4326")


def test_a_time_that_was_chosen_at_once_is_read_as_it_is_written(tmp_path: Path) -> None:
    rows = "ref,posé le,relevé le,volume\na,01/02/2025,03/02/2026,1\nb,01/02/2025,04/02/2026,2\n"
    given = looked_at(tmp_path, rows, wanted=Wanted(False))
    chosen = Wanted(True, "Tank", time=Time("relevé le", "iso", "Europe/Paris"))
    assert looked_at(tmp_path, rows, given, chosen).time == Time("relevé le", "%d/%m/%Y", "Europe/Paris")


@pytest.mark.parametrize("content", ["ref,nom\na,Port\nb,Gare\n", "a\n", "ref,v\n1,2\n"])
@pytest.mark.parametrize("wanted", [Wanted(True, "Thing"), Wanted(False, "Thing")])
def test_whatever_the_file_holds_something_is_proposed(tmp_path: Path, content: str, wanted: Wanted) -> None:
    mapping = looked_at(tmp_path, content, looked_at(tmp_path, content), wanted)
    assert (mapping.inventory is None) is wanted.is_series
    fields: tuple[Attribute | Series, ...] = mapping.inventory.attributes if mapping.inventory else mapping.series
    assert len({one.column for one in fields}) == len(fields)
