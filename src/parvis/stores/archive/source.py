"""One entity's series, read from the few files that hold them."""

from collections.abc import Sequence

from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.ports.archive import ArchivedEntity, ArchiveFile
from parvis.broker.query.tree import Method
from parvis.broker.temporal.reading import EVER, Period, Window, numbered_patterns
from parvis.broker.temporal.sums import Sums
from parvis.kernel.time import Instant
from parvis.stores.archive.chosen import choose_rows, time_of
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.rows import INSTANCE_COLUMNS, instances_of, removals_of
from parvis.stores.archive.sums import PageFiles, sum_up

FIRST_FILES = 4
ROWS_OF_A_DAY = 288
"""A guess, one every five minutes: so many files are opened at first that a limit asks for; then four times as many."""


class EntityFiles:
    """A Source (broker/temporal/reading.py): the entity's instances in the files that the catalogue names."""

    def __init__(self, reader: ArchiveReader, entity: ArchivedEntity, page: PageFiles, place: int) -> None:
        self._reader = reader
        self._entity = entity
        self._page = page
        self._place = place

    def list_series(self) -> set[AttributeKey]:
        return self._entity.list_series()

    def read(self, key: AttributeKey, window: Window, limit: int, *, last: bool) -> list[Instance]:
        """Files that cannot add to them stay closed."""
        waiting = sorted(self._entity.list_files(key, window), key=lambda one: _reach(one, window, last=last))
        found: list[Instance] = []
        count = max(FIRST_FILES, limit // ROWS_OF_A_DAY + 1)
        while waiting:
            opened, waiting = waiting[:count], waiting[count:]
            count *= 4
            more = self._ordered(opened, key, window, limit, last=last)
            found = _joined(found, more, window, last=last)[:limit]
            if len(found) == limit and waiting and _is_beyond(waiting[0], found[-1], window, last=last):
                break
        if last:
            found.reverse()
        return found

    def find(self, name: Iri, seq: int) -> Instance | None:
        for key in self.list_series():
            files = self._entity.list_files(key, EVER) if key[0] == name else ()
            if not files:
                continue
            chosen = choose_rows([self._entity], self._reader.locate(files), key, EVER)
            sql = f"SELECT {INSTANCE_COLUMNS} {chosen.sql} AND (seq = ? OR extra LIKE ? OR extra LIKE ?)"
            with self._reader.hurried(files) as cursor:
                asked = cursor.execute(sql, (*chosen.parameters, seq, *numbered_patterns(seq)))
                found = instances_of(key, asked.fetchnumpy())
            if found:
                return found[0]
        return None

    def extent(self, key: AttributeKey, window: Window) -> Period | None:
        """Of one entity, the first and the last files tell."""
        if len(self._page) > 1:
            return self._page.extent(self._place, key, window)
        ends = [one for last in (False, True) for one in self.read(key, window, 1, last=last)]
        return (window.time(ends[0]), window.time(ends[-1])) if ends else None

    def expect(self, keys: Sequence[AttributeKey]) -> None:
        self._page.lasts.expect(self._place, keys)

    def list_last(self, window: Window) -> list[Instance]:
        return self._page.lasts.list_last(self._place, window)

    def reach(self, key: AttributeKey, window: Window) -> Period | None:
        """Of all that are read together."""
        return self._page.reach(key, window)

    def partials(
        self, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> Sums:
        """Where the window says from when, everyone's periods are the same."""
        if len(self._page) > 1 and window.asked_from is not None:
            return self._page.partials(self._place, key, window, periods, methods)
        some = [one for one in periods if one[0] < one[1]]
        asked = Window(window.by_recorded, some[0][0], some[-1][1]) if some else window
        files = self._entity.list_files(key, asked) if some else ()
        return sum_up(self._reader, [self._entity], files, key, window, periods, methods).of(0)

    def _ordered(
        self, files: Sequence[ArchiveFile], key: AttributeKey, window: Window, limit: int, *, last: bool
    ) -> list[Instance]:
        direction = "DESC" if last else "ASC"
        chosen = choose_rows([self._entity], self._reader.locate(files), key, window)
        sql = f"SELECT {INSTANCE_COLUMNS} {chosen.sql} ORDER BY {time_of(window)} {direction}, seq {direction} LIMIT ?"
        with self._reader.hurried(files) as cursor:
            columns = cursor.execute(sql, (*chosen.parameters, limit)).fetchnumpy()
        return removals_of(key, columns) if window.of_removals else instances_of(key, columns)


def sources_of(reader: ArchiveReader, entities: Sequence[ArchivedEntity]) -> list[EntityFiles]:
    """A source each, for one thread; they answer together where all are asked the same."""
    page = PageFiles(reader, entities)
    return [EntityFiles(reader, entity, page, place) for place, entity in enumerate(entities)]


def _reach(file: ArchiveFile, window: Window, *, last: bool) -> Instant:
    """Sorts files by where reading begins."""
    if last:
        return -(file.file.last_recorded if window.by_recorded else file.file.last)
    return file.file.first_recorded if window.by_recorded else file.file.first


def _joined(found: list[Instance], more: list[Instance], window: Window, *, last: bool) -> list[Instance]:
    if not found or not more:
        return found or more
    return sorted(found + more, key=lambda one: (window.time(one), one.seq), reverse=last)


def _is_beyond(file: ArchiveFile, instance: Instance, window: Window, *, last: bool) -> bool:
    """Whether no row of the file can come before the instance in the order of reading."""
    time, reach = window.time(instance), _reach(file, window, last=last)
    return -reach < time if last else reach > time
