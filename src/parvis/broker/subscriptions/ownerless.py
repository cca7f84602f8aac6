"""Subscriptions whose owner is gone: in nobody's name is nothing told."""

from collections.abc import Awaitable, Callable, Iterable

from msgspec.structs import replace

from parvis.broker.broker import Broker
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.subscriptions.recipient import Recipient
from parvis.broker.subscriptions.seeing import reader_of
from parvis.kernel.causes import Cause
from parvis.kernel.errors import Overloaded, ResourceNotFound
from parvis.kernel.time import system_clock


async def pause_ownerless(
    broker: Broker,
    store: SubscriptionStore,
    recipients: Iterable[Recipient],
    save: Callable[[], Awaitable[None]],
) -> None:
    """The reason stands where people look for it, before it pauses."""

    for one in recipients:
        if one.is_resting or reader_of(broker, one.subscription) is not None:
            continue
        one.note_fault(Cause.OWNER_GONE.say(owner=one.subscription.creator))
        await save()
        try:
            await store.change(*one.key, lambda held: replace(held, is_active=False, modified_at=system_clock()))
        except (ResourceNotFound, Overloaded):
            continue
