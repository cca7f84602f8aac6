"""Settling: rows of the log move, sorted, into the clustered history, a slice of entities a transaction.

The log above `low` up to `high` is being settled, and entities up to the cursor are done; all three stand in the table
`settling` and change in the same transaction as the rows, so a reader's snapshot always tells which side to read a row
from. A round settles into one segment of the history. Settled rows stay in the log until every consumer was told of
them.
"""

import numpy as np

from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.segments import list_segments, note_settled, open_segment
from parvis.stores.sqlite.tail import ALL_DONE, Entities, Tail

SLICE_ROWS = 4_000
PRUNE_ROWS = 20_000

_MOVE = """
INSERT OR IGNORE INTO history (segment, entity, name, dataset, ts, seq, shape, value, observed, extra, recorded)
SELECT ?, entity, name, dataset, ts, seq, shape, value, observed, extra, recorded
FROM log WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY entity, name, dataset, ts, seq
"""
_FIRST_KEPT = """
SELECT ifnull((
    SELECT first FROM outbox WHERE seq >= min(?, (SELECT max(seq) FROM outbox)) ORDER BY seq LIMIT 1
), ?)
"""


class Settler:
    """Runs in the writer's thread, between two groups, one short step at a time."""

    def __init__(self, connection: Connection, tail: Tail, slice_rows: int = SLICE_ROWS) -> None:
        self._connection = connection
        self._tail = tail
        self._slice_rows = slice_rows
        self._segment = list_segments(connection)[-1]
        self._low: int
        self._high: int
        self._cursor: int
        self._low, self._high, self._cursor = connection.execute("SELECT low, high, entity FROM settling").fetchone()
        self._rows: tuple[Entities, Entities] | None = None
        self._place = 0
        self._asked = 0

    def ask(self) -> None:
        """Have everything settled that is in the log now. May be called from another thread."""
        self._asked = max(self._asked, self._tail.newest)

    @property
    def is_asked(self) -> bool:
        """What was asked for is not settled yet."""
        return self._asked > (self._low if self.busy else self._high)

    @property
    def unsettled(self) -> int:
        """Rows of the log that came in since settling last began."""
        return max(0, self._tail.newest - self._high)

    @property
    def busy(self) -> bool:
        return bool(self._high) and self._cursor < ALL_DONE

    def step(self) -> None:
        """Settle one slice, in a transaction of its own."""
        if not self.busy:
            self._start()
        if self._rows is None:
            self._resume()
        self._move_slice()

    def prune(self, keep_from_event: int) -> bool:
        """Delete settled rows that every consumer has been told of; True while there may be more.

        The newest event stays with its rows, so that numbers never start again and no event is told without them.
        """
        (first,) = self._connection.execute(_FIRST_KEPT, (keep_from_event, 2**62)).fetchone()
        upto = min(self._low if self.busy else self._high, first - 1)
        (oldest,) = self._connection.execute("SELECT min(seq) FROM log").fetchone()
        if oldest is None or oldest > upto:
            return False
        upto = min(upto, oldest + PRUNE_ROWS)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM log WHERE seq <= ?", (upto,))
        self._connection.execute(
            "DELETE FROM outbox WHERE last - 1 <= ? AND seq < ? AND seq < (SELECT max(seq) FROM outbox)",
            (upto, keep_from_event),
        )
        self._connection.execute("COMMIT")
        return True

    def _start(self) -> None:
        self._segment = open_segment(self._connection, self.unsettled)
        self._low, self._high, self._cursor = self._high, self._tail.newest, 0
        self._rows = None

    def _resume(self) -> None:
        entities, numbers = self._tail.by_entity(self._high)
        start = int(np.searchsorted(entities, self._cursor, side="right"))
        self._rows = (entities[start:], numbers[start:])
        self._place = 0

    def _move_slice(self) -> None:
        assert self._rows is not None
        entities, numbers = self._rows
        end = self._place + self._slice_rows
        if end < len(entities):
            end = int(np.searchsorted(entities, entities[end], side="right"))
        part = numbers[self._place : end]
        cursor = int(entities[end - 1]) if 0 < end < len(entities) else ALL_DONE
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(_MOVE, (self._segment, str(part.tolist())))
        note_settled(self._connection, self._segment, len(part))
        self._connection.execute("UPDATE settling SET low = ?, high = ?, entity = ?", (self._low, self._high, cursor))
        self._connection.execute("COMMIT")
        self._cursor, self._place = cursor, end
        if cursor == ALL_DONE:
            self._rows = None
            self._tail.drop_until(self._high)
