"""One HTTP/1.1 connection that is kept alive: a request out, its answer in, one after the other."""

import asyncio
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from parvis.kernel.causes import Cause
from parvis.kernel.errors import Detailed

LONGEST_HEAD_BYTES = 64 << 10
_FIRST_FINAL_STATUS = 200


class BrokenOff(Detailed):
    """The exchange came to no answer; the detail does not name the address."""


class Unanswered(BrokenOff):
    """The connection ended before a byte of the answer came: a kept one may have been closed by the other side."""


class TookTooLong(BrokenOff):
    pass


class SaidTooMuch(BrokenOff):
    pass


class HttpConnection(asyncio.Protocol):
    """`is_idle` says whether another request may be sent; at most `limit_bytes` of a body are read."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._ends_with_connection = True
        self._keeps_alive = False
        self._is_heard = False
        self._is_lost = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    @property
    def is_idle(self) -> bool:
        return self._answer is None and not self._is_lost and not self._transport.is_closing()

    def send(self, request: bytes, limit_s: float | None = None) -> "asyncio.Future[None]":
        """Done when status, headers and body are there. Fails with BrokenOff, TookTooLong after `limit_s`."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        if limit_s is not None:
            self._timer = loop.call_later(limit_s, self._fail, TookTooLong("It took too long."))
        self._is_heard = False
        self._begin()
        if self._is_lost:
            self._fail(Unanswered(Cause.CLOSED.say()))
            return self._answer
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._transport.abort()
            return
        self._is_heard = True
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(BrokenOff(Cause.NO_HTTP.say(fault=error)))
        if self._head_bytes > LONGEST_HEAD_BYTES:
            self._fail(BrokenOff(Cause.HEAD_TOO_LONG.say(bytes=LONGEST_HEAD_BYTES)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        if self._answer is None or self._answer.done():
            return
        if self.status and self._ends_with_connection and exc is None:
            self._finish()
        else:
            kind = BrokenOff if self._is_heard else Unanswered
            self._fail(kind(Cause.CUT_OFF.say()))

    def on_message_begin(self) -> None:
        if self._answer is None:
            raise BrokenOff("An answer that nobody asked for.")
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        word = name.decode("latin-1").lower()
        self.headers[word] = value.decode("latin-1")
        if word in ("content-length", "transfer-encoding"):
            self._ends_with_connection = False

    def on_headers_complete(self) -> None:
        self._head_bytes = 0
        self.status = self._parser.get_status_code()
        self._keeps_alive = self._parser.should_keep_alive()

    def on_body(self, chunk: bytes) -> None:
        self._head_bytes = 0
        self.body += chunk
        if len(self.body) > self.limit_bytes:
            self._fail(SaidTooMuch(Cause.ANSWER_TOO_LARGE.say(bytes=self.limit_bytes)))

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        if self.status >= _FIRST_FINAL_STATUS:
            self._finish()
        else:
            self._begin()

    def _begin(self) -> None:
        self.status, self.headers, self.body = 0, {}, bytearray()
        self._ends_with_connection = True

    def _finish(self) -> None:
        answer = self._take_answer()
        if not self._keeps_alive:
            self._transport.close()
        if answer is not None and not answer.done():
            answer.set_result(None)

    def _fail(self, error: BrokenOff) -> None:
        if not self._is_lost:
            self._transport.abort()
        answer = self._take_answer()
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _take_answer(self) -> "asyncio.Future[None] | None":
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        answer, self._answer = self._answer, None
        return answer
