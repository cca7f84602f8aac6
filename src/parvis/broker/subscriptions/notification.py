"""The notification that a receiver gets (NGSI-LD 1.9.1, 5.3.1, 5.8.6, 6.3.8 and 7.2).

Its id is made of the subscription and the event: a notification sent twice, after a crash, has the same id twice.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.contexts import is_core
from parvis.broker.jsonld.languages import languages
from parvis.broker.jsonld.render import (
    GEOMETRY_PROPERTY,
    Representation,
    encode,
    outward_value,
    render_entity,
    render_feature,
    render_feature_collection,
    render_page,
    with_context,
)
from parvis.broker.model.entity import VALUE_MEMBERS, AttributeKey, Entity, Instance, Json, Kind, in_order
from parvis.broker.model.merge import NULL
from parvis.broker.subscriptions.model import Accept, Occurrence, Subscription, Trigger
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import Instant, format_instant

CONTEXT_LINK: Final = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
_PREVIOUS_MEMBERS: Mapping[Kind, str] = {
    kind: f"previous{member[0].upper()}{member[1:]}" for kind, member in VALUE_MEMBERS.items()
}
_TELL_DELETIONS = frozenset({Trigger.ATTRIBUTE_DELETED, Trigger.ENTITY_UPDATED})


class Message(msgspec.Struct, frozen=True):
    """What goes out; receiverInfo is added by the one who sends it."""

    headers: Mapping[str, str]
    body: bytes


class Shape(msgspec.Struct, frozen=True):
    """All that makes the data of two subscriptions' notifications differ, their @context aside."""

    representation: Representation
    is_geo: bool
    show_changes: bool
    tells_deletions: bool


def shape_of(subscription: Subscription) -> Shape:
    params = subscription.notification
    representation = Representation(
        params.form,
        params.sys_attrs,
        languages(subscription.lang),
        frozenset(params.attributes),
        frozenset(params.pick),
        frozenset(params.omit),
        frozenset(subscription.datasets),
    )
    return Shape(
        representation,
        params.endpoint.accept is Accept.GEO_JSON,
        params.show_changes,
        not _TELL_DELETIONS.isdisjoint(subscription.triggers),
    )


def wants_previous(subscription: Subscription) -> bool:
    """Whether its notifications tell what was overwritten."""
    return subscription.notification.show_changes


class Notices:
    """The notifications of one occurrence: data that several subscriptions want alike are rendered once."""

    def __init__(self, occurrence: Occurrence) -> None:
        self._occurrence = occurrence
        self._data: dict[tuple[str, Shape], bytes] = {}

    def write(self, subscription: Subscription, shape: Shape, context: Context, now: Instant) -> Message:
        key = (context.key, shape)
        data = self._data.get(key)
        if data is None:
            data = self._data[key] = render_data([_told(self._occurrence, shape, context)], shape)
        return compose(subscription, context, data, self._occurrence.seq, now)


def write_periodic(
    subscription: Subscription, shape: Shape, context: Context, entities: Iterable[Entity], now: Instant
) -> Message:
    """The notification of a subscription that notifies by the clock; its number is the time."""
    data = render_data([_render(one, shape, context) for one in entities], shape)
    return compose(subscription, context, data, now, now)


def write_merged(
    subscription: Subscription, shape: Shape, context: Context, occurrences: Sequence[Occurrence], now: Instant
) -> Message:
    """One notification for what was held back, the newest event's number its own."""
    data = render_data([_told(one, shape, context) for one in occurrences], shape)
    return compose(subscription, context, data, max(one.seq for one in occurrences), now)


def render_data(bodies: Iterable[bytes], shape: Shape) -> bytes:
    return render_feature_collection(bodies) if shape.is_geo else render_page(bodies)


def compose(subscription: Subscription, context: Context, data: bytes, number: int, now: Instant) -> Message:
    accept = subscription.notification.endpoint.accept
    body = b'{"id":"%b","type":"Notification","subscriptionId":%b,"notifiedAt":"%b","data":%b}' % (
        _notification_id(subscription, number),
        encode(subscription.id),
        format_instant(now).encode(),
        data,
    )
    headers = {"Content-Type": accept.value}
    if subscription.tenant != DEFAULT_TENANT:
        headers["NGSILD-Tenant"] = subscription.tenant
    if accept is Accept.JSON_LD:
        return Message(headers, with_context(body, context))
    url = context_url(context.source)
    if url is not None:
        headers["Link"] = CONTEXT_LINK.format(url)
    return Message(headers, body)


def context_url(source: Any) -> str | None:
    """The one URL that a Link header can name for a @context; None where it takes more (6.3.5)."""
    if isinstance(source, list):
        own = [one for one in source if not (isinstance(one, str) and is_core(one))]
        source = own[0] if len(own) == 1 else source[0] if not own and source else None
    return source if isinstance(source, str) else None


def addressed(headers: Mapping[str, str], receiver_info: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """With what the receiver asked for, which goes before ours of the same name, however it is spelled."""
    joined = {name.lower(): (name, value) for name, value in [*headers.items(), *receiver_info]}
    return dict(joined.values())


def mqtt_payload(message: Message, receiver_info: Iterable[tuple[str, str]]) -> bytes:
    """Over MQTT what would be headers goes into the message (7.2)."""
    metadata = encode(addressed(message.headers, receiver_info))
    return b'{"metadata":%b,"body":%b}' % (metadata, message.body)


def _notification_id(subscription: Subscription, number: int) -> bytes:
    name = f"{subscription.tenant} {subscription.id} {number}".encode()
    return b"urn:ngsi-ld:Notification:" + hashlib.blake2b(name, digest_size=16).hexdigest().encode()


def _told(occurrence: Occurrence, shape: Shape, context: Context) -> bytes:
    """The entity as the change leaves it; a deleted one as id, type and deletedAt (5.8.6)."""
    before = {one.key: one for one in occurrence.previous}
    entity = occurrence.entity
    if occurrence.is_deletion:
        nulls = tuple(_deleted(key, before, occurrence.at, shape, context) for key in occurrence.removed)
        entity = replace(entity, instances=in_order(nulls) if shape.show_changes else (), scopes=(), rendered={})
        return _with_deletion(_render(entity, shape, context), occurrence.at, shape)
    gone = [key for key in occurrence.removed if entity.find(*key) is None] if shape.tells_deletions else []
    if not gone and not (shape.show_changes and before):
        return _render(entity, shape, context)
    instances = list(entity.instances)
    if shape.show_changes:
        changed = {one.key for one in occurrence.written}
        instances = [_with_previous(one, before, context) if one.key in changed else one for one in instances]
    instances += [_deleted(key, before, occurrence.at, shape, context) for key in gone]
    return _render(replace(entity, instances=in_order(instances), rendered={}), shape, context)


def _render(entity: Entity, shape: Shape, context: Context) -> bytes:
    if shape.is_geo:
        return render_feature(entity, context, shape.representation, GEOMETRY_PROPERTY)
    return render_entity(entity, context, shape.representation)


def _with_previous(instance: Instance, before: Mapping[AttributeKey, Instance], context: Context) -> Instance:
    previous = before.get(instance.key)
    if previous is None:
        return instance
    return replace(instance, extra={**(instance.extra or {}), **_previous_member(previous, context)})


def _previous_member(previous: Instance, context: Context) -> dict[str, Json]:
    return {_PREVIOUS_MEMBERS[previous.kind]: outward_value(previous.kind, previous.value, context)}


def _deleted(
    key: AttributeKey, before: Mapping[AttributeKey, Instance], at: Instant, shape: Shape, context: Context
) -> Instance:
    """The attribute with the NGSI-LD Null for its value (4.5.0)."""
    name, dataset = key
    previous = before.get(key)
    kind = Kind.PROPERTY if previous is None else previous.kind
    extra: dict[str, Json] = {}
    if shape.representation.sys_attrs:
        extra["deletedAt"] = format_instant(at)
    if shape.show_changes and previous is not None:
        extra |= _previous_member(previous, context)
    created_at = at if previous is None else previous.created_at
    return Instance(name, kind, _null(kind), dataset, extra=extra or None, created_at=created_at, modified_at=at)


def _null(kind: Kind) -> Json:
    if kind is Kind.LANGUAGE_PROPERTY:
        return {"@none": NULL}
    return [NULL] if kind in (Kind.LIST_PROPERTY, Kind.LIST_RELATIONSHIP) else NULL


def _with_deletion(body: bytes, at: Instant, shape: Shape) -> bytes:
    member = b'"deletedAt":"' + format_instant(at).encode() + b'"'
    closing = b"}}" if shape.is_geo else b"}"
    opened = body.removesuffix(closing)
    return opened + (b"" if opened.endswith(b"{") else b",") + member + closing
