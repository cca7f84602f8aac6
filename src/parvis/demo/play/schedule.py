"""Who speaks when: each device in slots of its period, at a moment of its own in each of them."""

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from parvis.demo.clockwork import chance
from parvis.demo.devices.device import Device

JITTER_SHARE = 0.3
MOST_PER_S = 200.0
"""Messages in a second of real time. Who lives faster than that speaks less often, all in the same measure."""


class Turn(NamedTuple):
    """The `who`-th device speaks at `time_s` for the `slot`-th time since the epoch."""

    time_s: float
    who: int
    slot: int


class Schedule:
    """The same turns for the same seed, devices and speed, from wherever one begins."""

    def __init__(self, devices: Sequence[Device], seed: int, speed: float = 1.0) -> None:
        self._seed = seed
        natural_per_s = sum(1 / device.period_s for device in devices)
        self.stretch = max(1.0, speed * natural_per_s / MOST_PER_S)
        self._periods_s = [round(device.period_s * self.stretch) for device in devices]

    def period_s(self, index: int) -> int:
        return self._periods_s[index]

    def turns(self, start_s: float, end_s: float | None = None) -> Iterator[Turn]:
        """All with start <= time < end, in order of time; without an end, for ever."""
        queue = [self._first_turn(index, start_s) for index in range(len(self._periods_s))]
        heapq.heapify(queue)
        while queue and (end_s is None or queue[0].time_s < end_s):
            turn = queue[0]
            yield turn
            heapq.heapreplace(queue, self._turn(turn.who, turn.slot + 1))

    def _first_turn(self, index: int, start_s: float) -> Turn:
        turn = self._turn(index, int(start_s // self._periods_s[index]) - 2)
        while turn.time_s < start_s:
            turn = self._turn(index, turn.slot + 1)
        return turn

    def _turn(self, index: int, slot: int) -> Turn:
        """The slot's own time, shifted by the device's phase and up to 0.3 periods of jitter."""
        phase = chance(self._seed, index, -1)
        jitter = JITTER_SHARE * chance(self._seed, index, slot)
        return Turn((slot + phase + jitter) * self._periods_s[index], index, slot)
