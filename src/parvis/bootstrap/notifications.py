"""The ways in which notifications leave, and their limits."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from parvis.broker.broker import Broker
from parvis.broker.ports.notifications import NotificationSender
from parvis.broker.ports.store import Store
from parvis.broker.subscriptions.notifications import Notifications
from parvis.broker.subscriptions.recipient import Limits
from parvis.connectors.mqtt.publisher import MqttNotifications
from parvis.kernel.settings import Settings
from parvis.kernel.time import HOUR
from parvis.outbound.client import GuardedClient
from parvis.outbound.notifications import HttpNotifications


def open_senders(
    settings: Settings, outbound: GuardedClient, stack: AsyncExitStack
) -> Mapping[str, NotificationSender]:
    """By the scheme of an endpoint's address."""
    http, mqtt = HttpNotifications(outbound), MqttNotifications(outbound.network, settings.outbound.timeout_s)
    stack.push_async_callback(mqtt.close)
    return {"http": http, "https": http, "mqtt": mqtt, "mqtts": mqtt}


def build_notifications(
    settings: Settings, broker: Broker, store: Store, senders: Mapping[str, NotificationSender]
) -> Notifications:
    own = settings.notifications
    limits = Limits(round(own.give_up_after_h * HOUR), own.backlog_events)
    return Notifications(broker, store, senders, limits, own.dead_letters)
