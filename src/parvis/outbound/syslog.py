"""Lines to a syslog server over TCP (RFC 6587, octet counting) or TLS (RFC 5425)."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from parvis.kernel.settings import InvalidSettings

WITHIN_S = 10.0
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
    """One connection, made when there is something to send. Syslog has no receipts: what was sent a moment before a
    connection broke may be lost, so that whoever sends numbers its lines and sends the last ones again."""

    def __init__(self, server: SyslogServer, security: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._security = (security or ssl.create_default_context()) if server.is_tls else None
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None

    @property
    def is_connected(self) -> bool:
        """As far as is known here: a server that has gone shows when it is written to, or has said so."""
        return self._writer is not None and self._reader is not None and not self._reader.at_eof()

    async def connect(self) -> None:
        """Raises OSError."""
        self.close()
        async with asyncio.timeout(WITHIN_S):
            self._reader, self._writer = await asyncio.open_connection(
                self._server.host, self._server.port, ssl=self._security
            )

    async def send(self, lines: Sequence[bytes]) -> None:
        """Raises OSError."""
        if self._writer is None or not self.is_connected:
            raise ConnectionResetError("the syslog server has closed the connection")
        self._writer.write(b"".join(b"%d %s" % (len(line), line) for line in lines))
        async with asyncio.timeout(WITHIN_S):
            await self._writer.drain()

    def close(self) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        self._writer = self._reader = None
