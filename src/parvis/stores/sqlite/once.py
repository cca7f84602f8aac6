"""What history holds of the moments that a change tells of, as the writer's thread sees it."""

from collections.abc import Callable

from parvis.broker.model.change import Change
from parvis.broker.model.entity import Instance, Iri
from parvis.broker.model.once import Fact, around, fact_of
from parvis.broker.temporal.reading import Window
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.temporal import HotHistory

_MOST_OF_A_MOMENT = 1000
FindUnsettled = Callable[[int], list[int]]
"""The rows of the log that are of an entity."""


class StoredFacts:
    """Until the transaction ends it remembers what was added: that stands in no table yet, nor may its entity."""

    def __init__(self, connection: Connection, names: Names, find_unsettled: FindUnsettled) -> None:
        self._connection = connection
        self._names = names
        self._find_unsettled = find_unsettled
        self._added: set[tuple[int, Fact]] = set()

    def begin(self) -> None:
        self._added.clear()

    def has(self, entity: int, instance: Instance, told_at: Iri) -> bool:
        fact = fact_of(instance, told_at)
        if (entity, fact) in self._added:
            return True
        if not self._connection.execute("SELECT 1 FROM entity WHERE id = ?", (entity,)).fetchone():
            return False
        history = HotHistory(self._connection, self._names, entity, self._find_unsettled(entity))
        first, last = around(instance, told_at)
        window = Window(by_recorded=False, start=first, end=last + 1)
        stored = history.read(fact.key, window, _MOST_OF_A_MOMENT, last=False)
        return any(one.observed_at is not None and fact_of(one, told_at) == fact for one in stored)

    def add(self, entity: int, change: Change) -> None:
        self._added.update(
            (entity, fact_of(one, change.told_at)) for one in change.instances if one.observed_at is not None
        )
