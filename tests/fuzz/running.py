"""A target is called again and again until its time is up; what it should not do is kept once, with the least input."""

import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.targets import PACKAGE, Target, taken

_STOP_AFTER_S = 3.0
_ROUND = 100
_OURS = "parvis."


class TookTooLong(BaseException):
    """Nobody catches it by accident."""


@dataclass(slots=True)
class Finding:
    target: str
    fault: str
    place: str
    input: str


@dataclass(slots=True)
class Tally:
    inputs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Finding] = field(default_factory=dict)


class _Wrong(Exception):
    """It is told at its place."""


class Fuzzing:
    """Of one target. `last` is a file that holds the input under way, for a process that dies of it."""

    def __init__(self, target: Target, last: Path | None = None) -> None:
        self.target = target
        self.tally = Tally()
        self._last = last
        self._rounds = 0

    def run_round(self, examples: int = _ROUND, first_seed: int = 0) -> None:
        """Finds one thing at most; the next round passes over that."""
        self._rounds += 1
        shown = ""

        @seed(first_seed + self._rounds)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        @given(self.target.inputs)
        def hold(given_input: tuple[Any, ...]) -> None:
            nonlocal shown
            shown = repr(given_input)[:2000]
            self._call(given_input)

        found = dict(self.tally.findings)
        try:
            hold()
        except _Wrong as wrong:
            fault, place = wrong.args
            found[place] = Finding(self.target.name, fault, place, shown)
        self.tally.findings = found

    def _call(self, given_input: tuple[Any, ...]) -> None:
        self.tally.inputs += 1
        if self._last is not None:
            self._last.write_text(f"{self.target.name}\n{given_input!r}\n", errors="replace")
        began = time.process_time()
        try:
            with _stopped_when_too_long():
                taken(self.target.read(*given_input))
        except TookTooLong as fault:
            self._wrong(fault, "takes too long")
        except Exception as fault:
            self._judge(fault)
        if time.process_time() - began > self.target.longest_s:
            self._wrong(None, "takes too long")

    def _judge(self, fault: Exception) -> None:
        """A refusal is an exception of ours, or one that the docstring names; it says why."""
        name = type(fault).__name__
        declared = self.target.declared.partition("Raises")[2]
        if not type(fault).__module__.startswith(_OURS) and name not in declared:
            self._wrong(fault, f"{name}: {fault}")
        elif not str(fault):
            self._wrong(fault, f"{name} says nothing")
        else:
            self.tally.refused[name] += 1

    def _wrong(self, fault: BaseException | None, told: str) -> None:
        place = _place_of(fault) if fault is not None else self.target.name
        if place not in self.tally.findings:
            raise _Wrong(told[:300], place) from fault


@contextmanager
def _stopped_when_too_long() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _STOP_AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _place_of(fault: BaseException) -> str:
    """The innermost line of ours."""
    frames = traceback.extract_tb(fault.__traceback__)
    inside = [one for one in frames if one.filename.startswith(str(PACKAGE))]
    if not inside:
        return type(fault).__name__
    with suppress(ValueError):
        return f"{Path(inside[-1].filename).relative_to(PACKAGE)}:{inside[-1].lineno}"
    return type(fault).__name__
