"""How far a writer may go: looked at in the store's transaction, for only there it is known what an entity is."""

from collections.abc import Collection, Iterable, Sequence
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
        if held is not None and not reaches(self.reach, *held):
            return outside(self.caller, change.entity_id)
        if self.hides is None:
            return None
        anywhere = self.hides.anywhere
        named = [one.name for one in change.instances if local_name(one.name) in anywhere]
        named += [name for name, _ in change.removals if local_name(name) in anywhere]
        if not named:
            return None
        return self._refuse_hidden(named, (*(held[0] if held else ()), *(change.types or ())))

    def refuse_after(
        self, change: "Change", becomes: Place, removed: Sequence[AttributeKey] = ()
    ) -> ParvisError | None:
        """Why it is not made, seen what it would make."""
        if not reaches(self.reach, *becomes):
            return outside(self.caller, change.entity_id)
        return self._refuse_hidden([name for name, _ in removed], becomes[0]) if removed else None

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
