"""The door to subscriptions: who may make, see and end them, and where they may send."""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.ports.store import Outrun
from parvis.broker.ports.subscriptions import DeadLetterPage, SubscriptionPage, SubscriptionStore
from parvis.broker.rights import hidden_attributes, refusal
from parvis.broker.subscriptions.conditions import names_asked
from parvis.broker.subscriptions.model import DeadLetter, Endpoint, Subscribed, Subscription
from parvis.broker.subscriptions.parse import new_subscription, read_patch
from parvis.broker.subscriptions.reach import is_changed_by, is_seen_by
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.outbound import CallFailed
from parvis.kernel.reach import local_name
from parvis.kernel.time import Clock, system_clock

AddressCheck = Callable[[str], Awaitable[None]]
"""Raises AddressRefused for a URL that may not be called, CallFailed for one that cannot be called just now."""

_PORTS: Mapping[str, int] = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}
_AT_ONCE = 500
_log = logging.getLogger(__name__)


class Subscriptions:
    """WRITE makes and ends them, READ sees them; ADMINISTER sees what is secret in them.

    A subscription is of who wrote it last: its notifications tell what they may read by then, and no more.
    Without `check_address` endpoints are looked at only when they are called. `settle` is called before one is shown:
    it saves what became of notifications so far. `catch_up` returns when every change so far was held against them, or
    after a while. Both are there only while this process notifies.
    """

    def __init__(
        self,
        store: SubscriptionStore,
        check_address: AddressCheck | None = None,
        clock: Clock = system_clock,
        most: int | None = None,
    ) -> None:
        """`most`: so many each tenant may have; None: as many as it likes."""
        self.settle: Callable[[], Awaitable[None]] | None = None
        self.catch_up: Callable[[], Awaitable[None]] | None = None
        self._store = store
        self._check_address = check_address
        self._most = most
        self._clock = clock

    async def create(
        self, caller: Caller, document: Mapping[str, Any], context: Context, via: tuple[str, ...] = ()
    ) -> Subscription:
        """Create subscription (NGSI-LD 1.9.1, 5.8.1), that of another broker where it comes `via` others.

        Raises:
            BadRequestData, TooComplexQuery: the document breaks a rule.
            AddressRefused: the endpoint lies where the platform may not go.
            AlreadyExists, TooManySubscriptions
        """
        _check_writer(caller)
        subscription = replace(new_subscription(document, context, caller, self._clock()), via=via)
        _check_named(caller, subscription)
        await self._check_endpoint(subscription.notification.endpoint)
        await self._store.add(subscription, self._most)
        _log.info("subscribed", extra=_facts(caller, subscription.id))
        return subscription

    async def update(
        self, caller: Caller, subscription_id: str, document: Mapping[str, Any], context: Context
    ) -> Subscription:
        """Update subscription (5.8.2): members given take the place of those there, null takes them back.

        Raises as `create`, and ResourceNotFound.
        """
        _check_writer(caller)
        patch = read_patch(document, context)
        before = await self._changeable(caller, subscription_id)
        now = self._clock()
        changed = patch.apply(before, caller, now)
        _check_named(caller, changed)
        asked = changed.notification.endpoint
        if asked.uri != before.notification.endpoint.uri:
            await self._check_endpoint(asked)
        await self._store.change(caller.tenant, subscription_id, lambda one: patch.apply(one, caller, now))
        _log.info("subscription changed", extra=_facts(caller, subscription_id))
        return (await self.get(caller, subscription_id)).subscription

    async def set_active(self, caller: Caller, subscription_id: str, *, is_active: bool) -> None:
        """Pause it, or go on. Raises Forbidden or ResourceNotFound."""
        await self._changeable(caller, subscription_id)
        now = self._clock()
        await self._store.change(
            caller.tenant, subscription_id, lambda one: replace(one, is_active=is_active, modified_at=now)
        )
        _log.info("subscription changed", extra=_facts(caller, subscription_id))

    async def get(self, caller: Caller, subscription_id: str) -> Subscribed:
        """Retrieve subscription (5.8.3). Raises ResourceNotFound."""
        _check_reader(caller)
        await self._settle()
        found = await self._store.find(caller.tenant, subscription_id)
        if found is None or not is_seen_by(caller, found.subscription):
            raise ResourceNotFound(f"There is no subscription {subscription_id}.")
        return found

    async def list_page(self, caller: Caller, limit: int, offset: int = 0) -> SubscriptionPage:
        """Query subscriptions (5.8.4)."""
        _check_reader(caller)
        await self._settle()
        if caller.reads is None:
            return await self._store.list_page(caller.tenant, limit, offset)
        seen = [one async for one in self._walk(caller.tenant) if is_seen_by(caller, one.subscription)]
        return SubscriptionPage(tuple(seen[offset : offset + limit]), len(seen))

    async def _walk(self, tenant: str) -> AsyncIterator[Subscribed]:
        offset = 0
        while page := (await self._store.list_page(tenant, _AT_ONCE, offset)).subscribed:
            for one in page:
                yield one
            offset += len(page)

    async def delete(self, caller: Caller, subscription_id: str) -> None:
        """Delete subscription (5.8.5), with its dead letters. Raises Forbidden or ResourceNotFound."""
        await self._changeable(caller, subscription_id)
        if not await self._store.remove(caller.tenant, subscription_id):
            raise ResourceNotFound(f"There is no subscription {subscription_id}.")
        _log.info("unsubscribed", extra=_facts(caller, subscription_id))

    async def list_letters(
        self, caller: Caller, subscription_id: str | None = None, limit: int = 20, before: int | None = None
    ) -> DeadLetterPage:
        """Without a subscription those of all: for who sees all. Raises Forbidden or ResourceNotFound."""
        _check_reader(caller)
        if subscription_id is None and caller.reads is not None:
            raise refusal(caller, "see subscriptions")
        if subscription_id is not None and not await self._sees(caller, subscription_id):
            raise ResourceNotFound(f"There is no subscription {subscription_id}.")
        return await self._store.list_letters(caller.tenant, subscription_id, limit, before)

    async def find_letter(self, caller: Caller, number: int) -> DeadLetter | None:
        _check_reader(caller)
        letter = await self._store.find_letter(caller.tenant, number)
        return None if letter is None or not await self._sees(caller, letter.subscription_id) else letter

    async def remove_letters(self, caller: Caller, numbers: Sequence[int]) -> int:
        """How many there were. Raises Forbidden, also where one is of a subscription that the caller may not change."""
        _check_writer(caller)
        if caller.writes is not None:
            for number in numbers:
                letter = await self._store.find_letter(caller.tenant, number)
                if letter is not None:
                    await self._changeable(caller, letter.subscription_id)
        return await self._store.remove_letters(caller.tenant, numbers)

    async def _changeable(self, caller: Caller, subscription_id: str) -> Subscription:
        """Raises Forbidden or ResourceNotFound."""
        _check_writer(caller)
        found = await self._store.find(caller.tenant, subscription_id)
        if found is None:
            raise ResourceNotFound(f"There is no subscription {subscription_id}.")
        if not is_changed_by(caller, found.subscription):
            raise refusal(caller, "change this subscription")
        return found.subscription

    async def _sees(self, caller: Caller, subscription_id: str) -> bool:
        if caller.reads is None:
            return True
        found = await self._store.find(caller.tenant, subscription_id)
        return found is not None and is_seen_by(caller, found.subscription)

    async def _settle(self) -> None:
        if self.settle is not None:
            with contextlib.suppress(Outrun):
                await self.settle()

    async def _check_endpoint(self, endpoint: Endpoint) -> None:
        """A name that leads nowhere just now may do so later: whoever calls it checks it again, each time."""
        if self._check_address is None:
            return
        try:
            await self._check_address(_as_http(endpoint.uri))
        except CallFailed as failure:
            _log.info("an endpoint cannot be reached yet", extra={"reason": failure.detail})


def may_see_secrets(caller: Caller) -> bool:
    """receiverInfo, and the password of an MQTT address."""
    return caller.may(Right.ADMINISTER)


def _as_http(uri: str) -> str:
    """What the guard looks at is host and port, whatever is spoken there."""
    parts = urlsplit(uri)
    if not parts.scheme.startswith("mqtt"):
        return uri
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"http://{host}:{parts.port or _PORTS[parts.scheme]}/"


def _check_writer(caller: Caller) -> None:
    if not caller.may(Right.WRITE):
        raise refusal(caller, "subscribe")


def _check_reader(caller: Caller) -> None:
    if not caller.may(Right.READ):
        raise refusal(caller, "see subscriptions")


def _check_named(caller: Caller, subscription: Subscription) -> None:
    """Whether a condition holds, or an attribute has changed, tells of it. Raises Forbidden."""
    if caller.hides is not None:
        named = {local_name(one) for one in {*names_asked(subscription), *subscription.watched}}
        if found := sorted(named & caller.hides.names):
            raise hidden_attributes(caller, found)


def _facts(caller: Caller, subscription_id: str) -> dict[str, str]:
    return {"tenant": caller.tenant, "subject": caller.subject, "subscription": subscription_id}
