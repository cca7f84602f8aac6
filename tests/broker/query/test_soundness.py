"""Geometries that cross themselves are made sound, in little time."""

import math
import random
import time

import pytest
import shapely
from shapely.geometry import LineString, Polygon

from parvis.broker.query.geography import geometry_holds
from parvis.broker.query.order import find_distance_m
from parvis.broker.query.soundness import check_comparable, sound
from parvis.broker.query.tree import GeoQuery, GeoRelation


def test_what_is_sound_stays_and_a_bow_tie_becomes_its_two_triangles() -> None:
    square = Polygon([(0, 0), (2, 0), (2, 2), (0, 2)])
    assert sound(square) is square
    tie = sound(Polygon([(0, 0), (2, 2), (2, 0), (0, 2)]))
    assert (tie.is_valid, tie.geom_type, tie.area) == (True, "MultiPolygon", 2)


def test_an_outline_with_a_slip_keeps_its_shape() -> None:
    ring = [(math.cos(turn / 800) * (3 + math.sin(turn / 20)), math.sin(turn / 800) * 3) for turn in range(5027)]
    ring[100], ring[101] = ring[101], ring[100]
    outline = Polygon(ring)
    assert not outline.is_valid
    assert sound(outline).area == pytest.approx(outline.area, rel=0.001)
    assert sound(outline).area < 0.99 * outline.convex_hull.area


def test_a_tangle_takes_no_longer_than_an_outline() -> None:
    chance = random.Random(5)
    tangle = Polygon([(chance.random(), chance.random()) for _ in range(20_000)])
    began_s = time.perf_counter()
    made = sound(tangle)
    assert (made.is_valid, time.perf_counter() - began_s < 5) == (True, True)
    assert shapely.covers(made, shapely.Point(0.5, 0.5))


def comb(positions: int, *, is_upright: bool) -> dict[str, object]:
    """A sound line, to and fro across a degree."""
    places = [[step / (positions - 1), step % 2] for step in range(positions)]
    return {"type": "LineString", "coordinates": places if is_upright else [one[::-1] for one in places]}


@pytest.mark.parametrize("relation", GeoRelation)
def test_two_combs_that_lie_across_one_another_are_not_compared_for_long(relation: GeoRelation) -> None:
    upright, level = comb(20_000, is_upright=True), comb(20_000, is_upright=False)
    within = 1.0 if relation is GeoRelation.NEAR else None
    began_s = time.perf_counter()
    assert not geometry_holds(GeoQuery(relation, level, "location", max_distance_m=within), upright)
    assert find_distance_m(upright, level) is None
    assert time.perf_counter() - began_s < 5


def test_outlines_are_compared_as_ever_however_long_they_are() -> None:
    coast = [[step / 50_000, math.sin(step / 500) / 10] for step in range(50_000)]
    line = {"type": "LineString", "coordinates": coast}
    assert geometry_holds(GeoQuery(GeoRelation.EQUALS, {**line, "coordinates": coast[::-1]}, "location"), line)
    assert geometry_holds(GeoQuery(GeoRelation.WITHIN, line, "location"), {**line, "coordinates": coast[:100]})
    check_comparable(LineString(coast), LineString([[x, y / 2] for x, y in coast]))
