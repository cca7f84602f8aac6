"""Tells subscribers of registrations, in one process at a time (NGSI-LD 1.9.1, 5.11.7)."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.leases import Fence
from parvis.broker.ports.notifications import NotificationSender, Receipt, Verdict
from parvis.broker.ports.sources import SourceStore
from parvis.broker.ports.store import Outrun
from parvis.broker.sources.model import Registration
from parvis.broker.sources.notice import Notice, after_failure, after_success, find_notice, next_due, write_notice
from parvis.broker.sources.subscription import SourceSubscribed, Standing
from parvis.broker.subscriptions import metrics
from parvis.broker.subscriptions.lanes import sender_to
from parvis.kernel.errors import ParvisError
from parvis.kernel.time import LAST_INSTANT, MINUTE, SECOND, Clock, Instant

MOST_AT_ONCE = 20
_FIRST_WAIT: Instant = 15 * SECOND
_LONGEST_WAIT: Instant = 10 * MINUTE
_LONGEST_SLEEP_S = 60.0
_log = logging.getLogger(__name__)

Key = tuple[str, str]


class SourceNotifier:
    """A subscriber that is slow or away holds up nobody else. Registrations that have expired are removed."""

    def __init__(
        self,
        store: SourceStore,
        contexts: Contexts,
        senders: Mapping[str, NotificationSender],
        clock: Clock,
        fence: Fence | None = None,
        pause_s: float = 5.0,
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._senders = senders
        self._clock = clock
        self._fence = fence
        self._pause_s = pause_s
        self._telling: dict[Key, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._told = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. What fails here is begun again, and ends nothing that runs beside it."""
        try:
            while True:
                try:
                    version = await self._store.version()
                    await self._wait(version, await self._look())
                except Exception:
                    _log.exception("who follows context sources could not be told; it is tried again")
                    await asyncio.sleep(self._pause_s)
        finally:
            for task in self._telling.values():
                task.cancel()

    async def _look(self) -> Instant:
        """Begin what is to be told; when to look again at the latest."""
        now = self._clock()
        registered = await self._in_force(now)
        due = min((one.expires_at or LAST_INSTANT for one in registered), default=LAST_INSTANT)
        for one in await self._store.list_all_subscriptions():
            due = min(due, self._consider(one, registered, now))
        return due

    async def _in_force(self, now: Instant) -> list[Registration]:
        kept = []
        for one in await self._store.list_all():
            if one.is_in_force(now):
                kept.append(one)
            else:
                await self._store.remove(one.tenant, one.id)
        return kept

    def _consider(self, one: SourceSubscribed, registered: Sequence[Registration], now: Instant) -> Instant:
        key = one.subscription.tenant, one.subscription.id
        if key in self._telling:
            return LAST_INSTANT
        if one.standing.failures and now < one.standing.retry_at:
            return one.standing.retry_at
        own = [each for each in registered if each.tenant == one.subscription.tenant]
        notice = find_notice(one, own, now)
        if notice is None:
            later = next_due(one)
            return LAST_INSTANT if later is None or later <= now else later
        task = asyncio.create_task(self._tell(one, notice), name="tells of context sources")
        self._telling[key] = task
        task.add_done_callback(lambda done: self._finish(key, done))
        return LAST_INSTANT

    def _finish(self, key: Key, task: "asyncio.Task[None]") -> None:
        del self._telling[key]
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("a notification of context sources failed", exc_info=fault)
        self._told.set()

    async def _tell(self, one: SourceSubscribed, notice: Notice) -> None:
        async with self._room:
            receipt = await self._send(one, notice)
            now = self._clock()
            standing = _settled(one, notice, receipt, now)
            subscription = one.subscription
            try:
                await self._store.note(subscription.tenant, subscription.id, standing, self._fence)
            except Outrun:
                return
            except ParvisError as fault:
                _log.warning("what was told could not be noted", extra={"reason": fault.detail})
                await asyncio.sleep(_FIRST_WAIT / SECOND)

    async def _send(self, one: SourceSubscribed, notice: Notice) -> Receipt:
        wish = one.subscription.wish
        try:
            context = await self._contexts.resolve(wish.jsonld_context or wish.context, wish.tenant)
        except ParvisError as fault:
            return Receipt(Verdict.LATER, fault.detail)
        message = write_notice(notice, one.subscription, context, self._clock())
        endpoint = wish.notification.endpoint
        receipt = await sender_to(endpoint.uri, self._senders).send(endpoint, message.headers, message.body)
        (metrics.SENT if receipt.verdict is Verdict.TAKEN else metrics.FAILED).inc()
        return receipt

    async def _wait(self, version: int, due: Instant) -> None:
        """For a change, for something told, or for the clock."""
        left_s = max(0.0, (due - self._clock()) / SECOND)
        changed = asyncio.create_task(self._store.wait(version))
        told = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait(
                (changed, told), timeout=min(left_s, _LONGEST_SLEEP_S), return_when=asyncio.FIRST_COMPLETED
            )
            if changed.done():
                changed.result()
        finally:
            changed.cancel()
            told.cancel()
            self._told.clear()


def _settled(one: SourceSubscribed, notice: Notice, receipt: Receipt, now: Instant) -> Standing:
    if receipt.verdict is Verdict.TAKEN:
        return after_success(one.standing, notice, now)
    wait = 0 if receipt.verdict is Verdict.REFUSED else _pause(one, receipt)
    return after_failure(one.standing, notice, receipt.reason, wait, now)


def _pause(one: SourceSubscribed, receipt: Receipt) -> Instant:
    cooldown_ms = one.subscription.wish.notification.endpoint.cooldown_ms or 0
    growing = min(_FIRST_WAIT << min(one.standing.failures, 10), _LONGEST_WAIT)
    return max(growing, round(receipt.wait_s * SECOND), cooldown_ms * 1000)
