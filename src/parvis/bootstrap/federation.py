"""What makes subscriptions reach other brokers: copies there, and a way back for what they notify."""

from collections.abc import Mapping

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.ports.notifications import NotificationSender
from parvis.broker.ports.store import Store
from parvis.broker.sources.relay import Relay
from parvis.broker.sources.subscribe import SourceSubscriber
from parvis.kernel.settings import Settings


class Federation(msgspec.Struct, frozen=True):
    """`subscriber` waits until the address is known at which sources find this installation."""

    subscriber: SourceSubscriber
    relay: Relay


def build_federation(
    settings: Settings,
    broker: Broker,
    store: Store,
    senders: Mapping[str, NotificationSender],
) -> Federation:
    client = broker.sources.client
    assert client is not None, "a platform calls sources"
    return Federation(
        SourceSubscriber(store.subscriptions, store.sources, broker.contexts, client),
        Relay(broker, store.subscriptions, store.sources, senders, settings.notifications.dead_letters),
    )
