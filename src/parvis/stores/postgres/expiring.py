"""Which entities are over, or have attributes that are (NGSI-LD 1.9.1, 4.22)."""

from parvis.broker.ports.store import Expiring
from parvis.kernel.time import Instant
from parvis.stores.postgres.database import Connection

_FIRST = "SELECT min(due) FROM entity WHERE due IS NOT NULL"
_EXPIRING = """
SELECT tenant.name, e.urn, coalesce(e.expires <= %(upto)s, false) FROM entity e JOIN tenant ON tenant.id = e.tenant
WHERE e.due <= %(upto)s ORDER BY e.due, e.id LIMIT %(limit)s
"""


class FirstExpiry:
    """When the first part of any entity is over: it may be early, and late only for what others have just written."""

    def __init__(self, at: Instant | None) -> None:
        self.at = at
        self.noted = 0

    def note(self, due: Instant | None) -> None:
        if due is None:
            return
        self.noted += 1
        if self.at is None or due < self.at:
            self.at = due

    def renew(self, at: Instant | None, noted: int) -> None:
        """As it was read; not where something was noted since."""
        if self.noted == noted:
            self.at = at


def read_first(connection: Connection) -> Instant | None:
    row = connection.execute(_FIRST).fetchone()
    return None if row is None else row[0]


def list_expiring(connection: Connection, upto: Instant, limit: int) -> list[Expiring]:
    return [Expiring(*row) for row in connection.execute(_EXPIRING, {"upto": upto, "limit": limit})]
