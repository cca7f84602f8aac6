"""Which entities are over, or have attributes that are (NGSI-LD 1.9.1, 4.22)."""

from parvis.broker.ports.store import Expiring
from parvis.kernel.time import Instant
from parvis.stores.sqlite.database import Connection

_FIRST = "SELECT min(due) FROM entity WHERE due IS NOT NULL"
_EXPIRING = """
SELECT tenant.name, urn, ifnull(expires <= ?1, 0) FROM entity JOIN tenant ON tenant.id = tenant
WHERE due <= ?1 ORDER BY due, entity.id LIMIT ?2
"""


class FirstExpiry:
    """When the first part of any entity is over: it may be early, never late. Written in the writer's thread."""

    def __init__(self, connection: Connection) -> None:
        self.at: Instant | None
        self.renew(connection)

    def note(self, due: Instant | None) -> None:
        if due is not None and (self.at is None or due < self.at):
            self.at = due

    def renew(self, connection: Connection) -> None:
        (self.at,) = connection.execute(_FIRST).fetchone()


def list_expiring(connection: Connection, upto: Instant, limit: int) -> list[Expiring]:
    rows = connection.execute(_EXPIRING, (upto, limit))
    return [Expiring(tenant, urn, bool(whole)) for tenant, urn, whole in rows]
