"""Subscriptions to registrations, and what they have told (NGSI-LD 1.9.1, 5.2.12, 5.11.2 and 5.11.7)."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from parvis.broker.jsonld.context import Context
from parvis.broker.model.merge import NULL
from parvis.broker.query.parse import parse_q
from parvis.broker.query.tree import Condition, TemporalQuery
from parvis.broker.sources.discovery import EntityAsked, SourceQuery, attributes_of
from parvis.broker.subscriptions.model import NONE_SO_FAR, Deliveries, Selector, Subscribed, Subscription
from parvis.broker.subscriptions.parse import Patch, new_subscription, read_patch
from parvis.broker.subscriptions.render import render_subscription
from parvis.broker.subscriptions.values import read_text, refuse
from parvis.broker.temporal.parse import parse_temporal_query
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant

_TIME_MEMBERS = ("timerel", "timeAt", "endTimeAt", "timeproperty")


class SourceSubscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody's wish to be told of registrations. `csf_text` and `temporal_given` are as they were given."""

    wish: Subscription
    csf: Condition | None = None
    csf_text: str | None = None
    temporal: TemporalQuery | None = None
    temporal_given: dict[str, Any] | None = None

    @property
    def tenant(self) -> str:
        return self.wish.tenant

    @property
    def id(self) -> str:
        return self.wish.id


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """`told` are the registrations that the subscriber knows of, each as of its last change that was told.

    After `failures` in a row the next attempt is at `retry_at`; `periodic_at` is the last notification by the clock.
    """

    deliveries: Deliveries = NONE_SO_FAR
    told: dict[str, Instant] = {}
    failures: int = 0
    retry_at: Instant = 0
    periodic_at: Instant = 0


NOTHING_YET = Standing()


class SourceSubscribed(msgspec.Struct, frozen=True):
    """A subscription as it stands in the store."""

    subscription: SourceSubscription
    standing: Standing = NOTHING_YET


class SourcePatch(msgspec.Struct, frozen=True):
    """What a document says: of the subscription itself, and of what only these subscriptions have."""

    wish: Patch
    own: dict[str, Any]

    def apply(self, subscription: SourceSubscription, writer: Caller, now: Instant) -> SourceSubscription:
        """Raises BadRequestData."""
        return msgspec.structs.replace(subscription, wish=self.wish.apply(subscription.wish, writer, now), **self.own)


def new_source_subscription(
    document: Mapping[str, Any], context: Context, writer: Caller, now: Instant
) -> SourceSubscription:
    """Raises BadRequestData, TooComplexQuery or OperationNotSupported."""
    common, own = _split(document, context)
    return SourceSubscription(new_subscription(common, context, writer, now), **own)


def read_source_patch(document: Mapping[str, Any], context: Context) -> SourcePatch:
    """Raises as `new_source_subscription`."""
    told = document.get("notification")
    if isinstance(told, dict) and "endpoint" not in told:
        raise BadRequestData("notification is given as a whole: it needs endpoint (5.2.14).")
    common, own = _split(document, context)
    return SourcePatch(read_patch(common, context), own)


def source_query(subscription: SourceSubscription) -> SourceQuery:
    """What a registration has to match."""
    wish = subscription.wish
    asked = () if wish.q is None else tuple(attributes_of(wish.q))
    return SourceQuery(
        tuple(map(_asked, wish.selectors)),
        wish.watched or tuple(dict.fromkeys((*wish.notification.attributes, *asked))),
        subscription.csf,
        wish.geo,
        wish.scope,
        subscription.temporal,
    )


def render_source_subscription(
    one: SourceSubscribed, context: Context, now: Instant, *, sys_attrs: bool = False, secrets: bool = False
) -> dict[str, Any]:
    """The document without @context, and without what holds anyway."""
    subscription = one.subscription
    subscribed = Subscribed(subscription.wish, one.standing.deliveries)
    document = render_subscription(subscribed, context, now, sys_attrs=sys_attrs, secrets=secrets)
    own = {"csf": subscription.csf_text, "temporalQ": subscription.temporal_given}
    if not subscription.wish.triggers:
        document.pop("notificationTrigger", None)
    if not one.standing.deliveries.times_failed:
        document["notification"].pop("timesFailed", None)
    return document | {name: value for name, value in own.items() if value is not None}


def _asked(selector: Selector) -> EntityAsked:
    return EntityAsked(selector.types, () if selector.id is None else (selector.id,), selector.id_pattern)


def _split(document: Mapping[str, Any], context: Context) -> tuple[dict[str, Any], dict[str, Any]]:
    """The members that every subscription has, and the fields of the others."""
    common = {name: value for name, value in document.items() if name not in ("csf", "temporalQ")}
    return common, dict(_own(document, context))


def _own(document: Mapping[str, Any], context: Context) -> Iterable[tuple[str, Any]]:
    if "csf" in document:
        given = document["csf"]
        text = None if given is None or given == NULL else read_text(given, "csf")
        yield "csf_text", text
        yield "csf", None if text is None else parse_q(text, context)
    if "temporalQ" in document:
        given = document["temporalQ"]
        yield "temporal_given", None if given == NULL else given
        yield "temporal", None if given is None or given == NULL else _temporal(given)


def _temporal(given: Any) -> TemporalQuery:
    if type(given) is not dict or not {"timerel", "timeAt"} <= given.keys() <= set(_TIME_MEMBERS):
        refuse("temporalQ", "an object with timerel, timeAt, and possibly endTimeAt and timeproperty", given)
    words = {name: read_text(value, f"temporalQ.{name}") for name, value in given.items()}
    timerel, time_at, end, timeproperty = (words.get(name) for name in _TIME_MEMBERS)
    query = parse_temporal_query(timerel, time_at, end, timeproperty)
    if query.relation is None:
        raise BadRequestData("temporalQ needs timerel.")
    return query
