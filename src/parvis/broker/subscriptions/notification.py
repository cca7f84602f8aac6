"""The notification that a receiver gets (NGSI-LD 1.9.1, 5.3.1, 5.8.6, 6.3.8 and 7.2).

Its id is made of the subscription and the event: a notification sent twice, after a crash, has the same id twice.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context, link_to
from parvis.broker.jsonld.contexts import is_core
from parvis.broker.jsonld.earlier_versions import Version, amended, read_version
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
from parvis.broker.jsonld.render_linked import Inliner, linked_representation
from parvis.broker.linked import Neighbours
from parvis.broker.model.entity import VALUE_MEMBERS, AttributeKey, Entity, Instance, Iri, Json, Kind, in_order
from parvis.broker.model.merge import NULL
from parvis.broker.query.linking import Join, Linking, Shown
from parvis.broker.query.projection import Projection
from parvis.broker.subscriptions.model import Accept, Endpoint, Occurrence, Subscription, Trigger
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import Instant, format_instant

_PREVIOUS_MEMBERS: Mapping[Kind, str] = {
    kind: f"previous{member[0].upper()}{member[1:]}" for kind, member in VALUE_MEMBERS.items()
}
_TELL_DELETIONS = frozenset({Trigger.ATTRIBUTE_DELETED, Trigger.ENTITY_UPDATED})


class Message(msgspec.Struct, frozen=True):
    """What goes out; receiverInfo is added by the one who sends it."""

    headers: Mapping[str, str]
    body: bytes


class Shape(msgspec.Struct, frozen=True):
    """All that makes the data of two subscriptions' notifications differ, their @context and linked entities aside.

    `of_deleted` are the attributes that are told as deleted with their entity: empty for all, None for none of them.
    `version` is that of NGSI-LD that entities keep to, None for this one.
    """

    representation: Representation
    is_geo: bool
    show_changes: bool
    tells_deletions: bool
    of_deleted: frozenset[Iri] | None = None
    version: Version | None = None


class Linkage(msgspec.Struct, frozen=True):
    """What a subscription wants of linked entities (4.5.23)."""

    linking: Linking
    shown: Shown


class Linked(msgspec.Struct, frozen=True):
    """What was found of them."""

    linkage: Linkage
    neighbours: Neighbours


def merged(found: Iterable[Linked]) -> Linked | None:
    """What several entities of one subscription are linked to; None where nothing was asked for."""
    every = list(found)
    if not every:
        return None
    known = {urn: entity for one in every for urn, entity in one.neighbours.known.items()}
    inward = {entity.id: (entity, shown) for one in every for entity, shown in one.neighbours.inward}
    return Linked(every[0].linkage, Neighbours(known, list(inward.values())))


def shape_of(subscription: Subscription) -> Shape:
    params, triggers = subscription.notification, frozenset(subscription.triggers)
    representation = Representation(
        params.form,
        params.sys_attrs,
        languages(subscription.lang),
        frozenset(params.attributes),
        params.pick.names,
        params.omit.leaves,
        frozenset(subscription.datasets),
    )
    tells_deletions = not triggers.isdisjoint(_TELL_DELETIONS)
    return Shape(
        representation,
        params.endpoint.accept is Accept.GEO_JSON,
        params.show_changes,
        tells_deletions,
        frozenset(subscription.watched) if tells_deletions and Trigger.ENTITY_DELETED not in triggers else None,
        None if subscription.conformance is None else read_version(subscription.conformance),
    )


def linkage_of(subscription: Subscription) -> Linkage | None:
    """Relationships that are not told of lead nowhere: `attributes` is another word for pick (5.2.14.1)."""
    params = subscription.notification
    if params.linking is None:
        return None
    pick = Projection(dict.fromkeys(params.attributes)) if params.attributes else params.pick
    return Linkage(params.linking, Shown(pick, params.omit))


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
        body = self._data.get(key)
        if body is None:
            body = self._data[key] = _told(self._occurrence, shape, context)
        return compose(subscription, context, [body], self._occurrence.seq, now)


def write_periodic(
    subscription: Subscription,
    shape: Shape,
    context: Context,
    entities: Sequence[Entity],
    now: Instant,
    linked: Linked | None = None,
) -> Message:
    """The notification of a subscription that notifies by the clock; its number is the time."""
    if linked is not None:
        entities = _inlined(entities, shape, context, linked)
    bodies = [_render(one, shape, context) for one in entities]
    return compose(subscription, context, [*bodies, *_beside(shape, context, linked)], now, now)


def write_merged(
    subscription: Subscription,
    shape: Shape,
    context: Context,
    occurrences: Sequence[Occurrence],
    now: Instant,
    linked: Linked | None = None,
) -> Message:
    """One notification for what was held back, the newest event's number its own."""
    bodies = [_told(one, shape, context, linked) for one in occurrences]
    number = max(one.seq for one in occurrences)
    return compose(subscription, context, [*bodies, *_beside(shape, context, linked)], number, now)


def compose(
    subscription: Subscription, context: Context, bodies: Sequence[bytes], number: int, now: Instant
) -> Message:
    """The envelope (5.3.1) around entities, or features; in JSON-LD each has the @context too, for who passes it on."""
    accept, is_geo = subscription.notification.endpoint.accept, False
    if accept is Accept.JSON_LD:
        bodies = [with_context(one, context) for one in bodies]
    data = render_page(bodies)
    if accept is Accept.GEO_JSON:
        is_geo = wants_context_inside(subscription.notification.endpoint)
        data = render_feature_collection(bodies)
        data = with_context(data, context) if is_geo else data
    body = b'{"id":"%b","type":"Notification","subscriptionId":%b,"notifiedAt":"%b","data":%b}' % (
        _notification_id(subscription, number),
        encode(subscription.id),
        format_instant(now).encode(),
        data,
    )
    headers = {"Content-Type": accept.value}
    if subscription.tenant != DEFAULT_TENANT:
        headers["NGSILD-Tenant"] = subscription.tenant
    if subscription.conformance is not None:
        headers["Preference-Applied"] = f"ngsi-ld={subscription.conformance}"
    if accept is Accept.JSON_LD:
        return Message(headers, with_context(body, context))
    url = None if is_geo else context_url(context.source)
    if url is not None:
        headers["Link"] = link_to(url)
    return Message(headers, body)


def wants_context_inside(endpoint: Endpoint) -> bool:
    """Whether GeoJSON carries its @context: unless receiverInfo has Prefer with body=json (5.3.1)."""
    asked = [value for name, value in endpoint.receiver_info if name.lower() == "prefer"]
    return not any("body=json" in value.replace(" ", "").split(",") for value in asked)


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


def _told(occurrence: Occurrence, shape: Shape, context: Context, linked: Linked | None = None) -> bytes:
    entity = told_entity(occurrence, shape, context)
    if linked is not None:
        [entity] = _inlined([entity], shape, context, linked)
    body = _render(entity, shape, context)
    return _with_deletion(body, occurrence.at, shape) if occurrence.is_deletion else body


def told_entity(occurrence: Occurrence, shape: Shape, context: Context) -> Entity:
    """The entity as the change leaves it; a deleted one as id, type and what is told of its attributes (5.8.6)."""
    before = {one.key: one for one in occurrence.previous}
    entity = occurrence.entity
    if occurrence.is_deletion:
        gone = _gone_with_it(occurrence.removed, shape)
        nulls = _nulls(gone, before, occurrence.at, shape, context)
        return replace(entity, instances=in_order(nulls), scopes=(), rendered={})
    gone = [key for key in occurrence.removed if entity.find(*key) is None] if shape.tells_deletions else []
    if not gone and not (shape.show_changes and before):
        return entity
    instances = list(entity.instances)
    if shape.show_changes:
        changed = {one.key for one in occurrence.written}
        instances = [_with_previous(one, before, context) if one.key in changed else one for one in instances]
    left = {one.name for one in instances}
    partly = [key for key in gone if key[0] in left]
    wholly = [key for key in gone if key[0] not in left]
    instances += _deleted_each(partly, before, occurrence.at, shape, context)
    instances += _nulls(wholly, before, occurrence.at, shape, context)
    return replace(entity, instances=in_order(instances), rendered={})


def _gone_with_it(removed: Iterable[AttributeKey], shape: Shape) -> list[AttributeKey]:
    if shape.show_changes:
        return list(removed)
    if shape.of_deleted is None:
        return []
    return [key for key in removed if not shape.of_deleted or key[0] in shape.of_deleted]


def _nulls(
    gone: Sequence[AttributeKey], before: Mapping[AttributeKey, Instance], at: Instant, shape: Shape, context: Context
) -> list[Instance]:
    """Of attributes that are there no more: one for each, unless what its instances were is told, or asked for."""
    nulls = _deleted_each(sorted(gone), before, at, shape, context)
    if shape.show_changes or shape.representation.datasets:
        return nulls
    counts = Counter(name for name, _ in gone)
    firsts = {one.name: one for one in reversed(nulls)}
    return [one if counts[name] == 1 else replace(one, dataset="") for name, one in firsts.items()]


def _deleted_each(
    gone: Iterable[AttributeKey], before: Mapping[AttributeKey, Instance], at: Instant, shape: Shape, context: Context
) -> list[Instance]:
    return [_deleted(key, before, at, shape, context) for key in gone]


def _inlined(entities: Sequence[Entity], shape: Shape, context: Context, linked: Linked) -> Sequence[Entity]:
    linking = linked.linkage.linking
    if linking.join is Join.FLAT:
        return entities
    inliner = Inliner(context, shape.representation, linked.neighbours.known)
    return [inliner.inlined(one, linking.levels, linked.linkage.shown) for one in entities]


def _beside(shape: Shape, context: Context, linked: Linked | None) -> Iterator[bytes]:
    """The linked entities that follow the others (4.5.23.3)."""
    if linked is None or linked.linkage.linking.join is not Join.FLAT:
        return
    for entity, shown in linked.neighbours.inward:
        own = replace(shape, representation=linked_representation(shape.representation, shown))
        yield _render(entity, own, context)


def _render(entity: Entity, shape: Shape, context: Context) -> bytes:
    if shape.version is not None:
        entity = amended(entity, shape.version, context)
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
