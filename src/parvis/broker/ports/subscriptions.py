"""What subscriptions ask of a store: to keep them, what became of their notifications, and those that were given up."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from parvis.broker.ports.leases import Fence
from parvis.broker.subscriptions.model import DeadLetter, Note, Subscribed, Subscription
from parvis.broker.subscriptions.standing import Told


class SubscriptionPage(msgspec.Struct, frozen=True):
    """`total` counts them all, on this page or not."""

    subscribed: tuple[Subscribed, ...]
    total: int


class DeadLetterPage(msgspec.Struct, frozen=True):
    letters: tuple[DeadLetter, ...]
    total: int


class SubscriptionStore(Protocol):
    async def add(self, subscription: Subscription, most: int | None = None) -> None:
        """From the newest event on; its consumer of the outbox stands there, in the same transaction.

        Raises AlreadyExists or NonexistentTenant, and TooManySubscriptions where its tenant has `most` already.
        """
        ...

    async def change(self, tenant: str, subscription_id: str, alter: Callable[[Subscription], Subscription]) -> None:
        """Put what `alter` makes of it in its place, while nobody else changes it.

        `alter` runs in another thread and may raise a ParvisError, which comes out here.

        Raises:
            ResourceNotFound
        """
        ...

    async def remove(self, tenant: str, subscription_id: str) -> bool:
        """With its consumer and its dead letters, in one transaction; False where there is none."""
        ...

    async def find(self, tenant: str, subscription_id: str) -> Subscribed | None: ...

    async def list_page(self, tenant: str, limit: int, offset: int = 0) -> SubscriptionPage:
        """In the order of their creation."""
        ...

    async def list_all(self) -> list[Subscribed]:
        """Those of every tenant."""
        ...

    async def version(self) -> int:
        """A number that changes with every `add`, `change` and `remove`, in whichever process."""
        ...

    async def wait(self, version: int) -> int:
        """Return the version once it is another one: at once after a change in this process, else within seconds."""
        ...

    async def note(self, notes: Sequence[Note], fence: Fence | None = None) -> None:
        """Remember what became of notifications, all in one transaction. Raises Outrun."""
        ...

    async def bury(self, letters: Sequence[DeadLetter], keep: int, fence: Fence | None = None) -> int:
        """Keep dead letters, at most `keep` for each subscription: the oldest go; how many went.

        A letter of a subscription that is gone is not kept. Raises Outrun.
        """
        ...

    async def tell(self, told: Told, fence: Fence) -> None:
        """In the place of what was told before, for all processes. It need not outlast them. Raises Outrun."""
        ...

    async def hear(self) -> Told:
        """What was told last."""
        ...

    async def list_letters(
        self, tenant: str, subscription_id: str | None = None, limit: int = 20, before: int | None = None
    ) -> DeadLetterPage:
        """The newest first; with `before` those of a smaller number."""
        ...

    async def find_letter(self, tenant: str, number: int) -> DeadLetter | None: ...

    async def remove_letters(self, tenant: str, numbers: Sequence[int]) -> int:
        """How many there were."""
        ...

    async def count_letters(self) -> dict[tuple[str, str], int]:
        """By tenant and subscription, those that have any."""
        ...
