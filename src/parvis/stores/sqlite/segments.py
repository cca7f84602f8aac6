"""History lies in segments, each clustered by series and time: rows settle into the newest one until it is full.

So a row never settles among more rows than one segment holds, however long the history grows: in one tree of all of
them each row would touch a page that it shares with no other.
"""

from parvis.stores.sqlite.database import Connection

SEGMENT_ROWS = 2_000_000
LEFT_OVER_SHARE = 1 / 500
EVERY_SEGMENT = "segment IN (SELECT id FROM segment)"
"""A condition that leads to a seek in each of them."""

_NEXT_DATASET = (
    "SELECT name, dataset FROM history WHERE segment = ? AND entity = ? AND name = ? AND dataset > ?"
    " ORDER BY name, dataset LIMIT 1"
)
_NEXT_NAME = (
    "SELECT name, dataset FROM history WHERE segment = ? AND entity = ? AND name > ? ORDER BY name, dataset LIMIT 1"
)
_EARLIER = "SELECT id FROM segment WHERE id < ? ORDER BY id"
_LEFT_OVER = "SELECT count(*) FROM (SELECT 1 FROM history WHERE segment = ? LIMIT ?)"


def list_segments(connection: Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT id FROM segment ORDER BY id")]


def list_settled_series(connection: Connection, entity: int) -> list[tuple[int, int]]:
    """(name, dataset) of each; a seek or two a series: the rows between are not read (a row-value comparison would)."""
    found: set[tuple[int, int]] = set()
    for segment in list_segments(connection):
        row: tuple[int, int] | None = (-1, -1)
        while row is not None:
            next_dataset = connection.execute(_NEXT_DATASET, (segment, entity, *row)).fetchone()
            row = next_dataset or connection.execute(_NEXT_NAME, (segment, entity, row[0])).fetchone()
            if row is not None:
                found.add(row)
    return sorted(found)


def open_segment(connection: Connection, coming_rows: int) -> int:
    """The one that a round of settling adds to, in a transaction of its own.

    A long round has one to itself, and is written to it from its beginning to its end.
    Where little is left in an earlier one (the archive took the rest), that comes into this one, so that segments
    become no more than the rows in them ask for; one each round.
    """
    connection.execute("BEGIN IMMEDIATE")
    newest, settled = connection.execute("SELECT id, settled FROM segment ORDER BY id DESC LIMIT 1").fetchone()
    if settled and settled + coming_rows > SEGMENT_ROWS:
        newest += 1
        connection.execute("INSERT INTO segment VALUES (?, 0)", (newest,))
    _fold_one(connection, newest)
    connection.execute("COMMIT")
    return int(newest)


def note_settled(connection: Connection, segment: int, rows: int) -> None:
    connection.execute("UPDATE segment SET settled = settled + ? WHERE id = ?", (rows, segment))


def _fold_one(connection: Connection, into: int) -> None:
    most = int(SEGMENT_ROWS * LEFT_OVER_SHARE)
    for (segment,) in connection.execute(_EARLIER, (into,)).fetchall():
        (rows,) = connection.execute(_LEFT_OVER, (segment, most + 1)).fetchone()
        if rows <= most:
            connection.execute("UPDATE history SET segment = ? WHERE segment = ?", (into, segment))
            connection.execute("DELETE FROM segment WHERE id = ?", (segment,))
            note_settled(connection, into, rows)
            return
