"""The occurrences of an alarm, read from its history: what the figures of a room are made of."""

from collections.abc import Callable, Iterable
from itertools import pairwise

from parvis.broker.model.entity import Instance, Iri
from parvis.broker.ports.store import EntityHistory
from parvis.kernel.time import Instant, parse_instant
from parvis.operations.alarms.model import Priority
from parvis.operations.alarms.quality import Occurrence


def occurrences_of(history: EntityHistory, expand: Callable[[str], Iri]) -> list[Occurrence]:
    """In the order of time, as far as the history goes back: each with the priority with which it was raised, and when
    it was first acknowledged."""
    turns = sorted(_told(history, expand("alarmActive")), key=lambda one: (one.seen_at, one.seq))
    weights = sorted(_told(history, expand("severity")), key=lambda one: one.seq)
    seen = _acknowledgements(_told(history, expand("acknowledgment")))
    following = [*pairwise(turns), *((one, None) for one in turns[-1:])]
    return [
        Occurrence(
            history.id,
            _weight_at(weights, turn),
            turn.seen_at,
            None if after is None else after.seen_at,
            seen.get(turn.seen_at),
        )
        for turn, after in following
        if turn.value is True
    ]


def _told(history: EntityHistory, name: Iri) -> Iterable[Instance]:
    return history.instances.get((name, ""), ())


def _acknowledgements(deeds: Iterable[Instance]) -> dict[Instant, Instant]:
    told = ((parse_instant(one.value["occurrence"]), parse_instant(one.value["at"])) for one in deeds)
    return dict(sorted(told, reverse=True))


def _weight_at(weights: list[Instance], turn: Instance) -> Priority:
    """That which was written last when it was raised: with it, or before."""
    known = [one for one in weights if one.modified_at <= turn.modified_at] or weights[:1]
    return Priority(known[-1].value) if known else Priority.LOW
