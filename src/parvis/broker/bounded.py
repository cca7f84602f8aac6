"""Changes held to the bounds of who makes them."""

from parvis.broker.bounds import Bounds, Place
from parvis.broker.model.change import Change, Outcome, Status
from parvis.broker.model.entity import Entity
from parvis.broker.model.merge import Resolution, joined


def refuse_blind(bounds: Bounds, change: Change, held: Place | None) -> Outcome | None:
    """Of a change that keeps the types there are, and is made without reading what is there. None: it is made."""
    if held is None:
        becomes = (change.types or (), change.scopes or ())
    else:
        types = held[0] if change.types is None else joined(held[0], change.types)
        becomes = (types, held[1] if change.scopes is None else change.scopes)
    refused = bounds.refuse_after(change, becomes)
    return None if refused is None else Outcome(change.entity_id, Status.FAILED, error=refused)


def within_bounds(bounds: Bounds | None, change: Change, resolution: Resolution, current: Entity | None) -> Resolution:
    """What comes of a change of `current`; it fails where that lies beyond the bounds. Who deletes an entity takes away
    each of its attributes."""
    left = resolution.entity or current
    if bounds is None or left is None or resolution.outcome.status is Status.FAILED:
        return resolution
    refused = bounds.refuse_after(change, (left.types, left.scopes), resolution.removed)
    if refused is None:
        return resolution
    return Resolution(Outcome(change.entity_id, Status.FAILED, error=refused))
