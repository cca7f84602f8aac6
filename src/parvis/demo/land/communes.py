"""The twelve communes: where their bourgs lie and how they share the land."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from parvis.demo.land.geometry import Coords, Noise
from parvis.demo.land.terrain import Terrain


class Character(StrEnum):
    OLD_TOWN = "old town"
    PORT = "port"
    SUBURB = "suburb"
    RESORT = "resort"
    BOURG = "bourg"
    VILLAGE = "village"


@dataclass(frozen=True, slots=True)
class Site:
    name: str
    slug: str
    short: str
    character: Character
    population: int
    x: float
    y: float
    coastal: bool = False


SITES = (
    Site("Trevalan", "trevalan", "TRE", Character.OLD_TOWN, 12_900, 1500, 3100),
    Site("Port-Trevalan", "port-trevalan", "PTR", Character.PORT, 7_300, -2300, -4300, coastal=True),
    Site("Kervoalan", "kervoalan", "KER", Character.SUBURB, 5_600, -2900, 1900),
    Site("Plouvarec", "plouvarec", "PLO", Character.BOURG, 2_700, -7600, 3000),
    Site("Penhervan", "penhervan", "PEN", Character.RESORT, 2_400, 4300, -6000, coastal=True),
    Site("Trézavel", "trezavel", "TZV", Character.RESORT, 1_700, -7300, -4600, coastal=True),
    Site("Locvelan", "locvelan", "LOC", Character.BOURG, 1_900, 6500, 6300),
    Site("Lanzuhel", "lanzuhel", "LAN", Character.VILLAGE, 1_400, -3300, 7300),
    Site("Saint-Gwenvred", "saint-gwenvred", "SGW", Character.VILLAGE, 1_250, 10_200, -3900, coastal=True),
    Site("Guervalon", "guervalon", "GUE", Character.VILLAGE, 1_050, -11_000, -600),
    Site("Bodvelan", "bodvelan", "BOD", Character.VILLAGE, 950, 2100, 8600),
    Site("Quelvennec", "quelvennec", "QUE", Character.VILLAGE, 1_050, 7300, 1300),
)


@dataclass(frozen=True, slots=True)
class Commune:
    """`code` stands where France has the INSEE code; the letter marks it as invented. `short` begins serial numbers."""

    name: str
    slug: str
    short: str
    code: str
    character: Character
    population: int
    x: float
    y: float
    area: BaseGeometry


def share_land(rng: np.random.Generator, terrain: Terrain) -> list[Commune]:
    centres = np.array([_settle(site, terrain) for site in SITES])
    parcels, middles = _parcels(rng)
    owner = _owners(rng, centres, middles, terrain)
    communes = []
    for index, site in enumerate(SITES):
        area = shapely.union_all(parcels[owner == index]).intersection(terrain.land)
        x, y = centres[index]
        communes.append(
            Commune(
                site.name,
                site.slug,
                site.short,
                f"T{index + 1:04d}",
                site.character,
                site.population,
                float(x),
                float(y),
                area,
            )
        )
    return communes


def _settle(site: Site, terrain: Terrain) -> tuple[float, float]:
    """A coastal bourg stands 330 m behind the shore that is nearest to its drawing-board place."""
    if not site.coastal:
        return site.x, site.y
    inland = terrain.land.buffer(-330)
    mainland = max(shapely.get_parts(inland), key=lambda part: part.area)
    point = shapely.shortest_line(mainland.exterior, Point(site.x, site.y)).coords[0]
    return float(point[0]), float(point[1])


def _parcels(rng: np.random.Generator) -> tuple[BaseGeometry, Coords]:
    spacing = 620.0
    x, y = np.meshgrid(np.arange(-17_000, 17_001, spacing), np.arange(-14_000, 15_001, spacing))
    middles = np.column_stack((x.ravel(), y.ravel())) + rng.uniform(-0.42, 0.42, (x.size, 2)) * spacing
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(middles), ordered=True))
    return cells, middles


def _owners(rng: np.random.Generator, centres: Coords, middles: Coords, terrain: Terrain) -> Coords:
    """The nearest bourg, a river to cross counting as a long detour; -1 outside the agglomeration."""
    lines = shapely.linestrings(
        np.stack((np.repeat(middles, len(centres), axis=0), np.tile(centres, (len(middles), 1))), axis=1)
    )
    water = shapely.multilinestrings([river.line for river in terrain.rivers])
    shapely.prepare(water)
    detour = shapely.intersects(water, lines).reshape(len(middles), len(centres)) * 1700.0
    away = np.hypot(middles[:, None, 0] - centres[None, :, 0], middles[:, None, 1] - centres[None, :, 1])
    reach = np.array([1.0 + site.population / 60_000 for site in SITES])
    owner: Coords = np.argmin((away + detour) / reach, axis=1)
    noise = Noise(rng)
    wobble = 900 * noise.octaves(middles[:, 0], middles[:, 1], 5000, 3)
    inside = (np.abs(middles[:, 0]) ** 4 + np.abs(1.2 * (middles[:, 1] - 1000)) ** 4) ** 0.25 < 12_300 + wobble
    return np.where(inside, owner, -1)
