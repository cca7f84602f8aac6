"""What a client is still to get at QoS 1 and 2: messages in flight to it, and a bounded queue behind them."""

from collections import deque
from collections.abc import Callable

import msgspec

from parvis.connectors.mqtt.shares import Room
from parvis.kernel.time import Instant
from parvis.mqttwire.packets import PropertyValue, Publish

_LARGEST_PACKET_ID = 65_535
_WIDEST_SPAN = 60_000
_OVERHEAD_BYTES = 100


class Letter(msgspec.Struct, frozen=True, gc=False):
    """`number` counts the messages of a session, so that a packet identifier outlives a restart with its message.

    Without `publish` the client has said that it has it (PUBREC), and is to say that it is done (PUBCOMP).
    """

    number: int
    publish: Publish | None
    expires_at: Instant | None = None

    @property
    def packet_id(self) -> int:
        return (self.number - 1) % _LARGEST_PACKET_ID + 1


Note = Callable[[int, Letter | None], None]
"""(number, what is to be kept under it; None: nothing any more)."""


class Mailbox:
    """`space` is what the messages of all mailboxes of its tenant may take together. With `note` its letters are
    durable: none is handed out before `settle` says that it is."""

    def __init__(self, most_messages: int, most_bytes: int, space: Room, note: Note | None = None) -> None:
        self.window = 1
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._space = space
        self._note = note
        self._waiting: deque[Letter] = deque()
        self._sent: dict[int, Letter] = {}
        self._bytes = 0
        self._settled = 0
        self._sent_before = 0
        self.last_number = 0
        self.expired = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    def post(self, publish: Publish, expires_at: Instant | None) -> bool:
        """Whether there was room."""
        size = _size_of(publish)
        if len(self._waiting) >= self._most_messages or self._bytes + size > self._most_bytes or self._is_too_wide():
            return False
        if not self._space.admits(size):
            return False
        self.last_number += 1
        letter = Letter(self.last_number, publish, expires_at)
        self._waiting.append(letter)
        self._occupy(size)
        if self._note is None:
            self._settled = letter.number
        else:
            self._note(letter.number, letter)
        return True

    def restore(self, letters: list[Letter]) -> None:
        """What was in it before a restart, in order. Each of them may have been sent."""
        for letter in letters:
            self._occupy(_size_of(letter.publish))
            if letter.publish is None:
                self._sent[letter.packet_id] = letter
            else:
                self._waiting.append(letter)
        if letters:
            self.last_number = self._settled = self._sent_before = letters[-1].number

    def rewind(self) -> list[Letter]:
        """For another connection: what was sent and not acknowledged waits again. Returns what the client has (PUBREC)
        and is to be told to release."""
        again = [one for one in self._sent.values() if one.publish is not None]
        self._sent = {packet_id: one for packet_id, one in self._sent.items() if one.publish is None}
        if again:
            self._waiting.extendleft(reversed(again))
            self._sent_before = max(self._sent_before, again[-1].number)
        return list(self._sent.values())

    def was_sent_before(self, letter: Letter) -> bool:
        """Whether the client may have had it over an earlier connection."""
        return letter.number <= self._sent_before

    def settle(self, number: int) -> None:
        """Letters up to this one are durable."""
        self._settled = max(self._settled, number)

    def take_next(self, now: Instant) -> Letter | None:
        """The next to send; None while the window is full or nothing waits."""
        while self._waiting and self._waiting[0].number <= self._settled and len(self._sent) < self.window:
            letter = self._waiting.popleft()
            if letter.expires_at is not None and letter.expires_at <= now:
                self.expired += 1
                self._forget(letter)
                continue
            self._sent[letter.packet_id] = letter
            return letter
        return None

    def acknowledge(self, packet_id: int) -> None:
        """PUBACK, or a PUBREC that refuses."""
        letter = self._sent.get(packet_id)
        if letter is not None and letter.publish is not None:
            self._forget(self._sent.pop(packet_id))

    def receive(self, packet_id: int) -> bool:
        """PUBREC: whether there was such a message."""
        letter = self._sent.get(packet_id)
        if letter is None:
            return False
        if letter.publish is not None:
            self._occupy(-_size_of(letter.publish))
            self._sent[packet_id] = released = Letter(letter.number, None)
            self._occupy(_size_of(None))
            if self._note is not None:
                self._note(letter.number, released)
        return True

    def complete(self, packet_id: int) -> None:
        """PUBCOMP."""
        letter = self._sent.get(packet_id)
        if letter is not None and letter.publish is None:
            self._forget(self._sent.pop(packet_id))

    def clear(self) -> None:
        """Nothing of it is needed any more; what was durable is forgotten elsewhere."""
        self._waiting.clear()
        self._sent.clear()
        self._occupy(-self._bytes)

    def _is_too_wide(self) -> bool:
        """A message that is never acknowledged must not meet its own packet identifier again."""
        oldest = next(iter(self._sent.values()), None)
        return oldest is not None and self.last_number - oldest.number >= _WIDEST_SPAN

    def _forget(self, letter: Letter) -> None:
        self._occupy(-_size_of(letter.publish))
        if self._note is not None:
            self._note(letter.number, None)

    def _occupy(self, size: int) -> None:
        self._bytes += size
        self._space.occupy(size)


def size_of(publish: Publish) -> int:
    """About what it takes in memory."""
    said = sum(map(_size_of_property, publish.properties.values())) if publish.properties else 0
    return _OVERHEAD_BYTES + len(publish.topic) + len(publish.payload) + said


def _size_of_property(value: PropertyValue) -> int:
    if isinstance(value, int):
        return 0
    if isinstance(value, str | bytes):
        return len(value)
    return sum(_OVERHEAD_BYTES + (sum(map(len, one)) if isinstance(one, tuple) else 0) for one in value)


def _size_of(publish: Publish | None) -> int:
    return _OVERHEAD_BYTES if publish is None else size_of(publish)
