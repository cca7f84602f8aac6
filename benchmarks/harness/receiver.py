"""A receiver of notifications in a process of its own: answers 204 at once, and counts which ones came."""

import asyncio
import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import cast

import msgspec
import uvloop

_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
_ID_OPENS = b'"id":"'


class Counts(msgspec.Struct, frozen=True):
    """`different` has those sent twice once."""

    requests: int
    different: int


class _Connection(asyncio.Protocol):
    def __init__(self, ids: set[bytes], requests: list[int]) -> None:
        self._ids = ids
        self._requests = requests
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head_end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:head_end].lower()
            mark = head.find(b"content-length:")
            length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
            end = head_end + 4 + length
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get"):
            counts = msgspec.json.encode(Counts(self._requests[0], len(self._ids)))
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(counts), counts))
            return
        start = body.index(_ID_OPENS) + len(_ID_OPENS)
        self._ids.add(body[start : body.index(b'"', start)])
        self._requests[0] += 1
        self._transport.write(_TAKEN)


class Receiver:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/notify"

    def counts(self) -> Counts:
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            return msgspec.json.decode(answer.read(), type=Counts)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.harness.receiver"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Receiver(int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def _serve() -> None:
    ids, requests = set[bytes](), [0]
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(ids, requests), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
