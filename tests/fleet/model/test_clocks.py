"""A device's clock against the network's: what is believed, what is corrected, what looks like drift and is none."""

import contextlib
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.fleet.model.clocks import AHEAD_ALLOWED, DeviceClock, DeviceTime, read_instant
from parvis.kernel.time import DAY, FIRST_INSTANT, HOUR, LAST_INSTANT, MINUTE, SECOND, Instant, from_datetime

NOON = from_datetime(datetime(2026, 9, 21, 12, tzinfo=UTC))
TOLERANCE = 5 * MINUTE


def hear(clock: DeviceClock, behind: Instant, frames: int, start: Instant = NOON, latency: Instant = SECOND) -> Instant:
    """A frame every quarter of an hour; when the last one was received."""
    at = start
    for number in range(frames):
        at = start + number * 15 * MINUTE
        clock.place(at - latency - behind, at, TOLERANCE)
    return at


def test_a_clock_that_is_right_is_believed() -> None:
    clock = DeviceClock()
    last = hear(clock, 0, 20)
    assert clock.place(last - MINUTE, last, TOLERANCE) == DeviceTime(last - MINUTE)
    assert clock.offset == SECOND


def test_a_clock_that_is_ahead_is_corrected_from_the_first_frame_on() -> None:
    clock = DeviceClock()
    first = clock.place(NOON + HOUR, NOON, TOLERANCE)
    assert first == DeviceTime(NOON, NOON + HOUR)
    assert first.offset == -HOUR
    later = clock.place(NOON + 2 * HOUR, NOON + HOUR + 30 * SECOND, TOLERANCE)
    assert later == DeviceTime(NOON + HOUR, NOON + 2 * HOUR)


def test_seconds_ahead_are_left_alone() -> None:
    assert DeviceClock().place(NOON + AHEAD_ALLOWED, NOON, TOLERANCE) == DeviceTime(NOON + AHEAD_ALLOWED)


def test_a_clock_that_is_steadily_behind_is_corrected_once_that_is_certain() -> None:
    clock = DeviceClock()
    last = hear(clock, HOUR, 4)
    assert clock.place(last - HOUR - SECOND, last, TOLERANCE).raw is None
    hear(clock, HOUR, 5)
    placed = clock.place(NOON + 2 * HOUR - SECOND, NOON + 3 * HOUR, TOLERANCE)
    assert placed == DeviceTime(NOON + 3 * HOUR, NOON + 2 * HOUR - SECOND)


def test_what_was_buffered_for_two_days_does_not_look_like_drift() -> None:
    clock = DeviceClock()
    back_at = NOON + 2 * DAY
    for number in range(2 * 96):
        measured_at = NOON + number * 15 * MINUTE
        received_at = back_at + number * 20 * SECOND
        assert clock.place(measured_at, received_at, TOLERANCE) == DeviceTime(measured_at)
    assert (clock.offset or 0) <= TOLERANCE


def test_buffered_frames_of_a_device_that_is_ahead_are_corrected_by_what_is_known_of_it() -> None:
    clock = DeviceClock()
    last = hear(clock, -HOUR, 10)
    buffered = clock.place(last - DAY + HOUR, last + MINUTE, TOLERANCE)
    assert abs(buffered.at - (last - DAY)) <= SECOND


@pytest.mark.parametrize("before", [HOUR, -HOUR])
def test_a_clock_that_was_set_right_is_believed_again(before: Instant) -> None:
    clock = DeviceClock()
    last = hear(clock, before, 10)
    last = hear(clock, 0, 6, last + 15 * MINUTE)
    assert clock.place(last + MINUTE, last + MINUTE, TOLERANCE) == DeviceTime(last + MINUTE)


@pytest.mark.parametrize("since", [0, 315_964_800 * SECOND, 946_684_800 * SECOND])
def test_a_clock_that_was_never_set_counts_for_nothing(since: Instant) -> None:
    clock = DeviceClock()
    assert clock.place(since + 3 * DAY, NOON, TOLERANCE) == DeviceTime(NOON, since + 3 * DAY)
    assert clock.is_unset
    assert clock.place(NOON, NOON, TOLERANCE) == DeviceTime(NOON)
    assert not clock.is_unset


@pytest.mark.parametrize("epoch_s", [315_964_782, 946_684_800, -2_208_988_800])
def test_a_clock_that_counts_from_another_epoch_is_read_as_it_counts(epoch_s: int) -> None:
    measured_at = NOON - 2 * DAY
    said = measured_at - epoch_s * SECOND
    placed = DeviceClock().place(said, NOON, TOLERANCE)
    assert placed == DeviceTime(measured_at, said)


def test_frames_in_any_order_leave_the_estimate_sound() -> None:
    clock, source = DeviceClock(), random.Random(4)
    frames = [(NOON + n * 10 * MINUTE - HOUR, NOON + n * 10 * MINUTE + SECOND) for n in range(100)]
    source.shuffle(frames)
    for measured_at, received_at in frames:
        clock.place(measured_at, received_at, TOLERANCE)
    assert clock.offset in (None, HOUR + SECOND)


@given(st.lists(st.tuples(st.integers(-(2**70), 2**70), st.integers(0, LAST_INSTANT)), max_size=20))
def test_no_time_is_later_than_its_reception_by_more_than_is_allowed(frames: list[tuple[int, int]]) -> None:
    clock = DeviceClock()
    for measured_at, received_at in frames:
        placed = clock.place(measured_at, received_at, TOLERANCE)
        assert FIRST_INSTANT <= placed.at <= received_at + AHEAD_ALLOWED
        assert placed.raw is None or FIRST_INSTANT <= placed.raw <= LAST_INSTANT


@pytest.mark.parametrize(
    "told", ["2026-09-21T12:00:00Z", "2026-09-21T12:00:00", "2026-09-21T14:00:00+02:00", NOON // SECOND, NOON // 1000]
)
def test_times_are_read_in_the_forms_that_devices_write(told: str | float) -> None:
    assert read_instant(told) == NOON


@given(st.one_of(st.text(max_size=40), st.floats(), st.booleans(), st.none(), st.integers(), st.lists(st.integers())))
def test_what_is_no_time_is_refused_as_such(told: object) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(read_instant(told), int)
