"""What there is of a tenant: types and attributes in use."""

from collections.abc import Collection
from typing import Any

from parvis.broker.model.entity import Iri
from parvis.broker.query.within import choose
from parvis.kernel.reach import Reach, local_name
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.within import everything_in

_COUNT = (
    "SELECT e.typeset, count(*) FROM entity e WHERE e.tenant = %s AND e.deleted IS NULL AND {within} GROUP BY e.typeset"
)
_ATTRIBUTES = (
    "SELECT DISTINCT e.typeset, a.name FROM entity e JOIN attribute a ON a.tenant = e.tenant AND a.entity = e.id"
    " WHERE e.tenant = %s AND e.deleted IS NULL AND {within}"
)


def count_types(connection: Connection, names: Names, tenant: int, within: Reach) -> dict[Iri, int]:
    counts: dict[Iri, int] = {}
    for typeset, count in _rows(connection, names, _COUNT, tenant, within):
        for iri in names.typesets.key(typeset):
            counts[iri] = counts.get(iri, 0) + count
    return counts


def list_attributes(connection: Connection, names: Names, tenant: int, within: Reach) -> dict[Iri, set[Iri]]:
    found: dict[Iri, set[Iri]] = {}
    for typeset, name in _rows(connection, names, _ATTRIBUTES, tenant, within):
        for iri in names.typesets.key(typeset):
            found.setdefault(iri, set()).add(names.words.key(name))
    return found


def list_written(connection: Connection, names: Names, tenant: int, local_names: Collection[str]) -> set[Iri]:
    """Attributes are told by the dictionary of all tenants: what is in it stays."""
    typesets = connection.execute("SELECT DISTINCT typeset FROM entity WHERE tenant = %s", (tenant,)).fetchall()
    names.words.load(connection)
    types = {name for (typeset,) in typesets for name in names.typesets.key(typeset)}
    return {one for one in (*types, *dict(names.words.items())) if local_name(one) in local_names}


def _rows(connection: Connection, names: Names, sql: str, tenant: int, within: Reach) -> list[tuple[int, int]]:
    if within is not None:
        names.typesets.load(connection)
    asked: list[Any] = [tenant]

    def bind(value: Any) -> str:
        asked.append(value)
        return "%s"

    condition = everything_in(choose(None, within, names.typesets.items()), bind)
    return connection.execute(sql.format(within=condition).encode(), asked).fetchall()
