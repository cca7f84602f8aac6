from datetime import UTC, datetime

import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant, from_datetime
from parvis.web.console.dashboards.drawing import bridged
from parvis.web.console.series import MOST_POINTS, Span, bucket_for, csv_lines, raw_series, read_series, with_gaps
from tests.fakes.town import SILENT_BIN, fill_levels

START = from_datetime(datetime(2026, 3, 1, tzinfo=UTC))


def reading(at: Instant, value: object) -> Instance:
    return Instance("status", Kind.PROPERTY, value, observed_at=at)


def test_a_missing_stretch_is_a_hole_in_the_curve() -> None:
    points = [(START + minute * MINUTE, float(minute)) for minute in (0, 10, 20, 60, 70)]
    times, values = with_gaps(points)
    assert values == [0, 10, 20, None, 60, 70]
    assert times[3] == (START + 40 * MINUTE) / 1e6


def test_evenly_spaced_readings_have_no_hole() -> None:
    points = [(START + minute * MINUTE, 1.0) for minute in range(0, 300, 10)]
    assert None not in with_gaps(points)[1]


def test_days_that_were_summed_up_are_no_gaps_beside_hours() -> None:
    days = [(day * DAY, 1.0) for day in range(10)]
    hours = [(10 * DAY + hour * HOUR, 2.0) for hour in range(60) if not 20 <= hour < 40]
    times, values = with_gaps([*days, *hours])

    assert values.count(None) == 1, "that of the hours"
    assert times[values.index(None)] * 1e6 == 10 * DAY + 29.5 * HOUR


def test_lines_of_dashboards_go_on_from_day_to_day_beside_hours() -> None:
    days: list[float | None] = [1.0 if hour % 8 == 0 else None for hour in range(40)]
    hours: list[float | None] = [2.0 if not 20 <= hour < 40 else None for hour in range(60)]

    drawn = bridged([*days, *hours])

    assert None not in drawn[:60]
    assert drawn[60:80] == [None] * 20, "these are missing"


def test_words_become_steps() -> None:
    series = raw_series([reading(START, "occupied"), reading(START + 1, "free"), reading(START + 2, {"a": 1})])
    assert series.categories == ["free", "occupied"]
    assert series.values == [1.0, 0.0]


def test_longer_ranges_have_longer_periods() -> None:
    assert [bucket_for(length) for length in (DAY, 7 * DAY, 30 * DAY, 90 * DAY)] == [
        5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR,
    ]  # fmt: skip


@pytest.mark.parametrize("days", [1, 30])
async def test_raw_values_for_days_averages_for_months(
    platform: Platform, caller: Caller, now: Instant, days: int
) -> None:
    context = platform.broker.contexts.parvis
    levels = [0.1, 0.2, 0.3, 0.4]
    await platform.broker.write(caller, list(fill_levels(context, SILENT_BIN, levels, now - MINUTE, MINUTE)))
    span = Span(now - days * DAY, now)
    series = await read_series(platform.broker, caller, SILENT_BIN, context.expand("fillingLevel"), "", span)
    measured = [value for value in series.values if value is not None]
    if days == 1:
        assert series.bucket == 0
        assert measured[-4:] == levels
    else:
        assert series.bucket == HOUR
        assert min(low for low in series.lows if low is not None) == 0.1


async def test_months_have_holes_where_nothing_came(platform: Platform, caller: Caller, now: Instant) -> None:
    context, start = platform.broker.contexts.parvis, now - 80 * DAY
    early = fill_levels(context, SILENT_BIN, [0.1] * 10, start + 10 * 3 * HOUR, 3 * HOUR)
    late = fill_levels(context, SILENT_BIN, [0.2] * 10, start + 40 * DAY, 3 * HOUR)
    await platform.broker.write(caller, [*early, *late])
    span = Span(now - 90 * DAY, now - DAY)
    series = await read_series(platform.broker, caller, SILENT_BIN, context.expand("fillingLevel"), "", span)
    assert series.bucket == 3 * HOUR
    assert series.values.count(None) == 1
    hole = series.values.index(None)
    assert set(series.values[:hole]) == {0.1}, "before the months without a value"
    assert (series.lows[hole], series.highs[hole]) == (None, None)
    assert len(series.times) == len(series.values) == len(series.lows)


@pytest.mark.parametrize("told", [("free", "occupied"), (False, True)])
async def test_words_of_months_are_the_last_of_each_period(
    platform: Platform, caller: Caller, now: Instant, told: tuple[object, object]
) -> None:
    status, hour = platform.broker.contexts.parvis.expand("status"), now - now % HOUR - DAY
    said = [told[0], told[0], told[1], told[0]]
    readings = [
        Change(
            SILENT_BIN, Mode.APPEND, (Instance(status, Kind.PROPERTY, one, observed_at=hour + number * 25 * MINUTE),)
        )
        for number, one in enumerate(said)
    ]
    await platform.broker.write(caller, readings)
    series = await read_series(platform.broker, caller, SILENT_BIN, status, "", Span(now - 30 * DAY, now))
    assert series.bucket == HOUR
    assert [one for one in series.values if one is not None][-2:] == [1.0, 0.0]
    if isinstance(told[0], str):
        assert series.categories == list(told)


def test_however_long_the_time_is_its_points_are_few() -> None:
    assert 56 * 365 * DAY // bucket_for(56 * 365 * DAY) <= MOST_POINTS


async def test_csv_tells_every_value_once_across_pages(
    platform: Platform, caller: Caller, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.web.console.series.CSV_PAGE", 7)
    context = platform.broker.contexts.parvis
    levels = [number / 100 for number in range(50)]
    await platform.broker.write(caller, list(fill_levels(context, SILENT_BIN, levels, now - MINUTE, MINUTE)))
    span = Span(now - HOUR, now)
    name = context.expand("fillingLevel")
    lines = [part async for part in csv_lines(platform.broker, caller, SILENT_BIN, name, "fillingLevel", span)]
    rows = b"".join(lines).decode().splitlines()
    assert [float(row.split(",")[4]) for row in rows] == levels
    assert len(lines) > 5
