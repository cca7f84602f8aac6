"""Sessions and retained messages as the records in which they are kept. No I/O."""

import contextlib
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from parvis.connectors.mqtt.mailbox import Letter
from parvis.kernel.identity import Caller, Right
from parvis.kernel.shelf import Box, Place
from parvis.kernel.time import Instant
from parvis.mqttwire.packets import Publish, Subscription

SESSIONS = "mqtt-sessions"
RETAINED = "mqtt-retained"
Client = tuple[str, str]
"""(tenant, name)."""
_STATE, _LETTER, _TAKEN = b"s", b"l", b"t"
_DIGEST_BYTES = 16


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What is durable of a session beside its letters."""

    client_id: str
    subject: str
    rights: int
    expiry_s: int
    ended_at: Instant | None
    process: str
    subscriptions: list[Subscription]
    device: str = ""

    def caller(self, tenant: str) -> Caller:
        return Caller(tenant, self.subject, Right(self.rights), self.device)


class Restored(msgspec.Struct, frozen=True):
    """A session as it was kept: what the client is still to get, and what it has sent at QoS 2 and not released."""

    kept: Kept
    letters: list[Letter]
    taken: set[int]


class Retention(msgspec.Struct, frozen=True):
    publish: Publish
    expires_at: Instant | None


class _Message(msgspec.Struct, frozen=True, array_like=True):
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: dict[int, Any]
    expires_at: Instant | None


_encode = msgspec.msgpack.Encoder().encode
_decode_kept = msgspec.msgpack.Decoder(Kept).decode
_decode_message = msgspec.msgpack.Decoder(_Message | None).decode


def client_of(caller: Caller, client_id: str) -> Client:
    """A device that has a credential of its own has its client identifiers to itself: no other can end its session.
    No identifier holds the separator (MQTT 1.5.3)."""
    return caller.tenant, f"{caller.device}\0{client_id}" if caller.device else client_id


def prefix_of(client: Client) -> Place:
    """All records of a client's session."""
    return Place(Box(client[0], SESSIONS), _digest(client[1]))


def state_place(client: Client) -> Place:
    return _place(client, _STATE)


def letter_place(client: Client, number: int) -> Place:
    return _place(client, _LETTER + number.to_bytes(8))


def taken_place(client: Client, packet_id: int) -> Place:
    return _place(client, _TAKEN + packet_id.to_bytes(2))


def retained_place(tenant: str, topic: str) -> Place:
    return Place(Box(tenant, RETAINED), _digest(topic))


def encode_kept(kept: Kept) -> bytes:
    return _encode(kept)


def encode_letter(letter: Letter) -> bytes:
    return _encode(None if letter.publish is None else _message_of(letter.publish, letter.expires_at))


def encode_retention(retention: Retention) -> bytes:
    return _encode(_message_of(retention.publish, retention.expires_at))


def find_retention(value: bytes) -> Retention | None:
    """None where another version, or nobody, has written it."""
    with contextlib.suppress(msgspec.DecodeError):
        message = _decode_message(value)
        return None if message is None else Retention(_publish_of(message), message.expires_at)
    return None


def restore(records: Mapping[bytes, bytes]) -> Restored | None:
    """The session of one client of its records in the order of their keys; None where they cannot be read."""
    with contextlib.suppress(msgspec.DecodeError):
        return _restore(records)
    return None


def _restore(records: Mapping[bytes, bytes]) -> Restored | None:
    kept: Kept | None = None
    letters: list[Letter] = []
    taken: set[int] = set()
    for key, value in records.items():
        kind, rest = key[_DIGEST_BYTES : _DIGEST_BYTES + 1], key[_DIGEST_BYTES + 1 :]
        if kind == _STATE:
            kept = _decode_kept(value)
        elif kind == _LETTER:
            message = _decode_message(value)
            publish = None if message is None else _publish_of(message)
            letters.append(Letter(int.from_bytes(rest), publish, None if message is None else message.expires_at))
        elif kind == _TAKEN:
            taken.add(int.from_bytes(rest))
    return None if kept is None else Restored(kept, letters, taken)


def restore_all(records: Mapping[Place, bytes]) -> list[tuple[str, Restored]]:
    """The sessions of all tenants, each with its tenant."""
    by_client: dict[tuple[str, bytes], dict[bytes, bytes]] = {}
    for (box, key), value in records.items():
        by_client.setdefault((box.tenant, key[:_DIGEST_BYTES]), {})[key] = value
    restored = ((tenant, restore(one)) for (tenant, _), one in by_client.items())
    return [(tenant, one) for tenant, one in restored if one is not None]


def _place(client: Client, rest: bytes) -> Place:
    box, digest = prefix_of(client)
    return Place(box, digest + rest)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def _message_of(publish: Publish, expires_at: Instant | None) -> _Message:
    properties = dict(publish.properties)
    return _Message(publish.topic, publish.payload, publish.qos, publish.retain, properties, expires_at)


def _publish_of(message: _Message) -> Publish:
    return Publish(message.topic, message.payload, message.qos, message.retain, properties=message.properties)
