"""Indexes on values, made only for attributes that slow queries have asked about.

An index makes every write of its attribute dearer (4 to 5 us), so there are few, and none is made in advance.
"""

from parvis.stores.sqlite.database import Connection, RunSql

MAX_INDEXES = 8

_PREFIX = "attribute_value_"


class ValueIndexes:
    """Which attributes (by number) have one. Lives on the event loop."""

    def __init__(self, connection: Connection, run_in_writer: RunSql) -> None:
        self._run_in_writer = run_in_writer
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND name GLOB ?", (_PREFIX + "*",)
        )
        self.ready = frozenset(int(name.removeprefix(_PREFIX)) for (name,) in names)
        self._wanted = set(self.ready)

    async def want(self, attribute: int) -> None:
        """Make an index for `attribute`, unless it has one or there are as many as there may be."""
        if attribute in self._wanted or len(self._wanted) >= MAX_INDEXES:
            return
        self._wanted.add(attribute)
        number = int(attribute)
        statement = f"CREATE INDEX {_PREFIX}{number} ON attribute (value, entity) WHERE name = {number}"
        await self._run_in_writer(lambda connection: connection.execute(statement))
        self.ready = self.ready | {attribute}
