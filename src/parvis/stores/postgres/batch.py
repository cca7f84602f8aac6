"""One transaction's rows: packed as they come, staged once by COPY, then put where they belong by a few statements.

A row of `staged` is a row of history; its `present` says what it means for the attribute of today. Of several rows of
one attribute at most one puts it, so that no statement meets a row twice.
"""

from collections import Counter
from collections.abc import Iterable
from struct import Struct

from parvis.broker.model.change import EventKind
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.model.expiry import earlier, find_expiry
from parvis.broker.model.geometry import bounds
from parvis.kernel.time import Instant
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.rows import EXACT_MAX, Form, extra_to_column, to_columns

CHANNEL = "parvis_event"
"""NOTIFY's, with the number of the newest event."""
STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged (
    present smallint, place integer, entity bigint, name integer, dataset integer, shape integer, ts bigint,
    observed boolean, recorded bigint, number double precision, text text COLLATE "C", extra text, bounds box
) ON COMMIT DELETE ROWS
"""
NOTHING, OVERWRITE, KEEP_NEWEST, REMOVE, ADD = range(5)
"""What a staged row does to the present. KEEP_NEWEST gives way to what was observed later; ADD overwrites as well, and
says that most likely there is nothing yet, or that a place on the map changes."""

_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_PRESENT_AT = 7
"""The byte of a packed row that says what it does to the present."""
_FIXED = Struct("!hihiiiqiiiiiiiqi?iq")
_ENTITY = Struct("!iq")
_SERIES = Struct("!iiiiiii")
_TIMES = Struct("!qi?iq")
_SHARED = Struct("!12si12s28s25s")
"""_FIXED again, in parts that rows have in common."""
_NUMBER = Struct("!12si12s28s25sid12s")
_NO_MORE = _NULL * 3
_LENGTH = Struct("!i")
_DOUBLE = Struct("!id")
_BOX = Struct("!idddd")
_COLUMNS = 13
_HEADS = [Struct("!hihi").pack(_COLUMNS, 2, present, 4) for present in range(ADD + 1)]

_COPY = "COPY staged FROM STDIN (FORMAT binary)"
_REMOVE = f"""
DELETE FROM attribute a USING staged s WHERE s.present = {REMOVE}
    AND a.tenant = %s AND a.entity = s.entity AND a.name = s.name AND a.dataset = s.dataset
"""
_OVERWRITE = f"""
UPDATE attribute a SET shape = s.shape, number = s.number, text = s.text,
    observed = CASE WHEN s.observed THEN s.ts END, extra = s.extra, modified = s.recorded
FROM staged s WHERE s.present = {OVERWRITE}
    AND a.tenant = %s AND a.entity = s.entity AND a.name = s.name AND a.dataset = s.dataset AND a.bounds IS NULL
"""
"""Two thirds of the cost of INSERT ... ON CONFLICT. What has a place on the map is left to that one."""
_PUT = """
INSERT INTO attribute AS held
    (tenant, entity, name, dataset, shape, number, text, observed, extra, modified, created, bounds)
SELECT %(tenant)s, entity, name, dataset, shape, number, text, CASE WHEN observed THEN ts END, extra, recorded,
    recorded, bounds
FROM staged s WHERE {which}
ON CONFLICT (tenant, entity, name, dataset) DO UPDATE SET shape = excluded.shape, number = excluded.number,
    text = excluded.text, observed = excluded.observed, extra = excluded.extra, modified = excluded.modified,
    bounds = excluded.bounds
"""
_ADD = _PUT.format(which=f"present = {ADD}")
_ADD_WHAT_IS_NOT_THERE = _PUT.format(
    which=f"""present = {OVERWRITE} AND NOT EXISTS (
    SELECT FROM attribute a WHERE a.tenant = %(tenant)s AND a.entity = s.entity AND a.name = s.name
        AND a.dataset = s.dataset AND a.bounds IS NULL
)"""
)
_KEEP_NEWEST = (
    _PUT.format(which=f"present = {KEEP_NEWEST}") + " WHERE held.observed IS NULL OR excluded.observed >= held.observed"
)
_UNSEARCHED = "INSERT INTO unsearched (tenant, entity) SELECT %s, unnest(%s::bigint[])"
_CHANGED_WORDS = f"""
INSERT INTO unsearched (tenant, entity) SELECT DISTINCT %(tenant)s, s.entity FROM staged s
WHERE s.entity = ANY (%(entities)s::bigint[]) AND s.name = ANY (%(names)s::int[]) AND s.present <> {NOTHING}
AND NOT EXISTS (
    SELECT FROM attribute a WHERE a.tenant = %(tenant)s AND a.entity = s.entity AND a.name = s.name
        AND a.dataset = s.dataset AND a.shape = s.shape AND (a.number, a.text) IS NOT DISTINCT FROM (s.number, s.text)
)"""
_NUMBERED = """
WITH given AS (
    UPDATE numbers SET log = log + %(rows)s, event = event + %(events)s
    RETURNING log - %(rows)s AS log, event - %(events)s AS event
), past AS (
    INSERT INTO history
        (tenant, entity, name, dataset, ts, seq, shape, observed, number, text, extra, recorded)
    SELECT %(tenant)s, entity, name, dataset, ts, given.log + place, shape, observed, number, text, extra, recorded
    FROM given, staged
), told AS (
    INSERT INTO outbox (seq, tenant, entity, typeset, kind, at, first, last, earliest, latest)
    SELECT given.event + place, %(tenant)s, entity, typeset, kind, at, given.log + first, given.log + last,
        earliest, latest
    FROM given, unnest(
        %(entity)s::bigint[], %(typeset)s::integer[], %(kind)s::smallint[], %(at)s::bigint[], %(first)s::bigint[],
        %(last)s::bigint[], %(earliest)s::bigint[], %(latest)s::bigint[]
    ) WITH ORDINALITY AS one (entity, typeset, kind, at, first, last, earliest, latest, place)
)
SELECT event + %(events)s, pg_notify(%(channel)s, (event + %(events)s)::text) FROM given
"""


class Batch:
    """What one transaction is going to write for one tenant. Places count from one; the numbers come last."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._rows: list[bytes] = []
        self._putting: dict[tuple[int, int, int], int] = {}
        """The row that puts an attribute, by entity, name and dataset."""
        self._events: list[tuple[int, ...]] = []
        self._unsearched: list[int] = []
        self._searched: list[tuple[int, int]] = []
        self._series: dict[tuple[str, str, Kind, str, Form], tuple[int, int, bytes]] = {}
        """The numbers of name and dataset, and these packed with the shape's."""
        self._has_removals = False
        self._first = 1
        self._earliest: Instant | None = None
        self._latest: Instant = 0

    def put_instances(
        self,
        entity: int,
        instances: tuple[Instance, ...],
        now: Instant,
        *,
        keep_newest: bool,
        born: bool,
        is_past: bool = False,
    ) -> Instant | None:
        """When the first of them is over. `born` in this change: nothing of the entity is there to be overwritten.
        `is_past`: the present stays."""
        due: Instant | None = None
        rows, series = self._rows, self._series
        packed_entity = _ENTITY.pack(8, entity)
        met: Instant | None = None
        times = b""
        for one in instances:
            value = one.value
            known = type(value)
            number: float | None
            text: str | None = None
            if known is float:
                form, number = Form.FLOAT, value
            elif known is int and -EXACT_MAX <= value <= EXACT_MAX:
                form, number = Form.INTEGER, value
            else:
                form, number, text = to_columns(value)
            kind, at = one.kind, one.observed_at
            described = (one.name, one.dataset, kind, one.unit_code, form)
            name, dataset, packed_series = series.get(described) or self._describe(described)
            if at != met or not times:
                met, ts = at, now if at is None else at
                times = _TIMES.pack(ts, 1, at is not None, 8, now)
                self._span(ts)
            overwriting = ADD if born or kind is Kind.GEO_PROPERTY else OVERWRITE
            observed = at if keep_newest else None
            present = NOTHING if is_past else self._present((entity, name, dataset), observed, overwriting)
            head, place = _HEADS[present], len(rows) + 1
            if text is None and number is not None and one.extra is None:
                rows.append(_NUMBER.pack(head, place, packed_entity, packed_series, times, 8, number, _NO_MORE))
            else:
                fixed = _SHARED.pack(head, place, packed_entity, packed_series, times)
                rows.append(fixed + _rest(one, number, text))
                due = due if one.extra is None else earlier(due, find_expiry(one))
        return due

    def put_removals(self, entity: int, keys: Iterable[tuple[int, int]], now: Instant) -> None:
        for name, dataset in keys:
            self._supersede(self._putting.pop((entity, name, dataset), None))
            self._rows.append(
                _FIXED.pack(
                    _COLUMNS, 2, REMOVE, 4, len(self._rows) + 1, 8, entity, 4, name, 4, dataset, 4, REMOVED,
                    8, now, 1, False, 8, now,
                ) + _NULL * 4
            )  # fmt: skip
            self._has_removals = True
            self._span(now)

    def put_event(self, entity: int, typeset: int, kind: EventKind, now: Instant) -> None:
        """The rows since the last event are its own."""
        last = len(self._rows) + 1
        earliest, latest = (now, now) if self._earliest is None else (self._earliest, self._latest)
        self._events.append((entity, typeset, kind.value, now, self._first, last, earliest, latest))
        self._first, self._earliest = last, None

    def put_past(self, entity: int, instances: tuple[Instance, ...], now: Instant) -> None:
        """After the event of their change: no event tells of them."""
        self.put_instances(entity, instances, now, keep_newest=False, born=False, is_past=True)
        self._first, self._earliest = len(self._rows) + 1, None

    def put_unsearched(self, entity: int) -> None:
        """The index of words is to look at it."""
        self._unsearched.append(entity)

    def put_searched(self, entity: int, instances: Iterable[Instance]) -> None:
        """The index of words is to look at it if one of these is other than what is stored; they are put as well."""
        self._searched += [(entity, self._names.words.id(one.name)) for one in instances]

    def flush(self, connection: Connection, tenant: int) -> int | None:
        """Write everything; the number of the newest event, None where there was nothing to write.

        From the lock on `numbers` to the commit no other process commits: this is the last thing in a transaction.
        """
        events = len(self._events)
        if not events and not self._rows:
            return None
        if self._rows:
            self._stage(connection, tenant)
        if self._unsearched:
            connection.execute(_UNSEARCHED, (tenant, bigints(self._unsearched)))
        names = ("entity", "typeset", "kind", "at", "first", "last", "earliest", "latest")
        told = zip(*self._events, strict=True) if events else ((),) * len(names)
        columns = {name: bigints(column) for name, column in zip(names, told, strict=True)}
        numbered = {"tenant": tenant, "rows": len(self._rows), "events": events, "channel": CHANNEL}
        row = connection.execute(_NUMBERED, {**numbered, **columns}).fetchone()
        assert row is not None, "the row of `numbers` is made with the schema"
        newest: int = row[0]
        return newest

    def _stage(self, connection: Connection, tenant: int) -> None:
        with connection.cursor().copy(_COPY) as copy:
            copy.write(b"".join((_HEAD, *self._rows, _END)))
        if self._searched:
            entities, names = (bigints(set(numbers)) for numbers in zip(*self._searched, strict=True))
            connection.execute(_CHANGED_WORDS, {"tenant": tenant, "entities": entities, "names": names})
        if self._has_removals:
            connection.execute(_REMOVE, (tenant,))
        acts = Counter(self._rows[place][_PRESENT_AT] for place in self._putting.values())
        if acts[OVERWRITE] and acts[OVERWRITE] > connection.execute(_OVERWRITE, (tenant,)).rowcount:
            connection.execute(_ADD_WHAT_IS_NOT_THERE, {"tenant": tenant})
        if acts[ADD]:
            connection.execute(_ADD, {"tenant": tenant})
        if acts[KEEP_NEWEST]:
            connection.execute(_KEEP_NEWEST, {"tenant": tenant})

    def _describe(self, described: tuple[str, str, Kind, str, Form]) -> tuple[int, int, bytes]:
        name_text, dataset_text, kind, unit, form = described
        words, shapes = self._names.words, self._names.shapes
        name = words.id(name_text)
        dataset = words.id(dataset_text) if dataset_text else 0
        shape = shapes.id((kind, unit, form))
        found = self._series[described] = (name, dataset, _SERIES.pack(4, name, 4, dataset, 4, shape, 8))
        return found

    def _present(self, key: tuple[int, int, int], observed: Instant | None, overwriting: int) -> int:
        """What the row that comes next does, given what this transaction has put already. `observed` where an older
        instance gives way to what is there."""
        held = self._putting.get(key)
        if held is None:
            present = overwriting if observed is None else KEEP_NEWEST
        else:
            row = self._rows[held]
            if observed is not None and _observed(row) > observed:
                return NOTHING
            late = observed is not None and row[_PRESENT_AT] == KEEP_NEWEST
            present = KEEP_NEWEST if late else overwriting
            self._supersede(held)
        self._putting[key] = len(self._rows)
        return present

    def _supersede(self, place: int | None) -> None:
        if place is not None:
            row = self._rows[place]
            self._rows[place] = row[:_PRESENT_AT] + bytes((NOTHING,)) + row[_PRESENT_AT + 1 :]

    def _span(self, ts: Instant) -> None:
        if self._earliest is None:
            self._earliest = self._latest = ts
        elif ts < self._earliest:
            self._earliest = ts
        elif ts > self._latest:
            self._latest = ts


def bigints(values: Iterable[int]) -> str:
    """The text of an array of integers: psycopg takes many times as long to write a list."""
    return "{" + ",".join(map(str, values)) + "}"


def _observed(row: bytes) -> float:
    """When a packed row was observed; before everything where it was not."""
    fields = _FIXED.unpack_from(row)
    return fields[14] if fields[16] else float("-inf")


def _rest(one: Instance, number: float | None, text: str | None) -> bytes:
    """The columns that may be NULL."""
    extra = extra_to_column(one.extra)
    return b"".join(
        (
            _NULL if number is None else _DOUBLE.pack(8, number),
            _packed_text(text),
            _packed_text(extra),
            _packed_box(one) if one.kind is Kind.GEO_PROPERTY else _NULL,
        )
    )


def _packed_text(text: str | None) -> bytes:
    if text is None:
        return _NULL
    data = text.encode()
    return _LENGTH.pack(len(data)) + data


def _packed_box(one: Instance) -> bytes:
    west, south, east, north = bounds(one.value)
    return _BOX.pack(32, east, north, west, south)
