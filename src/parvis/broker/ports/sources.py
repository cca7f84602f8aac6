"""What context sources ask of a store: to keep their registrations, and who is told of them."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from parvis.broker.ports.leases import Fence
from parvis.broker.sources.copies import Copy
from parvis.broker.sources.model import Registration
from parvis.broker.sources.subscription import SourceSubscribed, SourceSubscription, Standing

Others = Sequence[Registration]


class SourceSubscriptionPage(msgspec.Struct, frozen=True):
    """`total` counts them all, on this page or not."""

    subscribed: tuple[SourceSubscribed, ...]
    total: int


class SourceStore(Protocol):
    async def add(self, registration: Registration, check: Callable[[Others], None], most: int | None = None) -> None:
        """`check` is given those of the tenant, which nobody changes meanwhile; it runs in another thread and may raise
        a ParvisError, which comes out here.

        Raises:
            AlreadyExists, NonexistentTenant
            TooManyRegistrations: the tenant has `most` already.
        """
        ...

    async def change(
        self, tenant: str, registration_id: str, alter: Callable[[Registration, Others], Registration]
    ) -> None:
        """Put what `alter` makes of it in its place; `alter` is as `check` of `add`. Raises ResourceNotFound."""
        ...

    async def remove(self, tenant: str, registration_id: str) -> bool:
        """False where there is none."""
        ...

    async def find(self, tenant: str, registration_id: str) -> Registration | None: ...

    async def list_all(self) -> list[Registration]:
        """Those of every tenant, in the order of their creation."""
        ...

    async def version(self) -> int:
        """A number that changes whenever a registration, or a subscription to them, is added, changed or removed."""
        ...

    async def mark(self) -> str:
        """By which the installation knows its own calls: the same in all its processes, another one nowhere else."""
        ...

    async def wait(self, version: int) -> int:
        """Return the version once it is another one: at once after a change in this process, else within seconds."""
        ...

    async def add_subscription(self, subscription: SourceSubscription, most: int | None = None) -> None:
        """Raises AlreadyExists or NonexistentTenant, and TooManySubscriptions where its tenant has `most` already."""
        ...

    async def change_subscription(
        self, tenant: str, subscription_id: str, alter: Callable[[SourceSubscription], SourceSubscription]
    ) -> None:
        """As `change`."""
        ...

    async def remove_subscription(self, tenant: str, subscription_id: str) -> bool:
        """False where there is none."""
        ...

    async def find_subscription(self, tenant: str, subscription_id: str) -> SourceSubscribed | None: ...

    async def list_subscriptions(self, tenant: str, limit: int, offset: int = 0) -> SourceSubscriptionPage:
        """In the order of their creation."""
        ...

    async def list_all_subscriptions(self) -> list[SourceSubscribed]:
        """Those of every tenant."""
        ...

    async def note(self, tenant: str, subscription_id: str, standing: Standing, fence: Fence | None = None) -> None:
        """Remember what was told; nothing where the subscription is gone. Raises Outrun."""
        ...

    async def add_copy(self, copy: Copy) -> bool:
        """False where the subscription has a copy at this source already, or its tenant is gone."""
        ...

    async def change_copy(self, copy: Copy) -> None:
        """In the place of the one with its token; nothing where there is none."""
        ...

    async def drop_copy(self, copy: Copy) -> None:
        """The one with its token."""
        ...

    async def find_copy(self, token: str) -> Copy | None: ...

    async def list_copies(self) -> list[Copy]:
        """Those of every tenant."""
        ...
