"""An alarm's life, step by step, and what holds of any life."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.kernel.errors import BadRequestData, ParvisError
from parvis.kernel.time import HOUR, MINUTE
from parvis.operations.alarms.life import POSSIBLE, Act, Verb, done, due_at, found, process_state, state_of, verbs_of
from parvis.operations.alarms.model import (
    Alarm,
    Consequence,
    Finding,
    NotInThisState,
    Rationalization,
    State,
    Urgency,
    alarm_id,
)

BURST = Rationalization("Burst main", Consequence.MAJOR, Urgency.HOUR)
TAMPERED = Rationalization("Cabinet opened", Consequence.MODERATE, Urgency.DAY, latches=True)
RULE, MAIN = "urn:ngsi-ld:Rule:burst", "urn:ngsi-ld:Pipe:12"
T0 = 1_000 * HOUR
ADA = "user:ada"


def alarm_of(about: Rationalization = BURST) -> Alarm:
    return Alarm(RULE, MAIN, about)


def finds(is_true: bool, at: int) -> Finding:
    return Finding(RULE, MAIN, is_true, at, {"flow": 41.5})


def does(alarm: Alarm, verb: Verb, at: int, why: str = "", until: int | None = None) -> Alarm:
    return done(alarm, Act(verb, ADA, at, why, until))


def test_it_is_raised_acknowledged_and_returns_to_normal() -> None:
    raised = found(alarm_of(), finds(True, T0))
    assert state_of(raised, T0) is State.UNACKNOWLEDGED
    assert raised.values == {"flow": 41.5}
    known = does(raised, Verb.ACKNOWLEDGE, T0 + MINUTE, "team sent")
    assert state_of(known, T0 + MINUTE) is State.ACKNOWLEDGED
    assert state_of(found(known, finds(False, T0 + HOUR)), T0 + HOUR) is State.NORMAL


def test_what_passed_unseen_still_wants_to_be_seen() -> None:
    passed = found(found(alarm_of(), finds(True, T0)), finds(False, T0 + MINUTE))
    assert state_of(passed, T0 + HOUR) is State.RETURNED_UNACKNOWLEDGED
    assert state_of(does(passed, Verb.ACKNOWLEDGE, T0 + HOUR), T0 + HOUR) is State.NORMAL


def test_what_latches_waits_for_somebody_to_clear_it() -> None:
    raised = does(found(alarm_of(TAMPERED), finds(True, T0)), Verb.ACKNOWLEDGE, T0)
    passed = found(raised, finds(False, T0 + MINUTE))
    assert state_of(passed, T0 + HOUR) is State.LATCHED
    assert state_of(does(passed, Verb.CLEAR, T0 + HOUR), T0 + HOUR) is State.NORMAL


def test_an_acknowledgement_says_nothing_of_the_next_occurrence() -> None:
    known = does(found(alarm_of(), finds(True, T0)), Verb.ACKNOWLEDGE, T0)
    again = found(found(known, finds(False, T0 + MINUTE)), finds(True, T0 + HOUR))
    assert state_of(again, T0 + HOUR) is State.UNACKNOWLEDGED


def test_a_shelved_alarm_comes_back_by_itself() -> None:
    raised = found(alarm_of(), finds(True, T0))
    shelved = does(raised, Verb.SHELVE, T0, "works until noon", until=T0 + 2 * HOUR)
    assert state_of(shelved, T0 + 2 * HOUR - 1) is State.SHELVED
    assert due_at(shelved, T0) == T0 + 2 * HOUR
    assert state_of(shelved, T0 + 2 * HOUR) is State.UNACKNOWLEDGED
    assert due_at(shelved, T0 + 2 * HOUR) is None


@pytest.mark.parametrize("until", [T0, T0 - 1, T0 + 8 * HOUR + 1])
def test_nothing_is_shelved_for_good(until: int) -> None:
    with pytest.raises(BadRequestData, match="at most 8 hours"):
        does(found(alarm_of(), finds(True, T0)), Verb.SHELVE, T0, "noise", until=until)


def test_who_keeps_an_alarm_from_others_says_why() -> None:
    raised = found(alarm_of(), finds(True, T0))
    with pytest.raises(BadRequestData, match="Say why the alarm is kept"):
        does(raised, Verb.SHELVE, T0, "  ", until=T0 + HOUR)
    with pytest.raises(BadRequestData, match="Say why the alarm is kept"):
        does(raised, Verb.TAKE_OUT, T0, "")


def test_out_of_service_outweighs_suppressed_which_outweighs_shelved() -> None:
    shelved = does(found(alarm_of(), finds(True, T0)), Verb.SHELVE, T0, "noise", until=T0 + HOUR)
    suppressed = does(shelved, Verb.SUPPRESS, T0, "announced works")
    out = does(suppressed, Verb.TAKE_OUT, T0, "pipe replaced")
    assert [state_of(one, T0) for one in (shelved, suppressed, out)] == [
        State.SHELVED,
        State.SUPPRESSED,
        State.OUT_OF_SERVICE,
    ]
    back = does(does(out, Verb.PUT_BACK, T0), Verb.RELEASE, T0)
    assert state_of(does(back, Verb.UNSHELVE, T0), T0) is State.UNACKNOWLEDGED


def test_a_refusal_says_what_can_be_done_instead() -> None:
    known = does(found(alarm_of(), finds(True, T0)), Verb.ACKNOWLEDGE, T0)
    with pytest.raises(NotInThisState) as refused:
        does(known, Verb.ACKNOWLEDGE, T0)
    assert refused.value.extras == {
        "state": "acknowledged",
        "possible": ["shelve", "suppress", "take-out-of-service"],
    }


def test_ids_of_different_rules_and_objects_differ_wherever_the_seam_lies() -> None:
    assert alarm_id("urn:a", "b:urn:c") != alarm_id("urn:ab:", "urn:c")
    assert alarm_id(RULE, MAIN) == alarm_id(RULE, MAIN)


def tried(alarm: Alarm, verb: Verb, now: int) -> Alarm:
    return does(alarm, verb, now, "why", until=now + HOUR)


STEPS = st.lists(st.tuples(st.sampled_from([*Verb, True, False]), st.integers(0, 2 * HOUR)), max_size=40)


@given(st.sampled_from([BURST, TAMPERED]), STEPS)
def test_whatever_happens_only_what_is_possible_is_done(
    about: Rationalization, steps: list[tuple[Verb | bool, int]]
) -> None:
    alarm, now = alarm_of(about), T0
    for step, later in steps:
        now += later
        before = state_of(alarm, now)
        if isinstance(step, bool):
            alarm = found(alarm, finds(step, now))
            assert alarm.is_active is step
        elif before in POSSIBLE[step]:
            alarm = tried(alarm, step, now)
            assert step not in (Verb.ACKNOWLEDGE, Verb.CLEAR) or state_of(alarm, now) is not before
        else:
            with pytest.raises(ParvisError):
                tried(alarm, step, now)
        assert verbs_of(state_of(alarm, now))
        assert alarm.is_active == (process_state(alarm) in (State.UNACKNOWLEDGED, State.ACKNOWLEDGED))


@given(st.lists(st.tuples(st.booleans(), st.integers(T0, T0 + 50)), max_size=20))
def test_a_finding_told_twice_is_told_once_and_an_older_one_changes_nothing(told: list[tuple[bool, int]]) -> None:
    once = twice = alarm_of()
    for is_true, at in told:
        once = found(once, finds(is_true, at))
        twice = found(found(twice, finds(is_true, at)), finds(is_true, at))
        assert found(once, finds(not once.is_active, once.since - 1)) == once
    assert once == twice


@given(st.integers(T0, T0 + HOUR), st.integers(0, HOUR))
def test_rule_and_person_who_write_at_once_lead_to_the_same(at: int, later: int) -> None:
    """What each tells stands in fields of its own: the order in which they are merged does not matter."""
    raised = found(alarm_of(), finds(True, at))
    known, passed = does(raised, Verb.ACKNOWLEDGE, at + later), found(raised, finds(False, at + later))
    one = found(known, finds(False, at + later))
    other = does(passed, Verb.ACKNOWLEDGE, at + later)
    assert one == other
    assert state_of(one, at + later) is State.NORMAL
