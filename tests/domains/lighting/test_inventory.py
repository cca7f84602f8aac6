"""Files as towns send them: what is read, what is told, and that nothing makes the reader fall."""

import json
from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from parvis.domains.lighting.model.inventory import LightPoint, Place, Technology
from parvis.domains.lighting.rules.completeness import ASKED, Purpose, find_completeness
from parvis.domains.lighting.rules.inventory import FaultReason, InvalidInventory, Reading, read_inventory
from parvis.domains.lighting.rules.lambert93 import is_lambert93, place_of

TITLES = (
    "Identifiant;Armoire;Départ;Type source;Puissance;Température couleur;ULR installé;Date de pose;Latitude;Longitude"
)


def read(*lines: str) -> Reading:
    return read_inventory("\r\n".join(lines).encode())


def told(reading: Reading) -> list[tuple[int, str, str, str]]:
    return [(one.row, one.field, one.value, one.reason.value) for one in reading.faults]


def test_a_line_is_a_light_point() -> None:
    reading = read(TITLES, "PL-12;AR-3;B;SHP;115 W;2 000 K;3,5 %;12/05/1998;47,32;5,04")
    assert reading.points == (
        LightPoint(
            name="PL-12", cabinet="AR-3", circuit="B", technology=Technology.SODIUM, power_w=115,
            color_temperature_k=2000, upward_light_ratio=0.035, installed=date(1998, 5, 12), place=Place(47.32, 5.04),
        ),
    )  # fmt: skip
    assert told(reading) == []


def test_what_a_town_writes_where_it_does_not_know_is_unknown() -> None:
    (point,) = read(TITLES, "PL-12;XX;NR;inconnu;;?;-;nc;;").points
    assert point == LightPoint(name="PL-12")


def test_what_cannot_be_read_is_left_out_and_told() -> None:
    reading = read(TITLES, "PL-12;AR-3;B;bougie;beaucoup;2;0,1;hier;47,32;5,04")
    assert told(reading) == [
        (1, "technology", "bougie", "unreadable-value"),
        (1, "power_w", "beaucoup", "unreadable-value"),
        (1, "color_temperature_k", "2", "out-of-bounds"),
        (1, "installed", "hier", "unreadable-value"),
    ]
    assert reading.points[0].cabinet == "AR-3"


def test_a_line_without_a_name_and_one_with_the_name_of_another_are_no_points() -> None:
    reading = read(TITLES, "PL-1;AR-3", ";AR-3", "PL-1;AR-4")
    assert [one.cabinet for one in reading.points] == ["AR-3"]
    assert reading.fault_counts == {FaultReason.NO_NAME: 1, FaultReason.REPEATED_NAME: 1}


def test_columns_that_nothing_is_taken_from_are_named() -> None:
    assert read("id;puissance;Commentaire", "1;40;beau").unused == ("Commentaire",)


def test_places_come_in_metres_as_well() -> None:
    """The pole of Lambert-93's plane is on the meridian of 3 degrees: its false origin is 46° 30' N."""
    (point,) = read("id;x;y", "1;700000;6600000").points
    assert point.place is not None
    assert point.place.latitude_deg == pytest.approx(46.5, abs=1e-6)
    assert point.place.longitude_deg == pytest.approx(3.0, abs=1e-9)


def test_a_place_that_is_nowhere_in_france_nor_on_earth_is_told() -> None:
    reading = read("id;x;y", "1;-500;6600000", "2;a;b", "3;4")
    assert [one.place for one in reading.points] == [None] * 3
    assert [one.reason for one in reading.faults] == [FaultReason.UNREADABLE_PLACE] * 3


@given(st.floats(-5, 9.6), st.floats(41.2, 51.2))
def test_metres_become_the_degrees_that_the_library_of_projections_says(longitude: float, latitude: float) -> None:
    x, y = Transformer.from_crs(4326, 2154, always_xy=True).transform(longitude, latitude)
    assert is_lambert93(x, y)
    found = place_of(x, y)
    assert found.latitude_deg == pytest.approx(latitude, abs=1e-8)
    assert found.longitude_deg == pytest.approx(longitude, abs=1e-8)


def test_an_old_table_in_the_characters_of_windows_is_read() -> None:
    (point,) = read_inventory("numéro,hauteur de feu,hauteurfeu\nPL-é,x,8".encode("cp1252")).points
    assert (point.name, point.height_m) == ("PL-é", 8)


def test_a_collection_of_features_is_read() -> None:
    features = [
        {"geometry": {"type": "Point", "coordinates": [5.04, 47.32]},
         "properties": {"id": 7, "puissance": 40.5, "typeSource": "LED", "estAdaptatif": True}},
        {"geometry": None, "properties": {"id": "8"}},
        {"geometry": {"type": "Point", "coordinates": []}, "properties": {"id": "9"}},
    ]  # fmt: skip
    reading = read_inventory(json.dumps({"type": "FeatureCollection", "features": features}).encode())
    assert [(one.name, one.place, one.power_w) for one in reading.points] == [
        ("7", Place(47.32, 5.04), 40.5), ("8", None, None), ("9", None, None),
    ]  # fmt: skip
    assert reading.unused == ("estAdaptatif",)
    assert [(one.row, one.reason) for one in reading.faults] == [(3, FaultReason.UNREADABLE_PLACE)]


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b"a;b\n1;2", b'{"features": [5]}', b"PK\x03\x04", b"[]"])
def test_what_is_no_inventory_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInventory):
        read_inventory(content)


cells = st.text(max_size=12) | st.sampled_from(
    ["1", "PL-1", "115", "LED", "12/13/2020", "1e999", "47.3", "nan", "9" * 40]
)
tables = st.lists(st.lists(cells, max_size=10).map(";".join), max_size=6).map(
    lambda lines: "\n".join([TITLES, *lines]).encode()
)
values = st.none() | st.booleans() | st.floats(allow_nan=False) | cells | st.lists(st.integers(), max_size=2)
collections = st.lists(
    st.fixed_dictionaries({
        "properties": st.dictionaries(st.sampled_from(["id", "puissance", "typeSource", "x"]), values),
        "geometry": st.none() | st.dictionaries(st.sampled_from(["type", "coordinates"]), values | st.just("Point")),
    }),
    max_size=5,
).map(lambda features: json.dumps({"features": [{"properties": {"id": "first"}}, *features]}).encode())  # fmt: skip


@settings(max_examples=150)
@given(st.binary(max_size=200) | tables | collections)
@example(b'id;rue\n1;"open')
@example(("id;datepose\n1;" + "9" * 4000 + "/1/1").encode())
def test_any_file_is_read_or_refused(content: bytes) -> None:
    try:
        reading = read_inventory(content)
    except InvalidInventory:
        return
    assert len({one.name for one in reading.points}) == len(reading.points)
    assert sum(reading.fault_counts.values()) == len(reading.faults)


def test_completeness_says_what_the_inventory_is_enough_for() -> None:
    place = Place(47.32, 5.04)
    points = [
        LightPoint(name="1", place=place, cabinet="A", circuit="B", power_w=40, is_dimmable=True),
        LightPoint(name="2", place=place, power_w=115),
    ]
    found = find_completeness(points)
    assert found.known["power_w"] == 1
    assert found.known["cabinet"] == 0.5
    assert found.ready == {
        Purpose.SWITCHING: 0.5, Purpose.ENERGY: 0.5, Purpose.DECREE: 0, Purpose.RENEWAL: 0,
    }  # fmt: skip
    assert found.score == pytest.approx(7 / (2 * len(ASKED)))


def test_an_inventory_of_nothing_lacks_nothing() -> None:
    assert find_completeness([]).score == 1
