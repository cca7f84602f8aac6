"""Who subscribed to what: a message finds its subscribers level by level, however many others there are."""

from typing import Generic, TypeVar

from parvis.mqttwire.packets import Subscription

Subscriber = TypeVar("Subscriber")


class _Node(Generic[Subscriber]):
    __slots__ = ("below", "subscribers")

    def __init__(self) -> None:
        self.below: dict[str, _Node[Subscriber]] = {}
        self.subscribers: dict[Subscriber, Subscription] = {}


class SubscriptionTree(Generic[Subscriber]):
    """Filters that are not shared, of all tenants."""

    def __init__(self) -> None:
        self._roots: dict[str, _Node[Subscriber]] = {}

    def __bool__(self) -> bool:
        return bool(self._roots)

    def add(self, tenant: str, subscriber: Subscriber, subscription: Subscription) -> None:
        node = self._roots.setdefault(tenant, _Node())
        for level in subscription.topic_filter.split("/"):
            node = node.below.setdefault(level, _Node())
        node.subscribers[subscriber] = subscription

    def remove(self, tenant: str, subscriber: Subscriber, topic_filter: str) -> None:
        root = self._roots.get(tenant)
        if root is None:
            return
        path = [root]
        levels = topic_filter.split("/")
        for level in levels:
            following = path[-1].below.get(level)
            if following is None:
                return
            path.append(following)
        path[-1].subscribers.pop(subscriber, None)
        for node, above, level in zip(reversed(path[1:]), reversed(path[:-1]), reversed(levels), strict=True):
            if node.below or node.subscribers:
                return
            del above.below[level]
        if not root.below:
            del self._roots[tenant]

    def list_filters(self) -> set[tuple[str, str]]:
        """(tenant, filter) of all."""
        found: set[tuple[str, str]] = set()
        open_nodes = [(tenant, "", root) for tenant, root in self._roots.items()]
        while open_nodes:
            tenant, path, node = open_nodes.pop()
            for level, below in node.below.items():
                topic_filter = path + level
                if below.subscribers:
                    found.add((tenant, topic_filter))
                open_nodes.append((tenant, topic_filter + "/", below))
        return found

    def find(self, tenant: str, topic: str) -> dict[Subscriber, list[Subscription]]:
        """The subscribers of a topic, each with those of its subscriptions that want it (4.7)."""
        found: dict[Subscriber, list[Subscription]] = {}
        root = self._roots.get(tenant)
        if root is None:
            return found
        nodes = [root]
        for index, level in enumerate(topic.split("/")):
            is_own = index == 0 and topic[0] == "$"
            following: list[_Node[Subscriber]] = []
            for node in nodes:
                if not is_own:
                    _collect(node.below.get("#"), found)
                    if (one := node.below.get("+")) is not None:
                        following.append(one)
                if (one := node.below.get(level)) is not None:
                    following.append(one)
            nodes = following
            if not nodes:
                return found
        for node in nodes:
            _collect(node, found)
            _collect(node.below.get("#"), found)
        return found


def _collect(node: _Node[Subscriber] | None, found: dict[Subscriber, list[Subscription]]) -> None:
    if node is not None:
        for subscriber, subscription in node.subscribers.items():
            found.setdefault(subscriber, []).append(subscription)
