"""Each cause is read back from the sentence it says, whatever its author put in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.kernel.causes import Cause, find_cause

VALUES = {
    "host": "nowhere.invalid",
    "place": "http://nowhere.invalid/bins",
    "address": "ftp://nowhere.invalid",
    "limit": "0.5",
    "status": 404,
    "bytes": 1024,
    "code": "0x87",
    "fault": "of all things: this.",
    "owner": "user:ana",
}


@pytest.mark.parametrize("cause", list(Cause))
def test_what_a_cause_says_is_read_as_that_cause(cause: Cause) -> None:
    found = find_cause(cause.say(**VALUES))
    assert found is not None
    assert found.cause is cause
    assert {name: str(VALUES[name]) for name in found.values} == found.values


def test_of_a_call_that_failed_the_inmost_is_told() -> None:
    fault = Cause.ANSWER_TOO_LARGE.say(bytes=2048)
    found = find_cause(Cause.NOT_CALLED.say(place="http://far.example/", fault=fault))
    assert found is not None
    assert (found.cause, found.values) == (Cause.ANSWER_TOO_LARGE, {"bytes": "2048"})


def test_what_waits_for_its_context_is_not_told_as_the_call_that_failed() -> None:
    fault = Cause.TOO_SLOW.say(place="https://far.example/context.jsonld", limit="10")
    found = find_cause(Cause.NO_CONTEXT.say(fault=fault))
    assert found is not None
    assert found.cause is Cause.NO_CONTEXT


@given(st.text(), st.sampled_from([Cause.NO_CONTEXT, Cause.NOT_MADE, Cause.NOT_READ]))
def test_whatever_a_fault_says_is_no_surprise(fault: str, cause: Cause) -> None:
    find_cause(fault)
    found = find_cause(cause.say(fault=fault or "-"))
    assert found is not None
    assert found.cause is cause


def test_what_somebody_else_wrote_has_no_cause() -> None:
    assert find_cause("") is None
    assert find_cause("Segmentation fault") is None
