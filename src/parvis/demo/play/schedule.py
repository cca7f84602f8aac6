"""Who speaks when: each device in slots of its period, at a moment of its own in each of them."""

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from parvis.demo.clockwork import chance
from parvis.demo.devices.device import Device

S_PER_HOUR = 3600
FRAMES_COUNT_FROM_S = 1_704_067_200
JITTER_SHARE = 0.3
MOST_PER_S = 200.0
"""Messages in a second of real time. Who lives faster than that speaks less often, all in the same measure."""


class Turn(NamedTuple):
    """The `who`-th device speaks at `time_s`, in the `slot`-th of its periods since the epoch.

    `counted` is the number that its frame bears.
    """

    time_s: float
    who: int
    slot: int
    counted: int


class Schedule:
    """The same turns for the same seed, devices and speed, from wherever one begins."""

    def __init__(self, devices: Sequence[Device], seed: int, speed: float = 1.0) -> None:
        self._seed = seed
        natural_per_s = sum(1 / device.period_s for device in devices)
        self.stretch = max(1.0, speed * natural_per_s / MOST_PER_S)
        self._periods_s = [round(device.period_s * self.stretch) for device in devices]

    def turns(self, start_s: float, end_s: float | None = None) -> Iterator[Turn]:
        """All with start <= time < end, in order of time; without an end, for ever."""
        queue = [self._first_turn(who, start_s) for who in range(len(self._periods_s))]
        heapq.heapify(queue)
        while queue and (end_s is None or queue[0].time_s < end_s):
            turn = queue[0]
            yield turn
            heapq.heapreplace(queue, self._turn(turn.who, turn.slot + 1))

    def last_turns(self, end_s: float) -> list[Turn]:
        """Of each device the last before then."""
        first = (self._first_turn(who, end_s) for who in range(len(self._periods_s)))
        return [self._turn(turn.who, turn.slot - 1) for turn in first]

    def sparse_turns(self, start_s: float, end_s: float) -> Iterator[Turn]:
        """About one an hour and device; numbered so that `turns` from the end on goes on counting."""
        following = [self._first_turn(who, end_s).counted for who in range(len(self._periods_s))]
        for turn in self.turns(start_s, end_s):
            every = max(1, S_PER_HOUR // self._periods_s[turn.who])
            if turn.slot % every == 0:
                last = following[turn.who]
                yield turn._replace(counted=last - -(-(last - turn.counted) // every))

    def extra_turn(self, who: int, time_s: float) -> Turn:
        """Out of turn: an alarm."""
        slot = int(time_s // self._periods_s[who])
        return Turn(time_s, who, slot, self._number(who, slot))

    def _first_turn(self, who: int, start_s: float) -> Turn:
        turn = self._turn(who, int(start_s // self._periods_s[who]) - 2)
        while turn.time_s < start_s:
            turn = self._turn(who, turn.slot + 1)
        return turn

    def _turn(self, who: int, slot: int) -> Turn:
        """The slot's own time, shifted by the device's phase and up to 0.3 periods of jitter."""
        phase = chance(self._seed, who, -1)
        jitter = JITTER_SHARE * chance(self._seed, who, slot)
        return Turn((slot + phase + jitter) * self._periods_s[who], who, slot, self._number(who, slot))

    def _number(self, who: int, slot: int) -> int:
        return slot - FRAMES_COUNT_FROM_S // self._periods_s[who]
