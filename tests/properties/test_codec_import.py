"""Whatever lies in a device repository is read, or told to be unreadable; whatever a codec is, it harms nobody."""

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from parvis.fleet.codecs.codec import Codec, CodecFailure, Decoded, Downlink, InvalidCodec
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.imports.guess import draft_mapping
from parvis.fleet.profiles.imports.yaml12 import UnreadableFile, read_yaml
from tests.strategies import documents

values = documents(st.text(max_size=12), nan=False)
TOKENS = [
    "function ", "decodeUplink", "encodeDownlink", "(", ")", "{", "}", "[", "]", "input", ".bytes", "[0]", "return ",
    "data", ":", ";", ",", "=>", "=", "1", "'x'", "`", "/", "*", "while(1)", "throw ", "null", "new ", "Buffer",
    "export ", "default ", "import ", "this", "globalThis", "delete ", "async ", "await ", "yield ", "\n", "//",
    "class ", "Object.freeze(globalThis)", "JSON", "Array.prototype", "Symbol.iterator", "module.exports", "get ",
    "Proxy",
]  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=200) | st.binary(max_size=200))
@example("a: *x")
@example("? [a, b]: c")
@example("{[]: 1}")
@example("a: 99999-99-99")
@example("a: 0b2")
@example("- " * 100)
@example("a: " + "[" * 400 + "]" * 400)
@example("a: " + "[" * 5000 + "]" * 5000)
def test_any_file_is_a_mapping_or_unreadable(content: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        path.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
        with suppress(UnreadableFile):
            assert isinstance(read_yaml(path), dict)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(TOKENS), max_size=25).map("".join), st.binary(max_size=20))
@example("function decodeUplink(i) { return i; }}, {", b"")
@example("});(function () {", b"")
@example("return ", b"")
@example("return [true]", b"")
@example("return new Array(99).fill(true)", b"")
@example("return {toJSON() { throw 1; }}", b"")
@example("Object.freeze(globalThis); function decodeUplink(i) { return {data: {}}; }", b"")
@example("Object.defineProperty(globalThis, 'x', {enumerable: true, value: 1}); var decodeUplink = () => ({});", b"")
@example("var decodeUplink = new Proxy(function () {}, {apply() { throw this; }});", b"")
@example("function decodeUplink() { return {data: new Proxy({}, {ownKeys() { throw null; }})}; }", b"")
@example("function decodeUplink() { return {data: {toJSON() { while (1); }}}; }", b"")
@example("function decodeUplink() { return {get data() { throw {get message() { throw 1; }}; }}; }", b"")
def test_any_script_gives_results_or_failures_only(source: str, payload: bytes) -> None:
    try:
        codec = Codec(source, needs=None)
    except InvalidCodec:
        return
    for result in codec.decode([Uplink("0" * 16, payload, 1, 0, 0)] * 2):
        assert isinstance(result, Decoded | CodecFailure)
    assert isinstance(codec.encode_downlink({"a": 1}), Downlink | CodecFailure)


@given(st.lists(st.dictionaries(st.text(max_size=12), values, max_size=5), max_size=4))
def test_any_decoded_data_give_a_draft_whose_rules_lead_to_their_fields(frames: list[dict[str, object]]) -> None:
    draft = draft_mapping(frames)
    assert len({rule.name for rule in draft.rules}) == len(draft.rules)
    assert all(rule.field for rule in draft.rules)
