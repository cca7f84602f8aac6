from typing import Any

import pytest

from parvis.ground.osm.streets import Restriction, directions_of, restriction_of, speed_of
from parvis.ground.osm.tags import GROUNDS, PLACES, ROADS, drawn_of_area, drawn_of_line, drawn_of_point
from parvis.ground.style import map_style

BY_NODE = [("w", 1, "from"), ("n", 2, "via"), ("w", 3, "to")]


@pytest.mark.parametrize(
    ("tags", "layer", "kind"),
    [
        ({"highway": "motorway_link"}, "road", "trunk"),
        ({"railway": "rail"}, "road", "rail"),
        ({"waterway": "stream"}, "waterway", "river"),
        ({"man_made": "pier"}, "road", "pier"),
    ],
)
def test_lines(tags: dict[str, str], layer: str, kind: str) -> None:
    (drawn,) = drawn_of_line(tags)
    assert (drawn.layer, drawn.properties["kind"]) == (layer, kind)


@pytest.mark.parametrize("tags", [{"railway": "rail", "tunnel": "yes"}, {"highway": "proposed"}, {"building": "yes"}])
def test_what_is_not_seen_is_not_drawn(tags: dict[str, str]) -> None:
    assert not list(drawn_of_line(tags))


@pytest.mark.parametrize(
    ("tags", "layer", "kind"),
    [
        ({"building": "yes"}, "building", "house"),
        ({"building": "yes", "amenity": "townhall"}, "building", "townhall"),
        ({"building": "warehouse"}, "building", "industrial"),
        ({"natural": "water"}, "water", "lake"),
        ({"landuse": "vineyard"}, "field", "orchard"),
        ({"highway": "pedestrian", "area": "yes"}, "landuse", "square"),
        ({"boundary": "administrative", "admin_level": "8"}, "boundary", "commune"),
    ],
)
def test_areas(tags: dict[str, str], layer: str, kind: str) -> None:
    (drawn,) = drawn_of_area(tags)
    assert (drawn.layer, drawn.properties["kind"]) == (layer, kind)


def test_points_need_a_name() -> None:
    assert not list(drawn_of_point({"amenity": "school"}))
    (school,) = drawn_of_point({"amenity": "school", "name": "École Jules Verne"})
    assert school.properties == {"kind": "school", "name": "École Jules Verne"}


def test_the_style_draws_every_kind_that_is_read() -> None:
    """A kind without a style would be in the file and on no map."""
    style: dict[str, Any] = map_style("http://here/{z}/{x}/{y}")
    styled = {
        (layer["source-layer"], kind)
        for layer in style["layers"]
        if "filter" in layer
        for kind in layer["filter"][2][1]
    }
    read = {(layer, kind) for layer, kind, _ in GROUNDS.values()}
    read |= {("road", kind) for kind, _ in ROADS.values()} | {("place", kind) for kind, _, _ in PLACES.values()}
    assert read - styled == set()


@pytest.mark.parametrize(
    ("tags", "directions"),
    [
        ({}, (1, -1)),
        ({"oneway": "yes"}, (1,)),
        ({"oneway": "-1"}, (-1,)),
        ({"junction": "roundabout"}, (1,)),
        ({"highway": "motorway"}, (1,)),
        ({"highway": "motorway", "oneway": "no"}, (1, -1)),
    ],
)
def test_one_way_streets(tags: dict[str, str], directions: tuple[int, ...]) -> None:
    assert directions_of(tags) == directions


@pytest.mark.parametrize(
    ("given", "km_per_h"),
    [("30", 30.0), ("20 mph", 32.18688), ("FR:urban", 50.0), ("", 40.0), ("fast", 40.0), ("0", 40.0), ("²", 40.0)],
)
def test_limits(given: str, km_per_h: float) -> None:
    assert speed_of({"maxspeed": given}, "residential") == pytest.approx(km_per_h)


def test_a_restriction_by_way_of_another_road_is_left_out() -> None:
    left = {"restriction": "no_left_turn"}
    assert restriction_of(left, [("w", 1, "from"), ("w", 2, "via"), ("w", 3, "to")]) is None
    assert restriction_of(left, [("w", 1, "from"), ("w", 3, "to")]) is None
    only = restriction_of({"restriction": "only_straight_on"}, BY_NODE)
    assert only is not None
    assert only.only


def test_several_roads_that_lead_to_a_no_entry_are_all_meant() -> None:
    found = restriction_of({"restriction": "no_entry"}, [("w", 4, "from"), *BY_NODE])
    assert found == Restriction(frozenset({1, 4}), 2, frozenset({3}), False)
    ways = restriction_of({"restriction": "no_exit"}, [*BY_NODE, ("w", 5, "to"), ("n", 6, "to")])
    assert ways == Restriction(frozenset({1}), 2, frozenset({3, 5}), False)


@pytest.mark.parametrize(("spared", "holds"), [("bus", True), ("bicycle; motor_vehicle", False), ("vehicle", False)])
def test_a_restriction_that_spares_all_vehicles_is_none(spared: str, holds: bool) -> None:
    assert (restriction_of({"restriction": "no_u_turn", "except": spared}, BY_NODE) is not None) is holds
