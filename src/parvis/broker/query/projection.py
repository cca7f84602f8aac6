"""Which members of entities, and of the entities linked from them, are kept or left out (NGSI-LD 1.9.1, 4.21)."""

from collections.abc import Mapping

import msgspec

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import CORE_MEMBERS
from parvis.broker.model.entity import Iri
from parvis.broker.query.scanner import MAX_DEPTH, Scanner
from parvis.kernel.errors import TooComplexQuery

_SIGNS = ",|{}"


class Projection(msgspec.Struct, frozen=True):
    """Members by expanded name, each with what is named of the entities it leads to: `locatedAt{id,name}`."""

    members: Mapping[Iri, "Projection | None"]

    @property
    def depth(self) -> int:
        """How many linked entities lie on the way to the furthest member."""
        return max((below.depth + 1 for below in self.members.values() if below is not None), default=0)

    @property
    def names(self) -> frozenset[Iri]:
        return frozenset(self.members)

    @property
    def leaves(self) -> frozenset[Iri]:
        """What is named itself, and not for what lies behind it."""
        return frozenset(name for name, below in self.members.items() if below is None)

    def below(self, name: Iri) -> "Projection | None":
        return self.members.get(name)


NOTHING = Projection({})


def parse_projection(text: str | None, parameter: str, context: Context) -> Projection:
    """The value of pick or omit: names joined by `,` or `|`. Raises BadRequestData, TooComplexQuery."""
    if text is None:
        return NOTHING
    scanner = Scanner(text, f"The parameter {parameter}")
    found = _members(scanner, context, 0)
    if not scanner.at_end():
        scanner.refuse("the end")
    return found


def _members(scanner: Scanner, context: Context, depth: int) -> Projection:
    if depth > MAX_DEPTH:
        raise TooComplexQuery(f"A projection nests braces deeper than {MAX_DEPTH} levels.")
    found: dict[Iri, Projection | None] = {}
    while not found or scanner.take(",", "|"):
        word = scanner.take_until(_SIGNS).strip()
        if not word:
            scanner.refuse("the name of a member")
        name = word if word in CORE_MEMBERS else context.expand(word)
        found[name] = _below(scanner, context, depth) if scanner.take("{") else None
    return Projection(found)


def _below(scanner: Scanner, context: Context, depth: int) -> Projection:
    found = _members(scanner, context, depth + 1)
    if not scanner.take("}"):
        scanner.refuse("a closing brace")
    return found
