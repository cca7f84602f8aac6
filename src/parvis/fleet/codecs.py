"""Payload codecs in the published JavaScript form, in an engine limited in time, memory and stack.

The form is The Things Network's `decodeUplink({bytes, fPort, recvTime})`, which ChirpStack v4 runs too; the older
`Decode(fPort, bytes)` and `Decoder(bytes, port)` are taken as well. Engine: quickjs-ng, one context per codec.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from importlib.resources import files
from time import monotonic
from typing import Any

import msgspec
import quickjs

from parvis.fleet.uplink import Uplink
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError

TIME_LIMIT_S = 0.05
MEMORY_LIMIT_BYTES = 16 << 20
STACK_LIMIT_BYTES = 512 << 10
DEEPEST_RESULT = 8
_CALLS_PER_CONTEXT = 20_000
_FRAMES_PER_CALL = 64
_VALUES_PER_CALL = 8192
_TIMEOUTS_BEFORE_REST = 3
_REST_S = 60.0
_LONGEST_HOLD_UP_S = 0.25

_BEFORE = """
var module = {exports: {}}, exports = module.exports;
({stringify: JSON.stringify, Date: Date, isFinite: Number.isFinite, String: String})
"""
_ENGINE = files("parvis.fleet").joinpath("engine.js").read_text(encoding="utf-8")


class CodecFault(Enum):
    TIMED_OUT = "TIMED_OUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    THREW = "THREW"
    BAD_RESULT = "BAD_RESULT"
    REPORTED_ERRORS = "REPORTED_ERRORS"  # the codec ran and says that it cannot read the frame
    RESTING = "RESTING"  # not run: it took too long again and again


class Decoded(msgspec.Struct, frozen=True):
    data: dict[str, Any]
    warnings: tuple[str, ...] = ()


class CodecFailure(msgspec.Struct, frozen=True):
    fault: CodecFault
    detail: str


CodecResult = Decoded | CodecFailure


class InvalidCodec(ParvisError):
    type_uri = PARVIS_ERRORS + "invalid-codec"
    title = "The codec cannot be used"
    status = 400


class _Answer(msgspec.Struct):
    data: Any = None
    warnings: Any = None
    errors: Any = None
    fault: str = ""
    detail: str = ""


_read_answers = msgspec.json.Decoder(list[_Answer]).decode
_FAILED_CALL = (quickjs.JSException, quickjs.StackOverflow, msgspec.DecodeError)


class Codec:
    """One codec in a context of its own. Bound to the thread that made it; does no I/O.

    A context lives until a fault or some thousand calls: a codec that keeps what it saw in globals loses it then.
    """

    def __init__(self, source: str, ticks_s: Callable[[], float] = monotonic) -> None:
        """Raises InvalidCodec: the source does not run, or has no function of a known form."""
        self._source = source
        self._ticks_s = ticks_s
        self._calls = 0
        self._timeouts = 0
        self._rests_until_s = 0.0
        self._strict = False
        self._context, self._run = self._prepare()

    def decode(self, frames: Sequence[Uplink]) -> list[CodecResult]:
        """One result for each frame, in order."""
        results: list[CodecResult] = []
        for part in _portions(frames):
            results += self._decode_together(part)
        return results

    def _prepare(self) -> tuple[quickjs.Context, Any]:
        context = quickjs.Context()
        context.set_memory_limit(MEMORY_LIMIT_BYTES)
        context.set_max_stack_size(STACK_LIMIT_BYTES)
        context.set_time_limit(TIME_LIMIT_S)
        try:
            language = context.eval(_BEFORE)
            context.eval(self._source)
            return context, context.eval(_ENGINE)(language)
        except (quickjs.JSException, quickjs.StackOverflow) as error:
            raise InvalidCodec(f"the codec does not start: {_first_line(error)}") from None

    def _renew(self) -> None:
        self._calls = 0
        self._context, self._run = self._prepare()

    def _decode_together(self, frames: Sequence[Uplink]) -> list[CodecResult]:
        if self._rests_until_s and self._ticks_s() < self._rests_until_s:
            return [CodecFailure(CodecFault.RESTING, "the codec took too long again and again")] * len(frames)
        self._calls += len(frames)
        if self._calls > _CALLS_PER_CONTEXT:
            self._renew()
        try:
            answers = self._call(frames)
        except _FAILED_CALL as error:
            return self._after_failure(frames, error)
        self._timeouts = 0
        results = [_judge(answer) for answer in answers]
        if any(isinstance(one, CodecFailure) and one.fault is CodecFault.OUT_OF_MEMORY for one in results):
            self._renew()
        return results

    def _call(self, frames: Sequence[Uplink]) -> list[_Answer]:
        values: list[int | float] = []
        for frame in frames:
            payload = frame.payload
            values += (frame.f_port, frame.received_at / 1000, len(payload))
            values += payload
        text = self._run(self._strict, *values)
        if not self._strict and "null" in text:
            self._strict = True  # JSON writes NaN as null: from now on the engine tells them apart
            text = self._run(True, *values)
        return _read_answers(f"[{text}]")

    def _after_failure(self, frames: Sequence[Uplink], error: Exception) -> list[CodecResult]:
        """One frame spoilt the call for all: find it by running each alone."""
        self._renew()
        if len(frames) > 1:
            return self._decode_alone(frames)
        failure = _classify(error)
        if failure.fault is CodecFault.TIMED_OUT:
            self._timeouts += 1
            if self._timeouts >= _TIMEOUTS_BEFORE_REST:
                self._rest()
        return [failure]

    def _decode_alone(self, frames: Sequence[Uplink]) -> list[CodecResult]:
        """A codec just under its time limit would still hold up everything else."""
        began_s = self._ticks_s()
        results = []
        for frame in frames:
            results += self._decode_together((frame,))
            if self._ticks_s() - began_s > _LONGEST_HOLD_UP_S:
                self._rest()
                began_s = float("inf")
        return results

    def _rest(self) -> None:
        self._timeouts = 0
        self._rests_until_s = self._ticks_s() + _REST_S


def _portions(frames: Sequence[Uplink]) -> Iterator[Sequence[Uplink]]:
    start = values = 0
    for index, frame in enumerate(frames):
        size = len(frame.payload) + 3
        if index - start >= _FRAMES_PER_CALL or (values + size > _VALUES_PER_CALL and index > start):
            yield frames[start:index]
            start, values = index, 0
        values += size
    if start < len(frames):
        yield frames[start:]


def _classify(error: Exception) -> CodecFailure:
    line = _first_line(error)
    if isinstance(error, msgspec.DecodeError):
        return CodecFailure(CodecFault.BAD_RESULT, line)
    if line == "InternalError: interrupted":
        return CodecFailure(CodecFault.TIMED_OUT, f"longer than {TIME_LIMIT_S * 1000:.0f} ms")
    if "out of memory" in line:
        return CodecFailure(CodecFault.OUT_OF_MEMORY, f"more than {MEMORY_LIMIT_BYTES >> 20} MiB")
    return CodecFailure(CodecFault.THREW, line)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:500]


def _judge(answer: _Answer) -> CodecResult:
    if answer.fault:
        return CodecFailure(_fault(answer.fault), answer.detail)
    if answer.errors:
        return CodecFailure(CodecFault.REPORTED_ERRORS, _joined(answer.errors))
    data = answer.data
    if type(data) is not dict:
        return CodecFailure(CodecFault.BAD_RESULT, "the codec returned no data object")
    for value in data.values():
        kind = type(value)
        if (kind is dict or kind is list) and _is_too_deep(value, DEEPEST_RESULT - 1):
            return CodecFailure(CodecFault.BAD_RESULT, "the codec returned too deep a structure")
    return Decoded(data, tuple(map(str, answer.warnings[:20])) if isinstance(answer.warnings, list) else ())


def _fault(name: str) -> CodecFault:
    return CodecFault[name] if name in CodecFault.__members__ else CodecFault.BAD_RESULT


def _joined(errors: Any) -> str:
    return "; ".join(map(str, errors[:10]))[:500] if isinstance(errors, list) else str(errors)[:500]


def _is_too_deep(value: Any, allowed: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return allowed == 0 or any(_is_too_deep(one, allowed - 1) for one in members)
