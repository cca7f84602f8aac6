"""The archive's catalogue: which files there are, which series lie in them, and what was erased since."""

from parvis.broker.model.entity import AttributeKey
from parvis.broker.ports.archive import (
    BLOCK_DAYS,
    ArchivedEntity,
    ArchiveFile,
    Day,
    Partition,
    PendingErasure,
    day_of,
    erasures_of,
    files_of,
)
from parvis.broker.temporal.reading import EARLIEST, LATEST, Window
from parvis.kernel.time import DAY
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import Names

_FIRST_DAY, _LAST_DAY = -(10**7), 10**7
_FILE = (
    "f.tenant, f.typeset, f.day, f.path, f.rows, f.bytes, f.checksum, f.first, f.last, f.first_recorded,"
    " f.last_recorded, f.erased, f.expired"
)
_FILES_OF_SERIES = f"""
SELECT {_FILE} FROM archived a JOIN archive_file f
ON f.tenant = (SELECT tenant FROM entity WHERE id = a.entity) AND f.typeset = a.typeset
AND f.day BETWEEN a.block * {BLOCK_DAYS} AND a.block * {BLOCK_DAYS} + {BLOCK_DAYS - 1}
AND (a.days >> (f.day - a.block * {BLOCK_DAYS})) & 1
WHERE a.entity = ? AND a.name = ? AND a.dataset = ? AND a.block BETWEEN ? AND ? AND f.day BETWEEN ? AND ?
AND f.last_recorded >= ? AND f.first_recorded < ?
ORDER BY f.day, f.typeset
"""
_DAYS_OF_SERIES = """
SELECT typeset, block, days FROM archived
WHERE entity = ? AND name = ? AND dataset = ? AND block BETWEEN ? AND ? ORDER BY typeset, block
"""
_ERASURE = "x.id, e.urn, x.name, x.dataset, x.seq, x.before, x.since, x.upto"
_TOUCHES = f"""
a.entity = x.entity AND a.typeset = f.typeset
AND f.day BETWEEN a.block * {BLOCK_DAYS} AND a.block * {BLOCK_DAYS} + {BLOCK_DAYS - 1}
AND (a.days >> (f.day - a.block * {BLOCK_DAYS})) & 1
AND (x.name IS NULL OR a.name = x.name) AND (x.dataset IS NULL OR a.dataset = x.dataset)
AND (x.before IS NULL OR f.first < x.before) AND (x.since IS NULL OR f.last >= x.since)
"""
"""Whether an erasure may cover rows of a file, of which the catalogue says that a series has some in it."""
_ERASURES_OF_FILE = f"""
SELECT {_ERASURE} FROM archive_file f JOIN erasure x ON x.id > f.erased JOIN entity e ON e.id = x.entity
WHERE f.tenant = ? AND f.typeset = ? AND f.day = ? AND e.tenant = f.tenant
AND EXISTS (SELECT 1 FROM archived a WHERE {_TOUCHES}) ORDER BY x.id
"""
IS_OPEN = f"""
EXISTS (
    SELECT 1 FROM archived a CROSS JOIN archive_file f ON f.tenant = (SELECT tenant FROM entity WHERE id = x.entity)
    AND f.day BETWEEN ifnull(x.since / {DAY} - 1, {_FIRST_DAY}) AND ifnull(x.before / {DAY} + 1, {_LAST_DAY})
    AND f.erased < x.id AND {_TOUCHES}
)"""
"""Whether some file does not show erasure `x` yet: looked for among the files of its entity alone."""


FilesOfDays = dict[tuple[object, ...], list[ArchiveFile]]
"""What was read for entities of one tenant in one snapshot: those of a page have most of their days in common."""


class _Archived:
    """What the catalogue says of one entity, in one snapshot."""

    def __init__(
        self, connection: Connection, names: Names, number: int, urn: str, known: FilesOfDays | None = None
    ) -> None:
        self._connection = connection
        self._names = names
        self._number = number
        self._known = known
        self.entity_id = urn

    @property
    def erasures(self) -> list[PendingErasure]:
        sql = f"SELECT {_ERASURE} FROM erasure x JOIN entity e ON e.id = x.entity WHERE x.entity = ?"
        return erasures_of(
            self._connection.execute(sql, (self._number,)), self._names.words.key, self._names.dataset_text
        )

    def list_series(self) -> set[AttributeKey]:
        sql = "SELECT DISTINCT name, dataset FROM archived WHERE entity = ?"
        rows = self._connection.execute(sql, (self._number,))
        return {(self._names.words.key(name), self._names.dataset_text(dataset)) for name, dataset in rows}

    def list_files(self, key: AttributeKey, window: Window) -> list[ArchiveFile]:
        words = self._names.words.ids
        name, dataset = words.get(key[0]), words.get(key[1]) if key[1] else 0
        if name is None or dataset is None:
            return []
        first, last = _FIRST_DAY, _LAST_DAY
        recorded = (window.start, window.end)
        if not window.by_recorded:
            first, last = max(first, day_of(window.start)), min(last, day_of(window.end - 1))
            recorded = (EARLIEST, LATEST)
        series = (self._number, name, dataset, first // BLOCK_DAYS, last // BLOCK_DAYS)
        bounds = (first, last, *recorded)
        if self._known is None:
            return self._read_files(series, bounds)
        days = (*self._connection.execute(_DAYS_OF_SERIES, series), bounds)
        if days not in self._known:
            self._known[days] = self._read_files(series, bounds)
        return self._known[days]

    def _read_files(self, series: tuple[int, ...], bounds: tuple[int, ...]) -> list[ArchiveFile]:
        rows = self._connection.execute(_FILES_OF_SERIES, (*series, *bounds))
        return files_of(rows, self._names.tenants.key, self._names.typesets.key)


def find_archived(
    connection: Connection, names: Names, number: int, urn: str, known: FilesOfDays | None = None
) -> ArchivedEntity | None:
    """None where no file holds anything of the entity, which is found out at the price of a seek."""
    found = connection.execute("SELECT 1 FROM archived WHERE entity = ? LIMIT 1", (number,)).fetchone()
    return _Archived(connection, names, number, urn, known) if found else None


def is_forgotten(connection: Connection, number: int) -> bool:
    return connection.execute("SELECT 1 FROM forgotten WHERE entity = ?", (number,)).fetchone() is not None


def list_files(
    connection: Connection, names: Names, tenant: str | None = None, day: Day | None = None
) -> list[ArchiveFile]:
    sql = f"SELECT {_FILE} FROM archive_file f WHERE (? OR f.tenant = ?) AND (? OR f.day = ?) ORDER BY 1, 3, 2"
    number = names.tenants.ids.get(tenant or "")
    rows = connection.execute(sql, (tenant is None, number, day is None, day))
    return files_of(rows, names.tenants.key, names.typesets.key)


def list_erasures(connection: Connection, names: Names, file: ArchiveFile | None = None) -> list[PendingErasure]:
    """Those that a file does not show yet, or all there are."""
    if file is None:
        rows = connection.execute(f"SELECT {_ERASURE} FROM erasure x JOIN entity e ON e.id = x.entity ORDER BY x.id")
    else:
        rows = connection.execute(_ERASURES_OF_FILE, key_of(names, file.partition))
    return erasures_of(rows, names.words.key, names.dataset_text)


def key_of(names: Names, partition: Partition) -> tuple[int, int, Day]:
    return names.tenants.ids[partition.tenant], names.typesets.ids[partition.types], partition.day
