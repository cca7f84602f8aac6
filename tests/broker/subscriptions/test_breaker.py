import pytest

from parvis.broker.subscriptions.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker, BreakerState, pause_s


@pytest.fixture
def breaker() -> Breaker:
    return Breaker(lambda: 0.0)


def test_it_is_closed_until_something_fails_and_after_something_was_taken(breaker: Breaker) -> None:
    assert breaker.state(0) is BreakerState.CLOSED
    breaker.note_failure(0)
    assert breaker.state(FIRST_PAUSE_S / 2) is BreakerState.OPEN
    assert breaker.state(FIRST_PAUSE_S) is BreakerState.TRYING
    breaker.note_taken()
    assert breaker.state(0) is BreakerState.CLOSED


def test_each_failure_doubles_the_pause_up_to_a_bound(breaker: Breaker) -> None:
    now_s, pauses = 0.0, []
    for _ in range(12):
        breaker.note_failure(now_s)
        pauses.append(breaker.open_until_s - now_s)
        now_s = breaker.open_until_s
    assert pauses[:3] == pytest.approx([FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S])
    assert pauses[-1] == LONGEST_PAUSE_S


def test_what_fails_together_counts_once(breaker: Breaker) -> None:
    for _ in range(16):
        breaker.note_failure(10.0)
    assert breaker.failures == 1
    assert not breaker.is_away


def test_the_receivers_own_wish_is_kept(breaker: Breaker) -> None:
    breaker.note_failure(0, wait_s=120)
    assert breaker.state(119) is BreakerState.OPEN
    breaker.note_failure(1)
    assert breaker.state(119) is BreakerState.OPEN


def test_endpoints_that_failed_together_are_not_tried_together() -> None:
    early, late = Breaker(lambda: 0.0), Breaker(lambda: 1.0)
    early.note_failure(0)
    late.note_failure(0)
    assert early.open_until_s < late.open_until_s <= 1.5 * early.open_until_s


def test_a_pause_never_overflows() -> None:
    assert pause_s(10_000) == LONGEST_PAUSE_S
