"""What a subscription's owner may see, by the rights they have when it is told."""

from msgspec.structs import replace

from parvis.broker.broker import Broker
from parvis.broker.sight import Sight
from parvis.broker.subscriptions.conditions import names_asked
from parvis.broker.subscriptions.model import Occurrence, Subscription
from parvis.kernel.identity import READERS, Caller


def reader_of(broker: Broker, subscription: Subscription) -> Caller | None:
    """In whose name entities are read for it. None: its owner is gone."""
    if broker.find_owner is None:
        return subscription.reader
    return broker.find_owner(subscription.creator, subscription.tenant)


def seen(broker: Broker, subscription: Subscription, occurrence: Occurrence) -> Occurrence | None:
    reader = reader_of(broker, subscription)
    if reader is None or not reader.rights & READERS:
        return None
    sight = broker.sight(reader)
    entity = sight.shown(occurrence.entity)
    if entity is None or sight.hides is None:
        return None if entity is None else occurrence
    return _less_hidden(sight, subscription, replace(occurrence, entity=entity))


def _less_hidden(sight: Sight, subscription: Subscription, told: Occurrence) -> Occurrence | None:
    types = told.entity.types
    hidden = sight.hidden_of(types)
    if not hidden:
        return told
    if sight.is_hidden(names_asked(subscription), types):
        return None
    left = replace(
        told,
        written=sight.kept(told.written, types),
        removed=sight.keys_kept(told.removed, types),
        created=frozenset(sight.keys_kept(tuple(told.created), types)),
        previous=sight.kept(told.previous, types),
    )
    is_change = told.is_deletion or told.is_creation
    return left if is_change or left.written or left.removed else None
