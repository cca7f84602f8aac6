"""The life of an alarm (ANSI/ISA-18.2-2016, figure 3): its state, what rules find, what people do. Nothing here knows
the time of its own."""

from enum import Enum

from msgspec.structs import replace

from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import HOUR, Instant
from parvis.operations.alarms.model import Alarm, Deed, Finding, Hold, NotInThisState, State

LONGEST_SHELVING = 8 * HOUR
"""A shift: who comes next decides anew."""
LONGEST_WHY = 500


class Verb(Enum):
    ACKNOWLEDGE = "acknowledge"
    CLEAR = "clear"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    RELEASE = "release"
    TAKE_OUT = "take-out-of-service"
    PUT_BACK = "put-back-into-service"


_ON_THE_LIST = frozenset({State.UNACKNOWLEDGED, State.ACKNOWLEDGED, State.RETURNED_UNACKNOWLEDGED, State.LATCHED})
_IN_SERVICE = frozenset(State) - {State.OUT_OF_SERVICE}
POSSIBLE: dict[Verb, frozenset[State]] = {
    Verb.ACKNOWLEDGE: frozenset({State.UNACKNOWLEDGED, State.RETURNED_UNACKNOWLEDGED}),
    Verb.CLEAR: frozenset({State.LATCHED}),
    Verb.SHELVE: _ON_THE_LIST | {State.NORMAL},
    Verb.UNSHELVE: frozenset({State.SHELVED}),
    Verb.SUPPRESS: _IN_SERVICE - {State.SUPPRESSED},
    Verb.RELEASE: frozenset({State.SUPPRESSED}),
    Verb.TAKE_OUT: _IN_SERVICE,
    Verb.PUT_BACK: frozenset({State.OUT_OF_SERVICE}),
}
NEED_REASON = frozenset({Verb.SHELVE, Verb.SUPPRESS, Verb.TAKE_OUT})


def state_of(alarm: Alarm, now: Instant) -> State:
    """What keeps it from the list comes first, the strongest before."""
    holds = (
        (alarm.out_of_service, State.OUT_OF_SERVICE),
        (alarm.suppressed, State.SUPPRESSED),
        (alarm.shelved, State.SHELVED),
    )
    return next((state for hold, state in holds if hold is not None and hold.holds(now)), process_state(alarm))


def process_state(alarm: Alarm) -> State:
    """Without regard to what keeps it from the list."""
    if alarm.is_active:
        return State.ACKNOWLEDGED if alarm.is_acknowledged else State.UNACKNOWLEDGED
    if not alarm.occurred_at:
        return State.NORMAL
    if not alarm.is_acknowledged:
        return State.RETURNED_UNACKNOWLEDGED
    return State.LATCHED if alarm.about.latches and not alarm.is_cleared else State.NORMAL


def found(alarm: Alarm, finding: Finding) -> Alarm:
    """After what a rule has found. What is known already, or older than what is, changes nothing."""
    if finding.is_true == alarm.is_active or finding.since < alarm.since:
        return alarm
    turned = replace(alarm, is_active=finding.is_true, since=finding.since, values=finding.values)
    return replace(turned, occurred_at=finding.since) if finding.is_true else turned


def acknowledge(alarm: Alarm, by: str, now: Instant, why: str = "") -> Alarm:
    """Of the occurrence there is: of the next one it says nothing."""
    why = _checked(alarm, Verb.ACKNOWLEDGE, now, why)
    return replace(alarm, acknowledged=Deed(by, now, why, alarm.occurred_at))


def clear(alarm: Alarm, by: str, now: Instant, why: str = "") -> Alarm:
    why = _checked(alarm, Verb.CLEAR, now, why)
    return replace(alarm, cleared=Deed(by, now, why, alarm.occurred_at))


def shelve(alarm: Alarm, by: str, now: Instant, why: str, until: Instant, longest: Instant = LONGEST_SHELVING) -> Alarm:
    why = _checked(alarm, Verb.SHELVE, now, why)
    if not now < until <= now + longest:
        raise BadRequestData(f"An alarm is shelved until a time to come, and for at most {longest / HOUR:g} hours.")
    return replace(alarm, shelved=Hold(True, by, now, why, until))


def unshelve(alarm: Alarm, by: str, now: Instant, why: str = "") -> Alarm:
    return replace(alarm, shelved=Hold(False, by, now, _checked(alarm, Verb.UNSHELVE, now, why)))


def suppress(alarm: Alarm, by: str, now: Instant, why: str) -> Alarm:
    """By design: while something else explains it, such as works that were announced."""
    return replace(alarm, suppressed=Hold(True, by, now, _checked(alarm, Verb.SUPPRESS, now, why)))


def release(alarm: Alarm, by: str, now: Instant, why: str = "") -> Alarm:
    return replace(alarm, suppressed=Hold(False, by, now, _checked(alarm, Verb.RELEASE, now, why)))


def take_out(alarm: Alarm, by: str, now: Instant, why: str) -> Alarm:
    """Out of service, for maintenance: until somebody puts it back."""
    return replace(alarm, out_of_service=Hold(True, by, now, _checked(alarm, Verb.TAKE_OUT, now, why)))


def put_back(alarm: Alarm, by: str, now: Instant, why: str = "") -> Alarm:
    return replace(alarm, out_of_service=Hold(False, by, now, _checked(alarm, Verb.PUT_BACK, now, why)))


def verbs_of(state: State) -> tuple[Verb, ...]:
    return tuple(verb for verb in Verb if state in POSSIBLE[verb])


def due_at(alarm: Alarm, now: Instant) -> Instant | None:
    """When its state changes by itself; None: it does not."""
    return alarm.shelved.until if state_of(alarm, now) is State.SHELVED and alarm.shelved else None


def _checked(alarm: Alarm, verb: Verb, now: Instant, why: str) -> str:
    """The reason, tidied. Raises NotInThisState, BadRequestData."""
    state = state_of(alarm, now)
    if state not in POSSIBLE[verb]:
        possible = [one.value for one in verbs_of(state)]
        told = f"The alarm is {state.value}: it cannot take {verb.value}, only {', '.join(possible)}."
        raise NotInThisState(told, state=state.value, possible=possible)
    why = why.strip()[:LONGEST_WHY]
    if verb in NEED_REASON and not why:
        raise BadRequestData(f"Say why: {verb.value} keeps the alarm from everybody.")
    return why
