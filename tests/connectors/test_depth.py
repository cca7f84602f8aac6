"""A message that is nested without end is refused by itself, and takes no other along."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parvis.connectors.chirpstack.codec import decode_event, decode_gateway_stats
from parvis.connectors.liveobjects.codec import decode_message as decode_live_objects
from parvis.connectors.mqttdevice.codec import decode_outcome, decode_up
from parvis.connectors.thingsstack.codec import decode_message as decode_things_stack
from parvis.fleet.delivery import Ack, Message
from parvis.fleet.intake import MalformedMessage, UplinkIntake
from parvis.fleet.uplink import NO_COUNTER, Uplink
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import system_clock
from tests.connectors.town import CALLER, open_town

Decode = Callable[[bytes], Any]
DECODERS: dict[str, Decode] = {
    "chirpstack": lambda body: decode_event("up", body, 1),
    "chirpstack join": lambda body: decode_event("join", body, 1),
    "chirpstack gateway": lambda body: decode_gateway_stats(body, 1),
    "live objects": lambda body: decode_live_objects(body, 1),
    "things stack": lambda body: decode_things_stack(body, 1, ""),
    "device": lambda body: decode_up("device/0011aabb/up", body, 1),
    "device's outcome": lambda body: decode_outcome("device/0011aabb/ack", body, 1),
}
FIELDS = ("object", "a", "deviceInfo", "metadata", "value", "uplink_message", "end_device_ids", "rxInfo")


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_what_is_nested_without_end_is_malformed(name: str, field: str, opening: bytes) -> None:
    with pytest.raises(MalformedMessage):
        DECODERS[name](b'{"' + field.encode() + b'":' + opening * 30_000)


async def test_a_message_that_breaks_its_reader_breaks_no_other(tmp_path: Path) -> None:
    caller = Caller("default", "key:server", Right.INGEST)

    def read(message: Message) -> list[Uplink]:
        if message.payload == b"broken":
            raise ZeroDivisionError
        return [Uplink("0011aabb", b"\x01", 1, NO_COUNTER, message.received_at)]

    async with open_town(tmp_path) as town:
        told = [Message(caller, "t", payload, system_clock()) for payload in (b"good", b"broken")]
        assert await UplinkIntake(town.fleet, read).handle(told) == [Ack.REFUSED, Ack.FAILED]
        (waiting,) = await town.fleet.list_waiting(CALLER)
        assert waiting.frames == 1
