"""Notifications on their way to the store, which are acknowledged when they are in it (RFC 7641, 4.5).

aiocoap acknowledges as they come and keeps the newest: they are taken out of its hands before its message layer.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from aiocoap import ACK, CON, EMPTY, NON, RST, Context, Message

from parvis.connectors.coap import metrics
from parvis.kernel.time import SECOND, Clock, Instant

_MOST_WAITING = 16
_ANSWERS_REMEMBERED = 16
_FRESH_AFTER = 128 * SECOND
_SAME_WITHIN = 247 * SECOND
"""EXCHANGE_LIFETIME (RFC 7252, 4.8.2): after it a message id is of another message."""
_HALF = 2**23


class Order:
    """Which notification is newer (RFC 7641, 3.4)."""

    def __init__(self, number: int, at: Instant) -> None:
        self._number = number
        self._at = at

    def is_next(self, number: int | None, at: Instant) -> bool:
        """What has no number is the last one."""
        if number is None:
            return True
        ahead = (number - self._number) % (2 * _HALF)
        if not (0 < ahead < _HALF or at > self._at + _FRESH_AFTER):
            return False
        self._number, self._at = number, at
        return True


class Series:
    """The notifications of one observation, each with when it came. Whoever reads them says what became of each."""

    def __init__(self, manager: Any, clock: Clock) -> None:
        self._manager = manager
        self._clock = clock
        self._first: tuple[int, int | None] | None = None
        self._queue: asyncio.Queue[tuple[Message, Instant] | None] = asyncio.Queue()
        self._waiting: set[int] = set()
        self._answered: deque[tuple[int, Any, Instant]] = deque(maxlen=_ANSWERS_REMEMBERED)

    def hear(self, message: Message) -> bool:
        """Whether it is a notification: the first answer, however often it comes, is aiocoap's."""
        what = (message.mid, message.opt.observe)
        if self._first is None:
            self._first = what
        if self._first == what or message.mtype not in (CON, NON):
            return False
        if message.mid in self._waiting:
            return True
        answer = self._find_answer(message.mid)
        if answer is not None:
            self._send(message, answer)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.add(message.mid)
            self._queue.put_nowait((message, self._clock()))
        elif message.mtype == NON:
            metrics.LOST.inc()  # one that is confirmable comes again
        return True

    async def read(self) -> AsyncIterator[tuple[Message, Instant]]:
        """Until the observation is over."""
        while (heard := await self._queue.get()) is not None:
            yield heard

    def end(self) -> None:
        self._queue.put_nowait(None)

    def accept(self, message: Message) -> None:
        """It is stored, or nothing could ever be made of it."""
        self._settle(message, ACK)

    def refuse(self, message: Message) -> None:
        """The device is to send no more of them (RFC 7641, 3.6)."""
        self._settle(message, RST)

    def _find_answer(self, mid: int) -> Any:
        since = self._clock() - _SAME_WITHIN
        return next((answer for one, answer, at in reversed(self._answered) if one == mid and at > since), None)

    def _settle(self, message: Message, answer: Any) -> None:
        self._waiting.discard(message.mid)
        self._answered.append((message.mid, answer, self._clock()))
        self._send(message, answer)

    def _send(self, message: Message, answer: Any) -> None:
        if message.mtype == NON and answer is ACK:
            return
        reply = Message(_mtype=answer, _mid=message.mid, code=EMPTY, payload=b"")
        reply.remote = message.remote.as_response_address()
        self._manager.message_interface.send(reply)


class Notices:
    """All notifications that a context hears."""

    def __init__(self, context: Context, clock: Clock) -> None:
        self._clock = clock
        self._manager = context.request_interfaces[0].token_interface
        self._dispatch = self._manager.dispatch_message
        self._manager.dispatch_message = self._hear
        self._by_request: dict[int, Series] = {}

    def expect(self, request: Message) -> Series:
        """The notifications that answer a request, before it is sent."""
        series = self._by_request[id(request)] = Series(self._manager, self._clock)
        return series

    def forget(self, request: Message) -> None:
        """What still comes of them is reset, and so ends at the device."""
        self._by_request.pop(id(request), None)
        asked = self._manager.token_manager.outgoing_requests
        if asked:
            asked.pop((request.token, request.remote), None)

    def _hear(self, message: Message) -> None:
        series = self._find(message) if message.code.is_response() else None
        if series is None or not series.hear(message):
            self._dispatch(message)

    def _find(self, message: Message) -> Series | None:
        asked = self._manager.token_manager.outgoing_requests
        pipe = asked.get((message.token, message.remote)) if asked else None
        return None if pipe is None else self._by_request.get(id(pipe.request))
