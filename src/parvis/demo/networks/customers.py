"""Who draws water where: each building's mean demand, drawn at the nearest junction of the roads."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from parvis.demo.land.geometry import Coords
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways

M3_PER_PERSON_DAY = 0.128
"""What a household of Brittany draws (Sispea, 2022: 46 to 47 m3 a year and person)."""
FARM_M3_PER_DAY = 0.75
M3_PER_DAY = {
    "hospital": 95.0, "swimming_pool": 62.0, "care_home": 14.0, "college": 13.0, "school": 4.2, "sports_hall": 3.4,
    "community_hall": 1.1, "townhall": 0.9, "offices": 2.4, "library": 0.5, "market": 5.0, "tourist_office": 0.4,
    "harbour_office": 6.5, "fish_auction": 38.0, "church": 0.05, "industrial": 5.5,
}  # fmt: skip


@dataclass(frozen=True)
class Customers:
    """`node` by building; `count` and `m3_per_day` by node of the ways."""

    node: NDArray[np.intp]
    count: NDArray[np.int_]
    m3_per_day: Coords


def count_customers(territory: Territory, ways: Ways) -> Customers:
    at = shapely.centroid([building.footprint for building in territory.buildings])
    edge = ways.nearest_edges(at)
    share = shapely.line_locate_point(ways.lines[edge], at, normalized=True)
    node = ways.ends[edge, (share > 0.5).astype(np.intp)]
    demand = building_demands_m3_per_day(territory)
    count = len(ways.xy)
    drawn = np.bincount(node, demand, minlength=count).astype(np.float64)
    return Customers(node, np.bincount(node, minlength=count), drawn)


def building_demands_m3_per_day(territory: Territory) -> Coords:
    homes = np.bincount(
        [building.commune for building in territory.buildings if building.kind in ("house", "farm")],
        minlength=len(territory.communes),
    )
    household = [
        M3_PER_PERSON_DAY * commune.population / max(1, int(count))
        for commune, count in zip(territory.communes, homes, strict=True)
    ]
    return np.array(
        [
            M3_PER_DAY.get(building.kind, household[building.commune])
            + (FARM_M3_PER_DAY if building.kind == "farm" else 0.0)
            for building in territory.buildings
        ]
    )
