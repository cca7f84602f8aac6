"""Entities that are, or once were: temporal queries ask for both (NGSI-LD 1.9.1, 5.7.4)."""

from collections.abc import Collection
from typing import Any

import msgspec

from parvis.broker.model.entity import Iri
from parvis.broker.ports.store import Known
from parvis.broker.query.tree import KnownQuery, Order
from parvis.broker.query.within import Chosen, choose
from parvis.kernel.reach import local_name
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.within import everything_in

_MAX_ARMS = 12
_IN_IDS = " AND urn IN (SELECT value FROM json_each(?))"
_ARM = "SELECT id, urn FROM entity WHERE tenant = ? AND deleted {gone} AND typeset = ? AND id > ?"


def list_known(connection: Connection, names: Names, tenant: str, query: KnownQuery) -> list[Known]:
    number = names.tenants.ids.get(tenant)
    chosen = choose(query.types, query.within, names.typesets.items())
    if number is None or chosen.is_nothing:
        return []
    if _is_led_by_types(query, chosen):
        rows = _of_types(connection, number, chosen.typesets or [], query)
    else:
        rows = _walked(connection, number, chosen, query)
    return [Known(*row) for row in rows]


def list_written(connection: Connection, names: Names, tenant: int | None, local_names: Collection[str]) -> set[Iri]:
    """Attributes are told by the dictionary of all tenants: what is in it stays."""
    typesets = connection.execute("SELECT DISTINCT typeset FROM entity WHERE tenant = ?", (tenant,))
    types = {name for (typeset,) in typesets for name in names.typesets.key(typeset)}
    return {one for one in (*types, *dict(names.words.items())) if local_name(one) in local_names}


def _is_led_by_types(query: KnownQuery, chosen: Chosen) -> bool:
    in_order = query.order is Order.FIRST_KNOWN and not query.ids and query.gone_since is None
    return in_order and not chosen.scoped and chosen.typesets is not None and len(chosen.typesets) <= _MAX_ARMS


def _of_types(connection: Connection, tenant: int, typesets: list[int], query: KnownQuery) -> list[tuple[Any, ...]]:
    """An arm for those of each type set that are and one for those that were: each is in order already."""
    arms = [_ARM.format(gone=gone) for gone in ("IS NULL", "IS NOT NULL") for _ in typesets]
    parameters = [value for _ in range(2) for one in typesets for value in (tenant, one, query.after or 0)]
    sql = f"{' UNION ALL '.join(arms)} ORDER BY 1 LIMIT ?"
    return connection.execute(sql, (*parameters, query.limit)).fetchall()


def _walked(connection: Connection, tenant: int, chosen: Chosen, query: KnownQuery) -> list[tuple[Any, ...]]:
    order = Order.FIRST_KNOWN if query.gone_since is not None else query.order
    column, sign, direction = _ORDERS[order]
    parameters: list[Any] = []

    def bind(value: Any) -> str:
        parameters.append(value)
        return "?"

    sql = f"SELECT id, urn FROM entity WHERE tenant = {bind(tenant)}"
    if query.ids:
        sql += _IN_IDS
        bind(msgspec.json.encode(query.ids).decode())
    if query.gone_since is not None:
        sql += f" AND deleted >= {bind(query.gone_since)}"
    sql += f" AND {everything_in(chosen, bind, row='')}"
    if query.after is not None:
        sql += f" AND {column} {sign} {bind(query.after)}"
    return connection.execute(f"{sql} ORDER BY {column} {direction} LIMIT ?", (*parameters, query.limit)).fetchall()


_ORDERS = {
    Order.FIRST_KNOWN: ("id", ">", "ASC"),
    Order.ID: ("urn", ">", "ASC"),
    Order.ID_DESCENDING: ("urn", "<", "DESC"),
}
