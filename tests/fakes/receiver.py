"""A server that takes notifications, as well or badly as a test wants it to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Heard:
    """One request: its body, and the status it was answered with."""

    document: Any
    head: str
    status: int

    @property
    def data(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.document["data"]
        return found


Answering = Callable[[Any], tuple[int, str]]


@dataclass
class Receiver:
    """`answer` gives status and further header lines of a document; `delay_s` is slept before."""

    answer: Answering = lambda document: (204, "")
    delay_s: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    url: str = ""

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["Receiver"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notify"
        async with server:
            yield self

    @property
    def taken(self) -> list[Heard]:
        return [one for one in self.heard if one.status < 300]

    def values(self, entity_id: str, term: str) -> list[Any]:
        """What was taken of one entity's attribute, in the order it came."""
        return [entity[term]["value"] for one in self.taken for entity in one.data if entity["id"] == entity_id]

    async def until(self, holds: Callable[[], bool], within_s: float = 5.0) -> None:
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - a test looks from outside
                await asyncio.sleep(0.01)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                document = msgspec.json.decode(await reader.readexactly(length))
                self.under_way += 1
                self.most_under_way = max(self.most_under_way, self.under_way)
                await asyncio.sleep(self.delay_s)
                status, headers = self.answer(document)
                self.under_way -= 1
                self.heard.append(Heard(document, head, status))
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{headers}\r\n".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
