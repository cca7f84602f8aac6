"""What the fleet asks of where its frames are kept. All processes that may share a store see the same."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from parvis.fleet.model.frame import LoggedFrame, Room, Waiting
from parvis.fleet.model.refusal import EVERY_REASON, Refusal, RefusalReason
from parvis.kernel.time import Instant

CLAIM_HOLDS_S = 60


class FrameStore(Protocol):
    """Refused frames, of which those of unknown devices wait until the device is registered, and a log of the last
    frames of known ones."""

    async def keep(self, refusals: Sequence[Refusal], room: Room) -> list[bool]:
        """Whether each is durable: one of an unknown device is not where too many wait already. Of others the oldest
        make room. Of a tenant that does not exist nothing is kept."""
        ...

    async def list_refusals(
        self, tenant: str, device: str = "", limit: int = 1_000, reasons: Collection[RefusalReason] = EVERY_REASON
    ) -> list[Refusal]:
        """The newest first; of one device, or of all."""
        ...

    async def count_refusals(self, tenant: str) -> Mapping[RefusalReason, int]: ...

    async def list_waiting(self, tenant: str | None = None, limit: int = 100_000) -> list[Waiting]:
        """The unknown devices of one tenant, or of all: the one heard last comes first. Without `newest` for all."""
        ...

    async def find_waiting(self, tenant: str, hardware_ids: Collection[str], after: int, limit: int) -> list[int]:
        """Ids of frames of these devices that wait, above `after`, in the order in which they came."""
        ...

    async def claim(self, tenant: str, refusal_ids: Iterable[int]) -> list[Refusal]:
        """Those that are there and that nobody else tries again just now, in the order asked for.

        A claim ends after CLAIM_HOLDS_S, where its process died.
        """
        ...

    async def release(self, tenant: str, refusal_ids: Iterable[int]) -> None:
        """Let others try those that were claimed."""
        ...

    async def settle(self, tenant: str, stored: Sequence[int], refused: Sequence[Refusal]) -> None:
        """Forget those that were stored after all; keep the others with the reason they have now; end their claims."""
        ...

    async def discard(self, tenant: str, hardware_id: str) -> int:
        """Forget what waits of an unknown device; how many frames they were."""
        ...

    async def expire(self, before: Instant, limit: int) -> int:
        """Forget at most `limit` frames that have waited since before; how many they were."""
        ...

    async def log(self, frames: Sequence[LoggedFrame], room: Room) -> None:
        """In the order in which they came. Of each device a few more than `room.last` may be kept for a while."""
        ...

    async def list_logged(self, tenant: str, hardware_id: str, limit: int) -> list[LoggedFrame]:
        """The newest first."""
        ...

    async def forget_logged(self, tenant: str, hardware_id: str) -> None: ...
