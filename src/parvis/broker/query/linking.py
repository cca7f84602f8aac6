"""How entities are to be shown with those that they are linked to (NGSI-LD 1.9.1, 4.5.23 and 4.21)."""

from enum import Enum
from typing import Final

import msgspec

from parvis.broker.model.entity import Iri
from parvis.broker.query.projection import NOTHING, Projection

MOST_LEVELS: Final = 10


class Join(Enum):
    INLINE = "inline"
    FLAT = "flat"


class Linking(msgspec.Struct, frozen=True):
    """`contained_by` are entities that have been met on the way here, and are not gone to again."""

    join: Join
    levels: int = 1
    contained_by: frozenset[str] = frozenset()


class Shown(msgspec.Struct, frozen=True):
    """What of an entity is shown, and of those linked from it."""

    pick: Projection = NOTHING
    omit: Projection = NOTHING

    def follows(self, name: Iri) -> bool:
        is_picked = not self.pick.members or name in self.pick.members
        return is_picked and self.omit.members.get(name, NOTHING) is not None

    def below(self, name: Iri) -> "Shown":
        return Shown(self.pick.below(name) or NOTHING, self.omit.below(name) or NOTHING)


EVERYTHING: Final = Shown()
