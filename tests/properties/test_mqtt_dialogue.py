"""Whatever a client says, in whatever order, the server answers or ends the connection: it does not fail."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.connection import Connection
from parvis.connectors.mqtt.listener import MqttListener
from parvis.kernel.identity import OPERATOR, Caller
from parvis.mqttwire import wire

CALLER = Caller("default", "key:fuzz", OPERATOR)
ids = st.integers(0, 3).map(lambda number: number.to_bytes(2))
names = st.sampled_from(["a", "a/b", "#", "+/b", "$share/g/a", "$SYS/x", "", "a/#/b"]).map(wire.text)
properties = st.sampled_from(
    [
        b"\0",
        b"\x03\x23\0\1",
        b"\x03\x23\0\0",
        b"\x02\x0b\x07",
        b"\x05\x02\0\0\0\1",
        b"\x07\x26\0\1a\0\1b",
        b"\x05\x11\0\0\0\5",
    ]
)
reasons = st.sampled_from([b"", b"\0", b"\x92", b"\x80\0"])


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + wire.variable_integer(len(body)) + body


publishes = st.builds(
    lambda flags, name, number, more, payload: packet(
        0x30 | flags, name + (number if flags & 6 else b"") + more + payload
    ),
    st.integers(0, 15),
    names,
    ids,
    properties,
    st.binary(max_size=5),
)
acknowledgements = st.builds(
    lambda first, number, rest: packet(first, number + rest), st.sampled_from([0x40, 0x50, 0x62, 0x70]), ids, reasons
)
subscribes = st.builds(
    lambda number, more, name, options: packet(0x82, number + more + name + bytes([options])),
    ids,
    properties,
    names,
    st.integers(0, 0x2F),
)
unsubscribes = st.builds(lambda number, name: packet(0xA2, number + b"\0" + name), ids, names)
others = st.sampled_from([b"\xc0\0", b"\xe0\0", b"\xe0\x01\x04", b"\xf0\0", b"\x10\0"]) | st.binary(max_size=8)
conversations = st.lists(publishes | acknowledgements | subscribes | unsubscribes | others, max_size=12)


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = bytearray()
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


async def converse(opening: bytes, said: list[bytes]) -> None:
    listener = MqttListener(ListenerConfig(port=0), [], lambda *_: CALLER)
    connection, transport = Connection(listener), Wire()
    connection.connection_made(transport)
    connection.data_received(opening)
    assert transport.written[0] == 0x20
    for one in said:
        connection.data_received(one)
        await listener._intake.drain(5)
    connection.connection_lost(None)
    await listener._intake.drain(5)
    assert not listener._router.tree
    assert not list(listener._sessions)
    assert listener._shares.mailbox_bytes.used == 0


@settings(deadline=None)
@given(st.sampled_from([4, 5]), conversations)
def test_any_conversation_ends_well(level: int, said: list[bytes]) -> None:
    properties = b"\0" if level == 5 else b""
    opening = packet(0x10, wire.text("MQTT") + bytes([level, 2, 0, 60]) + properties + wire.text("fuzz"))
    asyncio.run(converse(opening, said))
