from parvis.access.model import Bound
from parvis.access.throttle import Throttle
from parvis.access.tokens import form_token, is_form_token, new_api_key, new_token
from parvis.kernel.time import DAY, MINUTE, SECOND


def test_a_form_is_bound_to_its_cookie() -> None:
    mine, theirs = new_token(), new_token()

    assert is_form_token(mine, form_token(mine))
    assert not is_form_token(mine, form_token(theirs))
    assert not is_form_token(mine, "")
    assert not is_form_token("", form_token(""))
    assert not is_form_token(mine, "é")


def test_keys_are_told_by_their_prefix_and_never_the_same() -> None:
    keys = {new_api_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(key.startswith("parvis_") and len(key) == 50 for key in keys)


def bound(subject: bytes, allowed: int) -> list[Bound]:
    return [Bound(subject, allowed)]


def test_attempts_are_allowed_again_as_the_window_passes() -> None:
    throttle = Throttle(window=MINUTE)
    throttle.count(bound(b"a", 2), 0)
    throttle.count(bound(b"a", 2), 30 * SECOND)

    assert throttle.count(bound(b"a", 2), 30 * SECOND) == 30
    assert throttle.count(bound(b"b", 2), 30 * SECOND) == 0
    assert throttle.count(bound(b"a", 2), 60 * SECOND) == 0


def test_nobody_waits_for_a_clock_that_was_put_back() -> None:
    throttle = Throttle(window=MINUTE)
    for _ in range(2):
        throttle.count(bound(b"a", 2), DAY)
    assert throttle.count(bound(b"a", 2), DAY) == 60
    assert throttle.count(bound(b"a", 2), 0) == 0
    assert throttle.count(bound(b"a", 2), 0) == 0
    assert throttle.count(bound(b"a", 2), 0) == 60


def test_a_throttle_forgets_the_longest_untouched_first() -> None:
    throttle = Throttle(capacity=2)
    for subject in (b"a", b"b", b"c"):
        throttle.count(bound(subject, 1), 0)

    assert [throttle.count(bound(subject, 1), 0) > 0 for subject in (b"c", b"b", b"a")] == [True, True, False]
