"""Subscriptions, notes and dead letters as the columns that both stores keep of them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from parvis.broker.subscriptions.model import DeadLetter, Deliveries, Note, Subscribed, Subscription, consumer_of
from parvis.kernel.errors import TooManySubscriptions

_SUBSCRIPTION = msgspec.json.Decoder(Subscription)
_HEADERS = msgspec.json.Decoder(dict[str, str])

Row = tuple[Any, ...]


def too_many(most: int) -> TooManySubscriptions:
    return TooManySubscriptions(
        f"A tenant may have at most {most} subscriptions (subscriptions.max_per_tenant): delete one that is not needed."
    )


def subscription_of(document: str | bytes) -> Subscription:
    return _SUBSCRIPTION.decode(document)


def subscribed_of(row: Row) -> Subscribed:
    """Of the document, the counts and instants of Deliveries, and the consumer's position."""
    document, *deliveries, position = row
    return Subscribed(subscription_of(document), Deliveries(*deliveries), position or 0)


def moves_of(notes: Iterable[Note]) -> list[Row]:
    """(position, consumer) of those that move theirs."""
    return [(one.position, consumer_of(one.tenant, one.subscription_id)) for one in notes if one.position is not None]


def deliveries_of(notes: Iterable[Note]) -> list[Row]:
    """What became of notifications, then tenant and subscription, of those that tell something of it."""
    return [
        (
            one.sent,
            one.failed,
            one.last_notification,
            one.last_success,
            one.last_failure,
            one.last_reason,
            one.tenant,
            one.subscription_id,
        )
        for one in notes
        if one.sent or one.failed or one.last_failure is not None or one.last_success is not None
    ]


def letter_row(letter: DeadLetter) -> Row:
    """What is kept of it, then tenant and subscription."""
    return (
        letter.at,
        letter.entity_id,
        letter.event,
        letter.uri,
        letter.reason,
        letter.attempts,
        letter.body,
        msgspec.json.encode(dict(letter.headers)).decode(),
        letter.tenant,
        letter.subscription_id,
    )


def letter_of(row: Row) -> DeadLetter:
    """Of number, tenant and subscription, then what is kept of it."""
    number, tenant, urn, at, entity_id, event, uri, reason, attempts, body, headers = row
    return DeadLetter(tenant, urn, at, entity_id, event, uri, reason, attempts, body, _HEADERS.decode(headers), number)
