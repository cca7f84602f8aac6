"""The heavy half of bringing the past, where it is in nobody's way: columns become files that nobody knows of yet."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from parvis.broker.model.entity import Json, Kind
from parvis.broker.ports.archive import (
    ArchiveDamaged,
    ArchiveFile,
    Day,
    OpenClosedRows,
    Partition,
    PendingErasure,
    Replacement,
    SeriesOfFile,
    WrittenFile,
)
from parvis.broker.ports.past import Brought, OldObservations
from parvis.stores.archive.engine import Condition, connect, not_erased, text_literal
from parvis.stores.archive.faults import telling_faults
from parvis.stores.archive.layout import file_path, partition_name
from parvis.stores.archive.loading import Ordered, Part, Types, put_in_order
from parvis.stores.archive.move import Plan
from parvis.stores.archive.owner import claim
from parvis.stores.archive.rows import EXACT_INTEGER, Columns
from parvis.stores.archive.storage import Storage, checksum, open_storage, read_file
from parvis.stores.archive.write import FORMAT, NAMES, PARTITION_KEY, TAKEN, write_columns

if TYPE_CHECKING:
    from parvis.stores.archive.engine import Connection

LEAST_MEMORY_MIB = 64
"""Of each engine that writes."""
ROWS_OF_A_LOT = 100_000
"""As many as the engine keeps in one of its row groups; a single file may have more."""
_encode = msgspec.json.Encoder(order="sorted").encode
_NO_TEXT = "NULL::VARCHAR"
_IS_JSON = f"kind = {Kind.GEO_PROPERTY.value}"
_VALUES: Mapping[str, tuple[str, ...]] = {
    "f": ("value", "false", _NO_TEXT, _NO_TEXT),
    "i": ("value::DOUBLE", "true", _NO_TEXT, f"if(abs(value) > {EXACT_INTEGER}, value::VARCHAR, NULL)"),
    "b": ("NULL::DOUBLE", "false", _NO_TEXT, "if(value, 'true', 'false')"),
    "O": ("NULL::DOUBLE", "false", f"if({_IS_JSON}, NULL, value)", f"if({_IS_JSON}, value, NULL)"),
}
"""number, whole, text and json of values, by the kind of their array."""
_TEXTS_BESIDE = (
    "if(said IS NULL, {}, NULL)",
    "said IS NULL AND {}",
    f"if({_IS_JSON}, NULL, said)",
    f"if(said IS NULL, {{}}, if({_IS_JSON}, said, NULL))",
)
"""The same where a text may stand in place of a number."""
_SERIES = (
    "series(place INTEGER, entity VARCHAR, attribute VARCHAR, dataset VARCHAR, kind TINYINT, unit VARCHAR,"
    " extra VARCHAR)"
)
_DESCRIBE = (
    "SELECT filename, count(*), epoch_us(min(time)), epoch_us(max(time)), min(epoch_us(time) + delay_us),"
    " max(epoch_us(time) + delay_us) FROM read_parquet(?, hive_partitioning = false, filename = true) GROUP BY filename"
)


class ToLook(msgspec.Struct, frozen=True):
    """What is to be brought where."""

    open_rows: OpenClosedRows
    plan: Plan
    tenant: str
    old: OldObservations


class Looked(msgspec.Struct, frozen=True):
    """`rows` are to be written; what becomes of the others is told."""

    rows: int
    told: Brought


class Filed(msgspec.Struct, frozen=True):
    """The files by day. `before`: rows that the files before them had already; `newest_erasure`: the last they show."""

    files: Mapping[Day, Sequence[Replacement]]
    before: int
    newest_erasure: int
    series: Mapping[SeriesOfFile, Types]


class PastWork:
    """Looks, and then writes what it looked at: nothing larger than the answers comes back between."""

    def __init__(self) -> None:
        self._writer: _Writer | None = None

    def look(self, task: ToLook) -> Looked:
        """What the catalogue and the hot rows say before numbers are reserved."""
        storage = open_storage(task.plan.url, task.plan.data_dir)
        found = _look(storage, task)
        self._writer = _Writer(storage, task.plan, task.tenant, found) if len(found.ordered) else None
        return Looked(len(found.ordered), found.told)

    def write(self, first: int) -> Filed:
        """Rows get numbers from `first` on."""
        writer, self._writer = self._writer, None
        assert writer is not None, "there are rows that were looked at"
        files, before = writer.write(first)
        return Filed(files, before, writer.newest_erasure, writer.series if files else {})


class _Old(NamedTuple):
    """A file that is to be replaced, and the erasures that the new one is to show."""

    file: ArchiveFile
    erasures: Sequence[PendingErasure]


class _Snapshot(NamedTuple):
    ordered: Ordered
    told: Brought
    olds: Mapping[tuple[Types, Day], _Old]
    newest_erasure: int


def _look(storage: Storage, task: ToLook) -> _Snapshot:
    plan, tenant = task.plan, task.tenant
    with task.open_rows() as rows:
        claim(storage, rows)
        types = rows.list_types(tenant)
        held = partial(rows.list_held, tenant)
        ordered, told = put_in_order(task.old, types, plan.today, plan.retention, held)
        wanted = {(part.types, part.day) for part in ordered.parts}
        files = {
            (file.partition.types, file.partition.day): file for file in (rows.list_files(tenant) if wanted else ())
        }
        olds = {key: _Old(files[key], rows.list_erasures(files[key])) for key in sorted(wanted & files.keys())}
        return _Snapshot(ordered, told, olds, rows.newest_erasure)


class _Made(NamedTuple):
    partition: Partition
    path: Path
    rows: int


class _Writer:
    """Of one bringing: all files synced together."""

    def __init__(self, storage: Storage, plan: Plan, tenant: str, found: _Snapshot) -> None:
        self._storage = storage
        self._plan = plan
        self._tenant = tenant
        self._found = found
        self._ordered = found.ordered
        self._first = 0
        self._now = plan.clock()
        memory_mib = max(LEAST_MEMORY_MIB, plan.limits.memory_mib // plan.limits.threads)
        self._limits = msgspec.structs.replace(plan.limits, threads=1, memory_mib=memory_mib)
        self._files: defaultdict[Day, list[Replacement]] = defaultdict(list)

    @property
    def newest_erasure(self) -> int:
        return self._found.newest_erasure

    @property
    def series(self) -> dict[SeriesOfFile, Types]:
        return self._ordered.series

    def write(self, first: int) -> tuple[dict[Day, list[Replacement]], int]:
        """The files by day, and how many rows the files before them had already."""
        self._first = first
        parts, olds = self._ordered.parts, self._found.olds
        fresh = [part for part in parts if (part.types, part.day) not in olds]
        with (
            self._storage.scratch() as folder,
            telling_faults(self._storage, [one.file.file for one in olds.values()]),
        ):
            made = self._copy_all(folder, fresh)
            with self._engine(folder / "spill") as connection:
                there = ((part, olds.get((part.types, part.day))) for part in parts)
                before = sum(self._join(connection, part, old) for part, old in there if old is not None)
                self._publish(connection, made)
        return dict(sorted(self._files.items())), before

    def _copy_all(self, folder: Path, fresh: Sequence[Part]) -> list[_Made]:
        """Each thread by an engine of its own: files are small, and one engine gains nothing by a second thread."""
        lots = list(_lots(fresh))
        hands = min(self._plan.limits.threads, len(lots))

        def copy(hand: int) -> list[_Made]:
            with self._engine(folder / f"spill-{hand}") as connection:
                return [made for lot in lots[hand::hands] for made in self._copy(connection, lot, folder)]

        with ThreadPoolExecutor(max(1, hands), "parvis-past") as pool:
            return [made for some in pool.map(copy, range(hands)) for made in some]

    @contextmanager
    def _engine(self, spill: Path) -> Iterator["Connection"]:
        connection = connect(self._limits, spill, self._storage.file_system)
        try:
            self._take_series(connection)
            yield connection
        finally:
            connection.close()

    def _take_series(self, connection: "Connection") -> None:
        connection.execute(f"CREATE TABLE {_SERIES}")
        series = self._ordered.old.series
        columns: dict[str, NDArray[Any]] = {
            "place": np.arange(len(series), dtype=np.int32),
            "entity": _texts(one.entity_id for one in series),
            "attribute": _texts(one.attribute for one in series),
            "dataset": _texts(one.dataset for one in series),
            "kind": np.array([one.kind.value for one in series], np.int8),
            "unit": _texts(one.unit for one in series),
            "extra": _texts(_extra(one.extra) for one in series),
        }
        connection.register("given", columns)
        connection.execute("INSERT INTO series BY NAME SELECT * FROM given")
        connection.unregister("given")

    def _copy(self, connection: "Connection", lot: Sequence[Part], folder: Path) -> Iterator[_Made]:
        """Rows are joined and sorted once for the lot, which is then cut into files."""
        first = lot[0].start
        rows = self._rows(connection, first, lot[-1].end)
        connection.execute(f"CREATE OR REPLACE TABLE lot AS SELECT {TAKEN} FROM ({rows}) ORDER BY seq").fetchall()
        for part in lot:
            partition = Partition(self._tenant, part.types, part.day)
            made = folder / f"{part.start}.parquet"
            about = f"KV_METADATA {{{PARTITION_KEY}: {text_literal(partition_name(partition))}}}"
            taken = f"SELECT {NAMES} FROM lot WHERE rowid >= {part.start - first} AND rowid < {part.end - first}"
            copied = connection.execute(f"COPY ({taken}) TO {text_literal(str(made))} ({FORMAT}, {about})").fetchone()
            yield _Made(partition, made, int(copied[0]) if copied else 0)

    def _rows(self, connection: "Connection", start: int, end: int) -> str:
        """SQL of these rows, whose columns are at hand until the next ones are."""
        ordered, cut = self._ordered, slice(start, end)
        piece: dict[str, NDArray[Any]] = {
            "of": ordered.of[cut],
            "time": ordered.times[cut],
            "value": ordered.values[cut],
            "seq": np.arange(self._first + start, self._first + end, dtype=np.int64),
        }
        shapes = _VALUES[ordered.values.dtype.kind]
        if ordered.texts is not None and (ordered.texts[cut] != np.array(None)).any():
            piece["said"] = ordered.texts[cut]
            shapes = tuple(beside.format(shape) for beside, shape in zip(_TEXTS_BESIDE, shapes, strict=True))
        connection.register("piece", piece)
        number, whole, text, json = shapes
        return (
            f"SELECT entity, attribute, dataset, time, seq, true AS observed, kind, unit, {number} AS number,"
            f" {whole} AS whole, {text} AS text, {json} AS json, extra, {self._now} - time AS delay_us"
            " FROM piece JOIN series ON place = of"
        )

    def _join(self, connection: "Connection", part: Part, old: _Old) -> int:
        """Make the file anew with what it has not; how many rows it had."""
        partition, rows = old.file.partition, part.end - part.start
        new = _not_in(self._storage, old)
        sql = f"SELECT {NAMES} FROM ({self._rows(connection, part.start, part.end)}) AS fresh WHERE {new.sql}"
        columns = connection.execute(sql, new.parameters).fetchnumpy()
        found = len(columns["seq"])
        if found:
            made = write_columns(
                self._storage, self._plan.limits, partition, secrets.token_hex(8), [_plain(columns)], old.file.file,
                old.erasures,
            )  # fmt: skip
            assert made is not None, "there are new rows"
            replacement = Replacement(partition, old.file.file.path, made.file, old.file.expired)
            self._files[partition.day].append(replacement)
        return rows - found

    def _publish(self, connection: "Connection", fresh: Sequence[_Made]) -> None:
        """As they are read back."""
        if not fresh:
            return
        paths = {str(one.path): file_path(one.partition, secrets.token_hex(8)) for one in fresh}
        told = {name: facts for name, *facts in connection.execute(_DESCRIBE, [list(paths)]).fetchall()}
        for one in fresh:
            rows, *extent = told[str(one.path)]
            if rows != one.rows:
                raise ArchiveDamaged(f"{one.path.name}: {one.rows} rows were written, {rows} are read.")
            size, digest = one.path.stat().st_size, checksum(read_file(one.path))
            file = WrittenFile(paths[str(one.path)], rows, size, digest, *extent)
            expiry = self._plan.retention.expiry(one.partition.types, self._plan.today - one.partition.day)
            self._files[one.partition.day].append(Replacement(one.partition, None, file, expiry))
        self._storage.publish_all([(one.path, paths[str(one.path)]) for one in fresh])


def _lots(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Neighbours, together about so many rows."""
    lot: list[Part] = []
    for part in parts:
        if lot and (part.start != lot[-1].end or part.end - lot[0].start > ROWS_OF_A_LOT):
            yield lot
            lot = []
        lot.append(part)
    if lot:
        yield lot


def _texts(values: Iterable[str | None]) -> NDArray[Any]:
    return np.array(list(values), object)


def _extra(extra: Mapping[str, Json] | None) -> str | None:
    return None if extra is None else _encode(extra).decode()


def _not_in(storage: Storage, old: _Old) -> Condition:
    """Holds for `fresh` rows of whose series and time the old file shows none."""
    kept = not_erased(old.erasures)
    shown = f"SELECT * FROM read_parquet(?, hive_partitioning = false) AS rows WHERE kind <> 0 AND {kept.sql}"
    sql = (
        f"NOT EXISTS (SELECT 1 FROM ({shown}) AS shown WHERE shown.entity = fresh.entity"
        " AND shown.attribute = fresh.attribute AND shown.dataset = fresh.dataset"
        " AND epoch_us(shown.time) = fresh.time)"
    )
    return Condition(sql, (storage.locate(old.file.file.path), *kept.parameters))


def _plain(columns: Mapping[str, Any]) -> Columns:
    """As the engine takes them: texts that are not there are None, numbers stay masked."""
    return {name: _unmasked(column) if column.dtype.kind == "O" else column for name, column in columns.items()}


def _unmasked(texts: Any) -> NDArray[Any]:
    plain: NDArray[Any] = np.ma.getdata(texts).copy()
    plain[np.ma.getmaskarray(texts)] = None
    return plain
