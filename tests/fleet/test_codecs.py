"""What the engine allows a codec to do, and what it does not."""

import time

import pytest

from parvis.fleet import codecs
from parvis.fleet.codecs import Codec, CodecFailure, CodecFault, CodecResult, Decoded, InvalidCodec
from parvis.fleet.uplink import Uplink

AT = 1_700_000_000_123_000


def frame(payload: bytes = b"\x01\x02", f_port: int = 7) -> Uplink:
    return Uplink("0101010101010101", payload, f_port, 0, AT)


def run(body: str, payload: bytes = b"\x01\x02") -> CodecResult:
    (result,) = Codec(f"function decodeUplink(input) {{ {body} }}").decode([frame(payload)])
    return result


def fault(body: str) -> CodecFault:
    result = run(body)
    assert isinstance(result, CodecFailure), result
    return result.fault


@pytest.mark.parametrize(
    "source",
    [
        "function decodeUplink(input) { return {data: {sum: input.bytes[0] + input.bytes[1], port: input.fPort}}; }",
        "const decodeUplink = ({bytes, fPort}) => ({data: {sum: bytes[0] + bytes[1], port: fPort}});",
        "exports.decodeUplink = (i) => ({data: {sum: i.bytes[0] + i.bytes[1], port: i.fPort}});",
        "module.exports = {decodeUplink: (i) => ({data: {sum: i.bytes[0] + i.bytes[1], port: i.fPort}})};",
        "function Decode(fPort, bytes, variables) { return {sum: bytes[0] + bytes[1], port: fPort}; }",
        "function Decoder(bytes, port) { return {sum: bytes[0] + bytes[1], port: port}; }",
    ],
)
def test_the_published_forms_of_a_codec_run(source: str) -> None:
    assert Codec(source).decode([frame()]) == [Decoded({"sum": 3, "port": 7})]


def test_the_time_of_reception_is_a_date() -> None:
    assert run("return {data: {t: input.recvTime.toISOString()}};") == Decoded({"t": "2023-11-14T22:13:20.123Z"})


def test_warnings_come_with_the_data() -> None:
    assert run("return {data: {v: 1}, warnings: ['battery low']};") == Decoded({"v": 1}, ("battery low",))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("while (true) {}", CodecFault.TIMED_OUT),
        ("try { while (true) {} } catch (e) { return {data: {}}; }", CodecFault.TIMED_OUT),
        ("return {data: {v: /^(a+)+$/.test('a'.repeat(60) + '!')}};", CodecFault.TIMED_OUT),
        ("const a = []; while (true) a.push(new Array(10000).fill(1));", CodecFault.OUT_OF_MEMORY),
        ("function f() { return f() + 1; } return {data: {v: f()}};", CodecFault.THREW),
        ("throw new Error('no');", CodecFault.THREW),
        ("throw null;", CodecFault.THREW),
        ("return missing.value;", CodecFault.THREW),
        ("return 5;", CodecFault.BAD_RESULT),
        ("return [];", CodecFault.BAD_RESULT),
        ("return undefined;", CodecFault.BAD_RESULT),
        ("return null;", CodecFault.BAD_RESULT),
        ("return {};", CodecFault.BAD_RESULT),
        ("return {data: 5};", CodecFault.BAD_RESULT),
        ("return {data: {v: NaN}};", CodecFault.BAD_RESULT),
        ("return {data: {v: {w: [1 / 0]}}};", CodecFault.BAD_RESULT),
        ("return {data: {v: 'x'.repeat(40000)}};", CodecFault.BAD_RESULT),
        ("return {data: {v: '\\ud800'}};", CodecFault.BAD_RESULT),
        ("const d = {}; d.d = d; return {data: d};", CodecFault.BAD_RESULT),
        ("let d = {}; for (let i = 0; i < 20; i++) d = {d}; return {data: d};", CodecFault.BAD_RESULT),
        ("return {data: {}, errors: ['too short']};", CodecFault.REPORTED_ERRORS),
    ],
)
def test_a_codec_that_misbehaves_is_named_for_it(body: str, expected: CodecFault) -> None:
    began = time.perf_counter()
    assert fault(body) is expected
    assert time.perf_counter() - began < 2


def test_null_is_a_value_that_is_not_there_and_no_fault() -> None:
    assert run("return {data: {v: null, w: 1}};") == Decoded({"v": None, "w": 1})


def test_one_bad_frame_spoils_no_other() -> None:
    codec = Codec("function decodeUplink(i) { while (i.bytes[0] === 66) {} return {data: {v: i.bytes[0]}}; }")
    results = codec.decode([frame(bytes([value])) for value in (65, 66, 67)])
    assert results[0] == Decoded({"v": 65})
    assert isinstance(results[1], CodecFailure)
    assert results[1].fault is CodecFault.TIMED_OUT
    assert results[2] == Decoded({"v": 67})


def test_after_a_fault_the_codec_starts_afresh() -> None:
    source = (
        "var seen = 0; function decodeUplink(i) { seen++; if (i.bytes[0] > 1) while (true) {} return {data: {seen}}; }"
    )
    codec = Codec(source)
    assert codec.decode([frame(b"\1"), frame(b"\1")]) == [Decoded({"seen": 1}), Decoded({"seen": 2})]
    codec.decode([frame(b"\2")])
    assert codec.decode([frame(b"\1")]) == [Decoded({"seen": 1})]


def test_a_context_does_not_live_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_CALLS_PER_CONTEXT", 3)
    codec = Codec("var seen = 0; function decodeUplink(i) { return {data: {seen: ++seen}}; }")
    seen = [codec.decode([frame()])[0] for _ in range(5)]
    assert seen == [Decoded({"seen": n}) for n in (1, 2, 3, 1, 2)]


def test_a_codec_that_times_out_again_and_again_rests_for_a_while() -> None:
    now_s = [100.0]
    codec = Codec("function decodeUplink(i) { while (i.bytes[0]) {} return {data: {v: 1}}; }", lambda: now_s[0])
    results = [codec.decode([frame(b"\1")])[0] for _ in range(4)]
    faults = [one.fault for one in results if isinstance(one, CodecFailure)]
    assert faults == [CodecFault.TIMED_OUT] * 3 + [CodecFault.RESTING]
    now_s[0] += 61
    assert codec.decode([frame(b"\0")]) == [Decoded({"v": 1})]


def test_a_codec_just_under_its_time_limit_rests_too() -> None:
    codec = Codec(
        "function decodeUplink(i) { const t = Date.now(); while (Date.now() - t < 25) {} return {data: {}}; }"
    )
    began = time.perf_counter()
    results = codec.decode([frame()] * 64)
    assert time.perf_counter() - began < 1
    assert isinstance(results[0], Decoded)
    assert isinstance(results[-1], CodecFailure)
    assert results[-1].fault is CodecFault.RESTING


def test_many_long_frames_are_decoded_in_portions() -> None:
    codec = Codec("function decodeUplink(i) { return {data: {n: i.bytes.length, first: i.bytes[0]}}; }")
    frames = [frame(bytes([n]) * 240) for n in range(200)]
    assert codec.decode(frames) == [Decoded({"n": 240, "first": n}) for n in range(200)]


def test_a_codec_reaches_nothing_outside() -> None:
    names = ["require", "process", "fetch", "XMLHttpRequest", "std", "os", "Deno", "setTimeout"]
    result = run(f"return {{data: {{found: {names}.filter((n) => typeof globalThis[n] !== 'undefined')}}}};")
    assert result == Decoded({"found": []})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("function (", "SyntaxError"),
        ("while (true) {}", "interrupted"),
        ("var x = 1;", "no function decodeUplink"),
        ("throw new Error('at load')", "at load"),
    ],
)
def test_a_codec_that_cannot_start_says_why(source: str, expected: str) -> None:
    with pytest.raises(InvalidCodec, match=expected):
        Codec(source)


def test_tampering_with_the_language_harms_only_the_codec_itself() -> None:
    source = """
    JSON.stringify = () => "{}"; Date = null; Number.isFinite = () => true;
    function decodeUplink(i) { return {data: {v: i.recvTime.getTime()}}; }
    """
    assert Codec(source).decode([frame()]) == [Decoded({"v": AT // 1000})]
