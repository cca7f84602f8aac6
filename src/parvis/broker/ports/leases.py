"""Who does what only one process may do."""

from typing import Protocol

import msgspec


class Fence(msgspec.Struct, frozen=True):
    """Keeps out whoever held the lease `name` before: a write behind it is refused (Outrun) unless `holder` is the one
    who took it last. A holder's name is never used again."""

    name: str
    holder: str


class Leases(Protocol):
    """The store's clock counts, so that processes need not agree on theirs."""

    async def take(self, name: str, holder: str, for_s: float) -> bool:
        """Take the lease or hold it longer; False while another holder's runs."""
        ...

    async def give_back(self, name: str, holder: str) -> None:
        """Let the next holder begin at once; nothing where `holder` does not hold it."""
        ...
