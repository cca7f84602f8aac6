"""Payload codecs in the published JavaScript form, in an engine limited in time, memory and stack.

The form is The Things Network's `decodeUplink({bytes, fPort, recvTime})`, which ChirpStack v4 runs too; the older
`Decode(fPort, bytes)` and `Decoder(bytes, port)` are taken as well. Engine: quickjs-ng, one context per codec.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from time import monotonic, thread_time
from typing import Any

import msgspec
import quickjs

from parvis.fleet.codecs.program import MEMORY_LIMIT_BYTES, TIME_LIMIT_S, Program, Routine, Run
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError

DEEPEST_RESULT = 16
LONGEST_DOWNLINK_BYTES = 242
"""LoRaWAN Regional Parameters RP002-1.0.4: the largest payload of any region and data rate."""
_CALLS_PER_CONTEXT = 20_000
_FRAMES_PER_CALL = 64
_VALUES_PER_CALL = 8192
_TIMEOUTS_BEFORE_REST = 3
_REST_S = 60.0
_LONGEST_HOLD_UP_S = 0.25
_OWN_SHARE = 0.8
_BESIDE_OTHERS = 8
_DECODE, _DECODE_NORMALIZED = -1, -2


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


class Downlink(msgspec.Struct, frozen=True):
    """What to send to a device."""

    f_port: int
    payload: bytes
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


class _Encoded(msgspec.Struct, rename={"f_port": "fPort"}):
    bytes: Any = None
    f_port: Any = None
    warnings: Any = None
    errors: Any = None
    fault: str = ""
    detail: str = ""


_read_answers = msgspec.json.Decoder(list[_Answer]).decode
_read_encoded = msgspec.json.Decoder(_Encoded).decode
_FAILED_CALL = (quickjs.JSException, quickjs.StackOverflow, msgspec.DecodeError, RecursionError)
_NO_JSON = (TypeError, ValueError, OverflowError, RecursionError)


class Codec:
    """One codec in a context of its own, which sees each frame as its first. Bound to its thread; does no I/O.

    A context lives until a fault or some thousand calls.
    """

    def __init__(
        self,
        source: str,
        ticks_s: Callable[[], float] = monotonic,
        *,
        needs: Routine | None = Routine.DECODE_UPLINK,
        normalizes: bool = False,
    ) -> None:
        """With `normalizes`, what its `normalizeUplink` makes of the decoded data is their member `normalized`.

        Raises InvalidCodec: the source does not run, or has no function of a known form.
        """
        self._ticks_s = ticks_s
        self._calls = 0
        self._timeouts = 0
        self._rests_until_s = 0.0
        try:
            self._program = Program(source)
        except _FAILED_CALL as error:
            raise InvalidCodec(f"the codec does not start: {_first_line(error)}") from None
        if needs is not None and not self.has(needs):
            raise InvalidCodec(f"the codec does not start: no function {_EXPECTED[needs]}")
        self._kind = _DECODE_NORMALIZED if normalizes and self.has(Routine.NORMALIZE_UPLINK) else _DECODE
        self._started: Run | None = None

    def has(self, routine: Routine) -> bool:
        return bool(self._program.found[routine].form)

    def decode(self, frames: Sequence[Uplink]) -> list[CodecResult]:
        """One result for each frame, in order."""
        results: list[CodecResult] = []
        for part in _portions(frames):
            results += self._decode_together(part)
        return results

    def encode_downlink(self, data: Mapping[str, Any]) -> Downlink | CodecFailure:
        """The frame that tells a device `data`, in the terms of its codec."""
        if not self.has(Routine.ENCODE_DOWNLINK):
            return CodecFailure(CodecFault.THREW, f"no function {_EXPECTED[Routine.ENCODE_DOWNLINK]}")
        answer = self.call(Routine.ENCODE_DOWNLINK, {"data": data})
        if isinstance(answer, CodecFailure):
            return answer
        try:
            return _judge_downlink(_read_encoded(answer))
        except _FAILED_CALL as error:
            return _classify(error)

    def call(self, routine: Routine, given: Mapping[str, Any]) -> str | CodecFailure:
        """What one routine answers to an input, as JSON."""
        if self._is_resting():
            return _RESTING
        try:
            written = msgspec.json.encode(given).decode()
        except _NO_JSON as error:
            return CodecFailure(CodecFault.BAD_RESULT, f"the input is no JSON: {_first_line(error)}")
        try:
            text = self._run(list(Routine).index(routine), written)
        except _FAILED_CALL as error:
            return self._after_failure(error)
        self._timeouts = 0
        if text.startswith('{"fault":'):
            return _judge_failure(_read_answers(f"[{text}]")[0])
        return text

    def release(self) -> None:
        """Give back its memory until the next call."""
        self._started = None

    def _run(self, *values: object) -> str:
        """The engine counts the CPU time of the whole process: where other threads used it up, the call gets more."""
        if self._started is None:
            self._calls = 0
            self._started = self._program.start()
        began_s = thread_time()
        try:
            return self._started(*values)
        except quickjs.JSException as error:
            if not _is_timeout(error) or thread_time() - began_s > TIME_LIMIT_S * _OWN_SHARE:
                raise
        self.release()
        return self._program.start(TIME_LIMIT_S * _BESIDE_OTHERS)(*values)

    def _is_resting(self) -> bool:
        return bool(self._rests_until_s) and self._ticks_s() < self._rests_until_s

    def _decode_together(self, frames: Sequence[Uplink]) -> list[CodecResult]:
        if self._is_resting():
            return [_RESTING] * len(frames)
        if self._calls >= _CALLS_PER_CONTEXT:
            self.release()
        try:
            answers = self._answer(frames)
        except _FAILED_CALL as error:
            if len(frames) > 1:
                self.release()
                return self._decode_alone(frames)
            return [self._after_failure(error)]
        self._timeouts = 0
        self._calls += len(frames)
        results = [_judge(answer) for answer in answers]
        if any(isinstance(one, CodecFailure) and one.fault is CodecFault.OUT_OF_MEMORY for one in results):
            self.release()
        return results

    def _answer(self, frames: Sequence[Uplink]) -> list[_Answer]:
        values: list[int | float] = []
        for frame in frames:
            payload = frame.payload
            values += (frame.f_port, frame.received_at / 1000, len(payload))
            values += payload
        return _read_answers(f"[{self._run(self._kind, *values)}]")

    def _after_failure(self, error: Exception) -> CodecFailure:
        self.release()
        failure = _classify(error)
        if failure.fault is CodecFault.TIMED_OUT:
            self._timeouts += 1
            if self._timeouts >= _TIMEOUTS_BEFORE_REST:
                self._rest()
        return failure

    def _decode_alone(self, frames: Sequence[Uplink]) -> list[CodecResult]:
        """One frame spoilt the call for all. A codec just under its time limit would still hold up everything else."""
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


_EXPECTED = {
    Routine.DECODE_UPLINK: "decodeUplink(input), Decode(fPort, bytes) or Decoder(bytes, port)",
    Routine.NORMALIZE_UPLINK: "normalizeUplink(input)",
    Routine.ENCODE_DOWNLINK: "encodeDownlink(input), Encode(fPort, data) or Encoder(data, port)",
    Routine.DECODE_DOWNLINK: "decodeDownlink(input)",
}
_RESTING = CodecFailure(CodecFault.RESTING, "the codec took too long again and again")


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


def _is_timeout(error: Exception) -> bool:
    return _first_line(error) == "InternalError: interrupted"


def _classify(error: Exception) -> CodecFailure:
    line = _first_line(error)
    if isinstance(error, RecursionError):
        return CodecFailure(CodecFault.BAD_RESULT, "the codec returned too deep a structure")
    if isinstance(error, msgspec.DecodeError):
        return CodecFailure(CodecFault.BAD_RESULT, line)
    if _is_timeout(error):
        return CodecFailure(CodecFault.TIMED_OUT, f"longer than {TIME_LIMIT_S * 1000:.0f} ms")
    if "out of memory" in line:
        return CodecFailure(CodecFault.OUT_OF_MEMORY, f"more than {MEMORY_LIMIT_BYTES >> 20} MiB")
    return CodecFailure(CodecFault.THREW, line)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:500]


def _judge(answer: _Answer) -> CodecResult:
    if answer.fault or answer.errors:
        return _judge_failure(answer)
    data = answer.data
    if type(data) is not dict:
        return CodecFailure(CodecFault.BAD_RESULT, "the codec returned no data object")
    for value in data.values():
        kind = type(value)
        if (kind is dict or kind is list) and _is_too_deep(value, DEEPEST_RESULT - 1):
            return CodecFailure(CodecFault.BAD_RESULT, "the codec returned too deep a structure")
    return Decoded(data, _warnings(answer.warnings))


def _judge_failure(answer: _Answer | _Encoded) -> CodecFailure:
    if answer.fault:
        return CodecFailure(_fault(answer.fault), answer.detail)
    return CodecFailure(CodecFault.REPORTED_ERRORS, _joined(answer.errors))


def _judge_downlink(answer: _Encoded) -> Downlink | CodecFailure:
    if answer.fault or answer.errors:
        return _judge_failure(answer)
    payload = _payload(answer.bytes)
    if payload is None:
        return CodecFailure(CodecFault.BAD_RESULT, "the codec returned no list of bytes")
    if len(payload) > LONGEST_DOWNLINK_BYTES:
        return CodecFailure(CodecFault.BAD_RESULT, f"{len(payload)} bytes are more than a frame can carry")
    f_port = 1 if answer.f_port is None else answer.f_port
    if not isinstance(f_port, int) or not 1 <= f_port <= 223:
        return CodecFailure(CodecFault.BAD_RESULT, f"{str(f_port)[:20]} is no port of an application (1 to 223)")
    return Downlink(f_port, payload, _warnings(answer.warnings))


def _payload(value: Any) -> bytes | None:
    """Of a list; a typed array and a Buffer are objects once they are JSON."""
    if isinstance(value, dict):
        value = value["data"] if value.get("type") == "Buffer" else list(value.values())
    if not isinstance(value, list) or not all(type(one) is int and 0 <= one <= 255 for one in value):
        return None
    return bytes(value)


def _warnings(given: Any) -> tuple[str, ...]:
    return tuple(map(str, given[:20])) if isinstance(given, list) else ()


def _fault(name: str) -> CodecFault:
    return CodecFault[name] if name in CodecFault.__members__ else CodecFault.BAD_RESULT


def _joined(errors: Any) -> str:
    return "; ".join(map(str, errors[:10]))[:500] if isinstance(errors, list) else str(errors)[:500]


def _is_too_deep(value: Any, allowed: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return allowed == 0 or any(_is_too_deep(one, allowed - 1) for one in members)
