from hypothesis import given
from hypothesis import strategies as st

from parvis.kernel.growth import Sample, forecast
from parvis.kernel.time import DAY, HOUR, Instant

NOON: Instant = 1_795_348_800_000_000
GIB = 1 << 30


def hourly(hours: int, a_day: float, start: float = GIB) -> list[Sample]:
    return [Sample(NOON - (hours - n) * HOUR, start + a_day * n / 24) for n in range(hours + 1)]


def test_what_grows_a_gibibyte_a_day_fills_ten_in_ten_days() -> None:
    told = forecast(hourly(48, GIB), 10 * GIB, NOON)
    assert told is not None
    assert round(told.a_day / GIB, 6) == 1
    assert told.full_at is not None
    assert abs(told.full_at - (NOON + 10 * DAY)) < HOUR


def test_what_does_not_grow_is_never_full() -> None:
    for a_day in (0.0, -GIB):
        told = forecast(hourly(48, a_day, 100 * GIB), GIB, NOON)
        assert told is not None
        assert told.full_at is None


def test_what_a_first_start_played_at_once_is_no_growth() -> None:
    """Ninety days of history in the first hour, then a gibibyte a day."""
    played = [Sample(NOON - 9 * HOUR, 0.0), *hourly(8, GIB, start=40 * GIB)]
    told = forecast(played, 10 * GIB, NOON)
    assert told is not None
    assert round(told.a_day / GIB, 6) == 1


def test_what_comes_at_once_later_on_is_growth() -> None:
    """An import every week fills the disk all the same."""
    idle = [Sample(NOON - (72 - n) * HOUR, float(GIB if n >= 60 else 0)) for n in range(73)]
    told = forecast(idle, 10 * GIB, NOON)
    assert told is not None
    assert told.a_day > 0


def test_too_little_says_nothing() -> None:
    assert forecast([], GIB, NOON) is None
    assert forecast([Sample(NOON, 1)], GIB, NOON) is None
    assert forecast([Sample(NOON - 2 * HOUR, 1), Sample(NOON, 2)], GIB, NOON) is None
    assert forecast([Sample(NOON - 40 * DAY, 1), Sample(NOON, 2)], GIB, NOON) is None


@given(st.lists(st.integers(0, 2**50), min_size=3, max_size=40), st.floats(0, 1e15))
def test_whatever_was_measured_it_is_full_later_than_now_or_never(amounts: list[int], free: float) -> None:
    samples = [Sample(NOON - (len(amounts) - n) * HOUR, amount) for n, amount in enumerate(amounts)]
    told = forecast(samples, free, NOON)
    assert told is None or told.full_at is None or told.full_at >= NOON
