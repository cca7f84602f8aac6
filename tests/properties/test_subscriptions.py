"""The matcher finds what a plain reading of the standard finds, among many subscriptions."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode
from msgspec.structs import replace

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Event, EventKind
from parvis.broker.model.entity import AttributeKey, Entity
from parvis.broker.model.merge import json_merge
from parvis.broker.query.evaluate import matches
from parvis.broker.query.tree import AllTypes, AnyType, EntityQuery, ScopeQuery, TypeIs, TypeSelection
from parvis.broker.subscriptions.match import Matcher
from parvis.broker.subscriptions.model import (
    Endpoint,
    NotificationParams,
    Occurrence,
    Selector,
    Subscribed,
    Subscription,
    Trigger,
)
from parvis.broker.subscriptions.parse import new_subscription, read_patch
from parvis.broker.subscriptions.render import render_subscription, render_types
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import OPERATOR, Caller
from tests.strategies import NAMES, PLACE, TYPES, conditions, entities, geo_queries

IDS = ("urn:ngsi-ld:Bin:1", "urn:ngsi-ld:Bin:2")
TENANTS = ("default", "port")
NOW = 1_800_000_000_000_000
CONTEXT = Contexts().core

simple_types = st.sampled_from(TYPES).map(TypeIs)
type_selections: st.SearchStrategy[TypeSelection] = st.one_of(
    simple_types,
    st.lists(simple_types, min_size=2, max_size=2).map(lambda terms: AnyType(tuple(terms))),
    st.lists(simple_types, min_size=2, max_size=2).map(lambda terms: AllTypes(tuple(terms))),
    st.builds(
        lambda either, also: AllTypes((AnyType(tuple(either)), also)), st.lists(simple_types, min_size=2), simple_types
    ),
)
selectors = st.builds(
    Selector,
    st.one_of(st.none(), type_selections),
    st.one_of(st.none(), st.sampled_from(IDS)),
    st.one_of(st.none(), st.sampled_from([":1$", "^urn", "Lamp"])),
)
names = st.lists(st.sampled_from([*NAMES, PLACE]), max_size=2, unique=True).map(tuple)


@st.composite
def subscriptions(draw: st.DrawFn) -> Subscription:
    watched = draw(names)
    return Subscription(
        draw(st.sampled_from(TENANTS)),
        "urn:ngsi-ld:Subscription:1",
        NotificationParams(Endpoint("http://receiver.example/")),
        tuple(draw(st.lists(selectors, min_size=0 if watched else 1, max_size=2))),
        watched,
        tuple(draw(st.lists(st.sampled_from(list(Trigger)), max_size=3, unique=True))),
        q=draw(st.one_of(st.none(), st.none(), conditions)),
        geo=draw(st.one_of(st.none(), st.none(), geo_queries)),
        scope=draw(st.sampled_from([None, None, ScopeQuery((("/a/#",), ("/c",)))])),
        datasets=draw(st.sampled_from([(), (), ("@none",), ("urn:ngsi-ld:Dataset:a",)])),
        is_active=draw(st.integers(0, 9)) > 0,
        expires_at=draw(st.sampled_from([None, None, NOW, NOW + 1])),
        rights=OPERATOR.value,
    )


@st.composite
def occurrences(draw: st.DrawFn) -> tuple[Event, Occurrence]:
    entity = draw(entities(draw(st.sampled_from(IDS))))
    kind = draw(st.sampled_from(list(EventKind)))
    written = tuple(one for one in entity.instances if kind is not EventKind.DELETED and draw(st.booleans()))
    keys = {one.key for one in entity.instances}
    gone: list[AttributeKey] = sorted(keys) if kind is EventKind.DELETED else []
    if kind is EventKind.UPDATED:
        gone = [(name, "") for name in draw(names) if (name, "") not in keys]
    created = frozenset(one.key for one in written if kind is EventKind.CREATED or draw(st.booleans()))
    tenant = draw(st.sampled_from(TENANTS))
    event = Event(1, tenant, NOW, entity.id, entity.types, kind, written, tuple(gone))
    occurrence = Occurrence(
        1,
        tenant,
        NOW,
        entity,
        kind is EventKind.DELETED,
        kind is EventKind.CREATED,
        written,
        tuple(gone),
        created,
    )
    return event, occurrence


def happened(event: Event, occurrence: Occurrence, one: Subscription) -> set[Trigger]:
    """Every trigger of the standard that this occurrence sets off, for the attributes that the subscription watches."""

    def of_interest(keys: Iterable[AttributeKey]) -> set[AttributeKey]:
        datasets = {"" if dataset == "@none" else dataset for dataset in one.datasets}
        return {
            (name, dataset)
            for name, dataset in keys
            if (not one.watched or name in one.watched) and (not datasets or dataset in datasets)
        }

    written = of_interest(instance.key for instance in occurrence.written)
    removed = of_interest(occurrence.removed)
    narrows = bool(one.watched or one.datasets)
    found: set[Trigger] = set()
    if event.kind is EventKind.DELETED:
        of_entity = {Trigger.ENTITY_DELETED} if removed or not narrows else set()
        return of_entity | ({Trigger.ATTRIBUTE_DELETED} if removed else set())
    if event.kind is EventKind.CREATED and (written or not narrows):
        found.add(Trigger.ENTITY_CREATED)
    if event.kind is EventKind.UPDATED and (written or removed or not narrows):
        found.add(Trigger.ENTITY_UPDATED)
    if written & occurrence.created:
        found.add(Trigger.ATTRIBUTE_CREATED)
    if written - occurrence.created:
        found.add(Trigger.ATTRIBUTE_UPDATED)
    if removed:
        found.add(Trigger.ATTRIBUTE_DELETED)
    return found


def selected(one: Subscription, entity: Entity) -> bool:
    return any(
        matches(
            entity,
            EntityQuery(
                () if selector.id is None else (selector.id,),
                None if selector.id is not None else selector.id_pattern,
                selector.types,
                q=one.q,
                geo=one.geo,
                scope=one.scope,
            ),
        )
        for selector in one.selectors or (Selector(),)
    )


def naive(event: Event, occurrence: Occurrence, one: Subscription) -> bool:
    wanted = set(one.triggers) or {Trigger.ATTRIBUTE_CREATED, Trigger.ATTRIBUTE_UPDATED}
    if Trigger.ENTITY_UPDATED in wanted:
        wanted |= {Trigger.ATTRIBUTE_CREATED, Trigger.ATTRIBUTE_UPDATED, Trigger.ATTRIBUTE_DELETED}
    is_live = one.is_active and (one.expires_at is None or one.expires_at > NOW)
    return (
        is_live
        and one.tenant == event.tenant
        and bool(wanted & happened(event, occurrence, one))
        and selected(one, occurrence.entity)
    )


@settings(max_examples=120, deadline=None)
@given(occurrences(), st.lists(subscriptions(), max_size=8))
def test_the_index_and_the_test_together_find_what_a_plain_reading_finds(
    happening: tuple[Event, Occurrence], many: Sequence[Subscription]
) -> None:
    event, occurrence = happening
    matcher = Matcher(many, lambda _, occurrence: occurrence)

    found = [one for one in matcher.candidates(event) if matcher.match(one, occurrence, NOW)]

    assert [one.number for one in found] == [number for number, one in enumerate(many) if naive(event, occurrence, one)]


@given(type_selections)
def test_a_type_selection_is_read_as_it_is_shown(selection: TypeSelection) -> None:
    [read] = read_patch({"entities": [{"type": render_types(selection, CONTEXT)}]}, CONTEXT).own["selectors"]
    assert read.types == selection


WRITER = Caller("default", "odile", OPERATOR)
_names = st.lists(st.sampled_from(["level", "state", "https://example.org/owner"]), min_size=1, max_size=2, unique=True)
_members = {
    "subscriptionName": st.sampled_from(["bins", "lamps"]),
    "description": st.text(min_size=1, max_size=5),
    "entities": st.sampled_from(
        [[{"type": "Bin"}], [{"type": "Bin,Lamp", "idPattern": "^urn"}, {"type": "*", "id": "urn:x:1"}]]
    ),
    "watchedAttributes": _names,
    "notificationTrigger": st.lists(st.sampled_from([one.value for one in Trigger]), min_size=1, unique=True),
    "q": st.sampled_from(["level>1", 'state=="a","b";!level']),
    "geoQ": st.just({"georel": "within", "geometry": "Point", "coordinates": [0, 0], "geoproperty": "location"}),
    "scopeQ": st.sampled_from(["/a/#", "/a/+;/c"]),
    "datasetId": st.just(["@none", "urn:ngsi-ld:Dataset:a"]),
    "lang": st.just("fr,en;q=0.5"),
    "isActive": st.booleans(),
    "expiresAt": st.just("2999-01-01T00:00:00Z"),
    "throttling": st.sampled_from([1, 2.5]),
    "jsonldContext": st.just("https://example.org/context.jsonld"),
    "csf": st.sampled_from(['operator=="town"', "level"]),
    "jsonKeys": st.sampled_from(["level", "level,state"]),
    "localOnly": st.booleans(),
    "splitEntities": st.booleans(),
    "ngsildConformance": st.sampled_from(["1.0", "1.6"]),
}
_told = {
    "attributes": _names,
    "pick": st.sampled_from([["level"], ["id", "state"]]),
    "omit": st.sampled_from([["scope"], ["https://example.org/owner"]]),
    "join": st.sampled_from(["flat", "inline"]),
    "format": st.sampled_from(["normalized", "concise"]),
    "sysAttrs": st.booleans(),
    "showChanges": st.booleans(),
}
_whereto = {
    "uri": st.sampled_from(["https://receiver.example/a", "https://receiver.example/b"]),
    "accept": st.sampled_from(["application/json", "application/ld+json"]),
    "timeout": st.sampled_from([100, 2000]),
    "cooldown": st.sampled_from([1, 2000]),
    "receiverInfo": st.just([{"key": "A", "value": "1"}]),
    "notifierInfo": st.just([{"key": "MQTT-QoS", "value": "1"}]),
}


@st.composite
def fragments(draw: st.DrawFn, *, with_nulls: bool = False) -> dict[str, Any]:
    def some(members: dict[str, st.SearchStrategy[Any]], kept: Sequence[str]) -> dict[str, Any]:
        null = st.one_of(st.none(), st.just("urn:ngsi-ld:null"))
        chosen = draw(st.lists(st.sampled_from(list(members)), unique=True, max_size=5))
        return {
            name: draw(null) if with_nulls and name not in kept and draw(st.booleans()) else draw(members[name])
            for name in chosen
        }

    document = some(_members, kept=("entities",))
    notification = some(_told, kept=())
    if notification.get("pick") or notification.get("omit"):
        notification.pop("attributes", None)
    if draw(st.booleans()):
        notification["endpoint"] = {**some(_whereto, kept=("uri",)), "uri": draw(_whereto["uri"])}
        document["notification"] = notification
    return document


def whole(fragment: dict[str, Any]) -> dict[str, Any]:
    least = {
        "id": "urn:ngsi-ld:Subscription:1",
        "type": "Subscription",
        "entities": [{"type": "Bin"}],
        "notification": {"endpoint": {"uri": "https://receiver.example/a"}},
    }
    return dict(json_merge(least, fragment))


def made(document: dict[str, Any]) -> Subscription:
    return new_subscription(document, CONTEXT, WRITER, NOW)


@given(fragments(), fragments(with_nulls=True))
def test_a_patch_makes_what_the_merged_document_would_have_made(
    first: dict[str, Any], fragment: dict[str, Any]
) -> None:
    """Each member anew (5.5.8), but for the @context, which stays that of jsonldContext once there was one, and for
    what only the receiver is to know."""
    before = whole(first)
    patched = read_patch(fragment, CONTEXT).apply(made(before), WRITER, NOW)
    merged = dict(json_merge({**before, **fragment}, fragment))
    if "notification" in fragment and "receiverInfo" not in fragment["notification"]["endpoint"]:
        merged["notification"]["endpoint"] |= {
            name: value for name, value in before["notification"]["endpoint"].items() if name == "receiverInfo"
        }
    anew = made(merged)

    assert replace(patched, context=None) == replace(anew, context=None)


@given(fragments())
def test_a_subscription_is_read_as_it_is_shown(fragment: dict[str, Any]) -> None:
    subscription = made(whole(fragment))
    shown = render_subscription(Subscribed(subscription), CONTEXT, NOW, secrets=True)

    assert made(shown) == subscription


_anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=4),
        st.sampled_from(["urn:x:1", "http://a", "mqtt://a/b", "http://[", "A", "near;maxDistance==1", "Point"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["type", "id", "idPattern", "georel", "key", "value", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@st.composite
def strange_documents(draw: st.DrawFn) -> dict[str, Any]:
    """A subscription in which any member may be anything."""
    document = whole(draw(fragments()))
    part = draw(st.sampled_from([document, document["notification"], document["notification"]["endpoint"]]))
    names = [*_members, *_told, *_whereto, "id", "timeInterval", "notification", "endpoint", "expandValues", "x"]
    part[draw(st.sampled_from(names))] = draw(_anything)
    return document


@settings(max_examples=200)
@given(strange_documents())
def test_whatever_is_sent_is_understood_or_refused(document: dict[str, Any]) -> None:
    with suppress(ParvisError):
        subscription = made(document)
        render_subscription(Subscribed(subscription), CONTEXT, NOW, sys_attrs=True)
        assert decode(encode(subscription), type=Subscription) == subscription
