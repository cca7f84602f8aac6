"""Mappings of documents: what is packaged holds, and what is hostile does no harm."""

import pytest

from parvis.fleet.documents.expressions import Expression, ExpressionFailed, InvalidExpression
from parvis.fleet.documents.mapping import (
    PACKAGED_MAPPINGS,
    DocumentMapping,
    Header,
    MappingDocument,
    Rules,
    Unread,
    load_mappings,
)
from parvis.kernel.time import parse_instant


def test_the_packaged_mappings_hold_their_examples() -> None:
    mappings = load_mappings([PACKAGED_MAPPINGS])
    assert {"plain", "sigfox", "nbiot-operator", "dragino-nb", "vega-nb", "traccar"} <= mappings.keys()
    assert all(mapping.examples for mapping in mappings.values())


def read(rules: Rules, item: object) -> object:
    return DocumentMapping(MappingDocument(Header("m", "M"), rules)).read_item(item, 0, "abcd")


@pytest.mark.parametrize(
    ("told", "unit", "moment"),
    [
        (1571227504, "auto", "2019-10-16T12:05:04Z"),
        (1571227504123, "auto", "2019-10-16T12:05:04.123Z"),
        (1571227504123456, "auto", "2019-10-16T12:05:04.123456Z"),
        ("1571227504.5", "auto", "2019-10-16T12:05:04.5Z"),
        (1571227504000, "ms", "2019-10-16T12:05:04Z"),
        ("2018-09-14T15:34:17.000+0000", "auto", "2018-09-14T15:34:17Z"),
        ("2024/09/12 08:20:34", "auto", "2024-09-12T08:20:34Z"),
    ],
)
def test_times_in_the_forms_that_devices_write(told: object, unit: str, moment: str) -> None:
    mapping = DocumentMapping(MappingDocument(Header("m", "M"), Rules(time="t", time_unit=unit)))  # type: ignore[arg-type]
    uplink = mapping.read_item({"t": told}, 0, "abcd")
    assert not isinstance(uplink, Unread)
    assert uplink.measured_at == parse_instant(moment)


@pytest.mark.parametrize("told", ["soon", 0, -5, 1e300, True, [1], {"a": 1}, "9" * 400, "2500-01-01T00:00:00Z"])
def test_what_is_no_time_is_said(told: object) -> None:
    assert isinstance(read(Rules(time="t"), {"t": told}), Unread)


@pytest.mark.parametrize(
    "rules",
    [
        Rules(hardware_id="x"),
        Rules(counter="x"),
        Rules(port="x"),
        Rules(payload="x"),
        Rules(fields="x"),
        Rules(time="x"),
    ],
)
@pytest.mark.parametrize("value", ["é\0", -1, 1e308, "zz", [[]], True])
def test_what_does_not_fit_is_refused_with_words(rules: Rules, value: object) -> None:
    result = read(rules, {"x": value})
    assert isinstance(result, Unread)
    assert result.detail


def test_a_missing_payload_is_a_frame_without_one() -> None:
    result = read(Rules(payload="x"), {})
    assert not isinstance(result, Unread)
    assert (result.payload, result.fields) == (b"", None)  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "a[", "(" * 3000, "a" * 2001, "unknown(@)", "split(@)"])
def test_an_expression_that_cannot_be_used(text: str) -> None:
    with pytest.raises((InvalidExpression, ExpressionFailed)):
        Expression(text).evaluate({"a": 1})


def test_functions_of_ours() -> None:
    assert Expression("parse_json(body).t").evaluate({"body": '{"t": 3}'}) == 3
    assert Expression("parse_json(body)").evaluate({"body": "[" * 100_000}) is None
    assert Expression("split(at, ',')[1]").evaluate({"at": "48.1,-3.2"}) == "-3.2"
    assert Expression("from_pairs(@)").evaluate([["a", 1], ["b", None], [1, 2], "c", ["d"]]) == {"a": 1}
