"""Measurements that several processes may be given at once, and of which history is to hold one.

What one change tells of one moment was measured together and is stored together: its first instance speaks for all.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.json import Encoder
from msgspec.structs import replace

from parvis.broker.model.change import Change
from parvis.broker.model.entity import AttributeKey, Instance, Json
from parvis.kernel.time import Instant

_encode = Encoder(order="sorted").encode


class Fact(NamedTuple):
    """What was told of an entity, and of when."""

    key: AttributeKey
    at: Instant
    value: bytes


def plain_value(value: Json) -> bytes:
    """The same for numbers that are equal: a store may give back 1 for 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _encode(value)


def fact_of(instance: Instance) -> Fact:
    assert instance.observed_at is not None, "who asks for once says when"
    return Fact(instance.key, instance.observed_at, plain_value(instance.value))


def list_witnesses(change: Change) -> Iterator[Instance]:
    """The first instance of each moment."""
    known: set[Instant] = set()
    for one in change.instances:
        if one.observed_at is not None and one.observed_at not in known:
            known.add(one.observed_at)
            yield one


def only_new(change: Change, is_stored: Callable[[Fact], bool]) -> Change:
    """Without what was told of moments that are stored already. What says no moment stays."""
    stored = {one.observed_at for one in list_witnesses(change) if is_stored(fact_of(one))}
    if not stored:
        return change
    return replace(change, instances=tuple(one for one in change.instances if one.observed_at not in stored))
