"""The last instance of many series in a window, found where it most likely is first: close before the window's end."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from parvis.broker.model.entity import AttributeKey, Instance
from parvis.broker.ports.archive import ArchivedEntity, ArchiveFile
from parvis.broker.temporal.reading import Window
from parvis.kernel.time import HOUR
from parvis.stores.archive.chosen import choose_series
from parvis.stores.archive.rows import INSTANCE_COLUMNS, REMOVED, Columns, instances_of, removals_of

if TYPE_CHECKING:
    from parvis.stores.archive.read import ArchiveReader

LOOKS = (2 * HOUR, 26 * HOUR)
"""Back from the window's end; then the whole window. Most devices send within the hour, nearly all within the day."""
Missing = set[tuple[int, AttributeKey]]
"""Places of entities, and series of theirs."""


class PageLasts:
    """Of some entities, read in one snapshot."""

    def __init__(self, reader: "ArchiveReader", entities: Sequence[ArchivedEntity]) -> None:
        self._reader = reader
        self._entities = entities
        self._expected: Missing = set()
        self._found: dict[Window, dict[int, list[Instance]]] = {}

    def expect(self, place: int, keys: Sequence[AttributeKey]) -> None:
        self._expected.update((place, key) for key in keys)

    def list_last(self, place: int, window: Window) -> list[Instance]:
        if window not in self._found:
            self._found[window] = self._find(window)
        return self._found[window].get(place, [])

    def _find(self, window: Window) -> dict[int, list[Instance]]:
        found: dict[int, list[Instance]] = {}
        missing = set(self._expected)
        for start in [*(window.end - look for look in LOOKS if window.end - look > window.start), window.start]:
            self._look(missing, window._replace(start=start), found)
        return found

    def _look(self, missing: Missing, window: Window, found: dict[int, list[Instance]]) -> None:
        """What is found is missing no more."""
        files = self._list_files(missing, window)
        if not files:
            return
        places = sorted({place for place, _ in missing})
        chosen = choose_series(
            [self._entities[place] for place in places],
            self._reader.locate(files),
            sorted({key for _, key in missing}),
            window,
        )
        sql = f"SELECT place, attribute, dataset, {INSTANCE_COLUMNS} {chosen.sql}"
        with self._reader.hurried(files) as cursor:
            columns = cursor.execute(sql, chosen.parameters).fetchnumpy()
        for (place, key), instance in _told(columns):
            if (places[place], key) in missing:
                missing.remove((places[place], key))
                found.setdefault(places[place], []).append(instance)

    def _list_files(self, missing: Missing, window: Window) -> list[ArchiveFile]:
        lists = {id(some): some for some in [self._entities[place].list_files(key, window) for place, key in missing]}
        found = {one.file.path: one for some in lists.values() for one in some}
        return [found[path] for path in sorted(found)]


def _told(columns: Columns) -> list[tuple[tuple[int, AttributeKey], Instance]]:
    """Rows by series, as instances and removals are made of columns."""
    told = []
    of_series: Mapping[AttributeKey, list[int]] = _rows_by_key(columns)
    for key, rows in of_series.items():
        for wanted, make in ((columns["kind"] != REMOVED, instances_of), (columns["kind"] == REMOVED, removals_of)):
            some = np.array([row for row in rows if wanted[row]], np.int64)
            if len(some):
                part: dict[str, Any] = {name: column[some] for name, column in columns.items()}
                told += [((int(at), key), one) for at, one in zip(part["place"], make(key, part), strict=True)]
    return told


def _rows_by_key(columns: Columns) -> dict[AttributeKey, list[int]]:
    found: dict[AttributeKey, list[int]] = {}
    for row, key in enumerate(zip(columns["attribute"].tolist(), columns["dataset"].tolist(), strict=True)):
        found.setdefault(key, []).append(row)
    return found
