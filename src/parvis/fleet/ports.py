"""What the fleet asks of where refused frames are kept."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from parvis.fleet.refusal import Refusal, Refused
from parvis.fleet.uplink import Uplink


class RefusalLog(Protocol):
    """Of all refusals the newest, and of no device very many. All processes that may share it see the same."""

    def make(
        self, tenant: str, refused: Refused, uplink: Uplink | None = None, topic: str = "", payload: bytes = b""
    ) -> Refusal: ...

    async def keep(self, refusals: Sequence[Refusal]) -> None:
        """Returns once they are durable. Those that are counted only are not kept."""
        ...

    async def list_refusals(self, tenant: str) -> list[Refusal]:
        """The newest first."""
        ...

    async def list_unknown(self, tenant: str, hardware_ids: Collection[str]) -> list[int]:
        """Refused because these devices were not registered, the oldest first."""
        ...

    async def claim(self, tenant: str, refusal_ids: Iterable[int]) -> list[Refusal]:
        """Those that are there and that nobody else tries again just now, in the order asked for."""
        ...

    async def resolve(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        """Forget those that were stored after all."""
        ...

    async def release(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        """Let others try those that were claimed; a claim whose process died ends by itself."""
        ...
