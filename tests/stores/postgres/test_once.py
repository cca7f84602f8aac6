"""Looking whether something is stored already takes a few pages, however much is."""

import json
from typing import Any

import psycopg

from parvis.kernel.time import DAY
from parvis.stores.postgres.once import _FIND
from parvis.stores.postgres.store import PostgresStore
from tests.contract.territory import NOON, TENANT, bin_, level

MONTHS = 6
OF_EACH = 2_000


async def test_only_the_months_that_are_told_of_are_looked_into_by_their_key(prepared_postgres_url: str) -> None:
    store = await PostgresStore.open(prepared_postgres_url)
    for month in range(MONTHS):
        start = NOON + month * 31 * DAY
        changes = [bin_(number % 100, level(number, start + number), keep_newest=True) for number in range(OF_EACH)]
        await store.write(TENANT, changes)
    await store.close()
    times = [NOON + 2 * 31 * DAY + number for number in range(300)]
    with psycopg.connect(prepared_postgres_url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', false)")
        connection.execute("ANALYZE history")
        plan = explain(connection, times)
    scans = [one for one in nodes(plan) if str(one.get("Relation Name", "")).startswith("history")]
    read = [one for one in scans if one["Actual Loops"]]
    assert {one["Node Type"] for one in read} <= {"Index Scan", "Index Only Scan"}
    assert len({one["Relation Name"] for one in read}) == 1
    assert plan["Actual Rows"] == 3


def explain(connection: psycopg.Connection[Any], times: list[int]) -> dict[str, Any]:
    """Of three that are stored and many that are not."""
    row = connection.execute(
        "SELECT h.tenant, h.entity, h.name FROM history h JOIN entity e ON e.tenant = h.tenant AND e.id = h.entity"
        " WHERE e.urn LIKE '%:7' LIMIT 1"
    ).fetchone()
    assert row is not None
    tenant, entity, name = row
    many = len(times)
    values = {
        "tenant": tenant,
        "entities": [entity] * many,
        "words": [name] * many,
        "datasets": [0] * many,
        "firsts": times,
        "lasts": times,
        "first": min(times),
        "last": max(times),
        "removed": 0,
    }
    found = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + _FIND, values).fetchone()
    assert found is not None
    (plan,) = found[0] if isinstance(found[0], list) else json.loads(found[0])
    return dict(plan["Plan"])


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]
