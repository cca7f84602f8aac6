from parvis.access.throttle import Throttle
from parvis.access.tokens import form_token, is_form_token, new_api_key, new_token
from parvis.kernel.time import MINUTE, SECOND


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


def test_attempts_are_allowed_again_as_the_window_passes() -> None:
    throttle = Throttle(allowed=2, window=MINUTE)
    throttle.count("a", 0)
    throttle.count("a", 30 * SECOND)

    assert throttle.wait_s("a", 30 * SECOND) == 30
    assert throttle.wait_s("a", 60 * SECOND) == 0
    assert throttle.wait_s("b", 30 * SECOND) == 0


def test_a_throttle_forgets_the_longest_untouched_first() -> None:
    throttle = Throttle(allowed=1, capacity=2)
    for subject in ("a", "b", "c"):
        throttle.count(subject, 0)

    assert [throttle.wait_s(subject, 0) > 0 for subject in ("a", "b", "c")] == [False, True, True]
