"""Rows to instances and back."""

from typing import Any

import msgspec

from parvis.broker.model.entity import Instance, Json
from parvis.broker.model.merge import removal_of
from parvis.kernel.time import Instant
from parvis.stores.sqlite.names import Names

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
_encode = msgspec.json.encode
_decode = msgspec.json.decode

Column = int | float | str | bytes


def to_column(value: Json) -> Column:
    """A number or a text as itself, anything else as its JSON in bytes."""
    kind = type(value)
    if kind is float or kind is str or (kind is int and INTEGER_MIN <= value <= INTEGER_MAX):
        return value  # type: ignore[no-any-return]
    return _encode(value)


def from_column(column: Column) -> Json:
    return _decode(column) if type(column) is bytes else column


def extra_to_column(extra: dict[str, Json] | None) -> str | None:
    return None if extra is None else _encode(extra).decode()


def present_instance(names: Names, row: tuple[Any, ...]) -> Instance:
    """Of a row `name, dataset, shape, value, observed, extra, modified, created` of `attribute`."""
    name, dataset, shape, value, observed, extra, modified, created = row
    kind, unit = names.shapes.key(shape)
    return Instance(
        names.words.key(name),
        kind,
        _decode(value) if type(value) is bytes else value,
        names.words.key(dataset) if dataset else "",
        observed,
        unit,
        None if extra is None else _decode(extra),
        created,
        modified,
    )


def past_instance(names: Names, row: tuple[Any, ...]) -> Instance:
    """Of a row `name, dataset, shape, value, ts, observed, extra, recorded, seq` of `log` or `history`."""
    name, dataset, shape, value, ts, observed, extra, recorded, seq = row
    kind, unit = names.shapes.key(shape)
    observed_at: Instant | None = ts if observed else None
    return Instance(
        names.words.key(name),
        kind,
        from_column(value),
        names.dataset_text(dataset),
        observed_at,
        unit,
        None if extra is None else _decode(extra),
        recorded,
        recorded,
        seq,
    )


def removed_instance(names: Names, row: tuple[Any, ...]) -> Instance:
    """Of such a row whose shape is REMOVED."""
    name, dataset, _, _, ts, _, _, _, seq = row
    return removal_of((names.words.key(name), names.dataset_text(dataset)), ts, seq)
