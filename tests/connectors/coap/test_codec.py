"""CBOR, SenML, TLV and links: the standards' examples, and what is hostile."""

import struct

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import encode

from parvis.connectors.coap.codec import (
    MalformedContent,
    Reading,
    decode_cbor,
    decode_links,
    decode_senml,
    decode_values,
    to_documents,
)
from parvis.connectors.coap.ipso import list_observed, to_fields
from parvis.kernel.time import SECOND

NOW = 1_790_000_000 * SECOND


def test_a_senml_pack_with_bases_rfc_8428_5_1_3() -> None:
    pack = [
        {
            "bn": "urn:dev:ow:10e2073a0108006:",
            "bt": 1.276020076001e9,
            "bu": "A",
            "bver": 5,
            "n": "voltage",
            "u": "V",
            "v": 120.1,
        },
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "v": 1.3},
    ]
    readings = decode_senml(encode(pack), 110, NOW)
    assert readings[0] == Reading("urn:dev:ow:10e2073a0108006:voltage", 120.1, 1_276_020_076_001_000)
    assert readings[1] == Reading("urn:dev:ow:10e2073a0108006:current", 1.2, 1_276_020_071_001_000)
    documents = to_documents(readings)
    assert [one["device"] for one in documents] == ["10e2073a0108006"] * 3
    assert documents[2]["values"] == {"current": 1.3}


def test_times_below_two_to_the_28_count_from_now_rfc_8428_4_5_3() -> None:
    (reading,) = decode_senml(encode([{"n": "t", "v": 1, "t": -60}]), 110, NOW)
    assert reading.at == NOW - 60 * SECOND


def test_readings_of_one_moment_are_one_document() -> None:
    pack = cbor2.dumps([{0: "temperature", 2: 21.5}, {0: "humidity", 2: 40}])
    assert to_documents(decode_senml(pack, 112, NOW)) == [{"values": {"temperature": 21.5, "humidity": 40}}]


def test_tlv_of_an_instance_lwm2m_1_0_6_4_3() -> None:
    resource = bytes.fromhex("e41644") + struct.pack(">f", 22.5)
    unit = bytes.fromhex("e31645") + b"Cel"
    assert decode_values(resource + unit, 11_542, (3303, 0), NOW)[3303, 0, 5700] == 22.5
    instance = bytes([0x08, 2, len(resource)]) + resource
    assert to_fields(decode_values(instance, 11_542, (3303,), NOW)) == {"temperature_2": 22.5}
    assert to_fields(decode_values(b"\xc1\x09\x57", 11_542, (3, 0, 9), NOW)) == {"battery_percent": 87}


@pytest.mark.parametrize(
    ("body", "content_format", "path"),
    [
        (b"21.5", 0, (3303, 0, 5700)),
        (b"21.5", None, (3303, 0, 5700)),
        (b'{"bn": "/3303/0/", "e": [{"n": "5700", "v": 21.5}]}', 11_543, (3303, 0)),
        (b'[{"bn": "/3303/0/", "n": "5700", "v": 21.5}]', 110, (3303, 0)),
    ],
)
def test_the_other_forms_of_a_reading(body: bytes, content_format: int | None, path: tuple[int, ...]) -> None:
    assert to_fields(decode_values(body, content_format, path, NOW)) == {"temperature": 21.5}


def test_a_place_of_latitude_and_longitude() -> None:
    values: dict[tuple[int, ...], float] = {(6, 0, 0): 48.1, (6, 0, 1): -3.2, (6, 0, 5): 1}
    assert to_fields(values)["location"] == {"latitude": 48.1, "longitude": -3.2}


def test_links_of_a_registration() -> None:
    links = decode_links(b'</lwm2m>;rt="oma.lwm2m",</lwm2m/1/0>,</3303/0>;ver=1.1,</3303/1>,</3/0>,</5>')
    assert (3303, 0) in links
    assert (3303, 1) in links
    assert list_observed(links) == [(3, 0, 9), (3303, 0), (3303, 1)]


def test_cbor_that_refers_to_itself_a_million_times_is_refused() -> None:
    value: list[object] = [0]
    for _ in range(30):
        value = [value, value]
    with pytest.raises(MalformedContent):
        decode_cbor(cbor2.dumps(value, value_sharing=True))


@settings(max_examples=300, deadline=1000)
@given(
    body=st.binary(max_size=120)
    | st.recursive(
        st.integers() | st.floats() | st.binary(max_size=8) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.integers(-6, 8) | st.text(max_size=3), inner, max_size=4)
        ),
        max_leaves=12,
    ).map(cbor2.dumps),
    content_format=st.sampled_from([None, 0, 110, 112, 11_542, 11_543, 40]),
    path=st.sampled_from([(3303,), (3303, 0), (3303, 0, 5700), (3, 0, 9), (6, 0)]),
)
def test_any_content_is_read_or_refused(body: bytes, content_format: int | None, path: tuple[int, ...]) -> None:
    for read in (
        lambda: encode(decode_cbor(body)),
        lambda: encode(to_documents(decode_senml(body, 112, NOW))),
        lambda: encode(to_fields(decode_values(body, content_format, path, NOW))),
        lambda: decode_links(body),
    ):
        try:
            read()
        except MalformedContent:
            continue
