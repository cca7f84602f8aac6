"""Shared subscriptions (MQTT 5.0, 4.8.2): of the members of a group one gets each message, in turn."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from parvis.connectors.mqtt.connection import Connection
from parvis.mqttwire.packets import Publish
from parvis.mqttwire.topics import matches


class Group(NamedTuple):
    tenant: str
    name: str
    topic_filter: str


class Groups:
    """The members connected here, of all groups. A member that cannot take a message is passed over."""

    def __init__(self) -> None:
        self._members: dict[Group, deque[tuple[Connection, int]]] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._members)

    def __bool__(self) -> bool:
        return bool(self._members)

    def join(self, group: Group, connection: Connection, qos: int) -> None:
        self.leave(group, connection)
        self._members.setdefault(group, deque()).append((connection, qos))

    def leave(self, group: Group, connection: Connection) -> None:
        members = self._members.get(group)
        if members is None:
            return
        kept = deque(one for one in members if one[0] is not connection)
        if kept:
            self._members[group] = kept
        else:
            del self._members[group]

    def leave_all(self, connection: Connection) -> None:
        for group in list(self._members):
            self.leave(group, connection)

    def deliver(self, group: Group, publish: Publish) -> bool:
        """Whether a member here took it."""
        members = self._members.get(group, deque())
        for _ in range(len(members)):
            connection, qos = members[0]
            members.rotate(-1)
            if connection.send(
                Publish(publish.topic, publish.payload, min(publish.qos, qos), properties=publish.properties)
            ):
                return True
        return False


def groups_for(groups: Iterator[Group], tenant: str, topic: str) -> set[Group]:
    return {one for one in groups if one.tenant == tenant and matches(one.topic_filter, topic)}
