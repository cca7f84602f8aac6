"""The last instance of many series before a moment, in one snapshot."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from parvis.broker.model.entity import AttributeKey, Instance
from parvis.broker.ports.archive import ReadArchived, day_of
from parvis.broker.temporal.moment import Lasts, Wanted
from parvis.broker.temporal.reading import Window
from parvis.stores.sqlite.catalogue import FilesOfDays, find_archived
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import past_instance, removed_instance
from parvis.stores.sqlite.segments import list_segments
from parvis.stores.sqlite.temporal import Series, list_marks

_COLUMNS = "name, dataset, shape, value, ts, observed, extra, recorded, seq"
_NUMBERS = "SELECT urn, id FROM entity WHERE tenant = ? AND urn IN (SELECT value FROM json_each(?))"
_SETTLED = (
    f"SELECT {_COLUMNS} FROM history"
    " WHERE segment = ? AND entity = ? AND name = ? AND dataset = ? AND ts >= ? AND ts < ?{gone}"
    " ORDER BY ts DESC, seq DESC LIMIT 1"
)
_FRESH = (
    "FROM log CROSS JOIN settling WHERE seq > settling.low AND ts >= ? AND ts < ?"
    " AND name IN (SELECT value FROM json_each(?))"
    " AND seq > CASE WHEN log.entity <= settling.entity THEN settling.high ELSE settling.low END"
)
_UNSETTLED = f"""
WITH newest AS (SELECT log.entity, name, dataset, max(ts) AS ts {_FRESH} GROUP BY 1, 2, 3)
SELECT log.entity, {_COLUMNS} FROM log JOIN newest USING (entity, name, dataset, ts)
WHERE seq > (SELECT low FROM settling) ORDER BY seq
"""
_HAS_FILES = "SELECT 1 FROM archive_file WHERE tenant = ? AND day BETWEEN ? AND ? LIMIT 1"


class Moment:
    """`window` says how far back one looks, and from when."""

    def __init__(self, connection: Connection, names: Names, tenant: int, window: Window) -> None:
        self._connection = connection
        self._names = names
        self._tenant = tenant
        self._window = window
        self._found = Lasts()

    def list_last(self, wanted: Wanted, read_archived: ReadArchived) -> dict[str, list[Instance]]:
        """Raises ArchiveFileGone, ArchiveDamaged."""
        numbers = self._find_numbers(wanted)
        series = {urn: self._series_of(number, wanted[urn]) for urn, number in numbers.items()}
        self._read_settled(series)
        self._read_unsettled(series)
        self._read_files({urn: (numbers[urn], wanted[urn]) for urn in numbers}, read_archived)
        return self._found.told()

    def _find_numbers(self, wanted: Wanted) -> dict[str, int]:
        urns = msgspec.json.encode(list(wanted)).decode()
        return dict(self._connection.execute(_NUMBERS, (self._tenant, urns)).fetchall())

    def _series_of(self, entity: int, keys: Sequence[AttributeKey]) -> list[Series]:
        words = self._names.words.ids
        known = [(words.get(name), words.get(dataset) if dataset else 0) for name, dataset in keys]
        return [Series(entity, name, dataset) for name, dataset in known if name is not None and dataset is not None]

    def _read_settled(self, series: Mapping[str, Sequence[Series]]) -> None:
        bounds = (self._window.start, self._window.end)
        marks = [one for one in list_marks(self._connection, self._tenant) if one[0] < bounds[1] and one[1] > bounds[0]]
        sql = _SETTLED.format(gone=" AND NOT (ts >= ? AND ts < ? AND seq <= ?)" * len(marks))
        gone = tuple(bound for mark in marks for bound in mark)
        for segment in list_segments(self._connection):
            for urn, ones in series.items():
                for one in ones:
                    row = self._connection.execute(sql, (segment, *one, *bounds, *gone)).fetchone()
                    if row is not None:
                        self._found.add(urn, [self._instance(row)])

    def _read_unsettled(self, series: Mapping[str, Sequence[Series]]) -> None:
        urns = {one: urn for urn, ones in series.items() for one in ones}
        names = str(sorted({one.name for one in urns}))
        for entity, *row in self._connection.execute(_UNSETTLED, (self._window.start, self._window.end, names)):
            urn = urns.get(Series(entity, row[0], row[1]))
            if urn is not None:
                self._found.add(urn, [self._instance(tuple(row))])

    def _read_files(
        self, wanted: Mapping[str, tuple[int, Sequence[AttributeKey]]], read_archived: ReadArchived
    ) -> None:
        days = (day_of(self._window.start), day_of(self._window.end - 1))
        if self._connection.execute(_HAS_FILES, (self._tenant, *days)).fetchone() is None:
            return
        known: FilesOfDays = {}
        found = [
            find_archived(self._connection, self._names, number, urn, known) for urn, (number, _) in wanted.items()
        ]
        archived = [one for one in found if one is not None]
        sources = read_archived(archived) if archived else ()
        for entity, source in zip(archived, sources, strict=True):
            source.expect(wanted[entity.entity_id][1])
        for entity, source in zip(archived, sources, strict=True):
            self._found.add(entity.entity_id, source.list_last(self._window))

    def _instance(self, row: tuple[Any, ...]) -> Instance:
        return removed_instance(self._names, row) if row[2] == REMOVED else past_instance(self._names, row)
