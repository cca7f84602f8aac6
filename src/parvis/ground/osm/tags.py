"""What is drawn of an OpenStreetMap object, by its tags (wiki.openstreetmap.org, "Map features")."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from parvis.ground.vectortile import Value

Tags = Mapping[str, str]


class Drawn(NamedTuple):
    """A feature of a layer, from `min_zoom` on."""

    layer: str
    properties: dict[str, Value]
    min_zoom: int


ROADS: Final = {
    "motorway": ("trunk", 5), "trunk": ("trunk", 5), "primary": ("primary", 8), "secondary": ("secondary", 9),
    "tertiary": ("tertiary", 11), "unclassified": ("residential", 12), "residential": ("residential", 12),
    "living_street": ("residential", 12), "road": ("residential", 12), "service": ("residential", 13),
    "pedestrian": ("pedestrian", 13), "footway": ("pedestrian", 14), "path": ("pedestrian", 14),
    "cycleway": ("pedestrian", 14), "steps": ("pedestrian", 14), "bridleway": ("pedestrian", 14),
    "track": ("track", 13),
}  # fmt: skip
"""By value of `highway`: kind and smallest zoom. A slip road (`_link`) comes one zoom later."""

RAILS: Final = {"rail": 9, "light_rail": 11, "tram": 12, "narrow_gauge": 11, "subway": 12}
WATERWAYS: Final = {"river": 9, "canal": 10, "stream": 12, "ditch": 14, "drain": 14}

GROUNDS: Final[Mapping[tuple[str, str], tuple[str, str, int]]] = {
    ("landuse", "residential"): ("landuse", "residential", 8),
    ("landuse", "industrial"): ("landuse", "industrial", 11),
    ("landuse", "commercial"): ("landuse", "industrial", 11),
    ("landuse", "retail"): ("landuse", "industrial", 12),
    ("landuse", "forest"): ("landuse", "forest", 8),
    ("natural", "wood"): ("landuse", "forest", 8),
    ("natural", "heath"): ("landuse", "heath", 9),
    ("natural", "scrub"): ("landuse", "heath", 11),
    ("natural", "wetland"): ("landuse", "mud", 9),
    ("natural", "mud"): ("landuse", "mud", 9),
    ("natural", "beach"): ("landuse", "sand", 10),
    ("natural", "sand"): ("landuse", "sand", 10),
    ("landuse", "cemetery"): ("landuse", "cemetery", 12),
    ("landuse", "recreation_ground"): ("landuse", "park", 12),
    ("landuse", "village_green"): ("landuse", "park", 12),
    ("landuse", "allotments"): ("landuse", "allotments", 12),
    ("leisure", "park"): ("landuse", "park", 11),
    ("leisure", "garden"): ("landuse", "park", 13),
    ("leisure", "nature_reserve"): ("landuse", "heath", 11),
    ("leisure", "pitch"): ("landuse", "pitch", 13),
    ("amenity", "school"): ("landuse", "school", 13),
    ("amenity", "hospital"): ("landuse", "hospital", 13),
    ("place", "square"): ("landuse", "square", 13),
    ("highway", "pedestrian"): ("landuse", "square", 13),
    ("landuse", "farmland"): ("field", "farmland", 12),
    ("landuse", "meadow"): ("field", "meadow", 12),
    ("landuse", "grass"): ("field", "meadow", 13),
    ("natural", "grassland"): ("field", "meadow", 12),
    ("landuse", "orchard"): ("field", "orchard", 12),
    ("landuse", "vineyard"): ("field", "orchard", 12),
    ("natural", "water"): ("water", "lake", 8),
    ("landuse", "reservoir"): ("water", "lake", 9),
    ("landuse", "basin"): ("water", "lake", 12),
    ("waterway", "riverbank"): ("water", "lake", 9),
    ("waterway", "dock"): ("water", "lake", 11),
}

PLACES: Final = {
    "city": ("town", 1, 5), "town": ("town", 2, 8), "village": ("village", 3, 9), "suburb": ("hamlet", 4, 12),
    "hamlet": ("hamlet", 5, 12), "neighbourhood": ("hamlet", 5, 13), "island": ("island", 4, 11),
}  # fmt: skip
"""By value of `place`: kind, rank and smallest zoom."""

SHORES: Final = {"bay": "bay", "cape": "cape", "peninsula": "cape"}
POINTS: Final[Mapping[str, frozenset[str]]] = {
    "amenity": frozenset({
        "townhall", "school", "college", "university", "kindergarten", "hospital", "clinic", "library", "post_office",
        "police", "fire_station", "marketplace", "theatre", "cinema", "community_centre", "place_of_worship",
    }),
    "leisure": frozenset({"sports_centre", "swimming_pool", "stadium", "marina", "park"}),
    "tourism": frozenset({"museum", "attraction"}),
    "railway": frozenset({"station", "halt"}),
    "aeroway": frozenset({"aerodrome"}),
}  # fmt: skip
_PUBLIC: Final = frozenset({
    "school", "hospital", "townhall", "public", "civic", "government", "church", "chapel", "cathedral", "college",
    "university", "train_station", "kindergarten", "library", "fire_station",
})  # fmt: skip
_FARMS: Final = frozenset({"farm", "barn", "farm_auxiliary", "cowshed", "stable", "greenhouse"})
_WORKS: Final = frozenset({"industrial", "warehouse", "commercial", "retail", "hangar", "service"})
KEYS: Final = (
    "highway", "railway", "waterway", "man_made", "natural", "landuse", "leisure", "amenity", "place", "building",
    "boundary", "tourism", "aeroway", "barrier",
)  # fmt: skip
"""An object without any of these is not drawn."""


def drawn_of_point(tags: Tags) -> Iterator[Drawn]:
    """What a node is: a place, a bay or cape, a point of interest. None of them is drawn without a name."""
    name = tags.get("name")
    if not name:
        return
    if (known := PLACES.get(tags.get("place", ""))) is not None:
        kind, rank, min_zoom = known
        yield Drawn("place", {"kind": kind, "name": name, "rank": rank}, min_zoom)
    elif (shore := SHORES.get(tags.get("natural", ""))) is not None:
        yield Drawn("place", {"kind": shore, "name": name, "rank": 4}, 11)
    elif (point := _point_kind(tags)) is not None:
        yield Drawn("poi", {"kind": point, "name": name}, 14)


def _point_kind(tags: Tags) -> str | None:
    return next((tags[key] for key, values in POINTS.items() if tags.get(key) in values), None)


def drawn_of_line(tags: Tags) -> Iterator[Drawn]:
    """What a way is along its length: road, rail, watercourse, pier, hedge."""
    if (road := road_kind(tags)) is not None and tags.get("area") != "yes":
        kind, min_zoom = road
        yield Drawn("road", _road_properties(tags, kind), min_zoom)
    elif (zoom := RAILS.get(tags.get("railway", ""))) is not None and tags.get("tunnel") != "yes":
        yield Drawn("road", {"kind": "rail", "name": tags.get("name", "")}, zoom)
    elif (zoom := WATERWAYS.get(tags.get("waterway", ""))) is not None and tags.get("tunnel") not in ("yes", "culvert"):
        yield Drawn("waterway", {"kind": "river", "name": tags.get("name", ""), "rank": zoom - 8}, zoom)
    elif tags.get("man_made") in ("pier", "breakwater", "groyne"):
        yield Drawn("road", {"kind": "pier", "name": tags.get("name", "")}, 12)
    elif tags.get("barrier") == "hedge":
        yield Drawn("hedge", {}, 13)


def road_kind(tags: Tags) -> tuple[str, int] | None:
    """Kind and smallest zoom."""
    highway = tags.get("highway", "")
    main = highway.removesuffix("_link")
    known = ROADS.get(main)
    if known is None:
        return None
    kind, min_zoom = known
    return kind, min_zoom + (highway != main)


def _road_properties(tags: Tags, kind: str) -> dict[str, Value]:
    properties: dict[str, Value] = {"kind": kind, "name": tags.get("name", "")}
    if ref := tags.get("ref"):
        properties["ref"] = ref.split(";")[0]
    if tags.get("bridge") not in (None, "no"):
        properties["bridge"] = True
    return properties


def drawn_of_area(tags: Tags) -> Iterator[Drawn]:
    """What an area is: a ground, a building, both, a commune."""
    building = tags.get("building")
    if building not in (None, "no"):
        yield Drawn("building", _building_properties(tags, building or ""), 13)
    else:
        yield from _ground(tags)
    if tags.get("boundary") == "administrative" and tags.get("admin_level") == "8":
        yield Drawn("boundary", {"kind": "commune", "name": tags.get("name", "")}, 9)


def _ground(tags: Tags) -> Iterator[Drawn]:
    for tag, (layer, kind, min_zoom) in GROUNDS.items():
        if tags.get(tag[0]) != tag[1] or (tag[0] == "highway" and tags.get("area") != "yes"):
            continue
        properties: dict[str, Value] = {"kind": kind}
        if layer != "field" and (name := tags.get("name")):
            properties["name"] = name
        yield Drawn(layer, properties, min_zoom)
        return


def _building_properties(tags: Tags, building: str) -> dict[str, Value]:
    properties: dict[str, Value] = {"kind": _building_kind(tags, building)}
    if name := tags.get("name"):
        properties["name"] = name
    return properties


def _building_kind(tags: Tags, building: str) -> str:
    if (public := tags.get("amenity")) in _PUBLIC:
        return str(public)
    if building in _PUBLIC:
        return building
    if building in _FARMS:
        return "farm"
    return "industrial" if building in _WORKS else "house"
