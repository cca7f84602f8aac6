"""Short-lived news between the processes of one installation: told to all who listen now, kept for nobody."""

from collections.abc import Callable
from typing import Protocol

Hear = Callable[[str, bytes], None]
"""(name of the process that told it, message). Called on the event loop."""


class Bus(Protocol):
    """All processes hear all messages in one order, their own among them. What nobody hears in time is lost."""

    @property
    def process(self) -> str:
        """This process' name: no other has it, nor has had it."""
        ...

    def tell(self, message: bytes) -> None:
        """Does not wait; beyond a bound messages are dropped and counted."""
        ...

    def listen(self, hear: Hear) -> None:
        """One listener a bus."""
        ...
