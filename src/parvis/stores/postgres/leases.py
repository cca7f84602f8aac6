"""Leases: rows that run out."""

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.store import Outrun
from parvis.stores.postgres.database import Connection

LONGEST_S = 300
"""What runs for longer was taken before the clock of the server went back: it counts as run out."""
_TAKE = f"""
INSERT INTO lease AS held (name, holder, until) VALUES (%s, %s, clock_timestamp() + %s * interval '1 second')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE held.holder = excluded.holder OR held.until <= clock_timestamp()
    OR held.until > clock_timestamp() + {LONGEST_S} * interval '1 second'
"""


def take_lease(connection: Connection, name: str, holder: str, for_s: float) -> bool:
    return connection.execute(_TAKE, (name, holder, for_s)).rowcount == 1


def end_lease(connection: Connection, name: str, holder: str) -> None:
    connection.execute("DELETE FROM lease WHERE name = %s AND holder = %s", (name, holder))


def hold_fence(connection: Connection, fence: Fence | None) -> None:
    """Nobody takes the lease from here to the commit: ask last. Raises Outrun."""
    if fence is None:
        return
    sql = "SELECT FROM lease WHERE name = %s AND holder = %s FOR SHARE"
    if connection.execute(sql, (fence.name, fence.holder)).fetchone() is None:
        raise Outrun(f"Another process has taken over {fence.name}.")
