"""From when somebody knew, until when what must be told: directive (EU) 2022/2555, art. 23(4); GDPR, art. 33(1)."""

from zoneinfo import ZoneInfo

import pytest

from parvis.kernel.time import DAY, HOUR, MINUTE, Instant, parse_instant
from parvis.operations.incidents.clocks import Clock, ClockState, a_month_after, clocks_of
from parvis.operations.incidents.model import Entry, Incident, Kind, PersonalData, Step, incident_of

PARIS = ZoneInfo("Europe/Paris")
KNOWN = parse_instant("2026-11-20T16:30:00Z")
BY = "user:ada"


def incident(*more: Entry, personal_data: PersonalData = PersonalData.UNKNOWN) -> Incident:
    first = Entry(KNOWN + HOUR, BY, Kind.OPENED, "", KNOWN, title="Mail server", personal_data=personal_data)
    return Incident("20261120-abc", (first, *more))


def clock(step: Step, now: Instant, *more: Entry, personal_data: PersonalData = PersonalData.UNKNOWN) -> Clock:
    found = clocks_of(incident(*more, personal_data=personal_data), now, PARIS)
    return next(one for one in found if one.step is step)


def sent(step: Step, at: Instant) -> Entry:
    return Entry(at, BY, Kind.SENT, "FR-123", at, step)


@pytest.mark.parametrize(
    ("step", "due"),
    [
        (Step.EARLY_WARNING, KNOWN + 24 * HOUR),
        (Step.NOTIFICATION, KNOWN + 72 * HOUR),
        (Step.PERSONAL_DATA, KNOWN + 72 * HOUR),
        (Step.FINAL_REPORT, parse_instant("2026-12-23T16:30:00Z")),
    ],
)
def test_clocks_run_from_when_it_was_known_not_from_when_it_was_entered(step: Step, due: Instant) -> None:
    assert clock(step, KNOWN + 2 * HOUR).due_at == due


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (HOUR, ClockState.RUNNING),
        (18 * HOUR - MINUTE, ClockState.RUNNING),
        (18 * HOUR, ClockState.SOON),
        (24 * HOUR, ClockState.SOON),
        (24 * HOUR + 1, ClockState.OVERDUE),
    ],
)
def test_a_clock_says_how_it_stands(after: Instant, state: ClockState) -> None:
    assert clock(Step.EARLY_WARNING, KNOWN + after).state is state


def test_what_was_sent_stops_its_clock_in_time_or_late_and_for_good() -> None:
    in_time = clock(Step.EARLY_WARNING, KNOWN + 90 * DAY, sent(Step.EARLY_WARNING, KNOWN + 24 * HOUR))
    late = clock(Step.EARLY_WARNING, KNOWN + 90 * DAY, sent(Step.EARLY_WARNING, KNOWN + 24 * HOUR + 1))
    assert (in_time.state, late.state) == (ClockState.SENT, ClockState.SENT_LATE)
    assert in_time.why == "FR-123"
    assert clock(Step.NOTIFICATION, KNOWN + 90 * DAY, sent(Step.EARLY_WARNING, KNOWN)).state is ClockState.OVERDUE


def test_a_second_message_does_not_make_the_first_late() -> None:
    twice = (sent(Step.EARLY_WARNING, KNOWN + HOUR), sent(Step.EARLY_WARNING, KNOWN + 30 * HOUR))
    assert clock(Step.EARLY_WARNING, KNOWN + 31 * HOUR, *twice).state is ClockState.SENT


def test_the_month_of_the_final_report_runs_from_the_notification_that_was_sent() -> None:
    notified = KNOWN + 10 * HOUR
    assert clock(Step.FINAL_REPORT, notified, sent(Step.NOTIFICATION, notified)).due_at == a_month_after(
        notified, PARIS
    )


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("2027-01-31T10:00:00Z", "2027-02-28T10:00:00Z"),
        ("2028-01-31T10:00:00Z", "2028-02-29T10:00:00Z"),
        ("2026-12-15T10:00:00Z", "2027-01-15T10:00:00Z"),
        ("2027-03-15T10:00:00Z", "2027-04-15T09:00:00Z"),
        ("2026-11-30T23:30:00Z", "2026-12-31T23:30:00Z"),
    ],
)
def test_a_month_ends_on_the_same_day_and_hour_of_the_territory(begins: str, ends: str) -> None:
    """Across the change to summer time the hour on the wall stays; 00:30 on 1 December is still 30 November in UTC."""
    assert a_month_after(parse_instant(begins), PARIS) == parse_instant(ends)


@pytest.mark.parametrize(
    ("known", "state"),
    [
        (PersonalData.NO, ClockState.NOT_NEEDED),
        (PersonalData.YES, ClockState.RUNNING),
        (PersonalData.UNKNOWN, ClockState.RUNNING),
    ],
)
def test_while_nobody_knows_whether_persons_are_concerned_the_clock_runs(
    known: PersonalData, state: ClockState
) -> None:
    assert clock(Step.PERSONAL_DATA, KNOWN + HOUR, personal_data=known).state is state


def test_what_is_not_needed_says_why_until_it_is_sent_all_the_same() -> None:
    dropped = Entry(KNOWN, BY, Kind.NOT_NEEDED, "no essential service", 0, Step.NOTIFICATION)
    found = clock(Step.NOTIFICATION, KNOWN + 90 * DAY, dropped)
    assert (found.state, found.why) == (ClockState.NOT_NEEDED, "no essential service")
    both = (dropped, sent(Step.NOTIFICATION, KNOWN + HOUR))
    assert clock(Step.NOTIFICATION, KNOWN + 90 * DAY, *both).state is ClockState.SENT


def test_an_incident_begins_with_its_opening_in_whatever_order_its_records_come() -> None:
    first = incident().opened
    note = Entry(KNOWN, BY, Kind.NOTE, "before it was entered")
    found = incident_of("x", [note, first])
    assert found is not None
    assert found.opened == first
    assert incident_of("x", [note]) is None
