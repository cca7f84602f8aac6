"""What no device registers: buildings, districts, circuits, bus lines and venues, and how things hang together."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Json, Kind
from parvis.demo.devices.device import Thing
from parvis.kernel.identity import Caller

AT_ONCE = 200
Relations = Mapping[str, str | list[str]]
Bound = tuple[str, Relations]
"""An entity that a device feeds, and what it is related to."""
Expand = Callable[[str], str]


def digest_of(things: Sequence[Thing], bound: Sequence[Bound]) -> str:
    return hashlib.sha256(msgspec.json.encode([things, bound])).hexdigest()[:16]


async def write_things(broker: Broker, caller: Caller, things: Sequence[Thing], bound: Sequence[Bound]) -> None:
    """What devices feed is related where it is there: somebody may have taken a device away. Raises ParvisError."""
    expand = broker.contexts.parvis.expand
    changes = (*(_change(one, expand) for one in things), *(_relating(one, expand) for one in bound if one[1]))
    for some in _batched(changes):
        for change, outcome in zip(some, await broker.write(caller, some), strict=True):
            if outcome.error is not None and change.mode is not Mode.APPEND:
                raise outcome.error


def _change(thing: Thing, expand: Expand) -> Change:
    geometry: Json = msgspec.json.decode(msgspec.json.encode(thing.geometry))
    instances = [
        Instance(expand("name"), Kind.PROPERTY, thing.name),
        Instance(expand("location"), Kind.GEO_PROPERTY, geometry),
        *(Instance(expand(term), Kind.PROPERTY, _json(value)) for term, value in thing.attributes.items()),
        *_relations(thing.relations, expand),
    ]
    return Change(thing.entity_id, Mode.UPSERT_UPDATE, tuple(instances), types=(expand(thing.entity_type),))


def _relating(bound: Bound, expand: Expand) -> Change:
    entity_id, relations = bound
    return Change(entity_id, Mode.APPEND, tuple(_relations(relations, expand)))


def _relations(relations: Relations, expand: Expand) -> Iterator[Instance]:
    for term, target in relations.items():
        yield Instance(expand(term), Kind.RELATIONSHIP, _json(target))


def _json(value: object) -> Json:
    found: Json = msgspec.json.decode(msgspec.json.encode(value))
    return found


def _batched(changes: Sequence[Change]) -> Iterator[list[Change]]:
    left = iter(changes)
    while some := list(islice(left, AT_ONCE)):
        yield some
