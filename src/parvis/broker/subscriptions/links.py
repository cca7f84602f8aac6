"""What subscriptions ask of linked entities: in their conditions, and for their notifications (NGSI-LD 1.9.1, 4.5.23).

It is asked for as the subscriber, and only where a subscription speaks of linked entities.
"""

import logging
from collections.abc import Sequence
from functools import partial

from parvis.broker.broker import Broker
from parvis.broker.linked import Neighbours, holds_for, neighbours
from parvis.broker.model.entity import Entity
from parvis.broker.subscriptions.match import Compiled, Matcher
from parvis.broker.subscriptions.model import Occurrence
from parvis.broker.subscriptions.notification import Linked
from parvis.broker.subscriptions.recipient import Recipient
from parvis.broker.subscriptions.seeing import reader_of
from parvis.kernel.causes import Cause
from parvis.kernel.errors import Forbidden, ParvisError, TooComplexQuery, TooManyResults
from parvis.kernel.time import Instant

_NOT_FOLLOWED = (Forbidden, TooComplexQuery, TooManyResults)
_log = logging.getLogger(__name__)


async def find_told(
    broker: Broker, matcher: Matcher, compiled: Compiled, occurrence: Occurrence | None, now: Instant
) -> Occurrence | None:
    """What the subscription is to be told of it. What it cannot be held against is not told, and logged."""
    try:
        told = None if occurrence is None else matcher.match(compiled, occurrence, now)
    except (ParvisError, ValueError, TypeError, LookupError):
        _tell_unmatched(compiled)
        return None
    if told is None or compiled.linked_q is None:
        return told
    reader = reader_of(broker, compiled.subscription)
    try:
        holds = reader is not None and await holds_for(compiled.linked_q, told.entity, partial(broker.query, reader))
    except (ValueError, TypeError, LookupError, *_NOT_FOLLOWED):
        _tell_unmatched(compiled)
        return None
    return told if holds else None


def _tell_unmatched(compiled: Compiled) -> None:
    _log.exception("a change could not be held against a subscription", extra={"id": compiled.subscription.id})


async def find_linked_of(broker: Broker, one: Recipient, occurrence: Occurrence) -> Linked | None:
    """As `find_linked`; a deleted entity leads nowhere."""
    return await find_linked(broker, one, () if occurrence.is_deletion else (occurrence.entity,))


async def find_linked(broker: Broker, one: Recipient, entities: Sequence[Entity]) -> Linked | None:
    """None where the subscription asks for none. Where there is too much of it, it is left out, and that is told."""
    linkage, reader = one.linkage, reader_of(broker, one.subscription)
    if linkage is None or reader is None:
        return None
    ask = partial(broker.query, reader)
    try:
        return Linked(linkage, await neighbours(ask, entities, linkage.linking, linkage.shown))
    except _NOT_FOLLOWED as fault:
        one.note_fault(Cause.NOT_READ.say(fault=fault.detail))
        return Linked(linkage, Neighbours({}, ()))
