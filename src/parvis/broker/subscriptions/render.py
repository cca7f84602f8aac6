"""From a Subscription to its document (NGSI-LD 1.9.1, 5.2.12 to 5.2.15)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, assert_never

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import CORE_MEMBERS, Form
from parvis.broker.model.entity import Iri
from parvis.broker.query.projection import Projection
from parvis.broker.query.tree import AllTypes, AnyType, GeoQuery, GeoRelation, TypeIs, TypeSelection
from parvis.broker.subscriptions.model import (
    DEFAULT_TRIGGERS,
    Deliveries,
    Endpoint,
    NotificationParams,
    Selector,
    Subscribed,
    Subscription,
)
from parvis.kernel.time import Instant, format_instant

Document = dict[str, Any]


def render_subscription(
    subscribed: Subscribed, context: Context, now: Instant, *, sys_attrs: bool = False, secrets: bool = False
) -> Document:
    """The document without @context. `secrets`: with receiverInfo, and with the password of an MQTT address.

    isActive is shown where it is false, notificationTrigger always: its default is not the one that a reader expects.
    """
    one = subscribed.subscription
    document = {
        "id": one.id,
        "type": "Subscription",
        **_present(one, context),
        "status": one.status(now).value,
        "notification": _notification(one.notification, subscribed.deliveries, context, secrets=secrets),
    }
    if sys_attrs:
        document |= {"createdAt": format_instant(one.created_at), "modifiedAt": format_instant(one.modified_at)}
    return document


def render_types(selection: TypeSelection | None, context: Context) -> str:
    """As `parse_types` reads it; None: every type."""
    match selection:
        case None:
            return "*"
        case TypeIs(iri):
            return context.compact(iri)
        case AllTypes(terms):
            return ";".join(_term(term, context) for term in terms)
        case AnyType(terms):
            return ",".join(_term(term, context) for term in terms)
        case _:
            assert_never(selection)


def _term(selection: TypeSelection, context: Context) -> str:
    text = render_types(selection, context)
    return text if isinstance(selection, TypeIs) else f"({text})"


def _present(one: Subscription, context: Context) -> Document:
    """The members that are set."""
    found: Document = {}
    for name, read in _MEMBERS.items():
        value = read(one, context)
        if value is not None and value != []:
            found[name] = value
    return found


_MEMBERS: Mapping[str, Callable[[Subscription, Context], Any]] = {
    "subscriptionName": lambda one, _: one.name,
    "description": lambda one, _: one.description,
    "entities": lambda one, context: [_selector(selector, context) for selector in one.selectors],
    "watchedAttributes": lambda one, context: _compacted(one.watched, context),
    "notificationTrigger": lambda one, _: _triggers(one),
    "timeInterval": lambda one, _: _bare(one.interval_s),
    "q": lambda one, _: one.q_text,
    "expandValues": lambda one, context: ",".join(_compacted(one.expand_values, context)) or None,
    "jsonKeys": lambda one, context: ",".join(_compacted(one.json_keys, context)) or None,
    "csf": lambda one, _: one.csf_text,
    "geoQ": lambda one, context: None if one.geo is None else _geo(one.geo, context),
    "scopeQ": lambda one, _: one.scope_text,
    "datasetId": lambda one, _: list(one.datasets),
    "lang": lambda one, _: one.lang,
    "localOnly": lambda one, _: one.local_only,
    "splitEntities": lambda one, _: one.split_entities,
    "ngsildConformance": lambda one, _: one.conformance,
    "isActive": lambda one, _: None if one.is_active else False,
    "expiresAt": lambda one, _: _time(one.expires_at),
    "throttling": lambda one, _: _bare(one.throttling_s),
    "jsonldContext": lambda one, _: one.jsonld_context,
}


def _triggers(one: Subscription) -> list[str]:
    triggers = one.triggers or (() if one.is_periodic else DEFAULT_TRIGGERS)
    return [trigger.value for trigger in triggers]


def _selector(selector: Selector, context: Context) -> Document:
    document: Document = {"type": render_types(selector.types, context)}
    if selector.id is not None:
        document["id"] = selector.id
    if selector.id_pattern is not None:
        document["idPattern"] = selector.id_pattern
    return document


def _geo(geo: GeoQuery, context: Context) -> Document:
    relation = geo.relation.value
    if geo.relation is GeoRelation.NEAR:
        for name, distance in (("maxDistance", geo.max_distance_m), ("minDistance", geo.min_distance_m)):
            relation += "" if distance is None else f";{name}=={_bare(distance)}"
    return {
        "georel": relation,
        "geometry": geo.geometry["type"],
        "coordinates": geo.geometry["coordinates"],
        "geoproperty": context.compact(geo.geoproperty),
    }


def _notification(params: NotificationParams, deliveries: Deliveries, context: Context, *, secrets: bool) -> Document:
    document: Document = {
        "attributes": _compacted(params.attributes, context),
        "pick": _projected(params.pick, context),
        "omit": _projected(params.omit, context),
    }
    document = {name: names for name, names in document.items() if names}
    if params.join is not None:
        document |= {"join": params.join.value, "joinLevel": params.join_level}
    document |= {"format": _form_name(params.form), "endpoint": _endpoint(params.endpoint, secrets=secrets)}
    document |= dict.fromkeys(_flags(params), True)
    return document | dict(_counts(deliveries))


def _projected(projection: Projection, context: Context) -> list[str]:
    return [
        name if below is None else f"{name}{{{','.join(_projected(below, context))}}}"
        for name, below in zip(_compacted(projection.members, context), projection.members.values(), strict=True)
    ]


def _flags(params: NotificationParams) -> Iterator[str]:
    if params.sys_attrs:
        yield "sysAttrs"
    if params.show_changes:
        yield "showChanges"


def _form_name(form: Form) -> str:
    match form:
        case Form.NORMALIZED:
            return "normalized"
        case Form.CONCISE:
            return "concise"
        case Form.SIMPLIFIED:
            return "keyValues"
        case _:
            assert_never(form)


def _endpoint(endpoint: Endpoint, *, secrets: bool) -> Document:
    document: Document = {
        "uri": endpoint.uri if secrets else endpoint.shown_uri,
        "accept": endpoint.accept.value,
        "timeout": endpoint.timeout_ms,
        "cooldown": endpoint.cooldown_ms,
        "receiverInfo": _pairs(endpoint.receiver_info) if secrets else None,
        "notifierInfo": _pairs(endpoint.notifier_info),
    }
    return {name: value for name, value in document.items() if value is not None}


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[Document] | None:
    return [{"key": key, "value": value} for key, value in pairs] or None


def _counts(deliveries: Deliveries) -> Iterator[tuple[str, Any]]:
    """Of notifications sent, once there are any (5.2.14.2)."""
    if deliveries.last_notification is None:
        return
    is_failing = (deliveries.last_failure or 0) > (deliveries.last_success or 0)
    yield "status", "failed" if is_failing else "ok"
    yield "timesSent", deliveries.times_sent
    yield "timesFailed", deliveries.times_failed
    yield "lastNotification", format_instant(deliveries.last_notification)
    if deliveries.last_success is not None:
        yield "lastSuccess", format_instant(deliveries.last_success)
    if deliveries.last_failure is not None:
        yield "lastFailure", format_instant(deliveries.last_failure)


def _compacted(names: Iterable[Iri], context: Context) -> list[str]:
    return [name if name in CORE_MEMBERS else context.compact(name) for name in names]


def _bare(number: float | None) -> float | int | None:
    """Without ".0"."""
    return int(number) if number is not None and number.is_integer() else number


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)
