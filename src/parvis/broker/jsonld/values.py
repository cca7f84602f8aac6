"""What may stand in an attribute: one check for each kind of value (NGSI-LD 1.9.1, 4.5 and 4.6)."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.geojson import check_geometry
from parvis.broker.jsonld.names import Memo, check_uri
from parvis.broker.model.entity import Iri, Json, Kind
from parvis.broker.model.merge import NULL
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import Instant, parse_instant

MAX_VALUE_DEPTH: Final = 32
MAX_INTEGER: Final = 2**63 - 1
MIN_INTEGER: Final = -(2**63)

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z\Z")


def _parse_date_time(text: str) -> Instant:
    if not _DATE_TIME.match(text):
        raise ValueError(text)
    return parse_instant(text)


INSTANTS: Memo[str, Instant] = Memo(_parse_date_time, 16_384)
"""Date-times of the standard's form (4.6.3) to instants; reading another raises ValueError."""


def read_instant(value: Any, where: str) -> Instant:
    """Raises BadRequestData."""
    try:
        return INSTANTS[value]
    except (ValueError, TypeError, OverflowError) as failure:
        raise BadRequestData(
            f"{where} must be a UTC date-time such as 2026-05-01T08:00:00Z, not {value!r:.60}."
        ) from failure


def check_json(value: Json, where: str, depth: int = 0) -> Json:
    """Bounds the nesting, and integers to 64 bits, which is what stores hold."""
    kind = type(value)
    if kind is int:
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise BadRequestData(f"{where} holds an integer beyond 64 bits: write it as text.")
    elif kind is dict or kind is list:
        if depth >= MAX_VALUE_DEPTH:
            raise BadRequestData(f"{where} is nested deeper than {MAX_VALUE_DEPTH} levels.")
        for part in value.values() if kind is dict else value:
            check_json(part, where, depth + 1)
    return value


def holds_null(value: Json) -> bool:
    """Whether the NGSI-LD Null stands somewhere within; nested too deep, `check_json` refuses it."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        elif part == NULL:
            return True
    return False


def _property(value: Json, where: str, _: Context) -> Json:
    return check_json(value, where)


def _geo_property(value: Json, where: str, _: Context) -> Json:
    return check_geometry(value, where)


def _relationship(value: Json, where: str, _: Context) -> Json:
    if type(value) is not list:
        return check_uri(value, where)
    if not value:
        raise BadRequestData(f"{where} names no object: give one URI or more.")
    return [check_uri(uri, where) for uri in value]


def _language_map(value: Json, where: str, _: Context) -> Json:
    if type(value) is not dict or not value:
        raise BadRequestData(f"{where} must be an object from language tags to text, such as {{'fr': 'place'}}.")
    if "" in value:
        raise BadRequestData(f"{where} must name a language for each text.")
    for text in value.values():
        if type(text) is not str and not (type(text) is list and text and all(type(one) is str for one in text)):
            raise BadRequestData(f"{where} must give text, or an array of texts, for each language.")
    return value


def _vocabulary(value: Json, where: str, context: Context) -> Json:
    if type(value) is list and value:
        return [_vocabulary_term(one, where, context) for one in value]
    return _vocabulary_term(value, where, context)


def _vocabulary_term(value: Json, where: str, context: Context) -> Iri:
    if type(value) is not str:
        raise BadRequestData(f"{where} must be a term or a URI, or an array of these.")
    return context.names[value]


def _raw_json(value: Json, where: str, _: Context) -> Json:
    if type(value) is not dict and not (type(value) is list and all(type(one) is dict for one in value)):
        raise BadRequestData(f"{where} must be a JSON object, or an array of these.")
    return check_json(value, where)


def _list(value: Json, where: str, _: Context) -> Json:
    if type(value) is not list:
        raise BadRequestData(f"{where} must be an array.")
    return check_json(value, where)


def _object_list(value: Json, where: str, _: Context) -> Json:
    if type(value) is not list:
        raise BadRequestData(f"{where} must be an array of objects such as {{'object': 'urn:ngsi-ld:Road:d7'}}.")
    uris = [one.get("object") if type(one) is dict and len(one) == 1 else one for one in value]
    return [check_uri(uri, where) for uri in uris]


_CHECKS: Mapping[Kind, Callable[[Json, str, Context], Json]] = {
    Kind.PROPERTY: _property,
    Kind.GEO_PROPERTY: _geo_property,
    Kind.RELATIONSHIP: _relationship,
    Kind.LANGUAGE_PROPERTY: _language_map,
    Kind.VOCAB_PROPERTY: _vocabulary,
    Kind.JSON_PROPERTY: _raw_json,
    Kind.LIST_PROPERTY: _list,
    Kind.LIST_RELATIONSHIP: _object_list,
}


def read_value(kind: Kind, value: Json, where: str, context: Context) -> Json:
    """The value as the model holds it. Raises BadRequestData."""
    if value is None:
        raise BadRequestData(f'{where} must not be null: leave it out, or where it is to be deleted give "{NULL}".')
    return _CHECKS[kind](value, where, context)


def is_null(kind: Kind, value: Json) -> bool:
    """Whether `value` is the NGSI-LD Null of its kind (4.5.0, 4.5.18)."""
    if kind is Kind.LANGUAGE_PROPERTY:
        return type(value) is dict and value == {"@none": NULL}
    if kind in _LISTS and type(value) is list:
        return len(value) == 1 and (value[0] == NULL or value[0] == {"object": NULL})
    return type(value) is str and value == NULL


_LISTS = frozenset({Kind.LIST_PROPERTY, Kind.LIST_RELATIONSHIP})
