"""Entities that are, or once were: temporal queries ask for both (NGSI-LD 1.9.1, 5.7.4)."""

from typing import Any

import msgspec

from parvis.broker.ports.store import Known
from parvis.broker.query.tree import KnownQuery, Order
from parvis.broker.query.within import Chosen, choose
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.within import everything_in

_MAX_ARMS = 12
_IN_IDS = " AND urn = ANY (ARRAY(SELECT json_array_elements_text(%(ids)s::json)))"
_ARM = (
    "(SELECT id, urn FROM entity WHERE tenant = %(tenant)s AND deleted {gone} AND typeset = {typeset}"
    " AND id > %(after)s ORDER BY id LIMIT %(limit)s)"
)


def list_known(connection: Connection, names: Names, tenant: int, query: KnownQuery) -> list[Known]:
    if query.types is not None or query.within is not None:
        names.typesets.load(connection)
    chosen = choose(query.types, query.within, names.typesets.items())
    if chosen.is_nothing:
        return []
    if _is_led_by_types(query, chosen):
        rows = _of_types(connection, tenant, chosen.typesets or [], query)
    else:
        rows = _walked(connection, tenant, chosen, query)
    return [Known(*row) for row in rows]


def _is_led_by_types(query: KnownQuery, chosen: Chosen) -> bool:
    in_order = query.order is Order.FIRST_KNOWN and not query.ids and query.gone_since is None
    return in_order and not chosen.scoped and chosen.typesets is not None and len(chosen.typesets) <= _MAX_ARMS


def _of_types(connection: Connection, tenant: int, typesets: list[int], query: KnownQuery) -> list[tuple[Any, ...]]:
    """An arm for those of each type set that are and one for those that were: each ends where the page does."""
    arms = [_ARM.format(gone=gone, typeset=int(one)) for gone in ("IS NULL", "IS NOT NULL") for one in typesets]
    sql = f"SELECT id, urn FROM ({' UNION ALL '.join(arms)}) AS arms ORDER BY id LIMIT %(limit)s"
    asked = {"tenant": tenant, "after": query.after or 0, "limit": query.limit}
    return connection.execute(sql.encode(), asked).fetchall()


def _walked(connection: Connection, tenant: int, chosen: Chosen, query: KnownQuery) -> list[tuple[Any, ...]]:
    order = Order.FIRST_KNOWN if query.gone_since is not None else query.order
    column, sign, direction = _ORDERS[order]
    sql = "SELECT id, urn FROM entity WHERE tenant = %(tenant)s"
    asked: dict[str, Any] = {"tenant": tenant, "after": query.after, "limit": query.limit}

    def bind(value: Any) -> str:
        name = f"w{len(asked)}"
        asked[name] = value
        return f"%({name})s"

    if query.ids:
        sql += _IN_IDS
        asked["ids"] = msgspec.json.encode([one for one in query.ids if "\0" not in one]).decode()
    if query.gone_since is not None:
        sql += f" AND deleted >= {bind(query.gone_since)}"
    sql += f" AND {everything_in(chosen, bind, row='')}"
    if query.after is not None:
        sql += f" AND {column} {sign} %(after)s"
    sql += f" ORDER BY {column} {direction} LIMIT %(limit)s"
    return connection.execute(sql.encode(), asked).fetchall()


_ORDERS = {
    Order.FIRST_KNOWN: ("id", ">", "ASC"),
    Order.ID: ("urn", ">", "ASC"),
    Order.ID_DESCENDING: ("urn", "<", "DESC"),
}
