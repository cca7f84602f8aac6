"""What a subscriber is still to get: a window of QoS 1 messages, and a bounded queue behind it."""

from collections import deque

import msgspec

from parvis.mqttwire.packets import Publish

_LAST_PACKET_ID = 65_535


class Outgoing:
    """Never holds more than `window` messages unacknowledged and `queue_limit` waiting."""

    def __init__(self, window: int, queue_limit: int) -> None:
        self._window = window
        self._queue_limit = queue_limit
        self._waiting: deque[Publish] = deque()
        self._unacknowledged: set[int] = set()
        self._last_id = 0

    def offer(self, publish: Publish) -> Publish | None:
        """The message to send now; None where it waits.

        Raises:
            OverflowError: the queue is full.
        """
        if publish.qos == 0:
            return publish
        if len(self._unacknowledged) < self._window:
            return self._numbered(publish)
        if len(self._waiting) >= self._queue_limit:
            raise OverflowError
        self._waiting.append(publish)
        return None

    def acknowledge(self, packet_id: int) -> Publish | None:
        """The next message to send, if one waits."""
        if packet_id not in self._unacknowledged:
            return None
        self._unacknowledged.discard(packet_id)
        return self._numbered(self._waiting.popleft()) if self._waiting else None

    def _numbered(self, publish: Publish) -> Publish:
        while True:
            self._last_id = self._last_id % _LAST_PACKET_ID + 1
            if self._last_id not in self._unacknowledged:
                break
        self._unacknowledged.add(self._last_id)
        return msgspec.structs.replace(publish, packet_id=self._last_id)
