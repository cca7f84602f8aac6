"""What history holds of the moments that a transaction tells of.

The entities are locked: what is read here stays so until the commit, and whoever was there before has committed.
"""

from collections.abc import Iterable

from parvis.broker.model.change import Change
from parvis.broker.model.entity import Instance
from parvis.broker.model.once import Fact, fact_of, list_witnesses, plain_value
from parvis.stores.postgres.batch import bigints
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.rows import from_columns

_FIND = """
SELECT w.entity, w.name, w.dataset, w.ts, h.shape, h.number, h.text
FROM unnest(%(entities)s::bigint[], %(words)s::integer[], %(datasets)s::integer[], %(times)s::bigint[])
    AS w (entity, name, dataset, ts)
CROSS JOIN LATERAL (
    SELECT shape, number, text FROM history
    WHERE tenant = %(tenant)s AND entity = w.entity AND name = w.name AND dataset = w.dataset AND ts = w.ts
        AND ts BETWEEN %(first)s AND %(last)s AND shape <> %(removed)s
    OFFSET 0
) h
"""
"""A look into the key for each, of the months that they lie in: OFFSET keeps the planner from reading those whole."""


class StoredFacts:
    def __init__(self, names: Names, tenant: int) -> None:
        self._names = names
        self._tenant = tenant
        self._known: set[tuple[int, Fact]] = set()

    def read(self, connection: Connection, witnesses: Iterable[tuple[int, Instance]]) -> None:
        words, dataset = self._names.words, self._names.dataset
        keys = {(entity, words.id(one.name), dataset(one.dataset), one.seen_at) for entity, one in witnesses}
        if not keys:
            return
        entities, names, datasets, times = zip(*keys, strict=True)
        columns = {"entities": entities, "words": names, "datasets": datasets, "times": times}
        bounds = {"tenant": self._tenant, "first": min(times), "last": max(times), "removed": REMOVED}
        values = {name: bigints(column) for name, column in columns.items()} | bounds
        for entity, name, of_dataset, ts, shape, number, text in connection.execute(_FIND, values):
            form = self._names.shapes.key(shape)[2]
            key = (words.key(name), self._names.dataset_text(of_dataset))
            self._known.add((entity, Fact(key, ts, plain_value(from_columns(form, number, text)))))

    def has(self, entity: int, fact: Fact) -> bool:
        return (entity, fact) in self._known

    def add(self, entity: int, change: Change) -> None:
        """This transaction stores it."""
        self._known.update((entity, fact_of(one)) for one in list_witnesses(change))
