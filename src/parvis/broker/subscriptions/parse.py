"""From a document to a Subscription, whole or as a patch (NGSI-LD 1.9.1, 5.2.12 to 5.2.15, 5.8.1 and 5.8.2).

A new subscription is a patch of a blank one: both ways in read each member alike. Members that a subscription does not
have are left alone, as read-only ones are: `unknown_members` names them for who sent them.
"""

import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.languages import languages
from parvis.broker.jsonld.names import check_uri
from parvis.broker.jsonld.render import Form
from parvis.broker.jsonld.values import read_instant
from parvis.broker.model.entity import Iri
from parvis.broker.model.merge import NULL
from parvis.broker.query.linking import MOST_LEVELS, Join
from parvis.broker.query.parse import parse_geo, parse_q, parse_scope_q, parse_types
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.projection import NOTHING, Projection, parse_projection
from parvis.broker.subscriptions.escapes import unescaped
from parvis.broker.subscriptions.model import (
    DEFAULT_TRIGGERS,
    Accept,
    Endpoint,
    NotificationParams,
    Selector,
    Subscription,
    Trigger,
    without_password,
)
from parvis.broker.subscriptions.rules import check_rules
from parvis.broker.subscriptions.values import (
    read_choice,
    read_endpoint_uri,
    read_flag,
    read_list,
    read_pairs,
    read_positive,
    read_text,
    refuse,
)
from parvis.kernel.errors import BadRequestData
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
    """What a document says, by fields of Subscription, NotificationParams and Endpoint.

    `notification` takes the place of the whole that was there (5.5.8); None where the document says nothing of it.
    """

    own: Fields
    notification: Fields | None
    endpoint: Fields

    def apply(self, subscription: Subscription, writer: Caller, now: Instant) -> Subscription:
        """Raises BadRequestData where what comes of it breaks a rule."""
        changed = replace(
            subscription,
            **self.own,
            notification=self._notification(subscription.notification),
            creator=writer.subject,
            rights=writer.rights.value,
            created_at=subscription.created_at or now,
            modified_at=now,
        )
        check_rules(changed)
        if (changed.expires_at or LAST_INSTANT) <= now and "expires_at" in self.own:
            raise BadRequestData("expiresAt lies in the past: give a time to come, or none.")
        return changed

    def _notification(self, before: NotificationParams) -> NotificationParams:
        if self.notification is None:
            return before
        return NotificationParams(_endpoint(before.endpoint, self.endpoint), **self.notification)


def new_subscription(document: Mapping[str, Any], context: Context, writer: Caller, now: Instant) -> Subscription:
    """Raises BadRequestData or TooComplexQuery."""
    if document.get("type") != "Subscription":
        raise BadRequestData('A subscription has the "type" Subscription.')
    if (null := next(_nulls(document), None)) is not None:
        raise BadRequestData(f"{null} is {NULL}: a new subscription has nothing that could be taken back (4.5.0).")
    given = document.get("id")
    name = f"urn:ngsi-ld:Subscription:{uuid.uuid4()}" if given is None else check_uri(given, "The id of a subscription")
    patch = read_patch({member: part for member, part in document.items() if member != "id"}, context)
    if patch.notification is None:
        raise BadRequestData('A subscription needs "notification" with "endpoint" with "uri": where to notify.')
    blank = Subscription(writer.tenant, name, NotificationParams(Endpoint("")), context=context.source)
    return patch.apply(blank, writer, now)


def read_patch(document: Mapping[str, Any], context: Context) -> Patch:
    """A fragment of a subscription (5.8.2): what it gives takes the place of what was there, null (or
    "urn:ngsi-ld:null") takes a member back to its default. Raises BadRequestData, TooComplexQuery."""
    if document.get("type", "Subscription") != "Subscription":
        raise BadRequestData("A subscription stays of type Subscription.")
    if "expandValues" in document and "q" not in document:
        raise BadRequestData("expandValues is about q: give both.")
    own = _read(document, "", _OWN, context) | _condition(document, context)
    if "notification" not in document:
        return Patch(own, None, {})
    notification = _inner(document, "notification")
    endpoint = _inner(notification, "endpoint")
    return Patch(
        own,
        _read(notification, "notification.", _NOTIFICATION, context),
        _read(endpoint, "notification.endpoint.", _ENDPOINT, context),
    )


def unknown_members(document: Mapping[str, Any]) -> list[str]:
    """What the document has beyond a subscription, by path. The document has been read."""
    notification = document.get("notification") or {}
    parts = (("", document, _OWN), ("notification.", notification, _NOTIFICATION))
    endpoint = ("notification.endpoint.", notification.get("endpoint") or {}, _ENDPOINT)
    return [
        prefix + name
        for prefix, part, members in (*parts, endpoint)
        for name in part
        if name not in members and name not in _READ_ELSEWHERE and name not in _OUTPUT_ONLY
    ]


def _nulls(document: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in document.items():
        if value == NULL:
            yield prefix + name
        elif isinstance(value, dict) and name in ("notification", "endpoint"):
            yield from _nulls(value, f"{prefix}{name}.")


def _inner(document: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    inner = document.get(member)
    if not isinstance(inner, dict) or not inner:
        raise BadRequestData(f"A subscription's {member} must be an object with members, given as a whole.")
    return inner


def _read(document: Mapping[str, Any], prefix: str, members: "Mapping[str, _Member]", context: Context) -> Fields:
    fields: Fields = {}
    for name, value in document.items():
        where = prefix + name
        if (member := members.get(name)) is not None:
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
    expand_values: tuple[Iri, ...] = ()
    if document.get("expandValues") is not None:
        expand_values = _listed(document["expandValues"], "expandValues", context)
    condition = parse_q(unescaped(text), context, expand_values, MOST_LEVELS)
    return {"q": condition, "q_text": text, "expand_values": expand_values}


def _endpoint(before: Endpoint, fields: Fields) -> Endpoint:
    """What is secret, and so not shown to who gives the rest back, stays with whom it was meant for: another host gets
    none of it unless it is given anew."""
    given = fields.get("uri")
    if not given:
        raise BadRequestData('A subscription needs "notification" with "endpoint" with "uri": where to notify.')
    if given == without_password(before.uri):
        fields = {**fields, "uri": before.uri}
    if _origin(given) == _origin(before.uri):
        fields = {"receiver_info": before.receiver_info, **fields}
    return Endpoint(**fields)


def _origin(uri: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname, parts.port


def _names(value: Any, where: str, context: Context) -> tuple[Iri, ...]:
    return tuple(dict.fromkeys(context.expand(read_text(one, where)) for one in read_list(value, where)))


def _listed(value: Any, where: str, context: Context) -> tuple[Iri, ...]:
    """Names in a text with commas, as the standard has it, or in a list."""
    if type(value) is str:
        value = [name.strip() for name in read_text(value, where).split(",")]
    return _names(value, where, context)


def _projection(value: Any, where: str, context: Context) -> Projection:
    """Members of entities, and of those linked from them (4.21)."""
    members = [read_text(one, where) for one in read_list(value, where)]
    return parse_projection(",".join(members), where, context)


_TRIGGERS = {trigger.value: trigger for trigger in Trigger}
_ACCEPTED = {accept.value: accept for accept in Accept}


def _triggers(value: Any, where: str) -> tuple[Trigger, ...]:
    """Empty for those that hold without being named."""
    given = tuple(dict.fromkeys(read_choice(one, where, _TRIGGERS) for one in read_list(value, where)))
    return () if given == DEFAULT_TRIGGERS else given


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


def _csf(value: Any, where: str, context: Context) -> Fields:
    text = read_text(value, where)
    parse_q(text, context)
    return {"csf_text": text}


def _conformance(value: Any, where: str) -> str:
    if type(value) is not str or not _VERSION.fullmatch(value):
        refuse(where, "a version of NGSI-LD such as 1.6", value)
    return value


def _join(value: Any, where: str) -> Join | None:
    return None if value == _NO_JOIN else read_choice(value, where, _JOINS)


def _level(value: Any, where: str) -> int:
    if type(value) is not int or not 1 <= value <= MOST_LEVELS:
        refuse(where, f"a whole number from 1 to {MOST_LEVELS}", value)
    return value


_VERSION = re.compile(r"\d{1,3}\.\d{1,3}")
_NO_JOIN = "@none"
_JOINS = {join.value: join for join in Join}


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
    "timeInterval": _plain("interval_s", None, read_positive),
    "geoQ": _Member(_geo, {"geo": None}),
    "scopeQ": _Member(_scope, {"scope": None, "scope_text": None}),
    "datasetId": _plain("datasets", (), _datasets),
    "lang": _plain("lang", None, _lang),
    "isActive": _plain("is_active", True, read_flag),
    "expiresAt": _plain("expires_at", None, read_instant),
    "throttling": _plain("throttling_s", None, read_positive),
    "csf": _Member(_csf, {"csf_text": None}),
    "jsonKeys": _named("json_keys", _listed),
    "localOnly": _plain("local_only", None, read_flag),
    "splitEntities": _plain("split_entities", None, read_flag),
    "ngsildConformance": _plain("conformance", None, _conformance),
    "jsonldContext": _Member(_context_url, {"jsonld_context": None}),
}
_NOTIFICATION: Mapping[str, _Member] = {
    "attributes": _named("attributes", _names),
    "pick": _Member(lambda value, where, context: {"pick": _projection(value, where, context)}, {"pick": NOTHING}),
    "omit": _Member(lambda value, where, context: {"omit": _projection(value, where, context)}, {"omit": NOTHING}),
    "join": _plain("join", None, _join),
    "joinLevel": _plain("join_level", 1, _level),
    "format": _plain("form", Form.NORMALIZED, lambda value, where: read_choice(value, where, _FORMS)),
    "showChanges": _plain("show_changes", False, read_flag),
    "sysAttrs": _plain("sys_attrs", False, read_flag),
}
_ENDPOINT: Mapping[str, _Member] = {
    "uri": _plain("uri", "", read_endpoint_uri),
    "accept": _plain("accept", Accept.JSON, lambda value, where: read_choice(value, where, _ACCEPTED)),
    "timeout": _plain("timeout_ms", None, lambda value, where: math.ceil(read_positive(value, where))),
    "cooldown": _plain("cooldown_ms", None, lambda value, where: math.ceil(read_positive(value, where))),
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
