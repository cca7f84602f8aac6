"""A flood of alarms, folded: the first cause on top, below it what it explains.

What explains what is told by trees: lamps by feeder and cabinet, valves by sector, devices by the zone that a gateway
covers. An alarm of something higher explains those below it that come about when it does; where most of what hangs on
something fails at once, that is the cause, though nothing watches it. Pure, and linear in the number of alarms.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from parvis.kernel.time import MINUTE, Instant

FLOOD_ENDS = 5
"""Fewer of them than this begin within 10 minutes; it begins as `quality.FLOOD_BEGINS` says (ISA-18.2, 16.6)."""
_DEEPEST = 32


class Windows(msgspec.Struct, frozen=True):
    """How near in time things belong together. A cause may be noticed `early` after what it leads to, that may be
    noticed `late` after it; in a run of failures each follows the one before by `early` at most."""

    early: Instant = 2 * MINUTE
    late: Instant = 10 * MINUTE


class Tree(msgspec.Struct, frozen=True):
    """`parents` leads from a thing to what it hangs on, `sizes` tells how many hang on that, in alarm or not. Without
    its size nothing is a cause by the number of its failures."""

    parents: Mapping[str, str]
    sizes: Mapping[str, int] = {}


class Weighing(msgspec.Struct, frozen=True):
    """From how many on, and from which part of all, those that hang on something say that it has failed."""

    least: int = 3
    share: float = 0.5


class Cause(msgspec.Struct, frozen=True):
    """`alarm_id` is "" where nothing but what it led to tells of it."""

    entity_id: str
    at: Instant
    alarm_id: str = ""
    led_to: tuple["Cause", ...] = ()

    def list_alarms(self) -> Iterator[str]:
        """Its own first, then those below it."""
        if self.alarm_id:
            yield self.alarm_id
        for one in self.led_to:
            yield from one.list_alarms()


def fold(
    alarms: Iterable[Cause],
    trees: Sequence[Tree],
    windows: Windows | None = None,
    weighing: Weighing | None = None,
) -> list[Cause]:
    """Those on top, in the order of time; of the trees the first explains most closely."""
    causes = sorted(alarms, key=_place)
    for tree in trees:
        causes = _Folding(tree, windows or Windows(), weighing or Weighing()).fold(causes)
    return causes


def is_flood(was_flood: bool, begun_within_10_min: int, begins: int, ends: int = FLOOD_ENDS) -> bool:
    """It ends lower than it begins, so that the list does not jump."""
    return begun_within_10_min >= ends if was_flood else begun_within_10_min > begins


def _place(cause: Cause) -> tuple[Instant, str, str]:
    return cause.at, cause.entity_id, cause.alarm_id


class _Folding:
    def __init__(self, tree: Tree, windows: Windows, weighing: Weighing) -> None:
        self._tree = tree
        self._windows = windows
        self._weighing = weighing

    def fold(self, causes: Sequence[Cause]) -> list[Cause]:
        own: dict[str, list[Cause]] = defaultdict(list)
        for cause in causes:
            own[cause.entity_id].append(cause)
        parents = self._parents_of(own)
        below: dict[str, list[Cause]] = defaultdict(list)
        top: list[Cause] = []
        for entity_id in _leaves_first(own, parents):
            heads = self._heads_of(
                entity_id, own.get(entity_id, []), sorted(below.pop(entity_id, []), key=_place), parents
            )
            (below[parents[entity_id]] if entity_id in parents else top).extend(heads)
        return sorted(top, key=_place)

    def _parents_of(self, entities: Iterable[str]) -> dict[str, str]:
        """Those that matter. Where a tree runs in a circle, or deeper than any real one, it is cut."""
        kept: dict[str, str] = {}
        for entity_id in entities:
            seen = {entity_id}
            while entity_id not in kept and len(seen) <= _DEEPEST:
                parent = self._tree.parents.get(entity_id)
                if parent is None or parent in seen or _leads_to(kept, parent, entity_id):
                    break
                kept[entity_id] = parent
                seen.add(parent)
                entity_id = parent
        return kept

    def _heads_of(
        self, entity_id: str, own: list[Cause], below: list[Cause], parents: Mapping[str, str]
    ) -> list[Cause]:
        """Of what happened to it and below it, what nothing of it explains."""
        heads, rest = self._explained(_grouped(own, self._windows.late), below)
        direct = [one for one in rest if parents.get(one.entity_id) == entity_id]
        runs = [run for run in _runs(direct, self._windows.early) if self._is_failure(entity_id, run)]
        if not runs:
            return heads + rest
        taken = {id(one) for run in runs for one in run}
        failures = [Cause(entity_id, run[0].at, led_to=tuple(run)) for run in runs]
        failures, rest = self._explained(failures, [one for one in rest if id(one) not in taken])
        return heads + failures + rest

    def _is_failure(self, entity_id: str, run: Sequence[Cause]) -> bool:
        size = self._tree.sizes.get(entity_id)
        if size is None:
            return False
        needed = max(self._weighing.least, math.ceil(self._weighing.share * size))
        return len({one.entity_id for one in run}) >= needed

    def _explained(self, heads: list[Cause], below: list[Cause]) -> tuple[list[Cause], list[Cause]]:
        """The heads with what they explain, and what none does."""
        led_to: list[list[Cause]] = [[] for _ in heads]
        rest: list[Cause] = []
        for one in below:
            fitting = [number for number, head in enumerate(heads) if self._explains(head, one)]
            nearest = min(fitting, key=lambda number: abs(heads[number].at - one.at), default=None)
            (rest if nearest is None else led_to[nearest]).append(one)
        return [_with(head, more) for head, more in zip(heads, led_to, strict=True)], rest

    def _explains(self, head: Cause, one: Cause) -> bool:
        return -self._windows.early <= one.at - head.at <= self._windows.late


def _with(head: Cause, more: Sequence[Cause]) -> Cause:
    return replace(head, led_to=tuple(sorted((*head.led_to, *more), key=_place))) if more else head


def _grouped(own: Sequence[Cause], late: Instant) -> list[Cause]:
    """Several alarms of one thing at once are one: the first of them."""
    heads: list[Cause] = []
    more: list[list[Cause]] = []
    for one in own:
        if heads and one.at - heads[-1].at <= late:
            more[-1].append(one)
        else:
            heads.append(one)
            more.append([])
    return [_with(head, told) for head, told in zip(heads, more, strict=True)]


def _runs(causes: Iterable[Cause], gap: Instant) -> list[list[Cause]]:
    runs: list[list[Cause]] = []
    for one in causes:
        if runs and one.at - runs[-1][-1].at <= gap:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _leads_to(parents: Mapping[str, str], entity_id: str, goal: str) -> bool:
    steps = 0
    while entity_id != goal:
        if entity_id not in parents or steps > len(parents):
            return False
        entity_id, steps = parents[entity_id], steps + 1
    return True


def _leaves_first(entities: Iterable[str], parents: Mapping[str, str]) -> list[str]:
    depths: dict[str, int] = {}
    for entity_id in (*entities, *parents.values()):
        path = [entity_id]
        while path[-1] not in depths and path[-1] in parents:
            path.append(parents[path[-1]])
        depth = depths.setdefault(path[-1], 0)
        for one in reversed(path[:-1]):
            depth += 1
            depths.setdefault(one, depth)
    return sorted(depths, key=lambda one: (-depths[one], one))
