"""What history holds of the moments that a transaction tells of.

The entities are locked: what is read here stays so until the commit, and whoever was there before has committed.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.json import decode

from parvis.broker.model.change import Change
from parvis.broker.model.entity import Instance, Iri
from parvis.broker.model.once import Fact, around, fact_of, find_told, plain_value
from parvis.kernel.time import Instant
from parvis.stores.postgres.batch import bigints
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.rows import from_columns

_FIND = """
SELECT w.entity, w.name, w.dataset, w.place, h.ts, h.shape, h.number, h.text, h.extra
FROM unnest(%(entities)s::bigint[], %(words)s::integer[], %(datasets)s::integer[], %(firsts)s::bigint[],
    %(lasts)s::bigint[]) WITH ORDINALITY AS w (entity, name, dataset, first, last, place)
CROSS JOIN LATERAL (
    SELECT ts, shape, number, text, extra FROM history
    WHERE tenant = %(tenant)s AND entity = w.entity AND name = w.name AND dataset = w.dataset
        AND ts BETWEEN w.first AND w.last
        AND ts BETWEEN %(first)s AND %(last)s AND shape <> %(removed)s
    OFFSET 0
) h
"""
"""A look into the key for each, of the months that they lie in: OFFSET keeps the planner from reading those whole."""


class Witness(NamedTuple):
    entity: int
    instance: Instance
    told_at: Iri


class StoredFacts:
    def __init__(self, names: Names, tenant: int) -> None:
        self._names = names
        self._tenant = tenant
        self._known: set[tuple[int, Fact]] = set()

    def read(self, connection: Connection, witnesses: Iterable[Witness]) -> None:
        words, dataset = self._names.words, self._names.dataset
        told_by: list[Iri] = []
        keys: list[tuple[int, int, int, Instant, Instant]] = []
        for entity, one, told_at in witnesses:
            keys.append((entity, words.id(one.name), dataset(one.dataset), *around(one, told_at)))
            told_by.append(told_at)
        if not keys:
            return
        entities, names, datasets, firsts, lasts = zip(*keys, strict=True)
        columns = {"entities": entities, "words": names, "datasets": datasets, "firsts": firsts, "lasts": lasts}
        bounds = {"tenant": self._tenant, "first": min(firsts), "last": max(lasts), "removed": REMOVED}
        values = {name: bigints(column) for name, column in columns.items()} | bounds
        for entity, name, of_dataset, place, ts, shape, number, text, extra in connection.execute(_FIND, values):
            told = find_told(None if extra is None else decode(extra), told_by[place - 1])
            key = (words.key(name), self._names.dataset_text(of_dataset))
            value = from_columns(self._names.shapes.key(shape)[2], number, text)
            self._known.add((entity, Fact(key, ts if told is None else told, plain_value(value))))

    def has(self, entity: int, instance: Instance, told_at: Iri) -> bool:
        return (entity, fact_of(instance, told_at)) in self._known

    def add(self, entity: int, change: Change) -> None:
        """This transaction stores it."""
        self._known.update(
            (entity, fact_of(one, change.told_at)) for one in change.instances if one.observed_at is not None
        )
