"""What a broker may send: read the same in any portions, refused with words, never held beyond the limit."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.mqttwire.client_codec import read_answer
from parvis.mqttwire.codec import encode_connack, encode_publish, encode_suback
from parvis.mqttwire.packets import Publish, Version
from parvis.mqttwire.subscriber_codec import Delivered, DeliveryDecoder, TooLarge
from parvis.mqttwire.wire import MalformedPacket

LIMIT_BYTES = 300
VERSIONS = st.sampled_from([Version.V311, Version.V5])
MESSAGES = st.builds(
    Publish,
    topic=st.text(st.characters(blacklist_characters="\0+#", blacklist_categories=["Cs"]), min_size=1, max_size=40),
    payload=st.binary(max_size=600),
    qos=st.just(1),
    packet_id=st.integers(1, 65_535),
)


def portions(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(places)]


@settings(max_examples=200, deadline=1000)
@given(version=VERSIONS, messages=st.lists(MESSAGES, max_size=6), cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_messages_are_read_in_any_portions_and_large_ones_passed_over(
    version: Version, messages: list[Publish], cuts: list[int]
) -> None:
    data = encode_connack(0, version) + encode_suback(1, [1], version)
    data += b"".join(encode_publish(one, version) for one in messages)
    decoder = DeliveryDecoder(version, LIMIT_BYTES)
    delivered: list[Delivered] = []
    for part in portions(data, cuts):
        delivered += decoder.feed(part)
    assert len(delivered) == 2 + len(messages)
    for sent, got in zip(messages, delivered[2:], strict=True):
        assert isinstance(got, Publish | TooLarge)
        assert (got.topic, got.packet_id) == (sent.topic, sent.packet_id)
        is_large = len(encode_publish(sent, version)) > LIMIT_BYTES
        assert isinstance(got, TooLarge) is is_large
        if isinstance(got, Publish):
            assert got.payload == sent.payload


@settings(max_examples=300, deadline=1000)
@given(version=VERSIONS, data=st.lists(st.binary(max_size=60), max_size=6))
def test_noise_is_read_or_refused(version: Version, data: list[bytes]) -> None:
    decoder = DeliveryDecoder(version, LIMIT_BYTES)
    try:
        for part in data:
            decoder.feed(part)
    except MalformedPacket:
        return


def test_an_empty_answer_is_malformed() -> None:
    with pytest.raises(MalformedPacket):
        read_answer(b"", Version.V5)
