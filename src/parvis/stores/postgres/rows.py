"""Rows to instances and back."""

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import msgspec

from parvis.broker.model.entity import Instance, Json, Kind
from parvis.broker.model.merge import removal_of
from parvis.kernel.time import Instant

if TYPE_CHECKING:
    from parvis.stores.postgres.names import Names

EXACT_MAX = 2**53
"""The integers that a double keeps exactly."""
_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Form(IntEnum):
    """Where a value stands, and how it is read. Numbers are stored: never reuse one."""

    FLOAT = 1  # in `number`
    INTEGER = 2  # in `number`, exactly
    TEXT = 3  # in `text`, where `storable` says how
    JSON = 4  # its JSON in `text`
    BIG_INTEGER = 5  # its digits in `text`, the nearest double in `number`


Shape = tuple[Kind, str, Form]
"""Kind, unit code and form."""
Columns = tuple[Form, float | None, str | None]
"""Form, `number`, `text`."""


class Header(NamedTuple):
    """What is read of an entity besides its attributes."""

    id: int
    urn: str
    typeset: int
    scopes: str | None
    created: Instant
    modified: Instant
    expires: Instant | None
    due: Instant | None


def to_columns(value: Json) -> Columns:
    kind = type(value)
    if kind is float:
        return Form.FLOAT, value, None
    if kind is int:
        return _integer_columns(value)
    if kind is str:
        return Form.TEXT, None, storable(value)
    return Form.JSON, None, _encode(value).decode()


def from_columns(form: Form, number: float | None, text: str | None) -> Json:
    match form:
        case Form.FLOAT:
            return number
        case Form.INTEGER:
            return int(number)  # type: ignore[arg-type]
        case Form.TEXT:
            return _restored(text)  # type: ignore[arg-type]
        case Form.JSON:
            return _decode(text)  # type: ignore[arg-type]
        case Form.BIG_INTEGER:
            return int(text)  # type: ignore[arg-type]
        case _:
            assert_never(form)


def storable(text: str) -> str:
    """PostgreSQL has no U+0000: U+0001 leads a pair for it and for itself, so that equality and order stay the same."""
    return text.replace("\1", "\1\2").replace("\0", "\1\1") if "\0" in text or "\1" in text else text


def _restored(text: str) -> str:
    return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text


def extra_to_column(extra: dict[str, Json] | None) -> str | None:
    return None if extra is None else _encode(extra).decode()


def present_instance(names: "Names", row: tuple[Any, ...]) -> Instance:
    """Of a row `name, dataset, shape, number, text, observed, extra, modified, created` of `attribute`."""
    name, dataset, shape, number, text, observed, extra, modified, created = row
    kind, unit, form = names.shapes.key(shape)
    return Instance(
        names.words.key(name),
        kind,
        number if form is Form.FLOAT else from_columns(form, number, text),
        names.words.key(dataset) if dataset else "",
        observed,
        unit,
        None if extra is None else _decode(extra),
        created,
        modified,
    )


def past_instance(names: "Names", row: tuple[Any, ...]) -> Instance:
    """Of a row `name, dataset, shape, number, text, ts, observed, extra, recorded, seq` of `history`."""
    name, dataset, shape, number, text, ts, observed, extra, recorded, seq = row
    kind, unit, form = names.shapes.key(shape)
    observed_at: Instant | None = ts if observed else None
    return Instance(
        names.words.key(name),
        kind,
        from_columns(form, number, text),
        names.dataset_text(dataset),
        observed_at,
        unit,
        None if extra is None else _decode(extra),
        recorded,
        recorded,
        seq,
    )


def removed_instance(names: "Names", row: tuple[Any, ...]) -> Instance:
    """Of such a row whose shape is REMOVED."""
    name, dataset, _, _, _, ts, _, _, _, seq = row
    return removal_of((names.words.key(name), names.dataset_text(dataset)), ts, seq)


def _integer_columns(value: int) -> Columns:
    if -EXACT_MAX <= value <= EXACT_MAX:
        return Form.INTEGER, float(value), None
    try:
        return Form.BIG_INTEGER, float(value), str(value)
    except (OverflowError, ValueError):  # beyond the doubles, or of too many digits to be written as decimals
        return Form.JSON, None, _encode(value).decode()
