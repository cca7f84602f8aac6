"""Packets byte for byte, as the two standards print them."""

import pytest

from parvis.mqttwire import codec
from parvis.mqttwire.packets import (
    Connect,
    Disconnect,
    Malformed,
    Packet,
    PingReq,
    Property,
    PubAck,
    Publish,
    Reason,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
)
from parvis.mqttwire.topics import is_filter, matches


def read(stream: bytes, version: Version | None = None) -> Packet:
    decoder = codec.Decoder(1024)
    decoder.version = version
    (packet,) = decoder.feed(stream)
    return packet


def test_connect_3_1_1_with_will_and_credentials() -> None:
    body = b"\0\4MQTT\x04\xee\0\x3c" + b"\0\3dev" + b"\0\1w" + b"\0\4gone" + b"\0\4user" + b"\0\2pw"
    assert read(bytes([0x10, len(body)]) + body) == Connect(
        version=Version.V311,
        client_id="dev",
        clean_start=True,
        keepalive_s=60,
        username="user",
        password=b"pw",
        will=Publish("w", b"gone", qos=1, retain=True),
    )


def test_connect_5_0_with_properties() -> None:
    body = b"\0\4MQTT\x05\x02\0\x0a" + b"\x05\x11\0\0\0\x0a" + b"\0\0"
    assert read(bytes([0x10, len(body)]) + body) == Connect(
        Version.V5, "", True, 10, properties={Property.SESSION_EXPIRY_INTERVAL: 10}
    )


def test_publish_5_0_with_user_properties() -> None:
    stream = b"\x3d\x11\0\1t\0\x0a\x09\x26\0\1k\0\1v\x01\x01" + b"ab"
    assert read(stream, Version.V5) == Publish(
        "t", b"ab", 2, True, True, 10, {Property.USER_PROPERTY: [("k", "v")], Property.PAYLOAD_FORMAT_INDICATOR: 1}
    )


@pytest.mark.parametrize(
    ("stream", "packet"),
    [
        (b"\x40\x02\0\x07", PubAck(7)),
        (b"\x40\x03\0\x07\x10", PubAck(7, Reason.NO_MATCHING_SUBSCRIBERS)),
        (b"\x82\x07\0\1\0\0\1a\x2d", Subscribe(1, (Subscription("a", 1, True, True, 2),))),
        (b"\xa2\x06\0\1\0\0\1a", Unsubscribe(1, ("a",))),
        (b"\xc0\0", PingReq()),
        (b"\xe0\0", Disconnect()),
        (b"\xe0\x02\x04\0", Disconnect(Reason.DISCONNECT_WITH_WILL)),
    ],
)
def test_packets_of_a_connected_5_0_client(stream: bytes, packet: Packet) -> None:
    assert read(stream, Version.V5) == packet


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\x36\x05\0\1a\0\1", Reason.MALFORMED_PACKET),  # QoS 3
        (b"\x38\x03\0\1a", Reason.MALFORMED_PACKET),  # DUP at QoS 0
        (b"\x32\x05\0\1a\0\0", Reason.MALFORMED_PACKET),  # packet identifier 0
        (b"\x30\x03\0\x05a", Reason.MALFORMED_PACKET),  # topic longer than the packet
        (b"\x30\x04\0\2\xc3\x28", Reason.MALFORMED_PACKET),  # not UTF-8
        (b"\x30\x03\0\1\0", Reason.MALFORMED_PACKET),  # U+0000
        (b"\x30\x02\0\0", Reason.TOPIC_NAME_INVALID),
        (b"\x80\x06\0\1\0\1a\0", Reason.MALFORMED_PACKET),  # SUBSCRIBE without its flags
        (b"\x82\x02\0\1", Reason.PROTOCOL_ERROR),  # no filter
        (b"\x20\x02\0\0", Reason.PROTOCOL_ERROR),  # CONNACK from a client
        (b"\xc0\x01\0", Reason.MALFORMED_PACKET),  # PINGREQ with a body
        (b"\x30\xff\xff\xff\xff\x01", Reason.MALFORMED_PACKET),  # five length bytes
    ],
)
def test_broken_packets_say_what_is_wrong(stream: bytes, reason: Reason) -> None:
    packet = read(stream, Version.V311)
    assert isinstance(packet, Malformed)
    assert packet.reason is reason


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (b"\x04\x01\0\x01\0", Reason.PROTOCOL_ERROR),  # twice
        (b"\x03\x21\0\1", Reason.PROTOCOL_ERROR),  # not of PUBLISH
        (b"\x02\x7e\0", Reason.MALFORMED_PACKET),  # unknown
        (b"\x04\x02\0\0\0\0", Reason.MALFORMED_PACKET),  # overruns its length
    ],
)
def test_broken_properties_say_what_is_wrong(properties: bytes, reason: Reason) -> None:
    body = b"\0\1t" + properties
    packet = read(bytes([0x30, len(body)]) + body, Version.V5)
    assert isinstance(packet, Malformed)
    assert packet.reason is reason


def test_answers_byte_for_byte() -> None:
    assert codec.encode_connack(0, Version.V311) == b"\x20\x02\0\0"
    assert codec.encode_connack(0, Version.V5, properties={Property.RECEIVE_MAXIMUM: 20}) == (
        b"\x20\x06\0\0\x03\x21\0\x14"
    )
    assert codec.encode_puback(258, Reason.QUOTA_EXCEEDED, Version.V5) == b"\x40\x03\1\2\x97"
    assert codec.encode_puback(258, Reason.QUOTA_EXCEEDED, Version.V311) == b"\x40\x02\1\2"
    assert codec.encode_suback(1, [0, 0x80], Version.V311) == b"\x90\x04\0\1\0\x80"
    assert codec.encode_suback(1, [1], Version.V5) == b"\x90\x04\0\1\0\1"
    assert codec.encode_unsuback(1, [0], Version.V311) == b"\xb0\x02\0\1"
    assert codec.encode_unsuback(1, [0x11], Version.V5) == b"\xb0\x04\0\1\0\x11"
    assert codec.encode_disconnect(Reason.SERVER_SHUTTING_DOWN) == b"\xe0\x01\x8b"
    assert codec.PINGRESP == b"\xd0\0"


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a", False),
        ("+/+", "/a", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("#", "$SYS/load", False),
        ("+/load", "$SYS/load", False),
        ("$SYS/#", "$SYS/load", True),
        ("a", "A", False),
    ],
)
def test_filters_match_as_the_standard_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize("text", ["", "a#", "a/#/b", "a+/b", "#/a"])
def test_what_is_no_filter(text: str) -> None:
    assert not is_filter(text)


def test_who_is_not_known_yet_can_make_the_server_hold_little() -> None:
    opening = b"\x10\xff\xff\x03"  # a CONNECT of 65 535 bytes
    decoder = codec.Decoder(1_000_000)
    (refused,) = decoder.feed(opening)
    assert isinstance(refused, Malformed)
    assert refused.reason is Reason.PACKET_TOO_LARGE
    known = codec.Decoder(1_000_000)
    known.version = Version.V311
    assert known.feed(b"\x30\xff\xff\x03") == []
