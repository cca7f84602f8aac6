"""The listener's bounds, of which every tenant has its share: what one does not use others may, but for what each is
sure of."""

from collections import Counter
from collections.abc import Iterator

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.config import ListenerConfig


class Share:
    """Of a bound with room for `limit` in all. `tenants` are those who share it."""

    def __init__(self, what: str, limit: int, tenants: set[str]) -> None:
        self.what = what
        self.used = 0
        self._limit = limit
        self._tenants = tenants
        self._of_tenant: Counter[str] = Counter()
        self._counted = 0
        self._of_each = limit
        self._unused = 0
        """What the tenants have not taken of their own."""

    def has_room(self, tenant: str, amount: int = 1) -> bool:
        """Whether the tenant may take as much, and leave to each of the others what is its own."""
        if self.used + amount > self._limit:
            return False
        self._follow_tenants()
        if self._of_tenant[tenant] + amount <= self._of_each:
            return True
        of_others = self._unused - self._unused_by(tenant)
        return self.used + amount + of_others <= self._limit

    def admits(self, tenant: str, amount: int = 1) -> bool:
        """As has_room, counting where there is none."""
        if self.has_room(tenant, amount):
            return True
        metrics.SHARE_REFUSED.labels(tenant, self.what).inc()
        return False

    def occupy(self, tenant: str, amount: int = 1) -> None:
        """Less, where it is negative."""
        self._follow_tenants()
        before = self._unused_by(tenant)
        self.used += amount
        self._of_tenant[tenant] += amount
        self._unused += self._unused_by(tenant) - before

    def used_by(self, tenant: str) -> int:
        return self._of_tenant[tenant]

    def of(self, tenant: str) -> "Room":
        return Room(self, tenant)

    def _follow_tenants(self) -> None:
        """They only become more."""
        if self._counted != len(self._tenants):
            self._counted = len(self._tenants)
            self._of_each = self._limit // self._counted
            self._unused = sum(map(self._unused_by, self._tenants))

    def _unused_by(self, tenant: str) -> int:
        return max(0, self._of_each - self._of_tenant[tenant]) if tenant in self._tenants else 0


class Room:
    """What one tenant has of a bound."""

    __slots__ = ("_share", "_tenant")

    def __init__(self, share: Share, tenant: str) -> None:
        self._share = share
        self._tenant = tenant

    @property
    def used(self) -> int:
        return self._share.used_by(self._tenant)

    def admits(self, amount: int) -> bool:
        return self._share.admits(self._tenant, amount)

    def occupy(self, amount: int) -> None:
        self._share.occupy(self._tenant, amount)


class Shares:
    """`tenants` are all there are, as far as is known."""

    def __init__(self, config: ListenerConfig) -> None:
        self.tenants: set[str] = set()
        self.connections = Share("connections", config.max_connections, self.tenants)
        self.in_flight = Share("in_flight", config.max_in_flight, self.tenants)
        self.sessions = Share("sessions", config.max_sessions, self.tenants)
        self.mailbox_bytes = Share("mailbox_bytes", config.all_mailboxes_bytes, self.tenants)
        self.retained = Share("retained", config.max_retained, self.tenants)
        self.retained_bytes = Share("retained_bytes", config.max_retained_bytes, self.tenants)

    def __iter__(self) -> Iterator[Share]:
        yield from (self.connections, self.in_flight, self.sessions, self.mailbox_bytes, self.retained)
        yield self.retained_bytes

    def tell(self) -> None:
        """In the metrics."""
        for share in self:
            for tenant in self.tenants:
                metrics.SHARE_USED.labels(tenant, share.what).set(share.used_by(tenant))
