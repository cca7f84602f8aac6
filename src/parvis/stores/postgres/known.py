"""Entities that are, or once were: temporal queries ask for both (NGSI-LD 1.9.1, 5.7.4)."""

from typing import Any

import msgspec

from parvis.broker.ports.store import Known
from parvis.broker.query.selection import typesets_of
from parvis.broker.query.tree import KnownQuery, Order
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.filters import numbers_text
from parvis.stores.postgres.names import Names

_MAX_ARMS = 12
_IN_IDS = " AND urn = ANY (ARRAY(SELECT json_array_elements_text(%(ids)s::json)))"
_IN_TYPES = " AND typeset = ANY (%(typesets)s::int[])"
_GONE = (
    "SELECT id, urn FROM entity WHERE tenant = %(tenant)s AND deleted >= %(since)s AND id > %(after)s"
    " AND (%(typesets)s::int[] IS NULL OR typeset = ANY (%(typesets)s::int[])) ORDER BY id LIMIT %(limit)s"
)
_ARM = (
    "(SELECT id, urn FROM entity WHERE tenant = %(tenant)s AND deleted {gone} AND typeset = {typeset}"
    " AND id > %(after)s ORDER BY id LIMIT %(limit)s)"
)


def list_known(connection: Connection, names: Names, tenant: int, query: KnownQuery) -> list[Known]:
    if query.types is not None:
        names.typesets.load(connection)
    typesets = typesets_of(query.types, names.typesets.items())
    if typesets == []:
        return []
    if query.gone_since is not None:
        kinds = None if typesets is None else numbers_text(typesets)
        asked = {"tenant": tenant, "since": query.gone_since, "after": query.after or 0, "typesets": kinds}
        return [Known(*row) for row in connection.execute(_GONE.encode(), {**asked, "limit": query.limit})]
    if query.order is Order.FIRST_KNOWN and not query.ids and typesets is not None and len(typesets) <= _MAX_ARMS:
        rows = _of_types(connection, tenant, typesets, query)
    else:
        rows = _walked(connection, tenant, typesets, query)
    return [Known(*row) for row in rows]


def _of_types(connection: Connection, tenant: int, typesets: list[int], query: KnownQuery) -> list[tuple[Any, ...]]:
    """An arm for those of each type set that are and one for those that were: each ends where the page does."""
    arms = [_ARM.format(gone=gone, typeset=int(one)) for gone in ("IS NULL", "IS NOT NULL") for one in typesets]
    sql = f"SELECT id, urn FROM ({' UNION ALL '.join(arms)}) AS arms ORDER BY id LIMIT %(limit)s"
    asked = {"tenant": tenant, "after": query.after or 0, "limit": query.limit}
    return connection.execute(sql.encode(), asked).fetchall()


def _walked(
    connection: Connection, tenant: int, typesets: list[int] | None, query: KnownQuery
) -> list[tuple[Any, ...]]:
    column, sign, direction = _ORDERS[query.order]
    sql = "SELECT id, urn FROM entity WHERE tenant = %(tenant)s"
    asked: dict[str, Any] = {"tenant": tenant, "after": query.after, "limit": query.limit}
    if query.ids:
        sql += _IN_IDS
        asked["ids"] = msgspec.json.encode([one for one in query.ids if "\0" not in one]).decode()
    if typesets is not None:
        sql += _IN_TYPES
        asked["typesets"] = numbers_text(typesets)
    if query.after is not None:
        sql += f" AND {column} {sign} %(after)s"
    sql += f" ORDER BY {column} {direction} LIMIT %(limit)s"
    return connection.execute(sql.encode(), asked).fetchall()


_ORDERS = {
    Order.FIRST_KNOWN: ("id", ">", "ASC"),
    Order.ID: ("urn", ">", "ASC"),
    Order.ID_DESCENDING: ("urn", "<", "DESC"),
}
