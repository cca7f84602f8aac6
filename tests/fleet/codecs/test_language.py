"""What codecs are written in: old and sloppy JavaScript, with what they expect of Node."""

import json
import time
from collections.abc import Iterator

import pytest

from parvis.fleet.codecs.codec import Codec, Decoded
from parvis.fleet.codecs.program import Routine
from parvis.fleet.model.uplink import Uplink

AT = 1_700_000_000_123_000
FRAME = Uplink("0101010101010101", b"\x01\x02\xff", 7, 0, AT)


def decode(source: str) -> object:
    (result,) = Codec(source).decode([FRAME])
    return result.data if isinstance(result, Decoded) else result


def value(expression: str) -> object:
    data = decode(
        f"function decodeUplink(input) {{ const bytes = input.bytes; return {{data: {{v: {expression}}}}}; }}"
    )
    return data["v"] if isinstance(data, dict) else data


@pytest.mark.parametrize(
    "source",
    [
        "function decodeUplink(input) { v = input.bytes[0]; return {data: {v: v}}; }",
        "function decodeUplink(input) { with (input) { return {data: {v: bytes[0]}}; } }",
        "function decodeUplink(input) { return {data: {v: input.bytes[0] * 010 / 8}}; }",
        "<!-- old\nfunction decodeUplink(input) { return {data: {v: input.bytes[0]}}; }\n--> end",
        "function decodeUplink(i) { return this.first(i.bytes); }\nfunction first(b) { return {data: {v: b[0]}}; }",
        "var K = 1; function decodeUplink(input) { return {data: {v: globalThis.K}}; }",
        "this.decodeUplink = function (input) { return {data: {v: input.bytes[0]}}; };",
        "(function (root, make) { root.decodeUplink = make(); })(this, () => (i) => ({data: {v: i.bytes[0]}}));",
        "var driver = {decodeUplink: (i) => ({data: {v: i.bytes[0]}})};",
        "'use strict'; const decodeUplink = (i) => ({data: {v: i.bytes[0]}}); module.exports = {decodeUplink};",
        "export function decodeUplink(input) { return {data: {v: input.bytes[0]}}; }",
        "export const decodeUplink = (input) => ({data: {v: input.bytes[0]}});",
        "function own(input) { return {data: {v: input.bytes[0]}}; }\nexport { own as decodeUplink };",
        "import { x } from './x';\nexport default {decodeUplink: (i) => ({data: {v: i.bytes[0]}})};",
        "\ufefffunction decodeUplink(input) { return {data: {v: input.bytes[0]}}; }",
        "#!/usr/bin/env node\nfunction decodeUplink(input) { return {data: {v: input.bytes[0]}}; }",
        "function decodeUplink(input) { return {data: {v: input.bytes[0]}}; } // the end",
        "function Decoder(b, port) { return {v: b[0]}; }",
        "function Decode(fPort, b) { return {v: b[0]}; }",
        "exports.Decoder = function (b, port) { return {v: b[0]}; };",
        "function rakSensorDataDecode(hex) { return {v: parseInt(hex.slice(0, 2), 16)}; }",
        "function decodeUplink(input) { console.log(input); console.table([]); return {data: {v: input.bytes[0]}}; }",
        "function decodeUplink(input) { return {data: {v: input.bytes[0], gone: undefined, f: function () {}}}; }",
        "function Buffer(size) { this.v = size; } function decodeUplink(i) { return {data: {v: new Buffer(1).v}}; }",
        "const {Buffer} = require('buffer'); function decodeUplink(i) { return {data: {v: Buffer.from([1])[0]}}; }",
    ],
)
def test_a_codec_runs_however_it_was_written(source: str) -> None:
    assert decode(source) == {"v": 1}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("NaN", None),
        ("1 / 0", None),
        ("[1, undefined, NaN]", [1, None, None]),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new Uint8Array([1, 2])", {"0": 1, "1": 2}),
        ("10n", 10),
        ("[2n ** 40n]", [1099511627776]),
        ("-0", 0),
        ("({b: 1, a: 2})", {"b": 1, "a": 2}),
        ("input.recvTime", "2023-11-14T22:13:20.123Z"),
        ("input.recvTime.getTime()", AT // 1000),
        ("input.recvTime instanceof Date", True),
        ("new Date(input.recvTime).getUTCFullYear()", 2023),
        ("input.recvTime.split('T')[0]", "2023-11-14"),
        ("input.recvTime.substring(0, 4)", "2023"),
        ("input.variables", {}),
    ],
)
def test_results_are_what_json_makes_of_them(expression: str, expected: object) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Buffer.from(bytes).toString('hex')", "0102ff"),
        ("Buffer.from(bytes).readUInt16BE(0)", 258),
        ("Buffer.from(bytes).readUInt16LE()", 513),
        ("Buffer.from(bytes).readInt8(2)", -1),
        ("Buffer.from(bytes).readUint8(2)", 255),
        ("Buffer.from(bytes).readUIntBE(0, 3)", 66303),
        ("Buffer.from(bytes).readIntLE(0, 3)", -65023),
        ("Buffer.from('0000803f', 'hex').readFloatLE(0)", 1),
        ("Buffer.from('3ff0000000000000', 'hex').readDoubleBE(0)", 1),
        ("Buffer.from('AQID', 'base64').toJSON()", {"type": "Buffer", "data": [1, 2, 3]}),
        ("Buffer.from([251, 255]).toString('base64url')", "-_8"),
        ("Buffer.from('0102zz03', 'hex').length", 2),
        ("Buffer.from('h\u00e9llo').toString('hex')", "68c3a96c6c6f"),
        ("Buffer.from('68c3a9', 'hex').toString()", "h\u00e9"),
        ("Buffer.from([0xff, 0x41]).toString('utf8')", "\ufffdA"),
        ("Buffer.from([0xe9]).toString('latin1')", "\u00e9"),
        ("new Buffer([1, 2]).slice(1)[0]", 2),
        ("Buffer('ab').length", 2),
        ("Buffer.isBuffer(Buffer.alloc(2, 1))", True),
        ("Buffer.concat([Buffer.from([1]), Buffer.from([2])]).toString('hex')", "0102"),
        ("Buffer.from([3, 1, 2]).reverse().toString('hex')", "020103"),
        ("Buffer.from([1, 2, 3, 4]).swap16().toString('hex')", "02010403"),
        ("(() => { const b = Buffer.alloc(4); b.writeInt16BE(-2, 1); return b.toString('hex'); })()", "00fffe00"),
        ("(() => { const b = Buffer.alloc(2); const s = b.slice(1); s[0] = 9; return b[1]; })()", 9),
        ("Buffer.from('abcabc').indexOf('ca')", 2),
        ("(() => { try { Buffer.from([1]).readUInt16BE(0); } catch (e) { return e.name; } })()", "RangeError"),
        ("(() => { try { Buffer.from([1, 2]).readUInt8(5); } catch (e) { return e.code; } })()", "ERR_OUT_OF_RANGE"),
        ("new TextDecoder().decode(new Uint8Array([0xe2, 0x82, 0xac]))", "\u20ac"),
        ("Array.from(new TextEncoder().encode('\u20ac'))", [0xE2, 0x82, 0xAC]),
        ("new TextDecoder('latin1').decode(new Uint8Array([0xe9]))", "\u00e9"),
        ("atob('AQI=').charCodeAt(1)", 2),
        ("btoa('\x01\x02')", "AQI="),
        ("(1234567.891).toLocaleString()", "1,234,567.891"),
        ("new Date(0).toLocaleString('en-GB').slice(0, 10)", "01/01/1970"),
    ],
)
def test_what_codecs_expect_of_node_is_there(expression: str, expected: object) -> None:
    """The values are Node's (20)."""
    assert value(expression) == expected


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("new Date(0).getHours()", 0),
        ("new Date(2024, 6, 1, 12).toISOString()", "2024-07-01T12:00:00.000Z"),
        ("new Date('2024-07-01T12:00:00').toISOString()", "2024-07-01T12:00:00.000Z"),
        ("new Date('2024-07-01 12:00').getTime()", 1719835200000),
        ("new Date('2024-07-01T12:00:00+02:00').getTime()", 1719828000000),
        ("new Date('2024-07-01').getTime()", 1719792000000),
        ("Date.parse('2024-07-01T12:00:00Z')", 1719835200000),
        ("(() => { const d = new Date(0); d.setHours(5, 30); return d.toISOString(); })()", "1970-01-01T05:30:00.000Z"),
        ("new Date(new Date(7)).getTime()", 7),
        ("new Date(2024, 0, 31).getTimezoneOffset()", 0),
        ("String(new Date(1719835200000))", "Mon Jul 01 2024 12:00:00 GMT+0000 (Coordinated Universal Time)"),
        ("new Date(1719835200000).toLocaleString()", "7/1/2024, 12:00:00 PM"),
        ("typeof Date()", "string"),
        ("isNaN(new Date('nonsense'))", True),
        ("new Date() instanceof Date && Math.abs(new Date() - Date.now()) < 1000", True),
        ("class_()", 2024),
        ("input.recvTime.getHours()", 22),
        ("JSON.stringify({d: new Date(0)})", '{"d":"1970-01-01T00:00:00.000Z"}'),
    ],
)
@pytest.mark.usefixtures("far_from_greenwich")
def test_local_time_is_utc_wherever_the_machine_stands(expression: str, expected: object) -> None:
    """The values are Node's with TZ=UTC."""
    own = "class Own extends Date {} function class_() { return new Own(2024, 0, 1).getFullYear(); }"
    data = decode(f"{own} function decodeUplink(input) {{ return {{data: {{v: {expression}}}}}; }}")
    assert data == {"v": expected}


def test_keys_keep_their_order() -> None:
    answer = Codec("function decodeUplink(i) { return {data: {z: 1, a: 2, m: 3}}; }").call(
        Routine.DECODE_UPLINK, {"bytes": [], "fPort": 1}
    )
    assert isinstance(answer, str)
    assert list(json.loads(answer)["data"]) == ["z", "a", "m"]


def test_an_examples_time_may_be_text() -> None:
    codec = Codec("function decodeUplink(i) { return {data: {t: i.recvTime, y: i.recvTime.getUTCFullYear()}}; }")
    answer = codec.call(Routine.DECODE_UPLINK, {"bytes": [], "recvTime": "2023-07-19T07:51:25.508306410Z"})
    assert answer == '{"data":{"t":"2023-07-19T07:51:25.508306410Z","y":2023}}'
