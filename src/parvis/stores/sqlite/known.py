"""Entities that are, or once were: temporal queries ask for both (NGSI-LD 1.9.1, 5.7.4)."""

from typing import Any

import msgspec

from parvis.broker.ports.store import Known
from parvis.broker.query.selection import typesets_of
from parvis.broker.query.tree import KnownQuery, Order
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import Names

_MAX_ARMS = 12
_IN_IDS = " AND urn IN (SELECT value FROM json_each(?))"
_IN_TYPES = " AND +typeset IN (SELECT value FROM json_each(?))"
_GONE = (
    "SELECT id, urn FROM entity WHERE tenant = ? AND deleted >= ? AND id > ?"
    " AND (? IS NULL OR typeset IN (SELECT value FROM json_each(?))) ORDER BY id LIMIT ?"
)
_ARM = "SELECT id, urn FROM entity WHERE tenant = ? AND deleted {gone} AND typeset = ? AND id > ?"


def list_known(connection: Connection, names: Names, tenant: str, query: KnownQuery) -> list[Known]:
    number = names.tenants.ids.get(tenant)
    typesets = typesets_of(query.types, names.typesets.items())
    if number is None or typesets == []:
        return []
    if query.gone_since is not None:
        kinds = None if typesets is None else str(typesets)
        asked = (number, query.gone_since, query.after or 0, kinds, kinds, query.limit)
        return [Known(*row) for row in connection.execute(_GONE, asked)]
    if query.order is Order.FIRST_KNOWN and not query.ids and typesets is not None and len(typesets) <= _MAX_ARMS:
        rows = _of_types(connection, number, typesets, query)
    else:
        rows = _walked(connection, number, typesets, query)
    return [Known(*row) for row in rows]


def _of_types(connection: Connection, tenant: int, typesets: list[int], query: KnownQuery) -> list[tuple[Any, ...]]:
    """An arm for those of each type set that are and one for those that were: each is in order already."""
    arms = [_ARM.format(gone=gone) for gone in ("IS NULL", "IS NOT NULL") for _ in typesets]
    parameters = [value for _ in range(2) for one in typesets for value in (tenant, one, query.after or 0)]
    sql = f"{' UNION ALL '.join(arms)} ORDER BY 1 LIMIT ?"
    return connection.execute(sql, (*parameters, query.limit)).fetchall()


def _walked(
    connection: Connection, tenant: int, typesets: list[int] | None, query: KnownQuery
) -> list[tuple[Any, ...]]:
    column, sign, direction = _ORDERS[query.order]
    sql, parameters = "SELECT id, urn FROM entity WHERE tenant = ?", [tenant]
    for condition, given in ((_IN_IDS, query.ids), (_IN_TYPES, typesets)):
        if given:
            sql += condition
            parameters.append(msgspec.json.encode(given).decode())  # type: ignore[arg-type]
    if query.after is not None:
        sql += f" AND {column} {sign} ?"
        parameters.append(query.after)  # type: ignore[arg-type]
    return connection.execute(f"{sql} ORDER BY {column} {direction} LIMIT ?", (*parameters, query.limit)).fetchall()


_ORDERS = {
    Order.FIRST_KNOWN: ("id", ">", "ASC"),
    Order.ID: ("urn", ">", "ASC"),
    Order.ID_DESCENDING: ("urn", "<", "DESC"),
}
