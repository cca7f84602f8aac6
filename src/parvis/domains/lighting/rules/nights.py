"""What a program makes of the nights of many places: edges and the level between each two of them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

import numpy as np

from parvis.domains.lighting.model.inventory import Place
from parvis.domains.lighting.model.program import NOON, Dimming, Edge, Extinction, Level, MinuteOfDay, Program
from parvis.domains.lighting.rules.sun import Floats
from parvis.domains.lighting.rules.twilight import Days, Ephemeris
from parvis.kernel.time import SECOND, Instant

_EPOCH = date(1970, 1, 1)
_Find = Callable[[Floats, Floats, Days, float], Floats]


class Nights(NamedTuple):
    """By place, night and stretch; of a stretch that does not come the edges are equal.

    Somebody passes for `presence_share` of a stretch, and `presence_level` is what is lit then.
    """

    edges_s: Floats
    levels: Floats
    presence_levels: Floats
    presence_shares: Floats

    @property
    def hours(self) -> Floats:
        return np.diff(self.edges_s, axis=-1) / 3600


class Span(NamedTuple):
    """Of one night. `presence_level` is None where nobody is watched for."""

    begin: Instant
    end: Instant
    level: Level
    presence_level: Level | None


class _Claim(NamedTuple):
    """What wants a level, in seconds by night; the last one wins."""

    begin_s: Floats
    end_s: Floats
    level: float
    presence_level: float = 0.0
    presence_share: float = 0.0


def day_of(night: date) -> int:
    return (night - _EPOCH).days


def list_days(first: date, last: date) -> Days:
    """From one night to the other, both included."""
    return np.arange(day_of(first), day_of(last) + 1, dtype=np.int64)


def find_nights(program: Program, places: Sequence[Place], days: Days, zone: tzinfo, ephemeris: Ephemeris) -> Nights:
    """A night bears the date of its evening. `zone` is that of the clock on the wall."""
    dusk = _edge_s(program.dusk, ephemeris.find_evenings, places, days)
    dawn = _edge_s(program.dawn, ephemeris.find_mornings, places, days + 1)
    dawn = np.maximum(dawn, dusk)
    claims = list(_claims(program, days, zone))
    between = [np.broadcast_to(one, dusk.shape) for claim in claims for one in (claim.begin_s, claim.end_s)]
    edges = np.sort(np.stack([dusk, dawn, *(np.clip(one, dusk, dawn) for one in between)], axis=-1), axis=-1)
    middle = (edges[..., :-1] + edges[..., 1:]) / 2
    levels, passing, shares = np.ones_like(middle), np.ones_like(middle), np.zeros_like(middle)
    for claim in claims:
        meant = (claim.begin_s[:, None] <= middle) & (middle < claim.end_s[:, None])
        levels[meant], passing[meant] = claim.level, claim.presence_level
        shares[meant] = claim.presence_share
    return Nights(edges, levels, passing, shares)


def list_spans(program: Program, night: date, place: Place, zone: tzinfo) -> list[Span]:
    """What is to be lit in one night, in order; beside it is dark."""
    day = day_of(night)
    nights = find_nights(program, [place], np.array([day]), zone, Ephemeris(day, day))
    spans: list[Span] = []
    for at, level in enumerate(nights.levels[0, 0].tolist()):
        begin, end = (round(edge * SECOND) for edge in nights.edges_s[0, 0, at : at + 2].tolist())
        share = nights.presence_shares[0, 0, at]
        passing = float(nights.presence_levels[0, 0, at]) if share else None
        if begin == end or (not level and passing is None):
            continue
        if spans and spans[-1].end == begin and spans[-1][2:] == (level, passing):
            begin = spans.pop().begin
        spans.append(Span(begin, end, level, passing))
    return spans


def _edge_s(edge: Edge, find: _Find, places: Sequence[Place], days: Days) -> Floats:
    where = np.array(places, dtype=np.float64).reshape(-1, 2)
    return find(where[:, 0], where[:, 1], days, edge.elevation_deg) + edge.later_min * 60


def _claims(program: Program, days: Days, zone: tzinfo) -> Iterator[_Claim]:
    for dimming in program.dimmings:
        yield _dimmed(dimming, days, zone)
    for order in program.extinctions:
        yield _dark(order, days, zone)
    for event in program.events:
        begin_s, end_s = (np.full(len(days), at / SECOND) for at in (event.begin, event.end))
        yield _Claim(begin_s, end_s, event.level)


def _dimmed(dimming: Dimming, days: Days, zone: tzinfo) -> _Claim:
    begin_s, end_s = (_clock_s(minute, days, zone) for minute in (dimming.begin, dimming.end))
    return _Claim(begin_s, end_s, dimming.level, dimming.presence_level, dimming.presence_share)


def _dark(order: Extinction, days: Days, zone: tzinfo) -> _Claim:
    begin_s, end_s = (_clock_s(minute, days, zone) for minute in (order.begin, order.end))
    nights = [_EPOCH + timedelta(days=day) for day in days.tolist()]
    return _Claim(begin_s, np.where([_is_ordered(order, night) for night in nights], end_s, begin_s), 0.0)


def _is_ordered(order: Extinction, night: date) -> bool:
    """Whether it holds in that night."""
    holds = order.first <= night and (order.last is None or night <= order.last)
    return holds and night.weekday() not in order.except_weekdays and night not in order.except_nights


def _clock_s(minute: MinuteOfDay, days: Days, zone: tzinfo) -> Floats:
    """When the clock shows it in each night: the first time where it does so twice."""
    clock, after = time(*divmod(minute, 60)), timedelta(days=minute < NOON)
    shown = [datetime.combine(_EPOCH + timedelta(days=day) + after, clock, zone) for day in days.tolist()]
    return np.array([one.astimezone(UTC).timestamp() for one in shown], dtype=np.float64)
