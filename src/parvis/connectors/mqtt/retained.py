"""Retained messages (3.3.1.3): the newest of each topic, durable, for whoever subscribes later."""

from collections.abc import Iterator
from functools import partial

import msgspec

from parvis.connectors.mqtt.acl import DEVICE_BRANCH, plain_topic
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.journal import Journal
from parvis.connectors.mqtt.mailbox import size_of
from parvis.connectors.mqtt.records import RETAINED, Retention, encode_retention, find_retention, retained_place
from parvis.connectors.mqtt.shares import Shares
from parvis.kernel.time import Instant
from parvis.mqttwire.packets import Publish
from parvis.mqttwire.topics import matches

_Branch = tuple[str, str]


class Retained:
    def __init__(self, config: ListenerConfig, shares: Shares, journal: Journal | None) -> None:
        self._journal = journal
        self._kept: dict[tuple[str, str], Retention] = {}
        self._messages, self._bytes = shares.retained, shares.retained_bytes
        self._new_room = partial(_Room, config.max_retained_of_device, config.max_retained_bytes_of_device)
        self._of_device: dict[_Branch, _Room] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def load(self) -> None:
        if self._journal is not None:
            for place, value in (await self._journal.shelf.read_all(RETAINED)).items():
                if (retention := find_retention(value)) is not None:
                    self._replace(place.box.tenant, retention)

    def keep(self, tenant: str, publish: Publish, expires_at: Instant | None, *, is_durable: bool = True) -> bool:
        """An empty payload takes it away. Whether it is kept: beyond the bounds nothing more is."""
        journal = self._journal if is_durable else None
        earlier = self._kept.get((tenant, publish.topic))
        if not publish.payload:
            if earlier is not None:
                self._forget(tenant, earlier, journal)
            return True
        added_bytes = size_of(publish) - (0 if earlier is None else size_of(earlier.publish))
        if not self._has_room(tenant, publish.topic, is_more=earlier is None, added_bytes=added_bytes):
            return False
        retention = Retention(publish, expires_at)
        self._replace(tenant, retention)
        if journal is not None:
            journal.put(retained_place(tenant, publish.topic), encode_retention(retention))
        return True

    def has(self, tenant: str, topic: str) -> bool:
        return (tenant, topic) in self._kept

    def find(self, tenant: str, topic_filter: str, now: Instant) -> Iterator[Retention]:
        for (owner, topic), one in self._kept.items():
            if owner == tenant and matches(topic_filter, topic) and not _is_over(one, now):
                yield one

    def list_all(self) -> Iterator[tuple[str, Publish]]:
        return ((tenant, one.publish) for (tenant, _), one in self._kept.items())

    def expire(self, now: Instant) -> None:
        for (tenant, _), one in list(self._kept.items()):
            if _is_over(one, now):
                self._forget(tenant, one, self._journal)

    def _replace(self, tenant: str, retention: Retention) -> None:
        key = (tenant, retention.publish.topic)
        if (earlier := self._kept.get(key)) is not None:
            self._occupy(tenant, earlier.publish, -1)
        self._kept[key] = retention
        self._occupy(tenant, retention.publish, 1)

    def _forget(self, tenant: str, retention: Retention, journal: Journal | None) -> None:
        topic = retention.publish.topic
        del self._kept[tenant, topic]
        self._occupy(tenant, retention.publish, -1)
        if journal is not None:
            journal.drop(retained_place(tenant, topic))

    def _occupy(self, tenant: str, publish: Publish, change: int) -> None:
        branch, size = _branch_of(tenant, publish.topic), size_of(publish)
        self._messages.occupy(tenant, change)
        self._bytes.occupy(tenant, change * size)
        if branch is None:
            return
        room = self._of_device.get(branch) or self._new_room()
        room.messages += change
        room.used_bytes += change * size
        if room.messages:
            self._of_device[branch] = room
        else:
            self._of_device.pop(branch, None)

    def _has_room(self, tenant: str, topic: str, *, is_more: bool, added_bytes: int) -> bool:
        branch = _branch_of(tenant, topic)
        room = None if branch is None else self._of_device.get(branch) or self._new_room()
        if room is not None and not room.has(is_more, added_bytes):
            return False
        if is_more and not self._messages.admits(tenant):
            return False
        return added_bytes <= 0 or self._bytes.admits(tenant, added_bytes)


class _Room(msgspec.Struct):
    most_messages: int
    most_bytes: int
    messages: int = 0
    used_bytes: int = 0

    def has(self, is_more: bool, added_bytes: int) -> bool:
        return self.messages + is_more <= self.most_messages and self.used_bytes + added_bytes <= self.most_bytes


def _branch_of(tenant: str, topic: str) -> _Branch | None:
    """Below which a device with a credential of its own publishes; None for all else."""
    if not topic.startswith(DEVICE_BRANCH):
        return None
    return tenant, plain_topic(topic).split("/", 2)[1]


def _is_over(retention: Retention, now: Instant) -> bool:
    return retention.expires_at is not None and retention.expires_at <= now
