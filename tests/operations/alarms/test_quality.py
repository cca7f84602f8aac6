"""The room's own figures, against days that can be counted by hand."""

from hypothesis import given
from hypothesis import strategies as st

from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND
from parvis.operations.alarms.model import Priority
from parvis.operations.alarms.quality import PERIOD, Occurrence, chattering, peak, quality_of

T0 = 1_000 * DAY


def raised(name: str, at: int, priority: Priority = Priority.LOW, ended_at: int | None = None) -> Occurrence:
    return Occurrence(name, priority, at, ended_at)


def test_a_quiet_hour_with_one_burst() -> None:
    burst = [raised(f"lamp-{number}", T0 + 25 * MINUTE + number * SECOND) for number in range(12)]
    told = quality_of([raised("pump", T0 + MINUTE), *burst], T0, T0 + HOUR)
    assert (told.occurrences, told.peak_per_10_min) == (13, 12)
    assert told.rate_per_10_min == 13 / 6
    assert told.flood_share == 1 / 6


def test_the_worst_actors_come_first_with_their_share() -> None:
    told = quality_of([raised("a", T0), *(raised("b", T0 + n * HOUR) for n in range(3))], T0, T0 + DAY)
    assert [(one.alarm_id, one.occurrences, one.share) for one in told.bad_actors] == [("b", 3, 0.75), ("a", 1, 0.25)]


def test_what_stands_for_more_than_a_day_is_told_though_it_began_long_before() -> None:
    old, over, fresh = raised("old", T0 - 3 * DAY), raised("over", T0 - 3 * DAY, ended_at=T0), raised("new", T0)
    assert quality_of([old, over, fresh], T0, T0 + HOUR).standing == ("old",)


def test_three_within_a_minute_chatter_and_three_within_an_hour_do_not() -> None:
    quick = [raised("quick", T0 + n * 30 * SECOND) for n in range(3)]
    slow = [raised("slow", T0 + n * 31 * SECOND) for n in range(3)]
    assert chattering([*quick, *slow]) == ("quick",)


def test_shares_by_priority_and_the_time_to_acknowledge() -> None:
    seen = Occurrence("a", Priority.HIGH, T0, acknowledged_at=T0 + 90 * SECOND)
    told = quality_of([seen, *(raised("b", T0 + n) for n in range(3))], T0, T0 + HOUR)
    assert told.shares == {Priority.LOW: 0.75, Priority.MEDIUM: 0, Priority.HIGH: 0.25, Priority.CRITICAL: 0}
    assert told.median_to_acknowledge_s == 90


def test_a_room_without_alarms_has_figures_too() -> None:
    told = quality_of([], T0, T0)
    assert (told.occurrences, told.rate_per_10_min, told.flood_share, told.median_to_acknowledge_s) == (0, 0, 0, None)


INSTANTS = st.lists(st.integers(T0, T0 + 3 * HOUR - 1), max_size=60)


@given(INSTANTS)
def test_the_peak_is_that_of_any_ten_minutes(instants: list[int]) -> None:
    ordered = sorted(instants)
    counted = [sum(at <= other < at + PERIOD for other in ordered) for at in ordered]
    assert peak(ordered) == max(counted, default=0)


@given(INSTANTS, st.sampled_from([HOUR, 95 * MINUTE, 3 * HOUR]))
def test_nothing_is_counted_that_began_outside_and_nothing_twice(instants: list[int], span: int) -> None:
    told = quality_of([raised(f"a-{at % 3}", at) for at in instants], T0, T0 + span)
    assert told.occurrences == sum(at < T0 + span for at in instants) == sum(one.occurrences for one in told.bad_actors)
    assert told.peak_per_10_min <= told.occurrences
    assert 0 <= told.flood_share <= 1
