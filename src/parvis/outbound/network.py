"""Connections to checked addresses only: a name is resolved once, and the address that was checked is connected to."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from parvis.kernel.causes import Cause
from parvis.kernel.outbound import AddressRefused, CallFailed
from parvis.outbound.guard import AddressGuard

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)


async def resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class GuardedNetwork:
    """A name cannot mean another address a moment after it was checked; certificates are still checked against the
    name, by the authorities the system trusts."""

    def __init__(self, guard: AddressGuard, resolver: Resolver = resolve) -> None:
        self._guard = guard
        self._resolver = resolver
        self._tls: ssl.SSLContext | None = None

    async def connect(self, make: Callable[[], Protocol], host: str, port: int, *, tls: bool) -> Protocol:
        """The protocol, connected; no time limit of its own.

        Raises:
            AddressRefused, CallFailed
        """
        addresses = await self.checked_addresses(host, port)
        loop, security = asyncio.get_running_loop(), self._security() if tls else None
        for address in addresses:
            try:
                _, protocol = await loop.create_connection(
                    make, address, port, ssl=security, server_hostname=host if tls else None
                )
            except OSError as error:
                fault = error
            else:
                return protocol
        raise CallFailed(Cause.NOT_CALLED.say(place=f"{host} port {port}", fault=f"{_said(fault)}.")) from fault

    async def checked_addresses(self, host: str, port: int) -> Sequence[str]:
        """What the name leads to, all of it permitted. Raises AddressRefused or CallFailed."""
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise CallFailed(Cause.NAME_NOT_FOUND.say(host=host)) from error
        if not addresses:
            raise CallFailed(Cause.NAME_NOT_FOUND.say(host=host))
        for address in addresses:
            if not self._guard.permits(address, port):
                raise AddressRefused(Cause.PRIVATE_NETWORK.say(host=host))
        return addresses

    def _security(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _said(fault: OSError) -> str:
    return fault.strerror or str(fault) or type(fault).__name__
