"""A message that is nested too deeply is refused by itself, whichever network server it comes from."""

from collections.abc import Sequence

import pytest

from parvis.connectors.chirpstack.codec import decode_event
from parvis.connectors.liveobjects.codec import decode_message as decode_live_objects
from parvis.connectors.thingsstack.codec import decode_message as decode_things_stack
from parvis.fleet.model.delivery import Ack, Message
from parvis.fleet.model.events import Told
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.ways.intake import ReadMessage, UplinkIntake
from tests.fleet.conftest import CALLER, NOON, RECORD, Village, uplink

DEEP = b"[" * 20_000


@pytest.mark.parametrize(
    ("read", "begin"),
    [
        (lambda message: decode_event("up", message.payload, NOON), b'{"object":{"a":'),
        (lambda message: decode_live_objects(message.payload, NOON), b'{"metadata":{},"value":{"a":'),
        (lambda message: decode_things_stack(message.payload, NOON), b'{"uplink_message":{"decoded_payload":{"a":'),
    ],
    ids=["chirpstack", "liveobjects", "thingsstack"],
)
async def test_a_message_nested_too_deeply_spoils_no_other(village: Village, read: ReadMessage, begin: bytes) -> None:
    def read_all(message: Message) -> Sequence[Told]:
        return [uplink(1, 50)] if message.payload == b"sound" else read(message)

    await village.fleet.register(CALLER, [RECORD])
    messages = [Message(CALLER, "t", payload, NOON) for payload in (begin + DEEP, b"sound")]
    acks = await UplinkIntake(village.fleet, read_all).handle(messages)
    assert acks == [Ack.REFUSED, Ack.STORED]
    (refusal,) = await village.fleet.list_refusals(CALLER)
    assert (refusal.reason, refusal.detail) == (RefusalReason.MALFORMED_MESSAGE, "it is nested too deeply")


async def test_a_message_that_breaks_its_reader_breaks_no_other(village: Village) -> None:
    def read(message: Message) -> Sequence[Told]:
        if message.payload == b"broken":
            raise ZeroDivisionError
        return [uplink(1, 50)]

    await village.fleet.register(CALLER, [RECORD])
    messages = [Message(CALLER, "t", payload, NOON) for payload in (b"broken", b"sound")]
    assert await UplinkIntake(village.fleet, read).handle(messages) == [Ack.FAILED, Ack.STORED]
