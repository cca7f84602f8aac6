"""Messages to their subscribers: those here, and through the relay those at the listeners of other processes."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.groups import Group, Groups, groups_for
from parvis.connectors.mqtt.journal import Journal
from parvis.connectors.mqtt.records import Client
from parvis.connectors.mqtt.relay import Relay
from parvis.connectors.mqtt.retained import Retained
from parvis.connectors.mqtt.session import Session
from parvis.connectors.mqtt.tree import SubscriptionTree
from parvis.kernel.bus import Bus
from parvis.kernel.time import SECOND, Clock, Instant
from parvis.mqttwire.packets import Property, Publish, Subscription
from parvis.mqttwire.topics import split_shared


class Router:
    """`take_over` is told of clients that are connected elsewhere now."""

    def __init__(
        self,
        retained: Retained,
        journal: Journal | None,
        clock: Clock,
        bus: Bus | None,
        take_over: Callable[[Client], None],
        hear_released: Callable[[Client], None],
    ) -> None:
        self.retained = retained
        self.tree: SubscriptionTree[Session] = SubscriptionTree()
        self.groups = Groups()
        self.relay = None if bus is None else Relay(bus, self)
        self.take_over = take_over
        self.hear_released = hear_released
        self._journal = journal
        self._clock = clock

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody might want a message, here or elsewhere."""
        return bool(self.tree) or bool(self.groups) or self.relay is not None

    def attach(self, session: Session) -> None:
        """A session that was kept may be sent something."""
        for subscription in session.subscriptions.values():
            self._enter(session, subscription)

    def detach(self, session: Session) -> None:
        for topic_filter in session.subscriptions:
            self._leave(session, topic_filter)
        self._changed()

    def subscribe(self, session: Session, subscription: Subscription) -> None:
        """Send what is retained under the filter, unless the subscription asks otherwise (5.0, 3.8.3.1)."""
        is_new = subscription.topic_filter not in session.subscriptions
        session.subscriptions[subscription.topic_filter] = subscription
        self._enter(session, subscription)
        is_unwanted = subscription.retain_handling == 2 or (subscription.retain_handling == 1 and not is_new)
        if is_unwanted or subscription.topic_filter.startswith("$share/"):
            return
        for one in list(self.retained.find(session.tenant, subscription.topic_filter, self._clock())):
            self._send(session, one.publish, [subscription], one.expires_at, is_retained=True)

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Whether there was such a subscription."""
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        self._leave(session, topic_filter)
        self._changed()
        return True

    def fan_out(self, tenant: str, publish: Publish, origin: Session | None, touched: set[Session]) -> bool:
        """To everybody who wants it; who gets it here is added to `touched`. Whether it is passed on elsewhere."""
        expires_at = self._expiry_of(publish)
        if publish.retain and not self.retained.keep(tenant, publish, expires_at):
            metrics.NOT_RETAINED.inc()
        wanted = groups_for(iter(self.groups), tenant, publish.topic) if self.groups else set()
        served = self._deliver(tenant, publish, expires_at, wanted, origin, touched)
        return self.relay is not None and self.relay.publish(tenant, publish, served)

    def hear(self, tenant: str, publish: Publish, groups: Iterable[Group]) -> None:
        """From a listener in another process, which keeps what is retained."""
        touched: set[Session] = set()
        expires_at = self._expiry_of(publish)
        if publish.retain:
            self.retained.keep(tenant, publish, expires_at, is_durable=False)
        self._deliver(tenant, publish, expires_at, groups, None, touched)
        self.settle(touched)

    def keep(self, tenant: str, publish: Publish) -> None:
        """A message retained elsewhere, unless there is a newer one."""
        if not self.retained.has(tenant, publish.topic):
            self.retained.keep(tenant, publish, self._expiry_of(publish), is_durable=False)

    def settle(self, touched: set[Session]) -> None:
        """Send what waits for these sessions once it is durable."""
        for session in touched:
            number = session.mailbox.last_number
            if self._journal is not None and session.is_kept:
                self._journal.then(partial(session.settle, number))

    def list_interest(self) -> tuple[set[tuple[str, str]], list[Group]]:
        filters = self.tree.list_filters()
        return filters, list(self.groups)

    def list_retained(self) -> Iterator[tuple[str, Publish]]:
        return self.retained.list_all()

    def _deliver(
        self,
        tenant: str,
        publish: Publish,
        expires_at: Instant | None,
        groups: Iterable[Group],
        origin: Session | None,
        touched: set[Session],
    ) -> set[Group]:
        """The groups of which a member here has taken it."""
        for session, subscriptions in self.tree.find(tenant, publish.topic).items() if self.tree else ():
            wanted = [one for one in subscriptions if not (one.no_local and session is origin)]
            if wanted and self._send(session, publish, wanted, expires_at):
                touched.add(session)
        return {group for group in groups if self.groups.deliver(group, publish, expires_at, touched)}

    def _send(
        self,
        session: Session,
        publish: Publish,
        wanted: list[Subscription],
        expires_at: Instant | None,
        *,
        is_retained: bool = False,
    ) -> bool:
        """Once, at the highest QoS of the subscriptions that want it, with all their identifiers (5.0, 3.3.4)."""
        qos = min(publish.qos, max(one.qos for one in wanted))
        retain = is_retained or (publish.retain and any(one.retain_as_published for one in wanted))
        properties = publish.properties
        if identifiers := [one.identifier for one in wanted if one.identifier]:
            properties = {**properties, Property.SUBSCRIPTION_IDENTIFIER: identifiers}
        taken = session.send(Publish(publish.topic, publish.payload, qos, retain, properties=properties), expires_at)
        if not taken and (qos or session.line is not None):
            metrics.DROPPED.inc()
        return taken

    def _expiry_of(self, publish: Publish) -> Instant | None:
        interval_s = publish.properties.get(Property.MESSAGE_EXPIRY_INTERVAL) if publish.properties else None
        return self._clock() + interval_s * SECOND if isinstance(interval_s, int) else None

    def _enter(self, session: Session, subscription: Subscription) -> None:
        if (group := _group(session, subscription.topic_filter)) is not None:
            self.groups.join(group, session, subscription)
        else:
            self.tree.add(session.tenant, session, subscription)
        self._changed()

    def _leave(self, session: Session, topic_filter: str) -> None:
        if (group := _group(session, topic_filter)) is not None:
            self.groups.leave(group, session)
        else:
            self.tree.remove(session.tenant, session, topic_filter)

    def _changed(self) -> None:
        if self.relay is not None:
            self.relay.changed()


def _group(session: Session, topic_filter: str) -> Group | None:
    with contextlib.suppress(ValueError):
        if (shared := split_shared(topic_filter)) is not None:
            return Group(session.tenant, *shared)
    return None
