"""The HTTP wire, within bounds: uvicorn's protocol takes a head of any length, and waits for its end for ever."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from parvis.web import metrics

LONGEST_HEAD_BYTES = 64 << 10
SILENCE_AT_MOST_S = 30.0
MOST_CONNECTIONS = 10_000


class _AsWritten(bytes):
    """A header's name that uvicorn sends as it stands."""

    def lower(self) -> "_AsWritten":
        return self


_SPELT = {b"location": _AsWritten(b"Location")}


def spelling(app: ASGIApp) -> ASGIApp:
    """`app`, with its Location headers written so. uvicorn sends names in lower case, which means the same (RFC 9110,
    5.1), but some clients, the official suite for NGSI-LD among them, look for this one letter by letter."""

    def spelt(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return app(scope, receive, send if scope.get("method") == "GET" else _spelling_send(send))

    return spelt


def _spelling_send(send: Send) -> Send:
    def spelt(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = [(_SPELT.get(name, name), value) for name, value in message.get("headers", ())]
        return send(message)

    return spelt


class BoundedHttp(HttpToolsProtocol):
    """Ends a connection whose request brings more than a head's worth of bytes without a head or a body in them, takes
    too long over a head, or brings nothing at all for a while; keeps the newest ones out where too many are open."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.app = spelling(self.app)
        self._head_bytes = 0
        self._made_way = False
        self._heard_at_s = self._head_began_at_s = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse("too_many")
        else:
            self._watch = self.loop.call_later(SILENCE_AT_MOST_S, self._end_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard_at_s = self.loop.time()
        self._made_way = False
        super().data_received(data)
        if self._made_way:
            self._head_bytes = 0
            return
        if not self._head_bytes:
            self._head_began_at_s = self._heard_at_s
        self._head_bytes += len(data)
        if self._head_bytes > LONGEST_HEAD_BYTES:
            self._refuse("head_too_long")

    def on_headers_complete(self) -> None:
        self._made_way = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._made_way = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._made_way = True
        super().on_message_complete()

    def _end_if_silent(self) -> None:
        since_s = self._head_began_at_s if self._head_bytes else self._heard_at_s
        if self._waits_for_client and self.loop.time() - since_s >= SILENCE_AT_MOST_S:
            self._refuse("silent")
        else:
            self._watch = self.loop.call_later(SILENCE_AT_MOST_S, self._end_if_silent)

    @property
    def _waits_for_client(self) -> bool:
        """A request that is there whole may take its time; so may one that is not read any further just now."""
        cycle: RequestResponseCycle | None = self.cycle
        is_incomplete = cycle is None or cycle.more_body or self._head_bytes > 0
        return is_incomplete and not self.flow.read_paused

    def _refuse(self, reason: str) -> None:
        metrics.REFUSED_CONNECTIONS.labels(reason).inc()
        self.transport.abort()
