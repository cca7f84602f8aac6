"""Which sources an operation concerns, and what of it concerns each (NGSI-LD 1.9.1, 4.3.6.1 to 4.3.6.3)."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from parvis.broker.model.entity import Iri
from parvis.broker.query.geography import geometry_holds
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.tree import AnyType, EntityQuery, GeoRelation, TypeIs, TypeSelection
from parvis.broker.sources.discovery import EntityAsked, SourceQuery, attributes_match, info_matches, matches
from parvis.broker.sources.forward import Around, pseudonyms
from parvis.broker.sources.model import EntityInfo, Operation, Registration, RegistrationInfo, operations_of
from parvis.kernel.time import Instant

LOCATION: Final = "https://uri.etsi.org/ngsi-ld/location"


class Part(msgspec.Struct, frozen=True):
    """What one source is asked for: `attrs` empty: all it has; `types` None, `ids` empty: any."""

    registration: Registration
    operation: Operation
    attrs: tuple[Iri, ...] = ()
    ids: tuple[str, ...] = ()
    id_pattern: str | None = None
    types: TypeSelection | None = None


def reachable(registered: Iterable[Registration], around: Around, now: Instant) -> list[Registration]:
    """Those in force that the request has not passed (6.3.18)."""
    passed = pseudonyms(around.via)
    return [one for one in registered if one.is_in_force(now) and (one.alias is None or one.alias not in passed)]


def plan_retrieval(
    registered: Iterable[Registration],
    entity_id: str,
    types: Collection[Iri] | None,
    attrs: tuple[Iri, ...],
    operations: Sequence[Operation],
) -> list[Part]:
    """`operations` are alternatives, the best first; `types` are the entity's, where they are known."""
    parts = []
    for registration in registered:
        operation = find_operation(registration, operations)
        infos = [one for one in registration.information if covers(one, entity_id, types, attrs)]
        if operation is not None and infos:
            selection = _types([entity for one in infos for entity in one.entities])
            parts.append(Part(registration, operation, narrowed(infos, attrs), (entity_id,), types=selection))
    return parts


def plan_query(
    registered: Iterable[Registration], query: EntityQuery, source: SourceQuery, operations: Sequence[Operation]
) -> list[Part]:
    parts: list[Part] = []
    for registration in registered:
        operation = find_operation(registration, operations)
        if operation is not None and matches(registration, source) and _may_lie_there(registration, query):
            parts += _query_parts(registration, operation, query, source)
    return parts


def _may_lie_there(registration: Registration, query: EntityQuery) -> bool:
    """A source that says where its entities lie is not asked for others (5.2.9, location)."""
    geo, place = query.geo, registration.location
    if geo is None or place is None or geo.geoproperty != LOCATION or geo.relation is GeoRelation.DISJOINT:
        return True
    if geo.relation is not GeoRelation.NEAR:
        geo = msgspec.structs.replace(geo, relation=GeoRelation.INTERSECTS)
    return geometry_holds(geo, place)


def source_query_of(query: EntityQuery) -> SourceQuery:
    """What a registration has to have so that it may have something of an answer."""
    asked = EntityAsked(query.types, query.ids, query.id_pattern)
    return SourceQuery(() if asked == EntityAsked() else (asked,), query.attrs)


def find_operation(registration: Registration, operations: Sequence[Operation]) -> Operation | None:
    supported = operations_of(registration)
    return next((one for one in operations if one in supported), None)


def covers(info: RegistrationInfo, entity_id: str, types: Collection[Iri] | None, attrs: Collection[Iri] = ()) -> bool:
    """Whether a source may have something of the entity, of these attributes of it."""
    is_entity = not info.entities or any(is_of(one, entity_id, types) for one in info.entities)
    return is_entity and attributes_match(info.attributes, attrs)


def is_of(info: EntityInfo, entity_id: str, types: Collection[Iri] | None) -> bool:
    if types is not None and not any(iri in types for iri in info.types):
        return False
    if info.id is not None:
        return info.id == entity_id
    return info.id_pattern is None or pattern_finder(info.id_pattern)(entity_id)


def narrowed(infos: Sequence[RegistrationInfo], attrs: tuple[Iri, ...]) -> tuple[Iri, ...]:
    """Of the attributes asked for those that the source has; empty: all."""
    if any(not info.attributes for info in infos):
        return attrs
    registered = dict.fromkeys(name for info in infos for name in info.attributes)
    return tuple(name for name in registered if not attrs or name in attrs)


def _query_parts(
    registration: Registration, operation: Operation, query: EntityQuery, source: SourceQuery
) -> Iterator[Part]:
    infos = [one for one in registration.information if info_matches(one, source)]
    if len(infos) > 1 and not any(one.attributes for one in infos):
        infos = [RegistrationInfo(tuple(entity for one in infos for entity in one.entities))]
    for info in infos:
        ids = _ids(info.entities, query)
        if ids is not None:
            pattern = query.id_pattern or _pattern(info.entities, ids)
            types = query.types or _types(info.entities)
            yield Part(registration, operation, narrowed([info], query.attrs), ids, pattern, types)


def _ids(entities: Sequence[EntityInfo], query: EntityQuery) -> tuple[str, ...] | None:
    """None: the source has none of those asked for."""
    if not entities:
        return query.ids
    if query.ids:
        found = tuple(one for one in query.ids if any(is_of(entity, one, None) for entity in entities))
        return found or None
    single = [one.id for one in entities if one.id is not None]
    return tuple(single) if len(single) == len(entities) else ()


def _pattern(entities: Sequence[EntityInfo], ids: Sequence[str]) -> str | None:
    """Where one pattern holds for all that the source has."""
    patterns = {one.id_pattern for one in entities}
    return patterns.pop() if len(patterns) == 1 and not ids else None


def _types(entities: Sequence[EntityInfo]) -> TypeSelection | None:
    return _any_type(dict.fromkeys(iri for one in entities for iri in one.types))


def _any_type(types: Collection[Iri]) -> TypeSelection | None:
    some = tuple(map(TypeIs, types))
    return some[0] if len(some) == 1 else AnyType(some) if some else None
