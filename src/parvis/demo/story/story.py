"""The story of a territory from its begin: what it does to whom, as a pure function of time."""

from collections.abc import Iterable, Sequence

import numpy as np

from parvis.demo.nature.chance import Floats, Times
from parvis.demo.story.events import Effects, Event, EventKind, Place

LEAKS = frozenset({EventKind.LEAK, EventKind.BURST})
CROWDS = frozenset({EventKind.MARKET, EventKind.FESTIVAL})
OUTAGES = frozenset({EventKind.CABLE_THEFT, EventKind.BLACKOUT})
BREAKS = frozenset({EventKind.BREAKDOWN, EventKind.VALVE_SHUT})
EMPTIED_AFTER_S = 6 * 3600.0
"""Who keeps the containers comes within the working day."""


class Story:
    """Events in the order of their begin. What a visitor sets off is one of them from then on."""

    def __init__(self, begun_at_s: float, events: Iterable[Event] = ()) -> None:
        self.begun_at_s = begun_at_s
        self._events = tuple(sorted(events, key=lambda one: (one.begins_s, one.id)))

    @property
    def events(self) -> Sequence[Event]:
        return self._events

    def joined_by(self, more: Iterable[Event]) -> "Story":
        return Story(self.begun_at_s, (*self._events, *more))

    def of_kinds(self, kinds: frozenset[EventKind]) -> list[Event]:
        return [one for one in self._events if one.kind in kinds]

    def at_place(self, place: Place) -> list[Event]:
        return [one for one in self._events if concerns(one, place)]

    def storm(self, times: Times) -> Floats:
        """0..1, over the whole territory."""
        found = np.zeros(len(times))
        for one in self.of_kinds(frozenset({EventKind.STORM})):
            found = np.maximum(found, one.strength * one.share(times))
        return found

    def crowd(self, times: Times, place: Place) -> Floats:
        found = np.ones(len(times))
        for one in self.of_kinds(CROWDS):
            if concerns(one, place):
                found *= 1 + (one.strength - 1) * one.share(times)
        return found

    def effects_at(self, times: Times, place: Place) -> Effects:
        effects = _none(times)
        for one in self.at_place(place):
            _add(effects, one, times)
        return effects


def concerns(event: Event, place: Place) -> bool:
    if not event.reaches.isdisjoint(place.names):
        return True
    return bool(event.radius_m) and np.hypot(event.x - place.x, event.y - place.y) <= event.radius_m


def _none(times: Times) -> Effects:
    count = len(times)
    return Effects(
        heard=np.ones(count, np.bool_), powered=np.ones(count, np.bool_), working=np.ones(count, np.bool_),
        battery=np.ones(count), fill=np.zeros(count), crowd=np.ones(count), leak_l_per_s=np.zeros(count),
        leaked_l=np.zeros(count),
    )  # fmt: skip


def _add(effects: Effects, event: Event, times: Times) -> None:
    share = event.share(times)
    happens = share > 0
    match event.kind:
        case EventKind.LEAK | EventKind.BURST:
            effects.leak_l_per_s[:] += event.strength * share
            effects.leaked_l[:] += event.strength * event.lost_s(times)
        case EventKind.BREAKDOWN | EventKind.VALVE_SHUT:
            effects.working[happens] = False
        case EventKind.FLAT_BATTERY:
            effects.battery[:] *= 1 - event.strength * share
            effects.heard[effects.battery < 0.03] = False
        case EventKind.RADIO_LOSS | EventKind.FEED_DOWN:
            effects.heard[happens] = False
        case EventKind.CABLE_THEFT | EventKind.BLACKOUT:
            effects.powered[happens] = False
        case EventKind.OVERFILL:
            emptied = times >= event.begins_s + EMPTIED_AFTER_S
            effects.fill[:] += np.where((times >= event.begins_s) & ~emptied, event.strength, 0.0)
        case EventKind.MARKET | EventKind.FESTIVAL:
            effects.crowd[:] *= 1 + (event.strength - 1) * share
        case EventKind.STORM:
            pass  # the weather tells of it
