"""Retained messages (3.3.1.3): the newest of each topic, durable, for whoever subscribes later."""

from collections.abc import Iterator

from parvis.connectors.mqtt.journal import Journal
from parvis.connectors.mqtt.records import RETAINED, Retention, encode_retention, find_retention, retained_place
from parvis.kernel.time import Instant
from parvis.mqttwire.packets import Publish
from parvis.mqttwire.topics import matches


class Retained:
    def __init__(self, most_messages: int, most_bytes: int, journal: Journal | None) -> None:
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._journal = journal
        self._kept: dict[tuple[str, str], Retention] = {}
        self._bytes = 0

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
        added_bytes = _size_of(publish) - (0 if earlier is None else _size_of(earlier.publish))
        is_too_many = earlier is None and len(self._kept) >= self._most_messages
        if is_too_many or self._bytes + added_bytes > self._most_bytes:
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
            self._bytes -= _size_of(earlier.publish)
        self._kept[key] = retention
        self._bytes += _size_of(retention.publish)

    def _forget(self, tenant: str, retention: Retention, journal: Journal | None) -> None:
        topic = retention.publish.topic
        del self._kept[tenant, topic]
        self._bytes -= _size_of(retention.publish)
        if journal is not None:
            journal.drop(retained_place(tenant, topic))


def _size_of(publish: Publish) -> int:
    return len(publish.topic) + len(publish.payload)


def _is_over(retention: Retention, now: Instant) -> bool:
    return retention.expires_at is not None and retention.expires_at <= now
