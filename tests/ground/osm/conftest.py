"""A village small enough to see: a bridge over a river, a one-way street, a church, a coast."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import osmium
import pytest
from osmium.osm.mutable import Node, Relation, Way

Points = Mapping[int, tuple[float, float]]


class Extract:
    """Writes an extract: nodes by id, then ways and relations."""

    def __init__(self, path: Path) -> None:
        self._writer = osmium.SimpleWriter(str(path))
        self._ways: list[Way] = []
        self._relations: list[Relation] = []
        self._next = 1

    def node(self, identity: int, at: tuple[float, float], **tags: str) -> None:
        self._writer.add_node(Node(id=identity, version=1, location=at, tags=tags))

    def way(self, nodes: Sequence[int], identity: int | None = None, **tags: str) -> int:
        number = identity or self._number()
        self._ways.append(Way(id=number, version=1, nodes=list(nodes), tags=tags))
        return number

    def relation(self, members: Sequence[tuple[str, int, str]], **tags: str) -> None:
        self._relations.append(Relation(id=self._number(), version=1, members=list(members), tags=tags))

    def close(self) -> None:
        for way in sorted(self._ways, key=lambda one: int(one.id or 0)):
            self._writer.add_way(way)
        for relation in self._relations:
            self._writer.add_relation(relation)
        self._writer.close()

    def _number(self) -> int:
        self._next += 1
        return self._next + 10_000


#     4 --- 5 --- 6        y = 47.702
#     |     |     |
#     1 --- 2 --- 3        y = 47.700       main road, east to west
#           |
#           7              y = 47.698       one-way street, southwards
VILLAGE: Points = {
    1: (-3.300, 47.700), 2: (-3.298, 47.700), 3: (-3.296, 47.700),
    4: (-3.300, 47.702), 5: (-3.298, 47.702), 6: (-3.296, 47.702),
    7: (-3.298, 47.698),
    20: (-3.2990, 47.7005), 21: (-3.2985, 47.7005), 22: (-3.2985, 47.7008), 23: (-3.2990, 47.7008),
    30: (-3.310, 47.690), 31: (-3.295, 47.695), 32: (-3.280, 47.690),
    40: (-3.299, 47.7015),
}  # fmt: skip


@pytest.fixture
def village(tmp_path: Path) -> Path:
    path = tmp_path / "village.osm.pbf"
    extract = Extract(path)
    for identity, place in VILLAGE.items():
        tags = {"place": "village", "name": "Kerlann"} if identity == 40 else {}
        extract.node(identity, place, **tags)
    extract.way([1, 2, 3], 100, highway="secondary", name="Rue du Port", maxspeed="50")
    extract.way([2, 5], 101, highway="residential", name="Rue Haute", oneway="-1")
    extract.way([4, 5, 6], 102, highway="residential", name="Rue de l'Église")
    extract.way([1, 4], 103, highway="footway")
    extract.way([3, 6], 104, highway="track", motor_vehicle="no")
    extract.way([2, 7], 105, highway="residential", name="Venelle", oneway="yes", bridge="yes")
    extract.way([20, 21, 22, 23, 20], 106, building="church", name="Saint-Lann")
    extract.way([30, 31, 32], 107, natural="coastline")
    extract.relation(
        [("w", 100, "from"), ("n", 2, "via"), ("w", 105, "to")], type="restriction", restriction="no_left_turn"
    )
    extract.close()
    return path


@pytest.fixture
def said() -> list[tuple[str, int, int | None]]:
    return []
