"""How endpoints do, as the process that notifies sees it and tells the others now and then."""

import msgspec

from parvis.broker.subscriptions.breaker import BreakerState
from parvis.kernel.time import SECOND, Instant

TOLD_EVERY_S = 2.0
MOST_TOLD = 1_000
SubscriptionKey = tuple[str, str]


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """How the endpoint of a subscription does just now."""

    breaker: BreakerState
    waiting: int
    behind_events: int
    lag: Instant

    @property
    def is_well(self) -> bool:
        return self.breaker is BreakerState.CLOSED and self.lag < SECOND


WELL = Standing(BreakerState.CLOSED, 0, 0, 0)


class Told(msgspec.Struct, frozen=True):
    """`unwell` are the worst of those that are, at most MOST_TOLD."""

    open_breakers: int = 0
    waiting: int = 0
    lag: Instant = 0
    unwell: tuple[tuple[str, str, Standing], ...] = ()

    @property
    def standings(self) -> dict[SubscriptionKey, Standing]:
        return {(tenant, subscription_id): standing for tenant, subscription_id, standing in self.unwell}


NOTHING_TOLD = Told()


def worst_of(standings: dict[SubscriptionKey, Standing]) -> tuple[tuple[str, str, Standing], ...]:
    unwell = [(*key, standing) for key, standing in standings.items() if not standing.is_well]
    return tuple(sorted(unwell, key=lambda one: -one[2].lag)[:MOST_TOLD])
