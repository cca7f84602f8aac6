"""Measurements that several processes may be given at once, and of which history is to hold one.

What one change tells of one moment was mostly measured and stored together: the others are asked about only where the
first of them is stored. One that is not, such as the second of two values that a device told apart, is new.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec.json import Encoder
from msgspec.structs import replace

from parvis.broker.model.change import Change
from parvis.broker.model.entity import AttributeKey, Instance, Iri, Json
from parvis.kernel.time import HOUR, Instant

CORRECTED_WITHIN = HOUR
_encode = Encoder(order="sorted").encode


class Fact(NamedTuple):
    """What was told of an entity, and of when: as text where that was corrected, by the time it was told with."""

    key: AttributeKey
    at: Instant | str
    value: bytes


def plain_value(value: Json) -> bytes:
    """The same for numbers that are equal: a store may give back 1 for 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _encode(value)


def fact_of(instance: Instance, told_at: Iri) -> Fact:
    assert instance.observed_at is not None, "who asks for once says when"
    told = find_told(instance.extra, told_at)
    return Fact(instance.key, instance.observed_at if told is None else told, plain_value(instance.value))


def find_told(extra: Mapping[str, Json] | None, told_at: Iri) -> str | None:
    """The time that an instance was told with, where that was corrected."""
    raw = (extra or {}).get(told_at) if told_at else None
    value = raw.get("value") if isinstance(raw, dict) else None
    told = value.get("@value") if isinstance(value, dict) else None
    return told if isinstance(told, str) else None


def around(instance: Instance, told_at: Iri) -> tuple[Instant, Instant]:
    """Between which instants the same may stand: two processes may have corrected a clock by a little more or less."""
    at = instance.seen_at
    within = 0 if find_told(instance.extra, told_at) is None else CORRECTED_WITHIN
    return at - within, at + within


def list_witnesses(change: Change) -> Iterator[Instance]:
    """The first instance of each moment."""
    known: set[Instant] = set()
    for one in change.instances:
        if one.observed_at is not None and one.observed_at not in known:
            known.add(one.observed_at)
            yield one


def list_doubtful(change: Change, is_stored: Callable[[Instance], bool]) -> list[Instance]:
    """All instances of the moments whose first one is stored."""
    moments = {one.observed_at for one in list_witnesses(change) if is_stored(one)}
    return [one for one in change.instances if one.observed_at in moments] if moments else []


def only_new(change: Change, is_stored: Callable[[Instance], bool]) -> Change:
    """Without what is stored already. What says no moment stays."""
    stored = {id(one) for one in list_doubtful(change, is_stored) if is_stored(one)}
    if not stored:
        return change
    return replace(change, instances=tuple(one for one in change.instances if id(one) not in stored))
