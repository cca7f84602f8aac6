"""Who is told of changes: subscribers, and other brokers, by the same senders."""

from contextlib import AsyncExitStack

from parvis.bootstrap.federation import Federation, build_federation
from parvis.bootstrap.notifications import build_notifications, open_senders
from parvis.broker.broker import Broker
from parvis.broker.ports.store import Store
from parvis.broker.subscriptions.notifications import Notifications
from parvis.kernel.settings import Settings
from parvis.outbound.client import GuardedClient


def build_telling(
    settings: Settings, broker: Broker, store: Store, outbound: GuardedClient, stack: AsyncExitStack
) -> tuple[Notifications, Federation]:
    senders = open_senders(settings, outbound, stack)
    notifications = build_notifications(settings, broker, store, senders)
    return notifications, build_federation(settings, broker, store, senders)
