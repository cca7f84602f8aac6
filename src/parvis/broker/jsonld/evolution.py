"""The temporal representation of an entity from JSON to the model (NGSI-LD 1.9.1, 4.5.6 to 4.5.8 and 5.5.4)."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from parvis.broker.jsonld.attribute import FRAGMENT, KINDS, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.parse import parse_entity, parse_fragment
from parvis.broker.jsonld.values import read_instant
from parvis.broker.model.entity import VALUE_MEMBERS, Instance, Iri, Kind
from parvis.broker.model.merge import NULL
from parvis.broker.model.scopes import scopes_set
from parvis.broker.temporal.parse import NOT_ATTRIBUTES, slices
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import Instant

_KIND_OF_MEMBER: Mapping[str, Kind] = {
    member: kind for kind, member in VALUE_MEMBERS.items() if kind is not Kind.GEO_PROPERTY
}


class ParsedEvolution(msgspec.Struct, frozen=True):
    """As ParsedEntity; `past` are its scopes over time, and what tells that attributes were deleted."""

    id: str
    types: tuple[Iri, ...] | None
    scopes: tuple[str, ...] | None
    instances: tuple[Instance, ...]
    past: tuple[Instance, ...]


def parse_evolution(document: dict[str, Any], context: Context, reading: Reading) -> ParsedEvolution:
    """Instances in the order of time. Raises what parse_entity does."""
    scoped = _scopes_over_time(document, context)
    deletions: list[Instance] = []
    plain = dict(_without_deletions(document, context, deletions))
    if scoped:
        plain["scope"] = scoped[-1].value
    parts = [parse_entity(part, context, reading) for part in slices(plain)]
    instances = sorted((one for part in parts for one in part.instances), key=_time)
    first = parts[0]
    return ParsedEvolution(first.id, first.types, first.scopes, tuple(instances), (*scoped, *deletions))


def _scopes_over_time(document: dict[str, Any], context: Context) -> list[Instance]:
    """Where the scope is a temporal Property, and not told as in an entity (4.5.6)."""
    given = document.get("scope")
    bodies = given if isinstance(given, list) else [given]
    told = [body for body in bodies if isinstance(body, dict)]
    if len(told) < len(bodies):
        return []
    return sorted((_scopes_at(body, context) for body in told), key=_time)


def _scopes_at(body: dict[str, Any], context: Context) -> Instance:
    if body.get("type", "Property") != "Property" or "value" not in body:
        raise BadRequestData("A scope over time is a Property: its value is a scope, or an array of scopes.")
    scopes: tuple[str, ...] = ()
    if body["value"] != NULL:
        scopes = parse_fragment({"scope": body["value"]}, "urn:scope", context, FRAGMENT).scopes or ()
    return scopes_set(scopes, _observed_at("scope", body))


def _without_deletions(
    document: dict[str, Any], context: Context, deletions: list[Instance]
) -> Iterator[tuple[str, Any]]:
    """The members of the document; what says that an attribute was deleted (4.5.7) goes into `deletions`."""
    for term, given in document.items():
        bodies = given if isinstance(given, list) else [given]
        if term in NOT_ATTRIBUTES or not any(map(_is_deletion, bodies)):
            yield term, given
            continue
        deletions += (_deletion(term, body, context) for body in bodies if _is_deletion(body))
        rest = [body for body in bodies if not _is_deletion(body)]
        if rest:
            yield term, rest


def _is_deletion(body: Any) -> bool:
    return isinstance(body, dict) and any(body.get(member) in (NULL, {"@none": NULL}) for member in _KIND_OF_MEMBER)


def _deletion(term: str, body: dict[str, Any], context: Context) -> Instance:
    member = next(one for one in _KIND_OF_MEMBER if one in body)
    kind = KINDS.get(body.get("type", ""), _KIND_OF_MEMBER[member])
    if VALUE_MEMBERS[kind] != member:
        raise BadRequestData(f'{term} says in "{member}" that it was deleted, and is a {body["type"]}.')
    given = body.get("datasetId")
    dataset = "" if given in (None, "@none") else check_uri(given, f"{term}.datasetId")
    return Instance(context.names[term], kind, NULL, dataset, _observed_at(term, body))


def _observed_at(term: str, body: dict[str, Any]) -> Instant | None:
    """Of what was deleted, when it was, where nothing else is said."""
    given = body.get("observedAt", body.get("deletedAt"))
    return None if given is None else read_instant(given, f"{term}.observedAt")


def _time(instance: Instance) -> tuple[bool, int]:
    return instance.observed_at is None, instance.observed_at or 0
