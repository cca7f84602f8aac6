"""Lines to a syslog server over TCP (RFC 6587, octet counting) or TLS (RFC 5425)."""

import array
import asyncio
import fcntl
import ssl
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from parvis.kernel.settings import InvalidSettings

WITHIN_S = 10.0
_LOOK_EVERY_S = 0.02
_PORTS = {"tcp": 601, "tls": 6514}


class SyslogServer(msgspec.Struct, frozen=True):
    host: str
    port: int
    is_tls: bool


def syslog_server(address: str) -> SyslogServer:
    """Of "tls://logs.town.example:6514". Raises InvalidSettings."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
        raise InvalidSettings(f"{address!r} is no syslog server: write tls://host:6514, or tcp://host:601.")
    return SyslogServer(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "tls")


class SyslogSender:
    """One connection. Syslog has no receipts: `send` waits until the other machine has confirmed the bytes. What its
    server had not read when it went away is lost: whoever sends numbers its lines and sends the last ones again."""

    def __init__(
        self, server: SyslogServer, security: ssl.SSLContext | None = None, within_s: float = WITHIN_S
    ) -> None:
        self._server = server
        self._security = (security or ssl.create_default_context()) if server.is_tls else None
        self._within_s = within_s
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None

    @property
    def is_connected(self) -> bool:
        if self._writer is None or self._reader is None or self._writer.transport.is_closing():
            return False
        return not self._reader.at_eof() and self._reader.exception() is None

    async def connect(self) -> None:
        """Raises OSError."""
        self.close()
        async with asyncio.timeout(self._within_s):
            self._reader, self._writer = await asyncio.open_connection(
                self._server.host, self._server.port, ssl=self._security
            )
        self._writer.transport.set_write_buffer_limits(high=0)

    async def send(self, lines: Sequence[bytes]) -> None:
        """Raises OSError, TimeoutError."""
        self._check()
        assert self._writer is not None
        self._writer.write(b"".join(b"%d %s" % (len(line), line) for line in lines))
        async with asyncio.timeout(self._within_s):
            await self._writer.drain()
            while self.is_connected and _count_unconfirmed(self._writer):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_EVERY_S)
        self._check()

    def _check(self) -> None:
        if not self.is_connected:
            raise ConnectionResetError("the syslog server has closed the connection")

    def close(self) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        self._writer = self._reader = None


def _count_unconfirmed(writer: asyncio.StreamWriter) -> int:
    """Bytes that the other machine has not confirmed, where the system tells (Linux, SIOCOUTQ)."""
    place = writer.get_extra_info("socket")
    if place is None or not sys.platform.startswith("linux"):
        return 0
    held = array.array("i", [0])
    fcntl.ioctl(place.fileno(), termios.TIOCOUTQ, held)
    return held[0]
