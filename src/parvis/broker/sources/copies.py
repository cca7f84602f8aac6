"""Subscriptions as context sources get them (NGSI-LD 1.9.1, 5.8.1.4): reduced to what each has registered."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import Form
from parvis.broker.model.entity import Iri
from parvis.broker.model.merge import NULL
from parvis.broker.query.parse import parse_q
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.projection import NOTHING
from parvis.broker.query.tree import AnyType, TypeIs, TypeSelection
from parvis.broker.sources.discovery import (
    EntityAsked,
    SourceQuery,
    attributes_of,
    entity_matches,
    info_matches,
    types_may_hold,
)
from parvis.broker.sources.forward import source_context
from parvis.broker.sources.model import EntityInfo, Registration, RegistrationInfo
from parvis.broker.sources.plan import is_of, narrowed
from parvis.broker.subscriptions.model import Accept, Endpoint, Selector, Subscribed, Subscription
from parvis.broker.subscriptions.render import render_subscription
from parvis.kernel.time import Instant

NOTIFY_WITHIN_MS: Final = 10_000
"""So long a source waits for its notification to reach the subscriber."""
_OUTPUT_ONLY = frozenset({"status", "timesSent", "timesFailed", "lastNotification", "lastSuccess", "lastFailure"})

CopyKey = tuple[str, str, str]
"""(tenant, subscription, registration)"""


class Copy(msgspec.Struct, frozen=True, omit_defaults=True):
    """One subscription at one source. It is kept before it is sent: whatever happens then, it can be taken back.

    `registration` is the source as it was called last. `token` is the secret end of the address that notifications
    come to. `sent` is what the source has said to have; None: it may have it, or not.
    """

    registration: Registration
    subscription_id: str
    remote_id: str
    token: str
    context: Any
    sent: dict[str, Any] | None = None

    @property
    def tenant(self) -> str:
        return self.registration.tenant

    @property
    def key(self) -> CopyKey:
        return self.tenant, self.subscription_id, self.registration.id

    def __repr__(self) -> str:
        return f"Copy({self.key})"


def is_same_place(one: Registration, other: Registration) -> bool:
    return (one.endpoint, one.source_tenant) == (other.endpoint, other.source_tenant)


def is_read_here(subscription: Subscription, registration: Registration) -> bool:
    """Whether notifications are taken apart and judged here, and not only passed on: where what a source has is a
    piece, or is in names of its own, or where the subscriber wants another media type."""
    return (
        bool(subscription.split_entities)
        or source_context(registration) is not None
        or subscription.notification.endpoint.accept is Accept.GEO_JSON
    )


def source_query_for(subscription: Subscription, context: Context) -> SourceQuery:
    """What a registration has to match so that its source may have something to tell."""
    params = subscription.notification
    asked = () if subscription.q is None else tuple(attributes_of(subscription.q))
    attrs = subscription.watched or tuple(dict.fromkeys((*params.attributes, *asked)))
    csf = None if subscription.csf_text is None else parse_q(subscription.csf_text, context)
    return SourceQuery(tuple(map(_asked, subscription.selectors)), attrs, csf)


def reduced(
    subscription: Subscription,
    registration: Registration,
    query: SourceQuery,
    context: Context,
    remote_id: str,
    uri: str,
    now: Instant,
) -> dict[str, Any]:
    """The document of the copy, in the names of `context`. `registration` matches `query`."""
    infos = [one for one in registration.information if info_matches(one, query)]
    params, watched = subscription.notification, subscription.watched
    own = {"endpoint": Endpoint(uri, Accept.JSON, NOTIFY_WITHIN_MS), "attributes": narrowed(infos, params.attributes)}
    if params.pick.members:
        own["attributes"] = ()
    changed = replace(
        subscription,
        id=remote_id,
        selectors=tuple(dict.fromkeys(_selectors(subscription, infos))),
        watched=() if subscription.is_periodic else narrowed(infos, watched),
        name=None,
        description=None,
        csf_text=None,
        jsonld_context=None,
        conformance=None,
        notification=replace(params, **own),
    )
    if is_read_here(subscription, registration):
        changed = _unfiltered(changed, narrowed(infos, ()))
    return _document(changed, context, now)


def difference(sent: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes the one the other (5.8.2)."""
    fixed = ("id", "type")
    changed = {name: value for name, value in wanted.items() if name not in fixed and sent.get(name) != value}
    return changed | {name: NULL for name in sent if name not in wanted and name not in fixed}


def is_covered(registration: Registration, subscription: Subscription, entity_id: str, types: Collection[Iri]) -> bool:
    """Whether the source was asked for this entity."""
    is_registered = any(
        not info.entities or any(is_of(one, entity_id, types) for one in info.entities)
        for info in registration.information
    )
    selectors = subscription.selectors
    return is_registered and (not selectors or any(_selects(one, entity_id, types) for one in selectors))


def _selects(selector: Selector, entity_id: str, types: Collection[Iri]) -> bool:
    if selector.types is not None and not types_may_hold(selector.types, types):
        return False
    if selector.id is not None:
        return selector.id == entity_id
    return selector.id_pattern is None or pattern_finder(selector.id_pattern)(entity_id)


def _asked(selector: Selector) -> EntityAsked:
    return EntityAsked(selector.types, () if selector.id is None else (selector.id,), selector.id_pattern)


def _selectors(subscription: Subscription, infos: Sequence[RegistrationInfo]) -> Iterator[Selector]:
    for info in infos:
        if not info.entities:
            yield from subscription.selectors
        elif not subscription.selectors:
            yield from (Selector(_types(one), one.id, one.id_pattern) for one in info.entities)
        else:
            for selector in subscription.selectors:
                yield from (_met(selector, one) for one in info.entities if entity_matches(one, _asked(selector)))


def _met(selector: Selector, info: EntityInfo) -> Selector:
    """Of two patterns the subscriber's: what has not the other is no entity of the source."""
    entity_id = selector.id or info.id
    pattern = None if entity_id is not None else selector.id_pattern or info.id_pattern
    return Selector(_types(info) if selector.types is None else selector.types, entity_id, pattern)


def _types(info: EntityInfo) -> TypeSelection:
    some = tuple(map(TypeIs, info.types))
    return some[0] if len(some) == 1 else AnyType(some)


def _unfiltered(subscription: Subscription, attributes: tuple[Iri, ...]) -> Subscription:
    """All that the source has registered, whole: what is meant of it is seen here."""
    params = replace(
        subscription.notification,
        attributes=attributes,
        pick=NOTHING,
        omit=NOTHING,
        form=Form.NORMALIZED,
        sys_attrs=True,
        show_changes=False,
        join=None,
        join_level=1,
    )
    return replace(
        subscription,
        q=None,
        q_text=None,
        geo=None,
        scope=None,
        scope_text=None,
        expand_values=(),
        json_keys=(),
        datasets=(),
        lang=None,
        notification=params,
    )


def _document(subscription: Subscription, context: Context, now: Instant) -> dict[str, Any]:
    document = render_subscription(Subscribed(subscription), context, now)
    if not subscription.triggers:
        document.pop("notificationTrigger", None)
    told = document["notification"]
    document["notification"] = {name: value for name, value in told.items() if name not in _OUTPUT_ONLY}
    return {name: value for name, value in document.items() if name not in _OUTPUT_ONLY}
