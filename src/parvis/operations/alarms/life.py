"""The life of an alarm (ANSI/ISA-18.2-2016, figure 3): its state, what rules find, what people do. Nothing here knows
the time of its own."""

from enum import Enum
from typing import assert_never

import msgspec
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


class Act(msgspec.Struct, frozen=True):
    """What somebody does to an alarm, who, when and why. `until` is of shelving alone."""

    verb: Verb
    by: str
    at: Instant
    why: str = ""
    until: Instant | None = None


def done(alarm: Alarm, act: Act, longest_shelving: Instant = LONGEST_SHELVING) -> Alarm:
    """An acknowledgement and a clearing are of the occurrence there is: of the next one they say nothing.

    Raises NotInThisState, BadRequestData.
    """
    why = _checked(alarm, act)
    deed = Deed(act.by, act.at, why, alarm.occurred_at)
    ended = Hold(False, act.by, act.at, why)
    begun = Hold(True, act.by, act.at, why)
    match act.verb:
        case Verb.ACKNOWLEDGE:
            return replace(alarm, acknowledged=deed)
        case Verb.CLEAR:
            return replace(alarm, cleared=deed)
        case Verb.SHELVE:
            return replace(alarm, shelved=replace(begun, until=_end_of_shelving(act, longest_shelving)))
        case Verb.UNSHELVE:
            return replace(alarm, shelved=ended)
        case Verb.SUPPRESS:
            return replace(alarm, suppressed=begun)
        case Verb.RELEASE:
            return replace(alarm, suppressed=ended)
        case Verb.TAKE_OUT:
            return replace(alarm, out_of_service=begun)
        case Verb.PUT_BACK:
            return replace(alarm, out_of_service=ended)
        case never:
            assert_never(never)


def verbs_of(state: State) -> tuple[Verb, ...]:
    return tuple(verb for verb in Verb if state in POSSIBLE[verb])


def due_at(alarm: Alarm, now: Instant) -> Instant | None:
    """When its state changes by itself; None: it does not."""
    return alarm.shelved.until if state_of(alarm, now) is State.SHELVED and alarm.shelved else None


def _checked(alarm: Alarm, act: Act) -> str:
    """The reason, tidied."""
    state = state_of(alarm, act.at)
    if state not in POSSIBLE[act.verb]:
        possible = [one.value for one in verbs_of(state)]
        told = f"The alarm is {state.value}: it cannot take {act.verb.value}, only {', '.join(possible)}."
        raise NotInThisState(told, state=state.value, possible=possible)
    why = act.why.strip()[:LONGEST_WHY]
    if act.verb in NEED_REASON and not why:
        raise BadRequestData("Say why the alarm is kept from everybody.")
    return why


def _end_of_shelving(act: Act, longest: Instant) -> Instant:
    if act.until is None or not act.at < act.until <= act.at + longest:
        raise BadRequestData(f"An alarm is shelved until a time to come, and for at most {longest / HOUR:g} hours.")
    return act.until
