"""What an entity is bound to, one or two steps far: a small drawing, and the same as a list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from parvis.broker.model.entity import Entity, Kind
from parvis.broker.query.tree import EntityQuery
from parvis.kernel.identity import Caller
from parvis.web.site import Site
from parvis.web.views import ObjectView, short_id
from parvis.web.wording import Wording

MOST_HOPS = 2
MOST_OF_ONE = 8
MOST_NODES = 28
WIDTH, HEIGHT, GAP_X, GAP_Y = 176, 48, 84, 14
LONGEST_NAME = 23


@dataclass(slots=True)
class Node:
    """`column` is 0 for the entity itself, below 0 for what refers to it, above for what it refers to."""

    id: str
    name: str
    kind: str
    column: int
    x: int = 0
    y: int = 0

    @property
    def href(self) -> str:
        return f"/console/entities/{quote(self.id, safe=':')}"

    @property
    def short_name(self) -> str:
        return self.name if len(self.name) <= LONGEST_NAME else self.name[: LONGEST_NAME - 1] + "…"


@dataclass(frozen=True, slots=True)
class Edge:
    source: Node
    target: Node
    how: str

    @property
    def path(self) -> str:
        """From the side that looks at the other node; a node of the same column is reached around."""
        forward = self.source.column <= self.target.column
        x1, x2 = (self.source.x + WIDTH, self.target.x) if forward else (self.source.x, self.target.x + WIDTH)
        y1, y2 = self.source.y + HEIGHT // 2, self.target.y + HEIGHT // 2
        middle = (x1 + x2) // 2
        return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"


@dataclass(slots=True)
class Graph:
    """`is_all` is False where there is more than is drawn."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    is_all: bool = True
    width: int = 0
    height: int = 0

    @property
    def others(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.column]

    def edges_of(self, node: Node) -> list[Edge]:
        return [edge for edge in self.edges if node in (edge.source, edge.target)]


@dataclass(frozen=True, slots=True)
class _Bond:
    """`other` refers to the entity where `is_back`, by `term`."""

    other: str
    term: str
    is_back: bool


class _Reading:
    """Follows relationships outwards, a step at a time."""

    def __init__(self, site: Site, caller: Caller, t: Wording) -> None:
        self._site = site
        self._caller = caller
        self._t = t
        self.graph = Graph()

    async def read(self, entity: Entity, hops: int) -> Graph:
        self._add(self._site.reader.view(entity, self._site.now), 0)
        edge = [entity]
        for _ in range(min(hops, MOST_HOPS)):
            edge = [found for one in edge for found in await self._step(one)]
        _place(self.graph)
        return self.graph

    async def _step(self, entity: Entity) -> list[Entity]:
        bonds = [*_outgoing(entity, self._site), *await self._incoming(entity)]
        self.graph.is_all = self.graph.is_all and len(bonds) <= MOST_OF_ONE
        entities = await self._find([bond.other for bond in bonds[:MOST_OF_ONE]])
        here, beyond = self.graph.nodes[entity.id], dict[str, Entity]()
        for bond in bonds[:MOST_OF_ONE]:
            found = entities.get(bond.other)
            node = self.graph.nodes.get(bond.other) or self._new_node(bond, found, here)
            if node is not None:
                self._join(here, node, bond)
                if found is not None and abs(node.column) > abs(here.column):
                    beyond[found.id] = found
        return list(beyond.values())

    def _new_node(self, bond: _Bond, found: Entity | None, here: Node) -> Node | None:
        if len(self.graph.nodes) >= MOST_NODES:
            self.graph.is_all = False
            return None
        side = here.column or (-1 if bond.is_back else 1)
        column = side + (1 if side > 0 else -1) if here.column else side
        if found is None:
            node = self.graph.nodes[bond.other] = Node(bond.other, short_id(bond.other), "", column)
            return node
        return self._add(self._site.reader.view(found, self._site.now), column)

    def _join(self, here: Node, node: Node, bond: _Bond) -> None:
        source, target = (node, here) if bond.is_back else (here, node)
        edge = Edge(source, target, self._t.attribute_name(bond.term))
        if not any(one.source is source and one.target is target and one.how == edge.how for one in self.graph.edges):
            self.graph.edges.append(edge)

    def _add(self, view: ObjectView, column: int) -> Node:
        node = Node(view.id, view.name, self._t.type_name(view.type, 1), column)
        self.graph.nodes[view.id] = node
        return node

    async def _incoming(self, entity: Entity) -> list[_Bond]:
        found = await self._site.platform.broker.list_referring(self._caller, entity.id, MOST_OF_ONE + 1)
        return [
            _Bond(one.id, bond.term, is_back=True)
            for one in found
            for bond in _outgoing(one, self._site)
            if bond.other == entity.id
        ]

    async def _find(self, ids: Sequence[str]) -> dict[str, Entity]:
        if not ids:
            return {}
        wanted = tuple(dict.fromkeys(ids))
        page = await self._site.platform.broker.query(self._caller, EntityQuery(ids=wanted, limit=len(wanted)))
        return {one.id: one for one in page.entities}


async def read_graph(site: Site, caller: Caller, entity: Entity, hops: int, t: Wording) -> Graph:
    return await _Reading(site, caller, t).read(entity, hops)


def _outgoing(entity: Entity, site: Site) -> Iterable[_Bond]:
    for one in entity.instances:
        if one.kind is Kind.RELATIONSHIP:
            targets = one.value if isinstance(one.value, list) else [one.value]
            yield from (_Bond(str(target), site.reader.compact(one.name), is_back=False) for target in targets)


def _place(graph: Graph) -> None:
    """Columns from left to right, each in the middle of the tallest."""
    columns: dict[int, list[Node]] = {}
    for node in graph.nodes.values():
        columns.setdefault(node.column, []).append(node)
    tallest = max(len(column) for column in columns.values())
    graph.height = tallest * (HEIGHT + GAP_Y) - GAP_Y
    for place, key in enumerate(sorted(columns)):
        top = (graph.height - len(columns[key]) * (HEIGHT + GAP_Y) + GAP_Y) // 2
        for row, node in enumerate(columns[key]):
            node.x, node.y = place * (WIDTH + GAP_X), top + row * (HEIGHT + GAP_Y)
    graph.width = len(columns) * (WIDTH + GAP_X) - GAP_X
