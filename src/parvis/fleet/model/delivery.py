"""How a way in hands messages on, and what it hears back: the port between connectors and the fleet."""

from collections.abc import Awaitable, Callable
from enum import Enum, auto

import msgspec

from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as it came, and in whose name."""

    caller: Caller
    topic: str
    payload: bytes
    received_at: Instant


class Ack(Enum):
    """What became of a message. Only the first two may be acknowledged to the sender."""

    STORED = auto()
    REFUSED = auto()  # will never be stored; counted, and kept where it is worth a retry
    OVERLOADED = auto()  # nothing of it was stored; send it again
    FAILED = auto()  # a fault of the platform; send it again


Handler = Callable[[list[Message]], Awaitable[list[Ack]]]
"""Takes the messages of one turn together; one Ack each, in order, once they are durable."""


class Route(msgspec.Struct, frozen=True):
    topic_filter: str
    handler: Handler


Tell = Callable[[str, str, bytes], bool]
"""(tenant, topic, payload) to whoever has subscribed at the platform; whether anybody has."""


class Outlet:
    """The platform's own MQTT listener, seen from those who have something to say to its clients."""

    def __init__(self) -> None:
        self._tell: Tell | None = None

    def open(self, tell: Tell) -> None:
        self._tell = tell

    def tell(self, tenant: str, topic: str, payload: bytes) -> bool:
        """Whether anybody listens, at the quality of service that each asked for."""
        return self._tell is not None and self._tell(tenant, topic, payload)
