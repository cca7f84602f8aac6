"""What was computed for the same times is not computed again: devices of a kind ask for the same hours."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from parvis.demo.nature.chance import Times

Found = TypeVar("Found")
MOST_TIMES = 400_000
"""That are remembered of one function: at 8 bytes and some columns each."""
ENTRY_TIMES = 250
"""What one entry weighs of itself: live play asks for single instants, for ever."""


class Remembered(Generic[Found]):
    def __init__(self, compute: Callable[[Times], Found]) -> None:
        self._compute = compute
        self._found: OrderedDict[bytes, Found] = OrderedDict()
        self._times = 0

    def __call__(self, times: Times) -> Found:
        key = times.tobytes()
        if key in self._found:
            self._found.move_to_end(key)
            return self._found[key]
        found = self._found[key] = self._compute(times)
        self._times += len(times) + ENTRY_TIMES
        while self._times > MOST_TIMES and len(self._found) > 1:
            oldest, _ = self._found.popitem(last=False)
            self._times -= len(oldest) // times.itemsize + ENTRY_TIMES
        return found
