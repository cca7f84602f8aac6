"""A lean HTTP load generator: prepared bytes out, status and length in, one request at a time on each connection."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import uvloop

from parvis.broker.jsonld.context import link_to
from parvis.broker.jsonld.contexts import PARVIS_URL

TERMS = link_to(PARVIS_URL)


@dataclass(slots=True)
class Tally:
    """`latencies_s` of every answered request, in seconds."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return len(self.latencies_s)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], tally: Tally, done: "asyncio.Future[None]") -> None:
        self._requests = requests
        self._tally = tally
        self._done = done
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        mark = head.find(b"content-length:")
        length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
        if len(self._buffer) < head_end + 4 + length:
            return
        status = int(head[9:12])
        self._tally.statuses[status] = self._tally.statuses.get(status, 0) + 1
        self._tally.latencies_s.append(time.perf_counter() - self._sent_at)
        self._buffer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def run_load(port: int, requests: Iterator[bytes], connections: int) -> Tally:
    """Send all `requests` over `connections` kept-alive connections."""
    return run_senders(port, [requests] * connections)


def run_senders(port: int, streams: Sequence[Iterator[bytes]]) -> Tally:
    """A kept-alive connection for each stream, which sends its next request when the one before is answered."""
    return uvloop.run(_run(port, streams))


async def _run(port: int, streams: Sequence[Iterator[bytes]]) -> Tally:
    tally, loop = Tally(), asyncio.get_running_loop()
    began = time.perf_counter()
    futures = []
    for requests in streams:
        done = loop.create_future()
        futures.append(done)
        await loop.create_connection(partial(_Connection, requests, tally, done), "127.0.0.1", port)
    await asyncio.gather(*futures)
    tally.seconds = time.perf_counter() - began
    return tally


def request(method: str, path: str, body: bytes = b"", content_type: str = "application/json", key: str = "") -> bytes:
    """In Parvis's own terms; with `key` an API key is shown."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nLink: {TERMS}\r\n"
    if body or method in ("POST", "PATCH", "PUT"):
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    if key:
        head += f"Authorization: Bearer {key}\r\n"
    return head.encode() + b"\r\n" + body
