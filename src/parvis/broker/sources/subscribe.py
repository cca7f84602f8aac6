"""Subscribes at context sources to what subscribers want to be told of (NGSI-LD 1.9.1, 5.8.1.4, 5.8.2.4 and 5.8.5.4).

What is to be there is worked out anew from subscriptions and registrations, and compared with what was sent: a crash, a
source that is away or a registration that comes later leaves nothing behind that the next look does not mend.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.sources import SourceStore
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.sources.copies import Copy, CopyKey, difference, is_same_place, reduced, source_query_for
from parvis.broker.sources.discovery import SourceQuery, matches
from parvis.broker.sources.forward import Answered, Around, Ask, SourceClient, alias_of, source_context
from parvis.broker.sources.model import Operation, Registration, operations_of
from parvis.broker.sources.plan import reachable
from parvis.broker.subscriptions.model import Status, Subscription
from parvis.kernel.errors import ParvisError
from parvis.kernel.time import DAY, LAST_INSTANT, MINUTE, SECOND, Clock, Instant, system_clock

NOTIFIED_AT: Final = "/api/federation/notified/"
"""Below the installation's address; a copy's token follows."""
AT_ONCE = 8
_FIRST_WAIT: Instant = 5 * SECOND
_LONGEST_WAIT: Instant = 10 * MINUTE
_GIVEN_UP_AFTER: Instant = 7 * DAY
"""A copy that its source was not heard to have ended is forgotten then: what it tells is told to nobody anyway."""
_LONGEST_SLEEP_S = 60.0
_DONE = frozenset({200, 201, 204, 207})
_log = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True):
    """A subscription as its source is to have it, but for its id and where it notifies."""

    subscription: Subscription
    registration: Registration
    query: SourceQuery
    names: Context
    """What goes along: as the source wants it, or as the subscription has it."""


class _Waiting(msgspec.Struct, frozen=True):
    """`tried` is the document that failed; None: the copy was to be ended."""

    failures: int
    first_at: Instant
    due: Instant
    tried: Any


class SourceSubscriber:
    """One in all processes. `address` is where sources find this installation; it may be told later, by `open`."""

    def __init__(
        self,
        subscriptions: SubscriptionStore,
        sources: SourceStore,
        contexts: Contexts,
        client: SourceClient,
        clock: Clock = system_clock,
        address: str | None = None,
        pause_s: float = 5.0,
    ) -> None:
        self._subscriptions = subscriptions
        self._sources = sources
        self._contexts = contexts
        self._client = client
        self._clock = clock
        self._address = address
        self._opened = asyncio.Event()
        self._pause_s = pause_s
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting: dict[CopyKey, _Waiting] = {}
        if address is not None:
            self._opened.set()

    def open(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._opened.set()

    async def run(self) -> None:
        """Until cancelled. What fails here is begun again."""
        await self._opened.wait()
        while True:
            try:
                subscribed, registered = await self._subscriptions.version(), await self._sources.version()
                await self._wait(subscribed, registered, await self.look())
            except ParvisError as failure:
                _log.warning("sources could not be subscribed to", extra={"reason": failure.detail})
                await asyncio.sleep(self._pause_s)

    async def look(self) -> Instant:
        """Bring what sources have in line with what is wanted; when to look again at the latest."""
        now = self._clock()
        copies = {one.key: one for one in await self._sources.list_copies()}
        registered = await self._sources.list_all()
        if not copies and not registered:
            self._waiting.clear()
            return LAST_INSTANT
        wanted, ends = await self._wanted(registered, now)
        current = {(one.tenant, one.id): one for one in registered}
        keys = copies.keys() | wanted.keys()
        self._waiting = {key: one for key, one in self._waiting.items() if key in keys}
        settling = (self._settle(key, copies.get(key), wanted.get(key), current) for key in sorted(keys))
        for failure in await asyncio.gather(*settling, return_exceptions=True):
            if failure is not None:
                raise failure
        return min([ends, *(one.due for one in self._waiting.values())])

    async def _wanted(self, registered: Sequence[Registration], now: Instant) -> tuple[dict[CopyKey, Wanted], Instant]:
        """With the instant from which on less of it is."""
        found: dict[CopyKey, Wanted] = {}
        able = [one for one in registered if Operation.CREATE_SUBSCRIPTION in operations_of(one)]
        expiring = [one.expires_at for one in able if one.expires_at is not None and one.expires_at > now]
        for one in await self._subscriptions.list_all() if able else ():
            subscription = one.subscription
            if subscription.local_only or subscription.status(now) is Status.EXPIRED:
                continue
            own = [each for each in able if each.tenant == subscription.tenant]
            for wanted in await self._wanted_of(subscription, own, now) if own else ():
                found[subscription.tenant, subscription.id, wanted.registration.id] = wanted
        return found, min(expiring, default=LAST_INSTANT)

    async def _wanted_of(
        self, subscription: Subscription, registered: Iterable[Registration], now: Instant
    ) -> list[Wanted]:
        """None where the subscription is itself a copy that has come back (6.3.18)."""
        try:
            source = subscription.jsonld_context or subscription.context
            context = await self._contexts.resolve(source, subscription.tenant)
            around = await self._around(subscription, context)
            query = source_query_for(subscription, context)
        except ParvisError as failure:
            _log.warning("a subscription cannot be told to sources", extra={"reason": failure.detail})
            return []
        if around.is_loop:
            return []
        found = [one for one in reachable(registered, around, now) if matches(one, query)]
        return [wanted for one in found if (wanted := await self._named(subscription, one, query, context)) is not None]

    async def _named(
        self, subscription: Subscription, registration: Registration, query: SourceQuery, context: Context
    ) -> Wanted | None:
        own = source_context(registration)
        try:
            names = context if own is None else await self._contexts.resolve(own, subscription.tenant)
        except ParvisError as failure:
            _log.warning("the @context of a source is not to be had", extra={"reason": failure.detail})
            return None
        return Wanted(subscription, registration, query, names)

    async def _settle(
        self,
        key: CopyKey,
        copy: Copy | None,
        wanted: Wanted | None,
        current: Mapping[tuple[str, str], Registration],
    ) -> None:
        if copy is not None and (wanted is None or not is_same_place(copy.registration, wanted.registration)):
            now_known = current.get((copy.tenant, copy.registration.id))
            if now_known is not None and is_same_place(now_known, copy.registration):
                copy = replace(copy, registration=now_known)
            if not await self._end(key, copy):
                return
            copy = None
        if wanted is not None:
            await (self._begin(key, wanted) if copy is None else self._renew(key, copy, wanted))

    async def _begin(self, key: CopyKey, wanted: Wanted) -> None:
        remote_id, token = f"urn:ngsi-ld:Subscription:{uuid.uuid4()}", token_urlsafe(32)
        subscription = wanted.subscription
        copy = Copy(wanted.registration, subscription.id, remote_id, token, wanted.names.source)
        if await self._sources.add_copy(copy):
            await self._renew(key, copy, wanted)

    async def _renew(self, key: CopyKey, copy: Copy, wanted: Wanted) -> None:
        document = self._document(copy, wanted)
        if copy.sent == document or self._is_waiting(key, document):
            return
        answered = await self._send(copy, wanted, document)
        status = 0 if answered.answer is None else answered.answer.status
        if status in _DONE:
            self._waiting.pop(key, None)
            sent: dict[str, Any] | None = document
        elif status == 404 and copy.sent is not None:
            sent = None
        else:
            self._postpone(key, document, answered)
            return
        changed = replace(copy, registration=wanted.registration, sent=sent, context=wanted.names.source)
        await self._sources.change_copy(changed)
        if sent is None:
            await self._renew(key, changed, wanted)

    async def _send(self, copy: Copy, wanted: Wanted, document: dict[str, Any]) -> Answered:
        registration, around = wanted.registration, await self._around(wanted.subscription, wanted.names)
        if copy.sent is None:
            ask = Ask("POST", "/subscriptions", wanted.names, (), document)
            answered = await self._ask(registration, ask, around)
            if answered.answer is None or answered.answer.status != 409:
                return answered
        patch = difference(copy.sent or {}, document)
        ask = Ask("PATCH", f"/subscriptions/{copy.remote_id}", wanted.names, (), patch)
        return await self._ask(registration, ask, around)

    async def _end(self, key: CopyKey, copy: Copy) -> bool:
        """Whether it is over: its source has heard it, or has not been there for long."""
        if self._is_waiting(key, None):
            return False
        around = Around(copy.tenant, await self._alias(copy.tenant), self._contexts.core)
        answered = await self._ask(
            copy.registration, Ask("DELETE", f"/subscriptions/{copy.remote_id}", self._contexts.core), around
        )
        status = 0 if answered.answer is None else answered.answer.status
        waiting = self._waiting.get(key)
        is_given_up = waiting is not None and self._clock() - waiting.first_at > _GIVEN_UP_AFTER
        if status not in _DONE and status != 404 and not is_given_up:
            self._postpone(key, None, answered)
            return False
        self._waiting.pop(key, None)
        await self._sources.drop_copy(copy)
        return True

    async def _ask(self, registration: Registration, ask: Ask, around: Around) -> Answered:
        async with self._room:
            return await self._client.ask(registration, ask, around)

    def _is_waiting(self, key: CopyKey, document: Any) -> bool:
        """What was changed meanwhile is tried at once."""
        waiting = self._waiting.get(key)
        return waiting is not None and waiting.tried == document and self._clock() < waiting.due

    def _postpone(self, key: CopyKey, document: Any, answered: Answered) -> None:
        before, now = self._waiting.get(key), self._clock()
        failures = 0 if before is None else before.failures
        wait = min(_FIRST_WAIT << min(failures, 10), _LONGEST_WAIT)
        self._waiting[key] = _Waiting(failures + 1, now if before is None else before.first_at, now + wait, document)
        reason = answered.reason if answered.answer is None else f"status {answered.answer.status}"
        _log.info("a source has not taken a subscription", extra={"what": key[2], "reason": reason})

    def _document(self, copy: Copy, wanted: Wanted) -> dict[str, Any]:
        uri = f"{self._address}{NOTIFIED_AT}{copy.token}"
        return reduced(
            wanted.subscription, wanted.registration, wanted.query, wanted.names, copy.remote_id, uri, self._clock()
        )

    async def _around(self, subscription: Subscription, context: Context) -> Around:
        tenant = subscription.tenant
        return Around(tenant, await self._alias(tenant), context, subscription.via)

    async def _alias(self, tenant: str) -> str:
        return alias_of(await self._sources.mark(), tenant)

    async def _wait(self, subscribed: int, registered: int, due: Instant) -> None:
        """For a change, or for the clock."""
        left_s = min(max(0.0, (due - self._clock()) / SECOND), _LONGEST_SLEEP_S)
        await first_of([self._subscriptions.wait(subscribed), self._sources.wait(registered)], left_s)


async def first_of(waits: Iterable[Awaitable[object]], timeout_s: float) -> None:
    """Until one is done, has failed, or time is up. Raises what the failed one raised."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
