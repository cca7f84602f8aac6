"""Whatever is written on the codec bench is read, or refused in words."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import FormData

from parvis.fleet.profiles.mapping import AttributeRule
from parvis.web.console.codecs import RULE_FIELDS, Bench, Unreadable, bench_of, payload_of, port_of, rules_of, written
from parvis.web.wording import wording

WORDS = wording("en", "UTC")
NUMBERS = st.floats(-1e6, 1e6).map(lambda number: float(f"{number:.6g}"))
RULES = st.builds(
    AttributeRule,
    field=st.from_regex(r"[a-z][a-z_.]{0,9}", fullmatch=True),
    name=st.from_regex(r"[a-z][A-Za-z]{0,9}", fullmatch=True),
    scale=NUMBERS,
    offset=NUMBERS,
    unit_code=st.sampled_from(["", "CEL", "C62"]),
    kind=st.sampled_from(["Property", "Relationship", "GeoProperty"]),
    minimum=st.none() | NUMBERS,
    maximum=st.none() | NUMBERS,
)


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(["hex", "base64"]), st.text(max_size=8), st.text(max_size=12))
def test_no_text_is_too_strange(payload: str, form: str, port: str, number: str) -> None:
    rule = {**dict.fromkeys(RULE_FIELDS, ""), "field": "a", "scale": number}
    bench = bench_of(FormData({"payload": payload, "format": form, "f_port": port, **rule}))
    assert len(bench.rules) == 1
    for read in (payload_of, port_of, rules_of):
        with suppress(Unreadable):
            read(bench, WORDS)


@settings(max_examples=60)
@given(st.binary(min_size=1, max_size=40), st.sampled_from([" ", ":", "-", ""]))
def test_a_frame_is_read_however_its_bytes_are_parted(payload: bytes, between: str) -> None:
    text = between.join(f"{byte:02X}" for byte in payload)
    assert payload_of(Bench(text), WORDS) == payload


@settings(max_examples=60)
@given(st.lists(RULES, max_size=4))
def test_rules_come_back_from_the_form_as_they_were(rules: list[AttributeRule]) -> None:
    assert rules_of(Bench(rules=tuple(map(written, rules))), WORDS) == rules
