"""Ports: the ways in which a notification leaves, one for each scheme of an endpoint's URI, and the network below."""

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Protocol, TypeVar

import msgspec

from parvis.broker.subscriptions.model import Endpoint


class Verdict(Enum):
    TAKEN = auto()  # the receiver has it
    LATER = auto()  # try again: the receiver is away, busy or out of order
    REFUSED = auto()  # the same notification would be refused again


class Receipt(msgspec.Struct, frozen=True):
    """What the receiver made of a notification. `wait_s` is the receiver's own wish before the next one."""

    verdict: Verdict
    reason: str = ""
    wait_s: float = 0.0


TAKEN = Receipt(Verdict.TAKEN)


class NotificationSender(Protocol):
    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Hand one notification over, within the endpoint's own time limit or the installation's. Never raises."""
        ...


Connected = TypeVar("Connected", bound=asyncio.BaseProtocol)


class OutboundNetwork(Protocol):
    async def connect(self, make: Callable[[], Connected], host: str, port: int, *, tls: bool) -> Connected:
        """The protocol, connected to an address that was checked; no time limit of its own.

        Raises:
            AddressRefused, CallFailed
        """
        ...
