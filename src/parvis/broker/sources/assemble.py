"""Entities from several places into one (NGSI-LD 1.9.1, 4.3.6.3 and 4.5.5), and what a source's answer says."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from parvis.broker.jsonld.attribute import ENTITY
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.parse import decode, parse_entity
from parvis.broker.jsonld.values import INSTANTS
from parvis.broker.model.entity import AttributeKey, Entity, Instance, in_order
from parvis.broker.sources.model import RegistrationMode
from parvis.kernel.errors import BadRequestData, ParvisError
from parvis.kernel.time import Instant, system_clock

_TIMES = ("createdAt", "modifiedAt")


class Rank(IntEnum):
    """Who is believed first."""

    PROXIED = 0
    EQUAL = 1
    AUXILIARY = 2


RANKS = {
    RegistrationMode.EXCLUSIVE: Rank.PROXIED,
    RegistrationMode.REDIRECT: Rank.PROXIED,
    RegistrationMode.INCLUSIVE: Rank.EQUAL,
    RegistrationMode.AUXILIARY: Rank.AUXILIARY,
}


class Piece(msgspec.Struct, frozen=True):
    """An entity as one place has it."""

    rank: Rank
    entity: Entity


def assemble(pieces: Iterable[Piece]) -> list[Entity]:
    """Each entity once, in the order in which they are first met."""
    found: dict[str, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(piece.entity.id, []).append(piece)
    return [some[0].entity if len(some) == 1 else _joined(some) for some in found.values()]


def _joined(pieces: Sequence[Piece]) -> Entity:
    chosen: dict[AttributeKey, tuple[Rank, Instance]] = {}
    for piece in pieces:
        for instance in piece.entity.instances:
            known = chosen.get(instance.key)
            if known is None or _goes_before((piece.rank, instance), known):
                chosen[instance.key] = piece.rank, instance
    entities = [piece.entity for piece in pieces]
    return Entity(
        entities[0].id,
        tuple(dict.fromkeys(iri for one in entities for iri in one.types)),
        in_order(instance for _, instance in chosen.values()),
        tuple(dict.fromkeys(scope for one in entities for scope in one.scopes)),
        min((one.created_at for one in entities if one.created_at), default=0),
        max(one.modified_at for one in entities),
    )


def _goes_before(one: tuple[Rank, Instance], known: tuple[Rank, Instance]) -> bool:
    """Of equals the one observed last, else the one modified last (4.5.5)."""
    (rank, instance), (known_rank, known_instance) = one, known
    if rank != known_rank:
        return rank < known_rank
    observed, known_observed = instance.observed_at, known_instance.observed_at
    if observed is not None and known_observed is not None and observed != known_observed:
        return observed > known_observed
    return instance.modified_at > known_instance.modified_at


def read_entities(body: bytes, context: Context) -> list[Entity]:
    """Of an answer, normalized; names without an @context of their own are in that of the question.

    Raises:
        ParvisError: they are none.
    """
    given = decode(body)
    documents = given if isinstance(given, list) else [given]
    now = system_clock()
    return [_read(one, context) for one in documents if not _is_over(one, now)]


def _is_over(document: Any, now: Instant) -> bool:
    """A transient entity whose time has passed (4.22)."""
    ends = _instant(document.get("expiresAt")) if isinstance(document, dict) else 0
    return 0 < ends <= now


def _read(document: Any, context: Context) -> Entity:
    if not isinstance(document, dict):
        raise BadRequestData("A source has answered with what is no entity.")
    times: dict[AttributeKey, tuple[Instant, Instant]] = {}
    stripped = {name: _without_times(name, part, context, times) for name, part in document.items()}
    parsed = parse_entity(stripped, context, ENTITY)
    instances = [_stamped(one, times.get(one.key, (0, 0))) for one in parsed.instances]
    return Entity(
        parsed.id,
        parsed.types or (),
        in_order(instances),
        parsed.scopes or (),
        _instant(document.get("createdAt")),
        _instant(document.get("modifiedAt")),
    )


def _stamped(instance: Instance, times: tuple[Instant, Instant]) -> Instance:
    return msgspec.structs.replace(instance, created_at=times[0], modified_at=times[1])


def _without_times(name: str, part: Any, context: Context, times: dict[AttributeKey, tuple[Instant, Instant]]) -> Any:
    if isinstance(part, list):
        return [_without_times(name, one, context, times) for one in part]
    if not isinstance(part, dict) or not part.keys() & set(_TIMES):
        return part
    try:
        key = context.expand(name), str(part.get("datasetId", ""))
    except ParvisError:
        return part
    times[key] = _instant(part.get("createdAt")), _instant(part.get("modifiedAt"))
    return {member: value for member, value in part.items() if member not in _TIMES}


def _instant(value: Any) -> Instant:
    """0 where it is none: what a source says of its own times is no reason to refuse what it has."""
    try:
        return INSTANTS[value]
    except (ValueError, TypeError, OverflowError):
        return 0
