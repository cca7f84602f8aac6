"""When something was measured, by a device's own clock, which may be wrong. Nothing here asks what time it is.

The offset of a clock is how late its device's frames seem to come: reception less the device's own time. Latency only
ever adds to it, so the least of many is the clock's; what was buffered on the way shows as more, and never the same
for long. docs/explanation/time.md tells the rules.
"""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from parvis.kernel.time import (
    DAY,
    FIRST_INSTANT,
    LAST_INSTANT,
    MINUTE,
    SECOND,
    Instant,
    from_datetime,
    parse_instant,
)

SET_SINCE: Instant = from_datetime(datetime(2015, 1, 1, tzinfo=UTC))
"""A clock that tells an earlier time was never set: it counts from 1970, 1980 (GPS) or 2000 since switched on."""
AHEAD_ALLOWED = 10 * SECOND
"""A frame measured later than it was received is wrong by at least the difference; so much is left alone."""
SLOT = 10 * MINUTE
STEADY_SLOTS = 5
STEADY_WITHIN = MINUTE
"""An offset is believed once the least delays of STEADY_SLOTS slots in a row differ by no more."""
_OTHER_EPOCHS = (315_964_782 * SECOND, 946_684_800 * SECOND, -2_208_988_800 * SECOND)
"""What clocks are off by that count from 1980-01-06 without leap seconds (GPS), from 2000 or from 1900 (NTP)."""
_BUFFERED_AT_MOST = 7 * DAY
_MILLISECONDS_FROM = 100_000_000_000
_FARTHEST = 1e15


class ClockRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[clock]`: `field` is a dotted path into the decoded data where the device says when it measured.

    A device that is behind by more than `tolerance_s` is corrected.
    """

    field: str = ""
    tolerance_s: float = 300.0


class RecordsRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[records]`: a frame carries several measurements, in the list `path`, each with its own `time`.

    `time` is ISO 8601, or seconds or milliseconds since 1970; with `age_s` seconds before the frame.
    """

    path: str
    time: str
    time_format: Literal["instant", "age_s"] = "instant"


class DeviceTime(msgspec.Struct, frozen=True, gc=False):
    """`raw` is what the device said, where that is not believed; its records are wrong by as much (`offset`)."""

    at: Instant
    raw: Instant | None = None

    @property
    def offset(self) -> Instant:
        return 0 if self.raw is None else self.at - self.raw


class DeviceClock:
    """What is known of one device's clock. `offset` is None while nothing certain is; positive: it is behind."""

    __slots__ = ("_slots", "is_unset", "offset")

    def __init__(self, offset: Instant | None = None) -> None:
        self.offset = offset
        self.is_unset = False
        self._slots: list[tuple[int, Instant]] = []

    def place(self, measured_at: Instant, received_at: Instant, tolerance: Instant) -> DeviceTime:
        """Where a frame belongs, from what the device says and what the network says."""
        epoch = _find_other_epoch(received_at - measured_at)
        self.is_unset = epoch is None and not SET_SINCE <= measured_at <= LAST_INSTANT
        if epoch is not None:
            return DeviceTime(min(measured_at + epoch, received_at), measured_at)
        if self.is_unset:
            return DeviceTime(received_at, max(FIRST_INSTANT, min(measured_at, LAST_INSTANT)))
        delay = received_at - measured_at
        self._note(delay, received_at)
        offset = self.offset or 0
        if offset < -AHEAD_ALLOWED or offset > tolerance:
            return DeviceTime(min(measured_at + offset, received_at), measured_at)
        return DeviceTime(measured_at)

    def _note(self, delay: Instant, received_at: Instant) -> None:
        known = self.offset
        if delay < (0 if known is None else known) - AHEAD_ALLOWED:
            self.offset = delay
        self._remember(delay, received_at // SLOT)
        if len(self._slots) == STEADY_SLOTS:
            delays = [least for _, least in self._slots]
            if max(delays) - min(delays) <= STEADY_WITHIN:
                self.offset = min(delays)

    def _remember(self, delay: Instant, slot: int) -> None:
        """Frames of an earlier slot that come late tell nothing of the clock now."""
        slots = self._slots
        if not slots or slot > slots[-1][0]:
            slots.append((slot, delay))
            del slots[:-STEADY_SLOTS]
        elif slot == slots[-1][0] and delay < slots[-1][1]:
            slots[-1] = (slot, delay)


def offset_of_unbelievable(measured_at: Instant, received_at: Instant) -> Instant:
    """What to add to a time that cannot be true by itself; 0 to one that can."""
    epoch = _find_other_epoch(received_at - measured_at)
    if epoch is not None:
        return epoch
    is_possible = SET_SINCE <= measured_at <= received_at + AHEAD_ALLOWED
    return 0 if is_possible else received_at - measured_at


def _find_other_epoch(delay: Instant) -> Instant | None:
    return next((one for one in _OTHER_EPOCHS if -SLOT <= delay - one <= _BUFFERED_AT_MOST), None)


def read_instant(value: Any) -> Instant:
    """ISO 8601 (without a zone: UTC), or seconds or milliseconds since 1970. Raises ValueError."""
    if isinstance(value, str):
        return _read_text(value)
    number = read_number(value)
    return round(number * (1000 if abs(number) >= _MILLISECONDS_FROM else SECOND))


def _read_text(text: str) -> Instant:
    try:
        return parse_instant(text)
    except ValueError:
        return parse_instant(text + "Z")


def read_number(value: Any) -> float:
    """Raises ValueError for what is none, or far beyond any time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _FARTHEST:
        raise ValueError(f"{str(value)[:50]!r} is no time")
    return value
