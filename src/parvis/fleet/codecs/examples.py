"""Examples of a codec: an input, and what it must answer to it."""

import json
from enum import Enum
from typing import Any

import msgspec

from parvis.fleet.codecs.codec import Codec, CodecFailure, CodecFault
from parvis.fleet.codecs.program import Routine

_LONGEST_DETAIL = 300


class CodecExample(msgspec.Struct, frozen=True):
    """What a routine must answer to an input. The number counts within its routine, from 1."""

    routine: Routine
    number: int
    description: str
    given: dict[str, Any]
    expected: Any


class Verdict(Enum):
    PASSED = "PASSED"
    DIFFERS = "DIFFERS"  # it ran, and answers something else than the example says
    THREW = "THREW"
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    BAD_RESULT = "BAD_RESULT"  # no object, or more than may be
    DOES_NOT_START = "DOES_NOT_START"  # the script itself fails, or has no such function
    NO_SCRIPT = "NO_SCRIPT"  # its file is not there or cannot be read


class Trial(msgspec.Struct, frozen=True):
    example: CodecExample
    verdict: Verdict
    detail: str = ""


def try_example(codec: Codec, example: CodecExample) -> Trial:
    if not codec.has(example.routine):
        return Trial(example, Verdict.DOES_NOT_START, f"no function {example.routine.value}")
    answer = codec.call(example.routine, example.given)
    if isinstance(answer, CodecFailure):
        return Trial(example, _VERDICTS[answer.fault], answer.detail)
    try:
        actual = json.loads(answer)
        if example.routine is Routine.NORMALIZE_UPLINK:
            actual = _as_list(actual)
        if is_same(actual, example.expected):
            return Trial(example, Verdict.PASSED)
        return Trial(example, Verdict.DIFFERS, _difference(actual, example.expected))
    except RecursionError:
        return Trial(example, Verdict.BAD_RESULT, "the codec returned too deep a structure")


_VERDICTS = {
    CodecFault.TIMED_OUT: Verdict.TIMED_OUT,
    CodecFault.OUT_OF_MEMORY: Verdict.OUT_OF_MEMORY,
    CodecFault.THREW: Verdict.THREW,
    CodecFault.BAD_RESULT: Verdict.BAD_RESULT,
    CodecFault.REPORTED_ERRORS: Verdict.THREW,
    CodecFault.RESTING: Verdict.TIMED_OUT,
}


def _as_list(answer: Any) -> Any:
    """One normalized measurement may be given without its list."""
    if isinstance(answer, dict) and isinstance(answer.get("data"), dict):
        return {**answer, "data": [answer["data"]]}
    return answer


def is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are one number, 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _difference(actual: Any, expected: Any) -> str:
    """The first place where they differ, and how."""
    where: list[str] = []
    while True:
        if isinstance(actual, dict) and isinstance(expected, dict):
            names: list[Any] = sorted(actual.keys() | expected.keys(), key=str)
            at = next(name for name in names if not is_same(actual.get(name, _GONE), expected.get(name, _GONE)))
            actual, expected = actual.get(at, _GONE), expected.get(at, _GONE)
        elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
            at = next(i for i, pair in enumerate(zip(actual, expected, strict=True)) if not is_same(*pair))
            actual, expected = actual[at], expected[at]
        else:
            return f"{'.'.join(where) or 'answer'}: {_shown(actual)}, expected {_shown(expected)}"
        where.append(str(at))


_GONE = object()


def _shown(value: Any) -> str:
    return "nothing" if value is _GONE else repr(value)[: _LONGEST_DETAIL // 2]
