"""The fuzzer finds its targets by itself, and finds what is wrong with one."""

import json

import pytest
from hypothesis import strategies as st

from parvis.fleet.ways.intake import MalformedMessage
from tests.fuzz import running
from tests.fuzz.by_hand import list_targets
from tests.fuzz.running import Fuzzing
from tests.fuzz.targets import Target, find_targets

READ_BY_THEMSELVES = {
    "chirpstack:codec.decode_uplink",
    "thingsstack:codec.decode_message",
    "mbus:codec.decode_telegram",
    "coap:codec.decode_senml",
    "fleet/documents:bodies.read_documents",
}


def fuzzed(target: Target) -> Fuzzing:
    fuzzing = Fuzzing(target)
    fuzzing.run_round(first_seed=1)
    return fuzzing


def test_readers_of_connectors_are_found_by_themselves() -> None:
    assert {one.name for one in find_targets()} >= READ_BY_THEMSELVES


def test_what_a_parser_should_not_raise_is_found_with_the_least_input() -> None:
    def read(body: bytes) -> int:
        return body.index(b"\xff")

    (finding,) = fuzzed(Target("a:read", read, st.tuples(st.binary()))).tally.findings.values()
    assert finding.fault.startswith("ValueError")
    assert finding.input == "(b'',)"


def test_a_declared_refusal_is_counted_and_no_finding() -> None:
    def read(body: bytes) -> None:
        raise MalformedMessage("it is empty") if not body else json.JSONDecodeError("no", "", 0)

    tally = fuzzed(Target("a:read", read, st.tuples(st.binary()), "Raises JSONDecodeError")).tally
    assert not tally.findings
    assert tally.refused.keys() == {"MalformedMessage", "JSONDecodeError"}


def test_a_refusal_without_a_reason_is_found() -> None:
    def read(_body: bytes) -> None:
        raise MalformedMessage("")

    assert fuzzed(Target("a:read", read, st.tuples(st.binary()))).tally.findings


def test_what_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_STOP_AFTER_S", 0.2)

    def read(body: bytes) -> None:
        while body:
            pass

    target = Target("a:read", read, st.tuples(st.just(b"") | st.just(b"x")), longest_s=0.2)
    (finding,) = fuzzed(target).tally.findings.values()
    assert finding.fault == "takes too long"


@pytest.mark.parametrize("group", ["chirpstack", "mbus", "mqttwire", "modbus"])
def test_a_few_inputs_harm_no_parser(group: str) -> None:
    targets = list(list_targets(group))
    assert targets
    for target in targets:
        fuzzing = Fuzzing(target)
        fuzzing.run_round(examples=15, first_seed=2)
        assert not fuzzing.tally.findings, fuzzing.tally.findings
