"""Which unsettled rows of the log are of which entity: 8 bytes a row in memory, found by one vectorised comparison."""

import numpy as np
import numpy.typing as npt

from parvis.stores.sqlite.database import Connection

_FIRST_CAPACITY = 4096
Entities = npt.NDArray[np.int64]


ALL_DONE = 2**62
"""The cursor of `settling` when every entity is done."""
_UNSETTLED = """
SELECT log.seq, log.entity FROM log, settling
WHERE log.seq > CASE settling.entity WHEN ? THEN settling.high ELSE settling.low END ORDER BY log.seq
"""
_NEWEST = "SELECT max(high, (SELECT ifnull(max(seq), 0) FROM log)) FROM settling"


class Tail:
    """The unsettled rows of the log by number: row `base + i` is of entity `entities[i]`; 0 where there is no row.

    Only the writer's thread changes it, always before its transaction commits, so that whoever sees a committed row
    finds it here. Readers take `find()` before they open their snapshot; base, array and count change together.
    """

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute(_UNSETTLED, (ALL_DONE,)).fetchall()
        (newest,) = connection.execute(_NEWEST).fetchone()
        self._state: tuple[int, Entities, int] = (newest + 1, np.zeros(_FIRST_CAPACITY, dtype=np.int64), 0)
        if rows:
            numbers = np.array(rows, dtype=np.int64)
            base = int(numbers[0, 0])
            entities = np.zeros(int(numbers[-1, 0]) - base + 1, dtype=np.int64)
            entities[numbers[:, 0] - base] = numbers[:, 1]
            self._state = (base, entities, len(entities))

    def __len__(self) -> int:
        return self._state[2]

    @property
    def newest(self) -> int:
        base, _, count = self._state
        return base + count - 1

    def append(self, first: int, of_entities: list[int]) -> None:
        base, entities, count = self._state
        if count == 0:
            base = first
        start, end = first - base, first - base + len(of_entities)
        if end > len(entities):
            grown = np.zeros(max(end, 2 * len(entities)), dtype=np.int64)
            grown[:count] = entities[:count]
            entities = grown
        entities[count:start] = 0
        entities[start:end] = of_entities
        self._state = (base, entities, end)

    def cut_back(self, next_seq: int) -> None:
        """The transaction that appended from `next_seq` on failed."""
        base, entities, count = self._state
        self._state = (base, entities, min(count, max(0, next_seq - base)))

    def drop_until(self, seq: int) -> None:
        """Rows up to `seq` are settled."""
        base, entities, count = self._state
        gone = min(max(0, seq + 1 - base), count)
        kept = np.zeros(max(_FIRST_CAPACITY, 2 * (count - gone)), dtype=np.int64)
        kept[: count - gone] = entities[gone:count]
        self._state = (base + gone, kept, count - gone)

    def find(self, entity: int) -> list[int]:
        """Row numbers of `entity`, ascending."""
        base, entities, count = self._state
        found: list[int] = (np.flatnonzero(entities[:count] == entity) + base).tolist()
        return found

    def by_entity(self, high: int) -> tuple[Entities, Entities]:
        """(entities, row numbers) of all rows up to `high`, ordered by entity, then number."""
        base, entities, count = self._state
        upto = entities[: max(0, min(count, high + 1 - base))]
        order = np.argsort(upto, kind="stable")
        return upto[order], order + base
