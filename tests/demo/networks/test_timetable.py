from itertools import pairwise

from parvis.demo.networks.buses import DayType
from parvis.demo.networks.timetable import PLANS, Plan, departures_s

EVERY_QUARTER = Plan("X", "Test", "000000", ("trevalan",), (15, 30, 0))
NEVER_ON_SUNDAY = Plan("Y", "Test", "000000", ("trevalan",), (30, 30, 30), sunday=False)


def test_buses_are_more_frequent_at_the_peak_and_end_when_the_line_has_no_evening() -> None:
    departures = departures_s(EVERY_QUARTER, DayType.SCHOOL_DAY)
    assert departures[:3] == [22_500, 23_400, 24_300]
    assert all(after - before >= 900 for before, after in pairwise(departures))
    assert departures[-1] < 19.25 * 3600


def test_sundays_begin_late_and_some_lines_rest() -> None:
    assert departures_s(NEVER_ON_SUNDAY, DayType.SUNDAY) == []
    assert departures_s(EVERY_QUARTER, DayType.SUNDAY)[0] >= 8 * 3600


def test_lines_have_names_and_colours_of_their_own() -> None:
    assert len({plan.short_name for plan in PLANS}) == len({plan.colour for plan in PLANS}) == len(PLANS)
