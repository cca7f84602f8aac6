"""What a subscriber is to be told of registrations: the difference to what it knows (NGSI-LD 1.9.1, 5.3.2, 5.11.7).

Nothing is queued: what was told is remembered, and what differs from it is told next, also after a crash.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context, link_to
from parvis.broker.jsonld.render import encode
from parvis.broker.sources.discovery import matches, matching_part
from parvis.broker.sources.model import Registration
from parvis.broker.sources.parse import TYPE
from parvis.broker.sources.render import render_registration
from parvis.broker.sources.subscription import SourceSubscribed, SourceSubscription, Standing, source_query
from parvis.broker.subscriptions.model import Accept, Status
from parvis.broker.subscriptions.notification import Message, context_url
from parvis.kernel.identity import DEFAULT_TENANT, Right
from parvis.kernel.time import SECOND, Instant, format_instant

MOST_TOLD = 500
"""Registrations in one notification."""


class TriggerReason(Enum):
    """Why registrations are told (5.2.24)."""

    NEWLY_MATCHING = "newlyMatching"
    UPDATED = "updated"
    NO_LONGER_MATCHING = "noLongerMatching"


class Notice(msgspec.Struct, frozen=True):
    """Registrations to tell, and what the subscriber knows once it has them. `gone` are told by their ids alone."""

    reason: TriggerReason
    told: Mapping[str, Instant]
    registrations: tuple[Registration, ...] = ()
    gone: tuple[str, ...] = ()
    is_periodic: bool = False


def find_notice(one: SourceSubscribed, registered: Sequence[Registration], now: Instant) -> Notice | None:
    """What is to be told next, if anything: several reasons come one after the other."""
    wish, standing = one.subscription.wish, one.standing
    if wish.status(now) is not Status.ACTIVE or Right.READ not in wish.reader.rights:
        return None
    query = source_query(one.subscription)
    matching = {each.id: each for each in registered if each.is_in_force(now) and matches(each, query)}
    if wish.interval_s is not None:
        return _periodic(matching, standing, round(wish.interval_s * SECOND), now)
    known = {each.id: each for each in registered}
    return next(_differences(matching, known, standing.told), None)


def next_due(one: SourceSubscribed) -> Instant | None:
    """When the clock alone may bring something to tell."""
    if one.standing.failures:
        return one.standing.retry_at
    interval_s = one.subscription.wish.interval_s
    return None if interval_s is None else one.standing.periodic_at + round(interval_s * SECOND)


def write_notice(notice: Notice, subscription: SourceSubscription, context: Context, now: Instant) -> Message:
    wish = subscription.wish
    query = source_query(subscription)
    shown = [render_registration(matching_part(one, query), context) for one in notice.registrations]
    if notice.reason is TriggerReason.NO_LONGER_MATCHING:
        shown = [render_registration(one, context) for one in notice.registrations]
    shown += [{"id": one, "type": TYPE} for one in notice.gone]
    document: dict[str, Any] = {
        "id": _notification_id(subscription, notice, now),
        "type": "ContextSourceNotification",
        "subscriptionId": subscription.id,
        "triggerReason": notice.reason.value,
        "notifiedAt": format_instant(now),
        "data": shown,
    }
    accept = Accept.JSON if wish.notification.endpoint.accept is Accept.GEO_JSON else wish.notification.endpoint.accept
    headers = {"Content-Type": accept.value}
    if wish.tenant != DEFAULT_TENANT:
        headers["NGSILD-Tenant"] = wish.tenant
    url = context_url(context.source)
    if accept is Accept.JSON_LD:
        document["@context"] = context.source
    elif url is not None:
        headers["Link"] = link_to(url)
    return Message(headers, encode(document))


def after_success(standing: Standing, notice: Notice, now: Instant) -> Standing:
    before = standing.deliveries
    deliveries = replace(
        before, times_sent=before.times_sent + 1, last_notification=now, last_success=now, last_reason=None
    )
    return Standing(deliveries, dict(notice.told), periodic_at=now if notice.is_periodic else standing.periodic_at)


def after_failure(standing: Standing, notice: Notice, reason: str, wait: Instant, now: Instant) -> Standing:
    """`wait` 0: it is not told again."""
    before = standing.deliveries
    deliveries = replace(
        before,
        times_sent=before.times_sent + 1,
        times_failed=before.times_failed + 1,
        last_notification=now,
        last_failure=now,
        last_reason=reason,
    )
    periodic_at = now if notice.is_periodic else standing.periodic_at
    if not wait:
        return Standing(deliveries, dict(notice.told), periodic_at=periodic_at)
    return Standing(deliveries, standing.told, standing.failures + 1, now + wait, periodic_at)


def _periodic(
    matching: Mapping[str, Registration], standing: Standing, interval: Instant, now: Instant
) -> Notice | None:
    if standing.periodic_at and now < standing.periodic_at + interval:
        return None
    reason = TriggerReason.UPDATED if standing.periodic_at else TriggerReason.NEWLY_MATCHING
    some = tuple(matching.values())[:MOST_TOLD]
    return Notice(reason, {one.id: one.modified_at for one in some}, some, is_periodic=True) if some else None


def _differences(
    matching: Mapping[str, Registration], known: Mapping[str, Registration], told: Mapping[str, Instant]
) -> Iterator[Notice]:
    new = tuple(one for one in matching.values() if one.id not in told)[:MOST_TOLD]
    if new:
        yield Notice(TriggerReason.NEWLY_MATCHING, _with(told, new), new)
    changed = tuple(one for one in matching.values() if told.get(one.id, one.modified_at) != one.modified_at)
    if changed:
        yield Notice(TriggerReason.UPDATED, _with(told, changed[:MOST_TOLD]), changed[:MOST_TOLD])
    lost = [one for one in told if one not in matching][:MOST_TOLD]
    if lost:
        left = {one: at for one, at in told.items() if one not in lost}
        still = tuple(known[one] for one in lost if one in known)
        gone = tuple(one for one in lost if one not in known)
        yield Notice(TriggerReason.NO_LONGER_MATCHING, left, still, gone)


def _with(told: Mapping[str, Instant], some: Sequence[Registration]) -> dict[str, Instant]:
    return {**told, **{one.id: one.modified_at for one in some}}


def _notification_id(subscription: SourceSubscription, notice: Notice, now: Instant) -> str:
    """Of what is told: a notification sent twice, after a crash, has the same id twice."""
    number = now if notice.is_periodic else 0
    name = encode([subscription.tenant, subscription.id, notice.reason.value, sorted(notice.told.items()), number])
    return f"urn:ngsi-ld:Notification:{hashlib.blake2b(name, digest_size=16).hexdigest()}"
