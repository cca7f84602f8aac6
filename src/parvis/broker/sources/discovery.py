"""Which registrations a question finds (NGSI-LD 1.9.1, 5.10.2.4, 5.11.7 and 4.3.6)."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, assert_never

import msgspec

from parvis.broker.model.entity import Entity, Instance, Iri, Kind
from parvis.broker.query.evaluate import holds
from parvis.broker.query.geography import geometry_holds
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.selection import scopes_hold
from parvis.broker.query.tree import (
    ENTITY_TIMES,
    AllTypes,
    And,
    AnyType,
    Compare,
    Condition,
    Exists,
    GeoQuery,
    LeadsTo,
    Linked,
    Missing,
    Or,
    ScopeQuery,
    TemporalQuery,
    TimeProperty,
    TimeRelation,
    TypeIs,
    TypeSelection,
)
from parvis.broker.sources.model import EntityInfo, Registration, RegistrationInfo, TimeInterval
from parvis.kernel.time import FIRST_INSTANT, LAST_INSTANT

CORE = "https://uri.etsi.org/ngsi-ld/"
_DESCRIPTION = "http://purl.org/dc/terms/description"
_SPACES = {f"{CORE}location": "location", f"{CORE}observationSpace": "observation_space"} | {
    f"{CORE}operationSpace": "operation_space"
}


class EntityAsked(msgspec.Struct, frozen=True):
    """Entities that are asked for: of these types, with one of these ids, whose id has the pattern; empty: any."""

    types: TypeSelection | None = None
    ids: tuple[str, ...] = ()
    id_pattern: str | None = None


class SourceQuery(msgspec.Struct, frozen=True):
    """What is asked of registrations. `entities` are alternatives; `attrs` too: empty, any attribute.

    `csf` is about the registration's own properties.
    """

    entities: tuple[EntityAsked, ...] = ()
    attrs: tuple[Iri, ...] = ()
    csf: Condition | None = None
    geo: GeoQuery | None = None
    scope: ScopeQuery | None = None
    temporal: TemporalQuery | None = None
    datasets: tuple[str, ...] = ()


def matches(registration: Registration, query: SourceQuery) -> bool:
    return (
        any(info_matches(info, query) for info in registration.information)
        and datasets_match(registration.datasets, query.datasets)
        and (query.scope is None or scopes_hold(query.scope, registration.scopes))
        and (query.geo is None or _geo_holds(query.geo, registration))
        and (query.temporal is None or _temporal_holds(query.temporal, registration))
        and (query.csf is None or holds(query.csf, _as_entity(registration)))
    )


def matching_part(registration: Registration, query: SourceQuery) -> Registration:
    """With the information alone that the question is about."""
    part = tuple(info for info in registration.information if info_matches(info, query))
    return msgspec.structs.replace(registration, information=part)


def info_matches(info: RegistrationInfo, query: SourceQuery) -> bool:
    return entities_match(info.entities, query.entities) and attributes_match(info.attributes, query.attrs)


def attributes_match(registered: Collection[Iri], asked: Collection[Iri]) -> bool:
    return not registered or not asked or any(name in registered for name in asked)


def datasets_match(registered: Collection[str], asked: Collection[str]) -> bool:
    """Where only one of them names any, they match (5.12)."""
    return not registered or not asked or any(one in registered for one in asked)


def entities_match(registered: Collection[EntityInfo], asked: Collection[EntityAsked]) -> bool:
    return not registered or not asked or any(entity_matches(one, wish) for one in registered for wish in asked)


def entity_matches(info: EntityInfo, asked: EntityAsked) -> bool:
    return (asked.types is None or types_may_hold(asked.types, info.types)) and _ids_match(info, asked)


def _ids_match(info: EntityInfo, asked: EntityAsked) -> bool:
    """Two patterns are taken to meet: whether they do cannot be told."""
    if info.id is not None:
        return (not asked.ids or info.id in asked.ids) and (
            asked.id_pattern is None or pattern_finder(asked.id_pattern)(info.id)
        )
    if info.id_pattern is None or not asked.ids:
        return True
    return any(pattern_finder(info.id_pattern)(one) for one in asked.ids)


def types_may_hold(selection: TypeSelection, types: Collection[Iri]) -> bool:
    """Whether an entity of one of `types` may be selected: it may have further types."""
    match selection:
        case TypeIs(iri):
            return iri in types
        case AllTypes(terms) | AnyType(terms):
            return any(types_may_hold(term, types) for term in terms)
        case _:
            assert_never(selection)


def attributes_of(condition: Condition) -> Iterator[Iri]:
    """The attributes that a query speaks of; the times of entities are none."""
    match condition:
        case And(terms) | Or(terms):
            for term in terms:
                yield from attributes_of(term)
        case Exists(path) | Missing(path) | Compare(path, _, _):
            if path.name not in ENTITY_TIMES:
                yield path.name
        case Linked(name) | LeadsTo(name):
            yield name
        case _:
            assert_never(condition)


def _geo_holds(geo: GeoQuery, registration: Registration) -> bool:
    """A registration without the geometry does not match (5.10.2.4)."""
    field = _SPACES.get(geo.geoproperty)
    geometry = registration.properties.get(geo.geoproperty) if field is None else getattr(registration, field)
    if isinstance(geometry, dict) and geometry.get("type") == "GeoProperty":
        geometry = geometry.get("value")
    return isinstance(geometry, dict) and "coordinates" in geometry and geometry_holds(geo, geometry)


def may_have_then(registration: Registration, query: TemporalQuery) -> bool:
    """False where the registration says that it has nothing of that time."""
    is_observed = query.time_property is TimeProperty.OBSERVED_AT
    interval = registration.observation_interval if is_observed else registration.management_interval
    return interval is None or _meets(interval, query)


def _temporal_holds(query: TemporalQuery, registration: Registration) -> bool:
    """Whether the interval that the time property speaks of meets the time asked for; without one it does not."""
    is_observed = query.time_property is TimeProperty.OBSERVED_AT
    interval = registration.observation_interval if is_observed else registration.management_interval
    return interval is not None and _meets(interval, query)


def _meets(interval: TimeInterval, query: TemporalQuery) -> bool:
    end = LAST_INSTANT if interval.end is None else interval.end
    at = FIRST_INSTANT if query.at is None else query.at
    match query.relation:
        case None:
            return True
        case TimeRelation.BEFORE:
            return interval.start < at
        case TimeRelation.AFTER:
            return end > at
        case TimeRelation.BETWEEN:
            return interval.start < (query.end or LAST_INSTANT) and end >= at
        case _:
            assert_never(query.relation)


def _as_entity(registration: Registration) -> Entity:
    """Its properties, for conditions to be asked of."""
    return Entity(registration.id, (), tuple(_instances(registration)))


def _instances(registration: Registration) -> Iterable[Instance]:
    own = {
        "endpoint": registration.endpoint,
        "mode": registration.mode.value,
        "registrationName": registration.name,
        "contextSourceAlias": registration.alias,
        "tenant": registration.source_tenant,
        "refreshRate": registration.refresh_rate,
        "operations": list(registration.operations),
    }
    for name, value in own.items():
        if value is not None:
            yield Instance(f"{CORE}{name}", Kind.PROPERTY, value)
    if registration.description is not None:
        yield Instance(_DESCRIPTION, Kind.PROPERTY, registration.description)
    for name, value in registration.properties.items():
        yield Instance(name, Kind.PROPERTY, _bare(value))


def _bare(value: Any) -> Any:
    if isinstance(value, dict) and "type" in value:
        return next((value[member] for member in ("value", "object", "vocab") if member in value), value)
    return value
