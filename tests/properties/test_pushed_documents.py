"""Whatever is pushed: it is read or refused with words, never more, and in little time."""

import zlib
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.fleet.documents.bodies import Unreadable, read_documents, unpack
from parvis.fleet.documents.expressions import Expression, ExpressionFailed, InvalidExpression
from parvis.fleet.documents.mapping import PACKAGED_MAPPINGS, Unread, load_mappings
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.errors import BadRequestData, PayloadTooLarge, UnsupportedMediaType

MAPPINGS = load_mappings([PACKAGED_MAPPINGS])
NAMES = st.sampled_from(
    [
        "device",
        "time",
        "data",
        "seqNumber",
        "IMEI",
        "Message",
        "UTC",
        "Telemetry",
        "reports",
        "position",
        "fixTime",
        "t",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
)
MEDIA_TYPES = ["", "application/json", "application/x-ndjson", "text/csv", "application/x-www-form-urlencoded"]


@pytest.mark.parametrize("mapping_id", list(MAPPINGS))
@settings(max_examples=60, deadline=1000)
@given(document=JSON)
def test_any_document_is_read_or_refused(mapping_id: str, document: Any) -> None:
    mapping = MAPPINGS[mapping_id]
    try:
        items = mapping.find_items(document)
    except ExpressionFailed:
        return
    for item in items:
        read = mapping.read_item(item, 0, "abcd")
        if isinstance(read, Unread):
            assert read.detail
        else:
            assert isinstance(read, Uplink)
            msgspec.json.encode(read.fields)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@settings(max_examples=80, deadline=1000)
@given(body=st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_any_body_is_read_or_refused(media_type: str, body: bytes) -> None:
    try:
        documents = read_documents(body, media_type)
    except BadRequestData:
        return
    for one in documents:
        if not isinstance(one, Unreadable):
            msgspec.json.encode(one)


@settings(max_examples=150, deadline=1000)
@given(
    body=st.binary(max_size=100) | st.binary(max_size=300).map(zlib.compress),
    encoding=st.sampled_from(["gzip", "deflate", "", "br"]),
    damage=st.integers(0, 50),
)
def test_anything_packed_is_unpacked_within_its_limit_or_refused(body: bytes, encoding: str, damage: int) -> None:
    with suppress(BadRequestData, PayloadTooLarge, UnsupportedMediaType):
        unpacked = unpack(body[: len(body) - damage] if damage < len(body) else body, encoding, 200)
        assert len(unpacked) <= max(200, len(body) if encoding == "" else 0)


@settings(max_examples=200, deadline=1000)
@given(text=st.text(alphabet="ab[]{}().*|&@!<>=?,:'`\"-\\ 019", max_size=40), document=JSON)
def test_any_expression_has_a_value_or_is_refused(text: str, document: Any) -> None:
    with suppress(InvalidExpression, ExpressionFailed):
        Expression(text).evaluate(document)
