"""The clocks of an incident: until when what must be told, and how that stands."""

from calendar import monthrange
from enum import Enum
from zoneinfo import ZoneInfo

import msgspec

from parvis.kernel.time import HOUR, Instant, from_datetime, to_datetime
from parvis.operations.incidents.model import Incident, Kind, PersonalData, Step

WITHIN = {Step.EARLY_WARNING: 24 * HOUR, Step.NOTIFICATION: 72 * HOUR, Step.PERSONAL_DATA: 72 * HOUR}
_SOON_PART = 4
"""The last quarter of the time."""


class ClockState(Enum):
    RUNNING = "running"
    SOON = "soon"
    OVERDUE = "overdue"
    SENT = "sent"
    SENT_LATE = "sent-late"
    NOT_NEEDED = "not-needed"


class Clock(msgspec.Struct, frozen=True):
    """`done_at` is when it was sent; `why` a reference of that, or why it is not needed."""

    step: Step
    due_at: Instant
    state: ClockState
    done_at: Instant | None = None
    why: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in (ClockState.RUNNING, ClockState.SOON, ClockState.OVERDUE)


def clocks_of(incident: Incident, now: Instant, zone: ZoneInfo) -> list[Clock]:
    """Months are counted in `zone`."""
    return [_clock_of(incident, step, now, zone) for step in Step]


def _clock_of(incident: Incident, step: Step, now: Instant, zone: ZoneInfo) -> Clock:
    begins_at, due_at = _span(incident, step, zone)
    sent, waived = incident.find_first(Kind.SENT, step), incident.find_last(Kind.NOT_NEEDED, step)
    if sent is not None:
        state = ClockState.SENT if sent.happened_at <= due_at else ClockState.SENT_LATE
        return Clock(step, due_at, state, sent.happened_at, sent.text)
    if waived is not None:
        return Clock(step, due_at, ClockState.NOT_NEEDED, why=waived.text)
    if step is Step.PERSONAL_DATA and incident.opened.personal_data is PersonalData.NO:
        return Clock(step, due_at, ClockState.NOT_NEEDED)
    if now > due_at:
        return Clock(step, due_at, ClockState.OVERDUE)
    is_soon = due_at - now <= (due_at - begins_at) // _SOON_PART
    return Clock(step, due_at, ClockState.SOON if is_soon else ClockState.RUNNING)


def _span(incident: Incident, step: Step, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """The final report follows within a month of the notification; while that is not sent, of when it is due."""
    if step is not Step.FINAL_REPORT:
        return incident.known_at, incident.known_at + WITHIN[step]
    notified = incident.find_first(Kind.SENT, Step.NOTIFICATION)
    begins_at = notified.happened_at if notified else incident.known_at + WITHIN[Step.NOTIFICATION]
    return begins_at, a_month_after(begins_at, zone)


def a_month_after(instant: Instant, zone: ZoneInfo) -> Instant:
    """The same day and hour of the next month; where it has no such day, its last one."""
    local = to_datetime(instant).astimezone(zone)
    year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    day = min(local.day, monthrange(year, month)[1])
    return from_datetime(local.replace(year=year, month=month, day=day))
