"""The columns of an archive file, as any Parquet reader sees them, and the way from the port's rows and to instances.

One row is one instance that was put or removed; rows are ordered by their first five columns. Tenant, types and day
are in the file's path.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np

from parvis.broker.model.entity import AttributeKey, Instance, Json, Kind
from parvis.broker.model.merge import removal_of
from parvis.broker.ports.archive import ArchiveRow
from parvis.kernel.time import Instant

REMOVED = 0
"""The kind of a row that says: from then on the attribute was gone."""
ROWS_OF_A_GROUP = 61_440
"""Smaller groups make the footers long, which is what a first read takes longest over (decision 15)."""
PAGE_BYTES = 16_384
"""Of a column before compression: a read of one series unpacks the pages it lies in and passes over the others."""
EXACT_INTEGER = 2**53
"""Up to here every integer is a number of its own in IEEE 754 binary64."""

Stored = int | float | str | bytes
"""A value as stores keep it: a number or a text as itself, any other JSON as its bytes."""
Columns = Mapping[str, np.ndarray[Any, Any]]
"""An array for each column; `time` in microseconds since the Unix epoch."""


class Column(NamedTuple):
    name: str
    type: str
    meaning: str


COLUMNS = (
    Column("entity", "VARCHAR", "The entity's identifier (URI)."),
    Column("attribute", "VARCHAR", "The attribute's name (IRI)."),
    Column("dataset", "VARCHAR", "The datasetId; empty for the default instance."),
    Column("time", "TIMESTAMP WITH TIME ZONE", "observedAt; where there is none, when it was recorded."),
    Column("seq", "BIGINT", "Number of the instance, in the order of commits."),
    Column("observed", "BOOLEAN", "Whether `time` is observedAt."),
    Column("kind", "TINYINT", "The kind of the attribute (see below); 0: from `time` on it was gone."),
    Column("unit", "VARCHAR", "unitCode (UN/CEFACT common code); empty for none."),
    Column("number", "DOUBLE", "The value where it is a number."),
    Column("whole", "BOOLEAN", "Whether the number was written as an integer."),
    Column("text", "VARCHAR", "The value where it is a text, such as the object of a Relationship."),
    Column("json", "VARCHAR", "Any other value as JSON; also an integer that `number` cannot tell exactly."),
    Column("extra", "VARCHAR", "Sub-attributes and further members as JSON, normalized and expanded."),
    Column("delay_us", "BIGINT", "Microseconds from `time` until it was recorded: recorded = time + delay_us."),
)
ORDER = ("entity", "attribute", "dataset", "time", "seq")


class Value(NamedTuple):
    number: float | None
    whole: bool
    text: str | None
    json: str | None


def value_columns(stored: Stored | None) -> Value:
    if stored is None:
        return Value(None, False, None, None)
    if isinstance(stored, float):
        return Value(stored, False, None, None)
    if isinstance(stored, str):
        return Value(None, False, stored, None)
    if isinstance(stored, bytes):
        return Value(None, False, None, stored.decode())
    exact = -EXACT_INTEGER <= stored <= EXACT_INTEGER
    return Value(float(stored), True, None, None if exact else str(stored))


def stored_value(number: float | None, whole: bool, text: str | None, json: str | None) -> Stored:
    if text is not None:
        return text
    if number is None:
        return b"null" if json is None else json.encode()
    if not whole:
        return number
    return int(number) if json is None else int(json)


def columns_of(rows: Sequence[ArchiveRow]) -> Columns:
    """Of at least one row."""
    entity, attribute, dataset, time, seq, observed, kind, unit, values, extra, recorded = zip(*rows, strict=True)
    number, whole, text, json = zip(*map(value_columns, values), strict=True)
    moments = np.array(time, np.int64)
    return {
        "entity": _texts(entity),
        "attribute": _texts(attribute),
        "dataset": _texts(dataset),
        "time": moments,
        "seq": np.array(seq, np.int64),
        "observed": np.array(observed, np.bool_),
        "kind": np.array(kind, np.int8),
        "unit": _texts(unit),
        "number": np.ma.masked_array(
            np.array([0.0 if one is None else one for one in number]), [one is None for one in number]
        ),
        "whole": np.array(whole, np.bool_),
        "text": _texts(text),
        "json": _texts(json),
        "extra": _texts(extra),
        "delay_us": np.array(recorded, np.int64) - moments,
    }


def _texts(values: Iterable[str | None]) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=object)


INSTANCE_COLUMNS = "epoch_us(time) AS at_us, seq, observed, kind, unit, number, whole, text, json, extra, delay_us"


def instances_of(key: AttributeKey, columns: Columns) -> list[Instance]:
    """Of INSTANCE_COLUMNS of rows that are no removals, in their order."""
    name, dataset = key
    recorded = (columns["at_us"] + columns["delay_us"]).tolist()
    return list(
        map(
            Instance,
            repeat(name),
            map(_KINDS.__getitem__, columns["kind"].tolist()),
            _values(columns),
            repeat(dataset),
            _observed(columns),
            columns["unit"].tolist(),
            _extras(columns["extra"]),
            recorded,
            recorded,
            columns["seq"].tolist(),
        )
    )


def removals_of(key: AttributeKey, columns: Columns) -> list[Instance]:
    """Of the same columns of rows that are removals."""
    return [
        removal_of(key, at, seq) for at, seq in zip(columns["at_us"].tolist(), columns["seq"].tolist(), strict=True)
    ]


def _values(columns: Columns) -> Iterable[Json]:
    """Fractions, which most values are, are taken as they come."""
    number, whole = columns["number"], columns["whole"]
    if not np.ma.is_masked(number) and not whole.any():
        return cast(list[Json], number.tolist())
    members = (columns[member].tolist() for member in Value._fields)
    return [_outward(stored_value(*value)) for value in zip(*members, strict=True)]


def _outward(stored: Stored) -> Json:
    return msgspec.json.decode(stored) if isinstance(stored, bytes) else stored


def _observed(columns: Columns) -> Iterable[Instant | None]:
    moments, observed = columns["at_us"].tolist(), columns["observed"]
    if observed.all():
        return cast(list[Instant | None], moments)
    return [at if seen else None for at, seen in zip(moments, observed.tolist(), strict=True)]


def _extras(column: np.ndarray[Any, Any]) -> Iterable[dict[str, Json] | None]:
    if np.all(np.ma.getmaskarray(column)):
        return repeat(None, len(column))
    return [None if extra is None else msgspec.json.decode(extra) for extra in column.tolist()]


_KINDS = {kind.value: kind for kind in Kind}
