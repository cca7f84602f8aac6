"""What a file says that can hardly be: it is taken, and told before anybody relies on it."""

from datetime import UTC, datetime

from parvis.connectors.files.config import Attribute, Series, stored_unit
from parvis.connectors.files.report import Doubt, Report
from parvis.connectors.files.table import Cell
from parvis.fleet.profiles.limits import limits_of
from parvis.kernel.time import DAY, Instant, from_datetime, system_clock

_FIRST_DATE = from_datetime(datetime(1000, 1, 1, tzinfo=UTC))
_FIRST_MEASURED = from_datetime(datetime(1850, 1, 1, tzinfo=UTC))
_DATES_AHEAD = 50 * 365 * DAY
"""What is planned has a date too."""
_MEASURED_AHEAD = DAY
"""A time whose zone was guessed may be some hours off."""


class Bounds:
    """What one column's values can be, as they are stored. What lies outside is counted in the report."""

    def __init__(self, report: Report, doubt: Doubt) -> None:
        self._report = report
        self._doubt = doubt

    def judge(self, value: float, row: int, cell: Cell) -> None:
        if not self._doubt.least <= value <= self._doubt.most:
            self._report.doubts.setdefault(self._doubt.column, self._doubt).note(row, str(cell))


def bounds_of_number(given: Attribute | Series, report: Report) -> Bounds:
    """By what the term and the unit allow."""
    term = given.name if isinstance(given, Attribute) else given.attribute
    unit_code = stored_unit(term, given.unit_code)
    return Bounds(report, Doubt(given.column, term, unit_code, *limits_of(term, unit_code, None, None)))


def bounds_of_date(column: str, report: Report, now: Instant | None = None) -> Bounds:
    """Of something that is there, was there, or is planned."""
    most = (system_clock() if now is None else now) + _DATES_AHEAD
    return Bounds(report, Doubt(column, "", "", _FIRST_DATE, most, is_time=True))


def bounds_of_measuring(column: str, report: Report, now: Instant | None = None) -> Bounds:
    most = (system_clock() if now is None else now) + _MEASURED_AHEAD
    return Bounds(report, Doubt(column, "", "", _FIRST_MEASURED, most, is_time=True))
