"""From ways and turn restrictions to a road graph."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parvis.ground.osm.tags import ROADS, Tags
from parvis.ground.roads import KINDS, RoadGraph, lengths_m

USUAL_KM_PER_H: Final = {
    "trunk": 100.0, "primary": 80.0, "secondary": 80.0, "tertiary": 70.0, "residential": 40.0, "track": 20.0,
}  # fmt: skip
"""Where no limit is signed: French rules for open road (Code de la route, R413-2), less where roads are narrow."""

LIMITS_KM_PER_H: Final = {
    "FR:urban": 50.0, "FR:rural": 80.0, "FR:motorway": 130.0, "FR:zone30": 30.0, "walk": 6.0, "none": 130.0,
}  # fmt: skip
KM_PER_MILE: Final = 1.609344
_CLOSED: Final = frozenset({"no", "agricultural", "forestry"})
_ALL_VEHICLES: Final = frozenset({"vehicle", "motor_vehicle"})
_FORWARD: Final = frozenset({"yes", "1", "true"})


@dataclass(frozen=True, slots=True)
class Street:
    """A way for vehicles. `points` (n, 2) in degrees belong to `nodes`; a direction is 1 as drawn, -1 against it."""

    way: int
    nodes: tuple[int, ...]
    points: NDArray[np.float64]
    kind: str
    name: str
    speed_km_per_h: float
    directions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Restriction:
    """Who comes over one of `from_ways` to node `via` must not go on (`only`: must go on) over one of `to_ways`."""

    from_ways: frozenset[int]
    via: int
    to_ways: frozenset[int]
    only: bool


def street_of(way: int, nodes: Sequence[int], points: NDArray[np.float64], tags: Tags) -> Street | None:
    """None for what no vehicle may use."""
    highway = tags.get("highway", "")
    known = ROADS.get(highway.removesuffix("_link"))
    if known is None or known[0] not in KINDS or tags.get("area") == "yes" or len(nodes) < 2:
        return None
    if tags.get("motor_vehicle", tags.get("access", "")) in _CLOSED:
        return None
    kind = known[0]
    name = tags.get("name") or tags.get("ref", "")
    return Street(way, tuple(nodes), points, kind, name, speed_of(tags, kind), directions_of(tags))


def directions_of(tags: Tags) -> tuple[int, ...]:
    """1: as it is drawn, -1: against it (wiki.openstreetmap.org, "Key:oneway")."""
    given = tags.get("oneway", "")
    if given in ("-1", "reverse"):
        return (-1,)
    implied = tags.get("junction") in ("roundabout", "circular") or tags.get("highway") == "motorway"
    return (1,) if given in _FORWARD or (implied and given != "no") else (1, -1)


def speed_of(tags: Tags, kind: str) -> float:
    """The limit in km/h; what is usual for the kind where none can be read."""
    given = tags.get("maxspeed", "").strip()
    if given in LIMITS_KM_PER_H:
        return LIMITS_KM_PER_H[given]
    number, _, unit = given.partition(" ")
    if not number.isascii() or not number.isdigit() or not 0 < int(number) <= 250:
        return USUAL_KM_PER_H[kind]
    return int(number) * (KM_PER_MILE if unit == "mph" else 1.0)


def restriction_of(tags: Tags, members: Iterable[tuple[str, int, str]]) -> Restriction | None:
    """Of a relation with `members` (type, id, role): several roads lead to a no_entry or from a no_exit.

    None where a way stands between the roads, and where it holds for no motor vehicle. One that spares some of them
    (`except=bus`) holds for all here; those that hold at hours or for some vehicles alone are not read
    (wiki.openstreetmap.org, "Relation:restriction").
    """
    kind, spared = tags.get("restriction", ""), tags.get("except", "").replace(" ", "").split(";")
    if not kind.startswith(("no_", "only_")) or not _ALL_VEHICLES.isdisjoint(spared):
        return None
    roles: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for type_, ref, role in members:
        roles[role].add((type_, ref))
    from_ways, to_ways = (frozenset(ref for type_, ref in roles[role] if type_ == "w") for role in ("from", "to"))
    if not from_ways or not to_ways or len(roles["via"]) != 1:
        return None
    ((via_type, via),) = roles["via"]
    return Restriction(from_ways, via, to_ways, kind.startswith("only_")) if via_type == "n" else None


@dataclass(frozen=True, slots=True)
class _Edge:
    way: int
    source: int
    target: int
    points: NDArray[np.float64]
    street: Street


def build_roads(streets: Sequence[Street], restrictions: Iterable[Restriction]) -> RoadGraph:
    """Ways are cut where they meet; what leads nowhere stays."""
    meeting = _meeting_nodes(streets)
    number: dict[int, int] = {}
    edges = [edge for street in streets for edge in _edges_of(street, meeting)]
    for edge in edges:
        number.setdefault(edge.source, len(number))
        number.setdefault(edge.target, len(number))
    places = {node: edge.points[at] for edge in edges for node, at in ((edge.source, 0), (edge.target, -1))}
    names = {"": 0}
    shapes = [edge.points for edge in edges]
    return RoadGraph(
        junctions=np.array([places[node] for node in number], dtype=np.float64).reshape(-1, 2),
        source=np.array([number[edge.source] for edge in edges], dtype=np.int32),
        target=np.array([number[edge.target] for edge in edges], dtype=np.int32),
        length_m=np.array([lengths_m(one).sum() for one in shapes], dtype=np.float32),
        speed_km_per_h=np.array([edge.street.speed_km_per_h for edge in edges], dtype=np.float32),
        kind=np.array([KINDS.index(edge.street.kind) for edge in edges], dtype=np.uint8),
        name=np.array([names.setdefault(edge.street.name, len(names)) for edge in edges], dtype=np.int32),
        shape_start=np.cumsum([0, *map(len, shapes)], dtype=np.int64),
        shape=np.concatenate(shapes) if shapes else np.empty((0, 2)),
        banned=np.array(sorted(set(_banned(edges, restrictions))), dtype=np.int32).reshape(-1, 2),
        names=tuple(names),
    )


def _meeting_nodes(streets: Iterable[Street]) -> frozenset[int]:
    uses: Counter[int] = Counter()
    for street in streets:
        uses.update(street.nodes)
        uses.update((street.nodes[0], street.nodes[-1]))
    return frozenset(node for node, count in uses.items() if count > 1)


def _edges_of(street: Street, meeting: frozenset[int]) -> Iterator[_Edge]:
    cuts = [at for at, node in enumerate(street.nodes) if node in meeting]
    for first, last in pairwise(cuts):
        points = street.points[first : last + 1]
        source, target = street.nodes[first], street.nodes[last]
        for direction in street.directions:
            if direction > 0:
                yield _Edge(street.way, source, target, points, street)
            else:
                yield _Edge(street.way, target, source, points[::-1], street)


def _banned(edges: Sequence[_Edge], restrictions: Iterable[Restriction]) -> Iterator[tuple[int, int]]:
    coming: dict[tuple[int, int], list[int]] = defaultdict(list)
    leaving: dict[int, list[int]] = defaultdict(list)
    for number, edge in enumerate(edges):
        coming[edge.way, edge.target].append(number)
        leaving[edge.source].append(number)
    for one in restrictions:
        before = [number for way in one.from_ways for number in coming.get((way, one.via), ())]
        after = [n for n in leaving.get(one.via, ()) if (edges[n].way in one.to_ways) is not one.only]
        yield from product(before, after)
