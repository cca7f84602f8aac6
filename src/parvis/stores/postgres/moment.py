"""The last instance of many series before a moment, in one snapshot and one statement."""

from collections.abc import Mapping
from typing import Any

import msgspec

from parvis.broker.model.entity import Instance
from parvis.broker.ports.archive import ReadArchived, day_of
from parvis.broker.temporal.moment import Lasts, Wanted
from parvis.broker.temporal.reading import Window
from parvis.stores.postgres.catalogue import FilesOfDays, find_archived
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.rows import past_instance, removed_instance
from parvis.stores.postgres.temporal import STILL_HERE
from parvis.stores.postgres.within import numbers_text

_COLUMNS = "name, dataset, shape, number, text, ts, observed, extra, recorded, seq"
_NUMBERS = (
    "SELECT urn, id FROM entity WHERE tenant = %s AND urn = ANY (ARRAY(SELECT json_array_elements_text(%s::json)))"
)
_LASTS = f"""
SELECT one.place, last.* FROM unnest(%(entities)s::bigint[], %(names)s::int[], %(datasets)s::int[])
    WITH ORDINALITY AS one (entity, name, dataset, place)
CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM history WHERE tenant = %(tenant)s AND entity = one.entity AND name = one.name
    AND dataset = one.dataset AND ts >= %(start)s AND ts < %(end)s{STILL_HERE}
    ORDER BY ts DESC, seq DESC LIMIT 1
) AS last
"""
_HAS_FILES = "SELECT 1 FROM archive_file WHERE tenant = %s AND day BETWEEN %s AND %s LIMIT 1"


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
        self._names.load(self._connection)
        urns = msgspec.json.encode([one for one in wanted if "\0" not in one]).decode()
        numbers: dict[str, int] = dict(self._connection.execute(_NUMBERS, (self._tenant, urns)).fetchall())
        self._read_tables(numbers, wanted)
        self._read_files(numbers, wanted, read_archived)
        return self._found.told()

    def _read_tables(self, numbers: Mapping[str, int], wanted: Wanted) -> None:
        words = self._names.words.ids
        series = [
            (urn, number, words.get(name, -1), words.get(dataset, -1) if dataset else 0)
            for urn, number in numbers.items()
            for name, dataset in wanted[urn]
        ]
        if not series:
            return
        asked = {
            "tenant": self._tenant,
            "entities": numbers_text([one[1] for one in series]),
            "names": numbers_text([one[2] for one in series]),
            "datasets": numbers_text([one[3] for one in series]),
            "start": self._window.start,
            "end": self._window.end,
        }
        for place, *row in self._connection.execute(_LASTS.encode(), asked):
            self._found.add(series[place - 1][0], [self._instance(tuple(row))])

    def _read_files(self, numbers: Mapping[str, int], wanted: Wanted, read_archived: ReadArchived) -> None:
        days = (day_of(self._window.start), day_of(self._window.end - 1))
        if self._connection.execute(_HAS_FILES, (self._tenant, *days)).fetchone() is None:
            return
        known: FilesOfDays = {}
        found = [
            find_archived(self._connection, self._names, self._tenant, number, urn, known)
            for urn, number in numbers.items()
        ]
        archived = [one for one in found if one is not None]
        sources = read_archived(archived) if archived else ()
        for entity, source in zip(archived, sources, strict=True):
            source.expect(wanted[entity.entity_id])
        for entity, source in zip(archived, sources, strict=True):
            self._found.add(entity.entity_id, source.list_last(self._window))

    def _instance(self, row: tuple[Any, ...]) -> Instance:
        return removed_instance(self._names, row) if row[2] == REMOVED else past_instance(self._names, row)
