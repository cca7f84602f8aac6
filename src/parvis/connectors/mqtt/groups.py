"""Shared subscriptions (MQTT 5.0, 4.8.2): of the members of a group one gets each message, in turn."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from parvis.connectors.mqtt.session import Session
from parvis.kernel.time import Instant
from parvis.mqttwire.packets import Property, Publish, Subscription
from parvis.mqttwire.topics import matches


class Group(NamedTuple):
    tenant: str
    name: str
    topic_filter: str


class Groups:
    """The members known here, of all groups. A member that cannot take a message is passed over, and one that is not
    connected gets it only if no other takes it."""

    def __init__(self) -> None:
        self._members: dict[Group, deque[tuple[Session, Subscription]]] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._members)

    def __bool__(self) -> bool:
        return bool(self._members)

    def join(self, group: Group, session: Session, subscription: Subscription) -> None:
        self.leave(group, session)
        self._members.setdefault(group, deque()).append((session, subscription))

    def leave(self, group: Group, session: Session) -> None:
        members = self._members.get(group)
        if members is None:
            return
        kept = deque(one for one in members if one[0] is not session)
        if kept:
            self._members[group] = kept
        else:
            del self._members[group]

    def deliver(self, group: Group, publish: Publish, expires_at: Instant | None, touched: set[Session]) -> bool:
        """Whether a member here took it. Those to whom it waits durably are added to `touched`."""
        members = self._members.get(group, deque())
        for is_connected in (True, False):
            for _ in range(len(members)):
                session, subscription = members[0]
                members.rotate(-1)
                if (session.line is not None) is is_connected and session.send(
                    _as_subscribed(publish, subscription), expires_at
                ):
                    touched.add(session)
                    return True
        return False


def _as_subscribed(publish: Publish, subscription: Subscription) -> Publish:
    properties = publish.properties
    if subscription.identifier:
        properties = {**properties, Property.SUBSCRIPTION_IDENTIFIER: [subscription.identifier]}
    qos = min(publish.qos, subscription.qos)
    return msgspec.structs.replace(publish, qos=qos, retain=False, duplicate=False, packet_id=0, properties=properties)


def groups_for(groups: Iterator[Group], tenant: str, topic: str) -> set[Group]:
    return {one for one in groups if one.tenant == tenant and matches(one.topic_filter, topic)}
