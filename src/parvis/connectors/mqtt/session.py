"""What is known of a client apart from its connection (MQTT 5.0, 4.1)."""

import asyncio
from typing import Protocol

from parvis.connectors.mqtt.journal import Journal
from parvis.connectors.mqtt.mailbox import Letter, Mailbox
from parvis.connectors.mqtt.records import (
    Client,
    Kept,
    Restored,
    encode_kept,
    encode_letter,
    letter_place,
    prefix_of,
    state_place,
    taken_place,
)
from parvis.connectors.mqtt.shares import Room
from parvis.kernel.identity import Caller
from parvis.kernel.time import SECOND, Instant
from parvis.mqttwire.packets import Publish, Subscription

FOR_EVER_S = 0xFFFF_FFFF


class Line(Protocol):
    """What a session asks of the connection it has just now."""

    def write_now(self, publish: Publish) -> bool:
        """Whether a message at QoS 0 is on its way."""
        ...

    def write_waiting(self) -> None:
        """Send what waits in the mailbox, as far as the client takes it."""
        ...


class Session:
    """With a `journal` it is kept over disconnections and restarts; else it ends with its connection.

    `taken` are packet identifiers of QoS 2 messages that the client has not released yet, `arriving` those of messages
    that are not durable yet.
    """

    def __init__(self, client: Client, caller: Caller, bounds: tuple[int, int, Room], journal: Journal | None) -> None:
        self.client = client
        self.caller = caller
        self.expiry_s = 0
        self.ended_at: Instant | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.taken: set[int] = set()
        self.arriving: set[int] = set()
        self.line: Line | None = None
        self.will: asyncio.TimerHandle | None = None
        self.mailbox = Mailbox(*bounds, None if journal is None else self._note_letter)
        self._journal = journal

    @property
    def tenant(self) -> str:
        return self.client[0]

    @property
    def is_kept(self) -> bool:
        return self._journal is not None

    @property
    def unreleased(self) -> int:
        return len(self.taken) + len(self.arriving)

    def restore(self, restored: Restored) -> None:
        self.expiry_s = restored.kept.expiry_s
        self.ended_at = restored.kept.ended_at
        self.taken |= restored.taken
        self.mailbox.restore(restored.letters)

    def is_over(self, now: Instant) -> bool:
        """Whether nobody has come back for it in time."""
        return self.line is None and is_over(self.ended_at, self.expiry_s, now)

    def write_state(self, process: str) -> None:
        if self._journal is not None:
            caller, subscriptions = self.caller, list(self.subscriptions.values())
            kept = Kept(
                self.client[1],
                caller.subject,
                caller.everywhere.value,
                self.expiry_s,
                self.ended_at,
                process,
                subscriptions,
                caller.device,
            )
            self._journal.put(state_place(self.client), encode_kept(kept))

    def begin_taking(self, packet_id: int) -> bool:
        """Whether a QoS 2 message is here for the first time."""
        if packet_id in self.arriving or packet_id in self.taken:
            return False
        self.arriving.add(packet_id)
        return True

    def end_taking(self, packet_id: int, *, is_taken: bool) -> None:
        self.arriving.discard(packet_id)
        if is_taken:
            self.taken.add(packet_id)
            if self._journal is not None:
                self._journal.put(taken_place(self.client, packet_id), b"")

    def release(self, packet_id: int) -> bool:
        """PUBREL: whether the identifier was in use."""
        if packet_id not in self.taken:
            return False
        self.taken.discard(packet_id)
        if self._journal is not None:
            self._journal.drop(taken_place(self.client, packet_id))
        return True

    def send(self, publish: Publish, expires_at: Instant | None) -> bool:
        """Whether the message is on its way or waits for it. Of a session that is kept it waits for `settle`."""
        if publish.qos == 0:
            return self.line is not None and self.line.write_now(publish)
        if not self.mailbox.post(publish, expires_at):
            return False
        if self.line is not None and not self.is_kept:
            self.line.write_waiting()
        return True

    def settle(self, number: int) -> None:
        """Letters up to this one are durable: send them."""
        self.mailbox.settle(number)
        if self.line is not None:
            self.line.write_waiting()

    def forget(self) -> None:
        """It has ended: nothing of it is kept."""
        if self.will is not None:
            self.will.cancel()
        self.mailbox.clear()
        if self._journal is not None:
            self._journal.empty(prefix_of(self.client))

    def _note_letter(self, number: int, letter: Letter | None) -> None:
        assert self._journal is not None
        place = letter_place(self.client, number)
        if letter is None:
            self._journal.drop(place)
        else:
            self._journal.put(place, encode_letter(letter))


def is_over(ended_at: Instant | None, expiry_s: int, now: Instant) -> bool:
    return ended_at is not None and expiry_s != FOR_EVER_S and now >= ended_at + expiry_s * SECOND
