"""How far a writer may go: looked at in the store's transaction, for only there it is known what an entity is."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import msgspec

from parvis.broker.model.entity import AttributeKey, Iri
from parvis.broker.rights import outside, refusal
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Caller
from parvis.kernel.reach import Hidden, Reach, local_name, reaches

if TYPE_CHECKING:
    from parvis.broker.model.change import Change

Place = tuple[tuple[Iri, ...], tuple[str, ...]]
"""Types and scopes."""


class Bounds(msgspec.Struct, frozen=True):
    """Nothing beyond `reach` is changed, created, brought in or moved out; nothing that is hidden is touched."""

    caller: Caller
    reach: Reach
    hides: Hidden | None

    def refuse_before(self, change: "Change", held: Place | None) -> ParvisError | None:
        """Why the change is not made of what is there; `held` None: nothing is."""
        types = change.types or ()
        if held is not None:
            types = (*held[0], *types)
            if not reaches(self.reach, *held):
                return outside(self.caller, change.entity_id)
        named = [one.name for one in change.instances]
        return self._refuse_hidden([*named, *(name for name, _ in change.removals)], types)

    def refuse_after(
        self, change: "Change", becomes: Place, removed: Iterable[AttributeKey] = ()
    ) -> ParvisError | None:
        """Why it is not made, seen what it would make."""
        if not reaches(self.reach, *becomes):
            return outside(self.caller, change.entity_id)
        return self._refuse_hidden([name for name, _ in removed], becomes[0])

    def refuse_past(self, entity_id: str, held: Place, named: Iterable[AttributeKey]) -> ParvisError | None:
        """Why its past is not changed."""
        if not reaches(self.reach, *held):
            return outside(self.caller, entity_id)
        return self._refuse_hidden([name for name, _ in named], held[0])

    def _refuse_hidden(self, names: Collection[Iri], types: Collection[Iri]) -> ParvisError | None:
        if self.hides is None:
            return None
        hidden = self.hides.of(types)
        found = sorted({local_name(name) for name in names} & hidden)
        return refusal(self.caller, f"change {', '.join(found)}, which the role does not read,") if found else None


def bounds_of(caller: Caller) -> Bounds | None:
    """None where it may write everything."""
    if caller.writes is None and caller.hides is None:
        return None
    return Bounds(caller, caller.writes, caller.hides)
