"""Changes held to the bounds of who makes them."""

from collections.abc import Callable, Sequence
from itertools import zip_longest

from parvis.broker.bounds import Bounds, Place
from parvis.broker.model.change import Change, Outcome, Status
from parvis.broker.model.entity import Entity
from parvis.broker.model.merge import CREATING, Resolution, joined
from parvis.kernel.errors import ParvisError


def refuse_blind(bounds: Bounds, change: Change, held: Place | None) -> Outcome | None:
    """Of a change that keeps the types there are, and is made without reading what is there. None: it is made."""
    if held is None:
        becomes = (change.types or (), change.scopes or ())
    else:
        types = held[0] if change.types is None else joined(held[0], change.types)
        becomes = (types, held[1] if change.scopes is None else change.scopes)
    refused = bounds.refuse_after(change, becomes)
    return None if refused is None else Outcome(change.entity_id, Status.FAILED, error=refused)


def refuse_pair(
    bounds: Bounds, change: Change, following: Change, held_of: Callable[[Change], Place | None]
) -> ParvisError | None:
    """Why neither of two changes is made that belong together. What is not there and not created fails by itself."""
    for one in (change, following):
        held = held_of(one)
        if held is None and one.mode not in CREATING:
            continue
        blind = refuse_blind(bounds, one, held)
        refused = bounds.refuse_before(one, held) or (None if blind is None else blind.error)
        if refused is not None:
            return refused
    return None


def apply_each(
    bounds: Bounds | None,
    changes: Sequence[Change],
    held_of: Callable[[Change], Place | None],
    apply: Callable[[Change], Outcome],
) -> list[Outcome]:
    """In order; those that belong together where rights let both be made."""
    if bounds is None:
        return [apply(change) for change in changes]
    told: list[Outcome] = []
    with_last: ParvisError | None = None
    for change, following in zip_longest(changes, changes[1:]):
        refused, with_last = with_last, None
        if refused is None and change.with_next and following is not None:
            refused = with_last = refuse_pair(bounds, change, following, held_of)
        told.append(apply(change) if refused is None else Outcome(change.entity_id, Status.FAILED, error=refused))
    return told


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
