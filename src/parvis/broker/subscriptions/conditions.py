"""What the conditions of a subscription are about: whether they hold would tell of it."""

from parvis.broker.model.entity import Iri
from parvis.broker.query.named import names_of_condition
from parvis.broker.subscriptions.model import Subscription


def names_asked(subscription: Subscription) -> set[Iri]:
    named = set() if subscription.q is None else set(names_of_condition(subscription.q))
    return named if subscription.geo is None else {*named, subscription.geo.geoproperty}
