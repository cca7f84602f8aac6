"""Which subscriptions somebody knows of and changes whose rights go over a part of the entities only: their own, and
those that can tell of nothing else."""

from parvis.broker.subscriptions.model import Subscription
from parvis.broker.subscriptions.watched import types_of
from parvis.kernel.identity import Caller
from parvis.kernel.reach import Reach


def is_seen_by(caller: Caller, subscription: Subscription) -> bool:
    return _is_of(caller, caller.reads, subscription)


def is_changed_by(caller: Caller, subscription: Subscription) -> bool:
    return _is_of(caller, caller.writes, subscription)


def _is_of(caller: Caller, reach: Reach, subscription: Subscription) -> bool:
    """In which scopes the entities lie that it tells of is not known here: an area of some alone holds none."""
    if reach is None or subscription.creator == caller.subject:
        return True
    whole = [area for area in reach if not area.scopes]
    types = [types_of(selector.types) for selector in subscription.selectors]
    return bool(types) and all(
        bool(each) and all(any(area.holds_types((one,)) for area in whole) for one in each) for each in types
    )
