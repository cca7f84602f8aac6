"""What the engine allows a codec to do, and what it does not."""

import hashlib
import threading
import time

import pytest

from parvis.fleet.codecs import codec as codecs
from parvis.fleet.codecs.codec import Codec, CodecFailure, CodecFault, CodecResult, Decoded, Downlink, InvalidCodec
from parvis.fleet.codecs.program import Routine
from parvis.fleet.model.uplink import Uplink

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
        ("throw undefined;", CodecFault.THREW),
        ("return missing.value;", CodecFault.THREW),
        ("return 5;", CodecFault.BAD_RESULT),
        ("return [];", CodecFault.BAD_RESULT),
        ("return undefined;", CodecFault.BAD_RESULT),
        ("return null;", CodecFault.BAD_RESULT),
        ("return {};", CodecFault.BAD_RESULT),
        ("return {data: 5};", CodecFault.BAD_RESULT),
        ("return {data: {v: 'x'.repeat(80000)}};", CodecFault.BAD_RESULT),
        ("return {data: {v: '\\ud800'}};", CodecFault.BAD_RESULT),
        ("const d = {}; d.d = d; return {data: d};", CodecFault.BAD_RESULT),
        ("let d = {}; for (let i = 0; i < 20; i++) d = {d}; return {data: d};", CodecFault.BAD_RESULT),
        ("let d = []; for (let i = 0; i < 1500; i++) d = [d]; return {data: {d}};", CodecFault.BAD_RESULT),
        ("let d = []; for (let i = 0; i < 30000; i++) d = [d]; return {data: {d}};", CodecFault.BAD_RESULT),
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


def test_each_frame_is_the_first_that_the_codec_sees() -> None:
    """The Things Stack and ChirpStack start a codec anew for each frame, and codecs count on it."""
    source = """
    var seen = 0, collected = {}; let first;
    function decodeUplink(input) {
      seen++; leaked = typeof leaked === "undefined" ? 1 : leaked + 1; first = first || input.bytes[0];
      collected["v" + input.bytes[0]] = 1;
      return {data: {seen, leaked, first, collected}};
    }
    """
    expected = [{"seen": 1, "leaked": 1, "first": n, "collected": {f"v{n}": 1}} for n in (1, 2, 3)]
    assert Codec(source).decode([frame(bytes([n])) for n in (1, 2, 3)]) == [Decoded(one) for one in expected]


def test_a_context_does_not_live_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_CALLS_PER_CONTEXT", 3)
    codec = Codec("function decodeUplink(i) { Math.seen = (Math.seen || 0) + 1; return {data: {seen: Math.seen}}; }")
    seen = [codec.decode([frame()])[0] for _ in range(5)]
    assert seen == [Decoded({"seen": n}) for n in (1, 2, 3, 1, 2)]


def test_what_a_codec_takes_is_given_back() -> None:
    codec = Codec("function decodeUplink(i) { Math.seen = (Math.seen || 0) + 1; return {data: {seen: Math.seen}}; }")
    assert codec.decode([frame()] * 2) == [Decoded({"seen": 1}), Decoded({"seen": 2})]
    codec.release()
    assert codec.decode([frame()]) == [Decoded({"seen": 1})]


def test_time_that_other_threads_take_is_not_the_codecs() -> None:
    """The engine counts the CPU time of the process."""
    codec = Codec("function decodeUplink(i) { let n = 0; for (let k = 0; k < 4e5; k++) n += k; return {data: {n}}; }")
    stop = threading.Event()

    def be_busy() -> None:
        while not stop.is_set():
            hashlib.pbkdf2_hmac("sha256", b"x", b"y", 20_000)

    threads = [threading.Thread(target=be_busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        results = [codec.decode([frame()])[0] for _ in range(10)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(isinstance(one, Decoded) for one in results)


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
    names = ["process", "fetch", "XMLHttpRequest", "std", "os", "Deno", "setTimeout", "navigator", "WebAssembly"]
    result = run(f"return {{data: {{found: {names}.filter((n) => typeof globalThis[n] !== 'undefined')}}}};")
    assert result == Decoded({"found": []})


@pytest.mark.parametrize("name", ["fs", "child_process", "net", "node:http", "./parsers", "crypto"])
def test_modules_that_do_more_than_hold_bytes_are_not_there(name: str) -> None:
    result = run(f"return {{data: {{v: require('{name}')}}}};")
    assert result == CodecFailure(CodecFault.THREW, f"Cannot find module '{name}'")


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


ENCODER = """
function decodeUplink(input) { return {data: {}}; }
function encodeDownlink(input) {
  if (input.data.minutes > 255) return {errors: ["too long an interval"]};
  return {fPort: 3, bytes: [1, input.data.minutes], warnings: input.data.minutes < 5 ? ["drains the battery"] : []};
}
"""


def test_a_command_becomes_a_frame_for_the_device() -> None:
    codec = Codec(ENCODER)
    assert codec.encode_downlink({"minutes": 10}) == Downlink(3, b"\x01\x0a")
    assert codec.encode_downlink({"minutes": 1}) == Downlink(3, b"\x01\x01", ("drains the battery",))
    assert codec.encode_downlink({"minutes": 999}) == CodecFailure(CodecFault.REPORTED_ERRORS, "too long an interval")


@pytest.mark.parametrize(
    "encoder",
    [
        "function encodeDownlink(i) { return {bytes: [1, i.data.v]}; }",
        "function encodeDownlink(i) { return {fPort: 1, bytes: new Uint8Array([1, i.data.v])}; }",
        "function encodeDownlink(i) { return {fPort: 1, bytes: Buffer.from([1, i.data.v])}; }",
        "function Encode(fPort, obj, variables) { return [1, obj.v]; }",
        "function Encoder(object, port) { return [1, object.v]; }",
        "exports.encodeDownlink = (i) => ({bytes: [1, i.data.v]});",
    ],
)
def test_the_published_forms_of_an_encoder_run(encoder: str) -> None:
    assert Codec(encoder, needs=Routine.ENCODE_DOWNLINK).encode_downlink({"v": 7}) == Downlink(1, b"\x01\x07")


@pytest.mark.parametrize(
    "returned",
    [
        "{bytes: [256]}", "{bytes: [-1]}", "{bytes: [1.5]}", "{bytes: ['1']}", "{bytes: 'ff'}", "{}", "5", "null",
        "{bytes: [1], fPort: 0}", "{bytes: [1], fPort: 224}", "{bytes: [1], fPort: 'a'}",
        "{bytes: new Array(300).fill(0)}",
    ],
)  # fmt: skip
def test_what_can_be_no_frame_is_not_sent(returned: str) -> None:
    codec = Codec(f"function encodeDownlink(i) {{ return {returned}; }}", needs=Routine.ENCODE_DOWNLINK)
    result = codec.encode_downlink({})
    assert isinstance(result, CodecFailure)
    assert result.fault is CodecFault.BAD_RESULT


def test_a_codec_without_an_encoder_says_so() -> None:
    codec = Codec("function decodeUplink(input) { return {data: {}}; }")
    assert codec.encode_downlink({}) == CodecFailure(
        CodecFault.THREW, "no function encodeDownlink(input), Encode(fPort, data) or Encoder(data, port)"
    )


@pytest.mark.parametrize("data", [{"v": object()}, {"v": "\ud800"}, {"v": {1, 2}}])
def test_what_is_no_json_cannot_be_sent(data: dict[str, object]) -> None:
    result = Codec(ENCODER).encode_downlink(data)
    assert isinstance(result, CodecFailure)
    assert result.fault is CodecFault.BAD_RESULT


@pytest.mark.parametrize(
    "made", ["'\\ud800'", "(() => { let d = []; for (let i = 0; i < 1500; i++) d = [d]; return d; })()"]
)
def test_an_answer_that_cannot_be_read_is_a_bad_result(made: str) -> None:
    source = f"function encodeDownlink(i) {{ return {{bytes: [1], x: 1, warnings: [{made}]}}; }}"
    result = Codec(source, needs=None).encode_downlink({})
    assert isinstance(result, CodecFailure)
    assert result.fault is CodecFault.BAD_RESULT


def test_an_encoder_that_hangs_is_stopped_and_rests() -> None:
    codec = Codec("function encodeDownlink(i) { while (true) {} }", needs=Routine.ENCODE_DOWNLINK)
    faults = [codec.encode_downlink({}) for _ in range(4)]
    assert [one.fault for one in faults if isinstance(one, CodecFailure)] == [
        *[CodecFault.TIMED_OUT] * 3,
        CodecFault.RESTING,
    ]


def test_normalized_measurements_come_with_the_data_where_that_is_asked_for() -> None:
    source = """
    function decodeUplink(input) { return {data: {raw: input.bytes[0]}, warnings: ["w"]}; }
    function normalizeUplink(input) {
      if (input.data.raw === 0) return {data: [{air: {temperature: 1}}, {air: {temperature: 2}}]};
      if (input.data.raw === 9) return {errors: ["nine"]};
      if (input.data.raw === 8) throw new Error("eight");
      return {data: {air: {temperature: input.data.raw / 2}}};
    }
    """
    two = [{"air": {"temperature": 1}}, {"air": {"temperature": 2}}]
    codec = Codec(source, normalizes=True)
    assert codec.decode([frame(bytes([n])) for n in (5, 0, 8, 9)]) == [
        Decoded({"raw": 5, "normalized": {"air": {"temperature": 2.5}}}, ("w",)),
        Decoded({"raw": 0, "normalized": {"measurements": two}}, ("w",)),
        Decoded({"raw": 8}, ("w", "eight")),
        Decoded({"raw": 9}, ("w", "nine")),
    ]
    assert Codec(source).decode([frame(b"\x05")]) == [Decoded({"raw": 5}, ("w",))]
