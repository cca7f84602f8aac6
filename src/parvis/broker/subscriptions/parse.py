"""From a document to a Subscription, whole or as a patch (NGSI-LD 1.9.1, 5.2.12 to 5.2.15, 5.8.1 and 5.8.2).

A new subscription is a patch of a blank one: both ways in read each member alike.
"""

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.languages import languages
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.render import CORE_MEMBERS, Form
from parvis.broker.jsonld.values import read_instant
from parvis.broker.model.entity import Iri
from parvis.broker.model.merge import NULL
from parvis.broker.query.parse import parse_geo, parse_q, parse_scope_q, parse_types
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.subscriptions.model import (
    Accept,
    Endpoint,
    NotificationParams,
    Selector,
    Subscription,
    Trigger,
    without_password,
)
from parvis.broker.subscriptions.values import (
    read_choice,
    read_endpoint_uri,
    read_flag,
    read_list,
    read_number,
    read_pairs,
    read_text,
    refuse,
)
from parvis.kernel.errors import BadRequestData, OperationNotSupported
from parvis.kernel.identity import Caller
from parvis.kernel.time import LAST_INSTANT, Instant

ANY_TYPE: Final = "*"

_FORMS: Mapping[str, Form] = {
    "normalized": Form.NORMALIZED,
    "concise": Form.CONCISE,
    "keyValues": Form.SIMPLIFIED,
    "simplified": Form.SIMPLIFIED,
}
Fields = dict[str, Any]
Reader = Callable[[Any, str, Context], Fields]


class Patch(msgspec.Struct, frozen=True):
    """What a document says, by fields of Subscription, NotificationParams and Endpoint."""

    own: Fields
    notification: Fields
    endpoint: Fields

    def apply(self, subscription: Subscription, writer: Caller, now: Instant) -> Subscription:
        """Raises BadRequestData where what comes of it breaks a rule."""
        endpoint = _patched_endpoint(subscription.notification.endpoint, self.endpoint)
        notification = replace(subscription.notification, **{**self.notification, "endpoint": endpoint})
        changed = replace(
            subscription,
            **self.own,
            notification=notification,
            creator=writer.subject,
            rights=writer.rights.value,
            created_at=subscription.created_at or now,
            modified_at=now,
        )
        _check(changed)
        if (changed.expires_at or LAST_INSTANT) <= now and "expires_at" in self.own:
            raise BadRequestData("expiresAt lies in the past: give a time to come, or none.")
        return changed


def new_subscription(document: Mapping[str, Any], context: Context, writer: Caller, now: Instant) -> Subscription:
    """Raises BadRequestData, TooComplexQuery or OperationNotSupported."""
    if document.get("type") != "Subscription":
        raise BadRequestData('A subscription has the "type" Subscription.')
    given = document.get("id")
    name = f"urn:ngsi-ld:Subscription:{uuid.uuid4()}" if given is None else check_uri(given, "The id of a subscription")
    patch = read_patch({member: part for member, part in document.items() if member != "id"}, context)
    if "uri" not in patch.endpoint:
        raise BadRequestData('A subscription needs "notification" with "endpoint" with "uri": where to notify.')
    blank = Subscription(writer.tenant, name, NotificationParams(Endpoint("")), context=context.source)
    return patch.apply(blank, writer, now)


def read_patch(document: Mapping[str, Any], context: Context) -> Patch:
    """A fragment of a subscription: null (or "urn:ngsi-ld:null") takes a member back to its default."""
    if document.get("type", "Subscription") != "Subscription":
        raise BadRequestData("A subscription stays of type Subscription.")
    if "expandValues" in document and "q" not in document:
        raise BadRequestData("expandValues is about q: give both.")
    own = _read(document, "", _OWN, context)
    inner = _inner(document, "notification")
    endpoint = _inner(inner, "endpoint")
    return Patch(
        {**own, **_condition(document, context)},
        _read(inner, "notification.", _NOTIFICATION, context),
        _read(endpoint, "notification.endpoint.", _ENDPOINT, context),
    )


def _inner(document: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    inner = document.get(member, {})
    if not isinstance(inner, dict) or (member in document and not inner):
        raise BadRequestData(f"{member} must be an object with members.")
    return inner


def _read(document: Mapping[str, Any], prefix: str, members: "Mapping[str, _Member]", context: Context) -> Fields:
    fields: Fields = {}
    for name, value in document.items():
        where = prefix + name
        if name in _UNSUPPORTED:
            raise OperationNotSupported(f"{where} is not supported here: {_UNSUPPORTED[name]}.")
        if name in _READ_ELSEWHERE or name in _OUTPUT_ONLY:
            continue
        member = members.get(name)
        if member is None:
            raise BadRequestData(f"{where} is no member of a subscription: here are {', '.join(sorted(members))}.")
        fields.update(member.defaults if value is None or value == NULL else member.read(value, where, context))
    return fields


def _condition(document: Mapping[str, Any], context: Context) -> Fields:
    """q with expandValues, which changes what q means."""
    if "q" not in document:
        return {}
    q = document["q"]
    if q is None or q == NULL:
        return {"q": None, "q_text": None, "expand_values": ()}
    text = read_text(q, "q")
    expand_values = _names(document["expandValues"], "expandValues", context) if "expandValues" in document else ()
    return {"q": parse_q(text, context, expand_values), "q_text": text, "expand_values": expand_values}


def _patched_endpoint(endpoint: Endpoint, fields: Fields) -> Endpoint:
    """What is secret stays with whom it was meant for: another host gets none of it unless it is given anew."""
    given = fields.get("uri")
    if given is None:
        return replace(endpoint, **fields)
    if given == without_password(endpoint.uri):
        return replace(endpoint, **{**fields, "uri": endpoint.uri})
    if _origin(given) != _origin(endpoint.uri):
        return replace(endpoint, **{"receiver_info": (), **fields})
    return replace(endpoint, **fields)


def _origin(uri: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname, parts.port


def _check(subscription: Subscription) -> None:
    """The rules between members (5.2.12 and 5.8.1.4)."""
    for is_broken, rule in _RULES:
        if is_broken(subscription):
            raise BadRequestData(rule)


def _waits_for_changes_too(one: Subscription) -> bool:
    return one.is_periodic and bool(one.watched or one.triggers or one.throttling_s)


_RULES: Sequence[tuple[Callable[[Subscription], bool], str]] = (
    (lambda one: not one.selectors and not one.watched, "A subscription needs entities or watchedAttributes, or both."),
    (lambda one: one.is_periodic and not one.selectors, "With timeInterval give entities: those that are told of."),
    (
        _waits_for_changes_too,
        "timeInterval notifies by the clock: leave out watchedAttributes, notificationTrigger and throttling.",
    ),
    (
        lambda one: one.notification.show_changes and one.notification.form is Form.SIMPLIFIED,
        "showChanges needs the format normalized or concise: keyValues has no place for what was before.",
    ),
    (
        lambda one: not one.notification.endpoint.uri,
        "A subscription needs an endpoint with a uri: where to notify.",
    ),
)


def _names(value: Any, where: str, context: Context) -> tuple[Iri, ...]:
    return tuple(dict.fromkeys(context.expand(read_text(one, where)) for one in read_list(value, where)))


def _members(value: Any, where: str, context: Context) -> tuple[Iri, ...]:
    """Names of attributes, or id, type and scope."""
    found = (read_text(one, where) for one in read_list(value, where))
    return tuple(dict.fromkeys(one if one in CORE_MEMBERS else context.expand(one) for one in found))


_TRIGGERS = {trigger.value: trigger for trigger in Trigger}
_ACCEPTED = {accept.value: accept for accept in Accept}


def _triggers(value: Any, where: str) -> tuple[Trigger, ...]:
    return tuple(dict.fromkeys(read_choice(one, where, _TRIGGERS) for one in read_list(value, where)))


def _selectors(value: Any, where: str, context: Context) -> tuple[Selector, ...]:
    selectors = [
        selector
        for number, one in enumerate(read_list(value, where))
        for selector in _alternatives(one, f"{where}[{number}]", context)
    ]
    return tuple(dict.fromkeys(selectors))


def _alternatives(value: Any, where: str, context: Context) -> list[Selector]:
    if type(value) is not dict or "type" not in value or not value.keys() <= {"type", "id", "idPattern"}:
        refuse(where, "an object with type, and possibly id or idPattern", value)
    named = read_text(value["type"], f"{where}.type")
    types = None if named == ANY_TYPE else parse_types(named, context)
    pattern = value.get("idPattern")
    if pattern is not None:
        pattern_finder(read_text(pattern, f"{where}.idPattern"))
    given = value.get("id")
    if given is None:
        return [Selector(types, None, pattern)]
    ids = given if type(given) is list and given else [given]
    return [Selector(types, check_uri(one, f"{where}.id"), None) for one in ids]


def _geo(value: Any, where: str, context: Context) -> Fields:
    if type(value) is not dict or not value.keys() <= {"georel", "geometry", "coordinates", "geoproperty"}:
        refuse(where, "an object with georel, geometry, coordinates and possibly geoproperty", value)
    georel = read_text(value.get("georel"), f"{where}.georel")
    geometry = read_text(value.get("geometry"), f"{where}.geometry")
    geoproperty = value.get("geoproperty")
    if geoproperty is not None:
        read_text(geoproperty, f"{where}.geoproperty")
    return {"geo": parse_geo(georel, geometry, value.get("coordinates"), geoproperty, context)}


def _scope(value: Any, where: str, _: Context) -> Fields:
    text = read_text(value, where)
    return {"scope": parse_scope_q(text), "scope_text": text}


def _datasets(value: Any, where: str) -> tuple[str, ...]:
    given = value if type(value) is list else [value]
    return tuple(one if one == "@none" else check_uri(one, where) for one in read_list(given, where))


def _lang(value: Any, where: str) -> str:
    text = read_text(value, where)
    languages(text)
    return text


def _context_url(value: Any, where: str, _: Context) -> Fields:
    url = check_uri(value, where)
    return {"jsonld_context": url, "context": url}


class _Member(msgspec.Struct, frozen=True):
    """How a member is read; `defaults` are its fields where it is taken back."""

    read: Reader
    defaults: Fields


def _plain(name: str, default: Any, read: Callable[[Any, str], Any]) -> _Member:
    return _Member(lambda value, where, _: {name: read(value, where)}, {name: default})


def _named(name: str, read: Callable[[Any, str, Context], Any]) -> _Member:
    return _Member(lambda value, where, context: {name: read(value, where, context)}, {name: ()})


_OWN: Mapping[str, _Member] = {
    "subscriptionName": _plain("name", None, read_text),
    "description": _plain("description", None, read_text),
    "entities": _named("selectors", _selectors),
    "watchedAttributes": _named("watched", _names),
    "notificationTrigger": _plain("triggers", (), _triggers),
    "timeInterval": _plain("interval_s", None, lambda value, where: read_number(value, where, 1)),
    "geoQ": _Member(_geo, {"geo": None}),
    "scopeQ": _Member(_scope, {"scope": None, "scope_text": None}),
    "datasetId": _plain("datasets", (), _datasets),
    "lang": _plain("lang", None, _lang),
    "isActive": _plain("is_active", True, read_flag),
    "expiresAt": _plain("expires_at", None, read_instant),
    "throttling": _plain("throttling_s", None, lambda value, where: read_number(value, where, 0)),
    "jsonldContext": _Member(_context_url, {"jsonld_context": None}),
}
_NOTIFICATION: Mapping[str, _Member] = {
    "attributes": _named("attributes", _names),
    "pick": _named("pick", _members),
    "omit": _named("omit", _members),
    "format": _plain("form", Form.NORMALIZED, lambda value, where: read_choice(value, where, _FORMS)),
    "showChanges": _plain("show_changes", False, read_flag),
    "sysAttrs": _plain("sys_attrs", False, read_flag),
}
_ENDPOINT: Mapping[str, _Member] = {
    "uri": _plain("uri", "", read_endpoint_uri),
    "accept": _plain("accept", Accept.JSON, lambda value, where: read_choice(value, where, _ACCEPTED)),
    "timeout": _plain("timeout_ms", None, lambda value, where: math.ceil(read_number(value, where, 1))),
    "cooldown": _plain("cooldown_ms", None, lambda value, where: math.ceil(read_number(value, where, 0))),
    "receiverInfo": _plain("receiver_info", (), read_pairs),
    "notifierInfo": _plain("notifier_info", (), read_pairs),
}
_READ_ELSEWHERE = frozenset({"type", "@context", "notification", "endpoint", "q", "expandValues"})
_OUTPUT_ONLY = frozenset(
    {
        "id",
        "status",
        "createdAt",
        "modifiedAt",
        "lastNotification",
        "lastSuccess",
        "lastFailure",
        "timesSent",
        "timesFailed",
        "notificationCount",
    }
)
_UNSUPPORTED: Mapping[str, str] = {
    "csf": "it is of subscriptions to context sources",
    "temporalQ": "it is of subscriptions to context sources",
    "splitEntities": "every entity is held in one piece",
    "join": "send one subscription for each type of entity",
    "joinLevel": "send one subscription for each type of entity",
}
