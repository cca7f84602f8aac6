"""MQTT over TLS (port 8883): with certificates that are renewed while connections stay, and certificates of clients."""

import asyncio
import hashlib
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parvis.access.certificates.model import Shown
from parvis.fleet.model.uplink import plain_hardware_id
from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import InvalidSettings
from parvis.kernel.time import SECOND

_LOOK_EVERY_S = 10.0
_BACKLOG = 1024
_log = logging.getLogger(__name__)
_Versions = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. With `client_ca` clients may show a certificate of it, with `requires_certificate` they must."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    requires_certificate: bool = False

    def context(self) -> ssl.SSLContext:
        """Raises InvalidSettings."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED if self.requires_certificate else ssl.CERT_OPTIONAL
        except (OSError, ssl.SSLError) as error:
            raise InvalidSettings(f"The certificate files for MQTT cannot be used: {error}.") from error
        return context

    def versions(self) -> _Versions:
        """Changes when one of the files does. Raises OSError."""
        paths = (self.certificate, self.key, *((self.client_ca,) if self.client_ca else ()))
        return tuple((one.stat().st_mtime_ns, one.stat().st_size) for one in paths)


class TlsListener:
    """New certificates are for new connections: the listening socket stays, who is connected notices nothing."""

    def __init__(self, files: TlsFiles, bound: socket.socket, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._files = files
        self._bound = bound
        self._look_every_s = look_every_s
        self._server: asyncio.Server | None = None
        self._versions: _Versions = ()

    @property
    def port(self) -> int:
        port: int = self._bound.getsockname()[1]
        return port

    async def start(self, make: Callable[[], asyncio.Protocol], handshake_s: float) -> None:
        """Raises OSError, or InvalidSettings for files that cannot be used."""
        self._make = make
        self._handshake_s = handshake_s
        try:
            context = self._files.context()
            self._versions = self._files.versions()
            self._server = await self._listen(context)
        except BaseException:
            self._bound.close()
            raise

    async def follow_files(self) -> None:
        """Until cancelled. Files that cannot be used change nothing."""
        while True:
            await asyncio.sleep(self._look_every_s)
            try:
                await self._renew()
            except (OSError, ParvisError) as fault:
                _log.warning("the certificate for MQTT cannot be renewed", extra={"reason": str(fault)})

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._bound.close()

    async def _renew(self) -> None:
        versions = self._files.versions()
        if versions == self._versions:
            return
        context = self._files.context()
        earlier, self._server = self._server, await self._listen(context)
        self._versions = versions
        if earlier is not None:
            earlier.close()
        _log.info("the certificate for MQTT has been renewed")

    async def _listen(self, context: ssl.SSLContext) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            self._make, sock=self._bound.dup(), ssl=context, ssl_handshake_timeout=self._handshake_s, backlog=_BACKLOG
        )


def bind(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """Where several processes listen, each has a socket of its own on the port. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def shown_by(certificate: Mapping[str, Any], der: bytes) -> Shown:
    """Of a verified certificate, as `ssl` tells it and as it is."""
    expires_s = ssl.cert_time_to_seconds(certificate["notAfter"])
    return Shown(hashlib.sha256(der).digest(), tuple(names_of(certificate)), expires_s * SECOND)


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """What a verified certificate may call a device: alternative names first, then the common name (RFC 5280)."""
    alternative = certificate.get("subjectAltName", ())
    names = [value for kind, value in alternative if kind == "DNS"]
    names += [value.rpartition(":")[2] for kind, value in alternative if kind == "URI"]
    names += [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return [plain_hardware_id(one) for one in names]
