"""The rows of an archive file: the columns that any Parquet reader sees, and the way from instances and back.

One row is one instance that was put or removed. Rows are ordered by their first five columns. Their tenant, type and
day are in the file's path.
"""

from typing import NamedTuple

import msgspec

from parvis.broker.model.entity import AttributeKey, Instance, Iri, Json, Kind
from parvis.kernel.time import Instant

REMOVED = 0
"""The kind of a row that says: from then on the attribute was gone."""
EXACT_INTEGER = 2**53
"""Up to here every integer is a number of its own in IEEE 754 binary64."""
_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**63 - 1

Stored = int | float | str | bytes
"""A value as stores keep it: a number or a text as itself, any other JSON as its bytes."""


class Column(NamedTuple):
    name: str
    type: str
    meaning: str


COLUMNS = (
    Column("entity", "VARCHAR", "The entity's identifier (URI)."),
    Column("attribute", "VARCHAR", "The attribute's name (IRI)."),
    Column("dataset", "VARCHAR", "The datasetId; empty for the default instance."),
    Column("time", "TIMESTAMP WITH TIME ZONE", "observedAt; where there is none, when it was recorded."),
    Column("seq", "BIGINT", "Number of the instance, in the order of commits; unique within a tenant."),
    Column("observed", "BOOLEAN", "Whether `time` is observedAt."),
    Column("kind", "TINYINT", "The kind of the attribute; 0: from `time` on it was removed."),
    Column("unit", "VARCHAR", "unitCode (UN/CEFACT Common Code); empty for none."),
    Column("number", "DOUBLE", "The value where it is a number."),
    Column("whole", "BOOLEAN", "Whether the number was written as an integer."),
    Column("text", "VARCHAR", "The value where it is a text: also a URI, a term, an object of a relationship."),
    Column("json", "VARCHAR", "Any other value as JSON; an integer that `number` cannot tell exactly, too."),
    Column("extra", "VARCHAR", "Sub-attributes and further members as JSON, normalized and expanded."),
    Column("delay_us", "BIGINT", "Microseconds from `time` until it was recorded: recorded = time + delay_us."),
)
ORDER = ("entity", "attribute", "dataset", "time", "seq")


class Row(NamedTuple):
    """`time` in microseconds since the Unix epoch; members as in COLUMNS."""

    entity: str
    attribute: Iri
    dataset: str
    time: Instant
    seq: int
    observed: bool
    kind: int
    unit: str
    number: float | None
    whole: bool
    text: str | None
    json: str | None
    extra: str | None
    delay_us: int

    @property
    def recorded(self) -> Instant:
        return self.time + self.delay_us

    @property
    def key(self) -> AttributeKey:
        return (self.attribute, self.dataset)

    @property
    def order(self) -> tuple[str, Iri, str, Instant, int]:
        return self[:5]


class Value(NamedTuple):
    number: float | None = None
    whole: bool = False
    text: str | None = None
    json: str | None = None


def value_columns(stored: Stored | None) -> Value:
    """The columns of a value as stores keep it."""
    if stored is None:
        return Value()
    if isinstance(stored, str):
        return Value(text=stored)
    if isinstance(stored, float):
        return Value(stored)
    if isinstance(stored, bytes):
        return Value(json=stored.decode())
    exact = -EXACT_INTEGER <= stored <= EXACT_INTEGER
    return Value(float(stored), True, None, None if exact else str(stored))


def stored_value(number: float | None, whole: bool, text: str | None, json: str | None) -> Stored:
    """A value as stores keep it, of its columns."""
    if text is not None:
        return text
    if number is None:
        return b"null" if json is None else json.encode()
    return (int(json) if json else int(number)) if whole else number


def stored(value: Json) -> Stored:
    """Integers beyond 64 bits are kept as JSON, as the hot stores keep them."""
    kind = type(value)
    if kind is float or kind is str or (kind is int and _INTEGER_MIN <= value <= _INTEGER_MAX):
        return value  # type: ignore[no-any-return]
    return msgspec.json.encode(value)


def put_row(entity: str, instance: Instance) -> Row:
    """Of an instance as a store tells it: `modified_at` is when it was recorded."""
    extra = None if instance.extra is None else msgspec.json.encode(instance.extra).decode()
    time = instance.seen_at
    return Row(
        entity, instance.name, instance.dataset, time, instance.seq, instance.observed_at is not None,
        instance.kind.value, instance.unit_code, *value_columns(stored(instance.value)), extra,
        instance.modified_at - time,
    )  # fmt: skip


def removal_row(entity: str, key: AttributeKey, seq: int, recorded: Instant) -> Row:
    attribute, dataset = key
    return Row(entity, attribute, dataset, recorded, seq, False, REMOVED, "", None, False, None, None, None, 0)


def instance_of(row: Row) -> Instance:
    """Raises ValueError for the row of a removal."""
    value = stored_value(row.number, row.whole, row.text, row.json)
    return Instance(
        row.attribute,
        Kind(row.kind),
        msgspec.json.decode(value) if isinstance(value, bytes) else value,
        row.dataset,
        row.time if row.observed else None,
        row.unit,
        None if row.extra is None else msgspec.json.decode(row.extra),
        row.recorded,
        row.recorded,
        row.seq,
    )
