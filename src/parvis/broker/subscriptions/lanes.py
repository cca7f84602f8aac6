"""All lanes: one for each endpoint of a tenant, made when somebody sends there and forgotten when nobody does."""

import random
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from parvis.broker.ports.notifications import NotificationSender, Receipt, Verdict
from parvis.broker.subscriptions.breaker import Breaker
from parvis.broker.subscriptions.lane import Lane, Load
from parvis.broker.subscriptions.model import Endpoint, Subscription
from parvis.kernel.causes import Cause


class Lanes:
    def __init__(self, senders: Mapping[str, NotificationSender]) -> None:
        self._senders = senders
        self._load = Load()
        self._lanes: dict[tuple[str, str], Lane] = {}

    @property
    def open_breakers(self) -> int:
        return sum(lane.breaker.is_away for lane in self._lanes.values())

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lanes.values()))

    def of(self, subscription: Subscription) -> Lane:
        uri = subscription.notification.endpoint.uri
        key = subscription.tenant, _address_of(uri)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(sender_to(uri, self._senders), Breaker(random.random), self._load)
        return lane

    def forget_all_but(self, used: Collection[Lane]) -> None:
        """What is still being sent goes on."""
        kept = {id(lane) for lane in used}
        self._lanes = {key: lane for key, lane in self._lanes.items() if id(lane) in kept or not lane.is_idle}

    def give_up_overdue(self) -> None:
        for lane in self._lanes.values():
            if lane.breaker.is_away or lane.is_full:
                lane.give_up_overdue(Cause.AWAY_TOO_LONG.say())

    async def close(self) -> None:
        for lane in self._lanes.values():
            await lane.close()


class _NoWay:
    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Receipt:
        return Receipt(Verdict.REFUSED, Cause.NO_WAY.say(address=endpoint.shown_uri))


_NO_WAY = _NoWay()


def sender_to(uri: str, senders: Mapping[str, NotificationSender]) -> NotificationSender:
    """The one of its scheme, or one that refuses everything."""
    return senders.get(urlsplit(uri).scheme, _NO_WAY)


def _address_of(uri: str) -> str:
    """What fails together: a path of a web server, or an MQTT broker whatever the topic."""
    parts = urlsplit(uri)
    path = "" if parts.scheme.startswith("mqtt") else parts.path
    return f"{parts.scheme}://{parts.netloc}{path}"
