"""Documents as the types of a module promise them: what a sender of such messages would write."""

import math
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

_DEEPEST = 5
_TIMES = ("2026-09-21T12:00:00Z", "2026-09-21T12:00:00.123456789Z", "2026-09-21T14:00:00+02:00", "1970-01-01T00:00:00Z")
_NUMBERS = (0, 1, -1, 7, 255, 65_535, 868_100_000, 1_790_000_000)
_TEXTS = ("70b3d57ed0000001", "AQID", "0102", "up", "a", "", "12.5", "2026-09-21T12:00:00Z")


def documents_by_type(module: ModuleType) -> st.SearchStrategy[Any]:
    """Of the structures that the module defines and that are part of no other."""
    kinds = {one.__name__: one for one in _structures(module)}
    parts = {part for one in kinds.values() for part in _named_in(one)}
    whole = [one for name, one in sorted(kinds.items()) if name not in parts]
    return st.one_of([_document(one) for one in whole])


def _document(kind: type) -> st.SearchStrategy[Any]:
    """Nothing of what is no document, such as a packet with a union of sequences."""
    try:
        return _of(inspect.type_info(kind))
    except TypeError:
        return st.nothing()


def _structures(module: ModuleType) -> Iterator[type]:
    for one in vars(module).values():
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == module.__name__:
            yield one


def _named_in(kind: type) -> Iterator[str]:
    """Every word of the fields' types but its own name."""
    words = re.findall(r"\w+", " ".join(str(one.type) for one in msgspec.structs.fields(kind)))
    return (word for word in words if word != kind.__name__)


def _of(kind: inspect.Type, depth: int = 0) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StructType(fields=fields):
            return _object(fields, depth)
        case inspect.UnionType(types=types):
            return st.one_of([_of(one, depth) for one in types])
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item) | inspect.SetType(item_type=item):
            return st.lists(_of(item, depth + 1), max_size=3 if depth < _DEEPEST else 0)
        case inspect.DictType(value_type=value):
            return st.dictionaries(
                st.sampled_from(_TEXTS), _of(value, depth + 1), max_size=3 if depth < _DEEPEST else 0
            )
        case inspect.Metadata(type=inner):
            return _of(inner, depth)
        case inspect.EnumType(cls=choices):
            return st.sampled_from([one.value for one in choices])
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case _:
            return _scalar(kind)


def _object(fields: tuple[inspect.Field, ...], depth: int) -> st.SearchStrategy[Any]:
    if depth >= _DEEPEST:
        fields = tuple(one for one in fields if one.required)
    members = {one.encode_name: _of(one.type, depth + 1) for one in fields}
    needed = {name for name, one in zip(members, fields, strict=True) if one.required}
    return st.fixed_dictionaries(
        {name: members[name] for name in sorted(needed)},
        optional={name: members[name] for name in members if name not in needed},
    )


def _scalar(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType(ge=least, le=most):
            known = [one for one in _NUMBERS if _fits(one, least, most)]
            return st.integers(least, most) | (st.sampled_from(known) if known else st.nothing())
        case inspect.FloatType():
            return st.sampled_from(_NUMBERS) | st.floats(-1e6, 1e6).filter(math.isfinite)
        case inspect.StrType(pattern=pattern):
            return st.sampled_from(_TEXTS) if pattern is None else st.from_regex(pattern)
        case inspect.BytesType():
            return st.binary(max_size=30).map(lambda one: b64encode(one).decode())
        case inspect.DateTimeType():
            return st.sampled_from(_TIMES) | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        case inspect.NoneType():
            return st.none()
        case _:
            return st.sampled_from([*_NUMBERS, *_TEXTS, None, {}, []])


def _fits(number: int, least: int | None, most: int | None) -> bool:
    return (least is None or number >= least) and (most is None or number <= most)
