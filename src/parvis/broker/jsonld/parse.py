"""Entities and fragments from JSON to the model (NGSI-LD 1.9.1, 4.5 and 5.5.4).

Nearly all that devices send is a Property of the shape {type, value, observedAt, unitCode}: that has a way of its own,
almost without branches. All else goes through the AttributeReader.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from parvis.broker.jsonld.attribute import ENTITY, GEO_NAMES, PATCH, PROOF, AttributeReader, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.names import MAX_URI_LENGTH, check_uri, is_uri
from parvis.broker.jsonld.values import INSTANTS, MAX_INTEGER, MIN_INTEGER, read_instant
from parvis.broker.model.entity import AttributeKey, Instance, Iri, Kind
from parvis.broker.model.merge import NULL
from parvis.kernel.errors import BadRequestData, InvalidRequest
from parvis.kernel.time import Instant

MAX_ATTRIBUTES: Final = 2000
MAX_BATCH: Final = 10_000
_MEMBERS: Mapping[type, str] = {dict: "an entity, a JSON object", str: "the id of an entity"}

_PROPERTY: Final = Kind.PROPERTY
_ABOUT_THE_ENTITY = frozenset(
    {"id", "type", "scope", "@id", "@type", "@context", "createdAt", "modifiedAt", "deletedAt", "expiresAt"}
)
_NO_ATTRIBUTES = frozenset({"datasetId", "instanceId", "observedAt", "unitCode"})
_RESERVED = _ABOUT_THE_ENTITY | _NO_ATTRIBUTES
_SCOPE = re.compile(r"/?[^\W\d_]\w*(?:/[^\W\d_]\w*)*\Z")
"""Letters, digits and underscores, a letter first (4.18)."""
_decode = msgspec.json.Decoder().decode


class ParsedEntity(msgspec.Struct, frozen=True):
    """What a request says of one entity, in its order. None: it says nothing of it; `expires_at`: UNSET.

    `removals` and `is_kind_open` come from patches only, and mean what they mean in a Change.
    """

    id: str
    types: tuple[Iri, ...] | None
    scopes: tuple[str, ...] | None
    instances: tuple[Instance, ...]
    removals: tuple[AttributeKey, ...] = ()
    is_kind_open: bool = False
    expires_at: Instant | UnsetType | None = UNSET


def decode(raw: bytes) -> Any:
    """Raises InvalidRequest for what is no JSON (5.5.3)."""
    try:
        return _decode(raw)
    except msgspec.MsgspecError as failure:
        raise InvalidRequest(f"The body is no JSON: {failure}.") from failure
    except RecursionError as failure:
        raise InvalidRequest("The body is nested too deep.") from failure
    except UnicodeDecodeError as failure:
        raise InvalidRequest("The body is not UTF-8.") from failure


def decode_batch(raw: bytes, member: type = dict) -> list[Any]:
    """The entities of a batch, or their ids, not yet looked at.

    Raises:
        InvalidRequest: it is no JSON.
        BadRequestData: it is no array, or not all of it is of this kind: one alone fails them all (5.6.7.4).
    """
    items = decode(raw)
    if type(items) is not list or not items:
        raise BadRequestData("The body of a batch must be a JSON array with one entity or more.")
    if len(items) > MAX_BATCH:
        raise BadRequestData(f"A batch holds at most {MAX_BATCH} entities: send them in several.")
    for item in items:
        if type(item) is not member:
            raise BadRequestData(f"Every member of this batch is to be {_MEMBERS[member]}: nothing was carried out.")
    return items


def parse_entity(data: Any, context: Context, reading: Reading = ENTITY) -> ParsedEntity:
    """Raises BadRequestData or OperationNotSupported, naming what is wrong and what to do."""
    if type(data) is not dict:
        raise BadRequestData("An entity is a JSON object.")
    entity_id = data.get("id") or data.get("@id")
    if type(entity_id) is not str or not is_uri(entity_id) or len(entity_id) > MAX_URI_LENGTH:
        check_uri(entity_id, "The id of an entity")
        raise AssertionError("check_uri refuses what is refused here")
    if entity_id == NULL:
        raise BadRequestData(f"{NULL} stands for what is deleted and can be the id of no entity.")
    return _parse_members(data, entity_id, context, reading)


def parse_fragment(data: Any, entity_id: str, context: Context, reading: Reading) -> ParsedEntity:
    """The body of a request upon one entity, which need not repeat the entity's id and type."""
    if type(data) is not dict:
        raise BadRequestData("An entity fragment is a JSON object from attribute names to attributes.")
    repeated = data.get("id", entity_id)
    if repeated != entity_id:
        raise BadRequestData(f"The body is of {repeated!r:.200}, the request upon {entity_id}: leave the id out.")
    return _parse_members(data, check_uri(entity_id, "The id of an entity"), context, reading)


def parse_attribute(name: str, data: Any, entity_id: str, context: Context, reading: Reading = PATCH) -> ParsedEntity:
    """The body of a request upon one attribute, named by the path: the attribute itself, or in simplified form its
    value, possibly within {"value": ...}."""
    if reading.simplified and type(data) is dict and data.keys() == {"value"}:
        data = data["value"]
    elif type(data) is dict:
        data = {member: part for member, part in data.items() if member != "@context"}
    reader = AttributeReader(context, reading)
    instances = tuple(reader.read(name, data))
    return ParsedEntity(entity_id, None, None, instances, tuple(reader.removals), reader.is_kind_open)


def _parse_members(data: dict[str, Any], entity_id: str, context: Context, reading: Reading) -> ParsedEntity:
    given = data.get("type")
    types = context.types[given] if type(given) is str else _read_types(data, context, reading)
    scopes = _read_scopes(data["scope"], reading) if "scope" in data else None
    expires_at = _read_expiry(data["expiresAt"], reading) if "expiresAt" in data else UNSET
    reader = AttributeReader(context, reading)
    instances = _read_instances(data, context, reader, reading.simplified)
    if len(instances) > MAX_ATTRIBUTES:
        raise BadRequestData(f"An entity holds at most {MAX_ATTRIBUTES} attribute instances.")
    if reading.patch:
        removals = tuple(reader.removals)
        return ParsedEntity(entity_id, types, scopes, instances, removals, reader.is_kind_open, expires_at)
    return ParsedEntity(entity_id, types, scopes, instances, expires_at=expires_at)


def _read_instances(
    data: dict[str, Any], context: Context, reader: AttributeReader, simplified: bool
) -> tuple[Instance, ...]:
    names = context.names
    instances: list[Instance] = []
    seen: list[Iri] = []
    for term, body in data.items():
        if term in _RESERVED:
            if term in _NO_ATTRIBUTES:
                raise BadRequestData(f"{term} is a member of attributes and can be the name of none.")
            continue
        name = names[term]
        seen.append(name)
        if not simplified and type(body) is dict and body.get("type") == "Property":
            plain = _find_plain_property(name, body)
            if plain is not None:
                instances.append(plain)
                continue
        instances += reader.read(term, body)
    if len(set(seen)) != len(seen):
        twice = next(name for name in seen if seen.count(name) > 1)
        raise BadRequestData(f"The attribute {twice} is given twice, under two names.")
    return tuple(instances)


def _find_plain_property(name: Iri, body: dict[str, Any]) -> Instance | None:
    """The common shape, or None where the general way has to look."""
    if name in GEO_NAMES or name == PROOF:
        return None
    value = body.get("value")
    if type(value) is not float and not _is_plain(value):
        return None
    members = 2
    observed_at: Instant | None = None
    if "observedAt" in body:
        members = 3
        try:
            observed_at = INSTANTS[body["observedAt"]]
        except (ValueError, TypeError):
            return None
    unit_code = body.get("unitCode", "")
    if unit_code:
        if type(unit_code) is not str or unit_code == NULL:
            return None
        members += 1
    if members != len(body):
        return None
    return Instance(name, _PROPERTY, value, "", observed_at, unit_code)


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return bool(value != NULL)
    if kind is int:
        return bool(MIN_INTEGER <= value <= MAX_INTEGER)
    return kind is bool


def _read_types(data: dict[str, Any], context: Context, reading: Reading) -> tuple[Iri, ...] | None:
    given = data.get("type", data.get("@type"))
    if given is None:
        if reading.partial and "type" not in data:
            return None
        raise BadRequestData('An entity needs a "type": the name of its type, or an array of such names.')
    named = given if type(given) is list else [given]
    if not named or not all(type(one) is str for one in named):
        raise BadRequestData('The "type" of an entity is the name of its type, or an array of such names.')
    return tuple(dict.fromkeys(context.names[one] for one in named))


def _read_scopes(given: Any, reading: Reading) -> tuple[str, ...]:
    """Scopes begin with a slash inside, whether or not they were given with one (4.18)."""
    if given == NULL and reading.patch:
        return ()
    scopes = given if type(given) is list else [given]
    for scope in scopes:
        if type(scope) is not str or len(scope) > MAX_URI_LENGTH or not _SCOPE.match(scope):
            raise BadRequestData(f"A scope is a path such as /Trevalan/Port, not {scope!r:.80}.")
    return tuple(dict.fromkeys(scope if scope[0] == "/" else f"/{scope}" for scope in scopes))


def _read_expiry(given: Any, reading: Reading) -> Instant | None:
    if given == NULL and reading.patch:
        return None
    return read_instant(given, "expiresAt")
