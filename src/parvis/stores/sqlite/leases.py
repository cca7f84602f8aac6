"""Leases: rows that run out."""

from parvis.stores.sqlite.database import Connection

_NOW = "((julianday('now') - 2440587.5) * 86400.0)"
_TAKE = f"""
INSERT INTO lease VALUES (?1, ?2, {_NOW} + ?3)
ON CONFLICT DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE holder = excluded.holder OR until <= {_NOW}
"""


def take_lease(connection: Connection, name: str, holder: str, for_s: float) -> bool:
    return connection.execute(_TAKE, (name, holder, for_s)).rowcount == 1


def end_lease(connection: Connection, name: str, holder: str) -> None:
    connection.execute("DELETE FROM lease WHERE name = ? AND holder = ?", (name, holder))
