"""A lean MQTT 3.1.1 publisher: prepared PUBLISH packets out, PUBACKs counted, a bounded window on each connection."""

import asyncio
import time
from collections.abc import Iterator
from typing import cast

WINDOW = 200
CONNECTION_ACCEPTED = b"\x20\x02\x00\x00"


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    """QoS 1 (MQTT 3.1.1, 3.3)."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + packet_id.to_bytes(2, "big") + payload
    return b"\x32" + _remaining_length(len(body)) + body


def connect_packet(client_id: str) -> bytes:
    name = client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    return b"\x10" + _remaining_length(len(body)) + body


def _remaining_length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(encoded)


class _Publisher(asyncio.Protocol):
    def __init__(self, name: str, packets: Iterator[bytes], done: "asyncio.Future[None]") -> None:
        self._name = name
        self._packets = packets
        self._done = done
        self._waiting = 0
        self._partial = 0
        self._connected = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(connect_packet(self._name))

    def data_received(self, data: bytes) -> None:
        """CONNACK and PUBACK are four bytes each."""
        received = self._partial + len(data)
        packets, self._partial = divmod(received, 4)
        if not self._connected and packets:
            if data[:4] != CONNECTION_ACCEPTED:
                self._done.set_exception(RuntimeError("the listener refused the connection"))
                return
            self._connected, packets = True, packets - 1
        self._waiting -= packets
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(f"connection lost with {self._waiting} unacknowledged"))

    def _send(self) -> None:
        ready: list[bytes] = []
        while self._waiting + len(ready) < WINDOW and (packet := next(self._packets, None)) is not None:
            ready.append(packet)
        self._waiting += len(ready)
        if ready:
            self._transport.write(b"".join(ready))
        elif not self._waiting and not self._done.done():
            self._done.set_result(None)
            self._transport.close()


async def publish_all(port: int, packets: list[bytes], connections: int) -> float:
    """Seconds until every packet is acknowledged."""
    loop, source = asyncio.get_running_loop(), iter(packets)
    began = time.perf_counter()
    futures = []
    for number in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        futures.append(done)
        name = f"bench-{number}"
        await loop.create_connection(
            lambda name=name, done=done: _Publisher(name, source, done),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
    await asyncio.gather(*futures)
    return time.perf_counter() - began
