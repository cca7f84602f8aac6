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
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import Names

_FIRST_DAY, _LAST_DAY = -(10**7), 10**7
_FILE = (
    "f.tenant, f.typeset, f.day, f.path, f.rows, f.bytes, f.checksum, f.first, f.last, f.first_recorded,"
    " f.last_recorded, f.erased, f.expired"
)
_IN_BLOCK = (
    f"f.day BETWEEN a.block * {BLOCK_DAYS} AND a.block * {BLOCK_DAYS} + {BLOCK_DAYS - 1}"
    f" AND (a.days >> (f.day - a.block * {BLOCK_DAYS})) & 1 = 1"
)
_FILES_OF_SERIES = f"""
SELECT {_FILE} FROM archived a JOIN archive_file f ON f.tenant = a.tenant AND f.typeset = a.typeset AND {_IN_BLOCK}
WHERE a.tenant = %s AND a.entity = %s AND a.name = %s AND a.dataset = %s AND a.block BETWEEN %s AND %s
AND f.day BETWEEN %s AND %s AND f.last_recorded >= %s AND f.first_recorded < %s
ORDER BY f.day, f.typeset
"""
_DAYS_OF_SERIES = """
SELECT typeset, block, days FROM archived
WHERE tenant = %s AND entity = %s AND name = %s AND dataset = %s AND block BETWEEN %s AND %s ORDER BY typeset, block
"""
_ERASURE = "x.id, e.urn, x.name, x.dataset, x.seq, x.before, x.since, x.upto"
_OF_ENTITY = " JOIN entity e ON e.tenant = x.tenant AND e.id = x.entity"
TOUCHES = f"""
EXISTS (
    SELECT 1 FROM archived a WHERE a.tenant = x.tenant AND a.entity = x.entity AND a.typeset = f.typeset AND {_IN_BLOCK}
    AND (x.name IS NULL OR a.name = x.name) AND (x.dataset IS NULL OR a.dataset = x.dataset)
    AND (x.before IS NULL OR f.first < x.before) AND (x.since IS NULL OR f.last >= x.since)
)"""
_ERASURES_OF_FILE = f"""
SELECT {_ERASURE} FROM archive_file f JOIN erasure x ON x.tenant = f.tenant AND x.id > f.erased{_OF_ENTITY}
WHERE f.tenant = %s AND f.typeset = %s AND f.day = %s AND {TOUCHES} ORDER BY x.id
"""


FilesOfDays = dict[tuple[object, ...], list[ArchiveFile]]
"""What was read for entities of one tenant in one snapshot: those of a page have most of their days in common."""


class _Archived:
    """What the catalogue says of one entity, in one snapshot."""

    def __init__(
        self, connection: Connection, names: Names, tenant: int, number: int, urn: str, known: FilesOfDays | None = None
    ) -> None:
        self._connection = connection
        self._names = names
        self._key = (tenant, number)
        self._known = known
        self.entity_id = urn

    @property
    def erasures(self) -> list[PendingErasure]:
        sql = f"SELECT {_ERASURE} FROM erasure x{_OF_ENTITY} WHERE x.tenant = %s AND x.entity = %s"
        return erasures_of(
            self._connection.execute(sql.encode(), self._key), self._names.words.key, self._names.dataset_text
        )

    def list_series(self) -> set[AttributeKey]:
        rows = self._connection.execute(
            "SELECT DISTINCT name, dataset FROM archived WHERE tenant = %s AND entity = %s", self._key
        )
        return {(self._names.words.key(name), self._names.dataset_text(dataset)) for name, dataset in rows}

    def list_files(self, key: AttributeKey, window: Window) -> list[ArchiveFile]:
        words = self._names.words.ids
        name, dataset = words.get(key[0]), words.get(key[1]) if key[1] else 0
        if name is None or dataset is None:
            return []
        first, last, recorded = _FIRST_DAY, _LAST_DAY, (window.start, window.end)
        if not window.by_recorded:
            first, last = max(first, day_of(window.start)), min(last, day_of(window.end - 1))
            recorded = (EARLIEST, LATEST)
        series = (*self._key, name, dataset, first // BLOCK_DAYS, last // BLOCK_DAYS)
        bounds = (first, last, *recorded)
        if self._known is None:
            return self._read_files(series, bounds)
        days = (*self._connection.execute(_DAYS_OF_SERIES.encode(), series), bounds)
        if days not in self._known:
            self._known[days] = self._read_files(series, bounds)
        return self._known[days]

    def _read_files(self, series: tuple[int, ...], bounds: tuple[int, ...]) -> list[ArchiveFile]:
        rows = self._connection.execute(_FILES_OF_SERIES.encode(), (*series, *bounds))
        return files_of(rows, self._names.tenants.key, self._names.typesets.key)


def find_archived(
    connection: Connection, names: Names, tenant: int, number: int, urn: str, known: FilesOfDays | None = None
) -> ArchivedEntity | None:
    """None where no file holds anything of the entity."""
    sql = "SELECT 1 FROM archived WHERE tenant = %s AND entity = %s LIMIT 1"
    found = connection.execute(sql, (tenant, number)).fetchone()
    return _Archived(connection, names, tenant, number, urn, known) if found else None


def is_forgotten(connection: Connection, tenant: int, number: int) -> bool:
    sql = "SELECT 1 FROM forgotten WHERE tenant = %s AND entity = %s"
    return connection.execute(sql, (tenant, number)).fetchone() is not None


def list_files(
    connection: Connection, names: Names, tenant: int | None = None, day: Day | None = None
) -> list[ArchiveFile]:
    sql = (
        f"SELECT {_FILE} FROM archive_file f WHERE (%(tenant)s::integer IS NULL OR f.tenant = %(tenant)s)"
        " AND (%(day)s::integer IS NULL OR f.day = %(day)s) ORDER BY 1, 3, 2"
    )
    return files_of(
        connection.execute(sql.encode(), {"tenant": tenant, "day": day}), names.tenants.key, names.typesets.key
    )


def list_erasures(connection: Connection, names: Names, file: ArchiveFile | None = None) -> list[PendingErasure]:
    """Those that a file does not show yet, or all there are."""
    if file is None:
        rows = connection.execute(f"SELECT {_ERASURE} FROM erasure x{_OF_ENTITY} ORDER BY x.id".encode())
    else:
        rows = connection.execute(_ERASURES_OF_FILE.encode(), key_of(names, file.partition))
    return erasures_of(rows, names.words.key, names.dataset_text)


def key_of(names: Names, partition: Partition) -> tuple[int, int, Day]:
    return names.tenants.ids[partition.tenant], names.typesets.ids[partition.types], partition.day
