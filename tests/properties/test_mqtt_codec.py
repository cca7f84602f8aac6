"""The wire codec holds for any bytes in any portions."""

from itertools import pairwise
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from parvis.mqttwire import codec, wire
from parvis.mqttwire.packets import Malformed, Packet, Properties, Property, Publish, Version

LIMIT = 4096
LARGEST_VARIABLE_INTEGER = 268_435_455
"""MQTT 5.0, 1.5.5."""
versions = st.sampled_from(Version)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
topics = texts.filter(lambda text: text != "" and not set("+#") & set(text))
properties = st.fixed_dictionaries(
    {},
    optional={
        Property.PAYLOAD_FORMAT_INDICATOR: st.integers(0, 1),
        Property.MESSAGE_EXPIRY_INTERVAL: st.integers(0, 2**32 - 1),
        Property.CONTENT_TYPE: texts,
        Property.CORRELATION_DATA: st.binary(max_size=40),
        Property.USER_PROPERTY: st.lists(st.tuples(texts, texts), min_size=1, max_size=3),
    },
)
connects = st.builds(
    lambda level, rest: b"\x10" + bytes([8 + len(rest)]) + b"\0\4MQTT" + bytes([level, 2]) + rest,
    st.sampled_from([4, 5]),
    st.binary(max_size=60),
)


@st.composite
def publishes(draw: st.DrawFn, of_version: Version) -> Publish:
    qos = draw(st.integers(0, 2))
    given_properties = cast(Properties, draw(properties)) if of_version is Version.V5 else {}
    return Publish(
        topic=draw(topics),
        payload=draw(st.binary(max_size=300)),
        qos=qos,
        retain=draw(st.booleans()),
        duplicate=bool(qos) and draw(st.booleans()),
        packet_id=draw(st.integers(1, 65_535)) if qos else 0,
        properties=given_properties,
    )


def connected(version: Version) -> codec.Decoder:
    decoder = codec.Decoder(LIMIT)
    decoder.version = version
    return decoder


def feed(decoder: codec.Decoder, data: bytes, cuts: list[int]) -> list[Packet]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [packet for start, end in pairwise(edges) for packet in decoder.feed(data[start:end])]


@given(st.data(), versions, st.lists(st.integers(0, 10_000), max_size=8))
def test_what_is_encoded_is_decoded_however_it_is_cut(data: st.DataObject, version: Version, cuts: list[int]) -> None:
    sent = data.draw(st.lists(publishes(version), max_size=5))
    stream = b"".join(codec.encode_publish(one, version) for one in sent)
    assert feed(connected(version), stream, cuts) == sent


@given(st.binary(max_size=400), st.sampled_from([None, *Version]), st.lists(st.integers(0, 400), max_size=8))
def test_any_bytes_give_packets_or_one_malformed_at_the_end(
    noise: bytes, version: Version | None, cuts: list[int]
) -> None:
    decoder = codec.Decoder(LIMIT)
    decoder.version = version
    packets = feed(decoder, noise, cuts)
    assert all(not isinstance(packet, Malformed) for packet in packets[:-1])
    if packets and isinstance(packets[-1], Malformed):
        assert decoder.feed(b"\xc0\0") == []


@given(st.binary(max_size=200), st.integers(1, 14), st.integers(0, 15), versions, st.lists(st.integers(0, 400)))
def test_the_cut_makes_no_difference_to_any_packet(
    body: bytes, kind: int, flags: int, version: Version, cuts: list[int]
) -> None:
    stream = bytes([kind << 4 | flags]) + wire.variable_integer(len(body)) + body
    assert feed(connected(version), stream, cuts) == connected(version).feed(stream)


@given(connects)
def test_any_connect_is_read_or_refused(stream: bytes) -> None:
    assert len(codec.Decoder(LIMIT).feed(stream)) == 1


@given(st.integers(LIMIT + 1, LARGEST_VARIABLE_INTEGER), versions)
def test_a_packet_over_the_limit_is_refused_before_its_body_comes(length: int, version: Version) -> None:
    (packet,) = connected(version).feed(b"\x30" + wire.variable_integer(length))
    assert isinstance(packet, Malformed)


@given(st.integers(0, LARGEST_VARIABLE_INTEGER))
def test_variable_integers_come_back(value: int) -> None:
    encoded = wire.variable_integer(value)
    assert wire.Reader(encoded, 0, len(encoded)).variable_integer() == value
