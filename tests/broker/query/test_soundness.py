"""Geometries that cross themselves are made sound, in little time."""

import math
import random
import time

import pytest
import shapely
from shapely.geometry import Polygon

from parvis.broker.query.soundness import sound


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
