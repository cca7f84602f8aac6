"""Notifications as the rest of the platform sees them: one process delivers, every process can look and replay."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.leading import Leader
from parvis.broker.ports.leases import Fence
from parvis.broker.ports.notifications import NotificationSender, Receipt, Verdict
from parvis.broker.ports.store import Store
from parvis.broker.rights import refusal
from parvis.broker.sources.notify import SourceNotifier
from parvis.broker.subscriptions import metrics
from parvis.broker.subscriptions.delivery import Delivery
from parvis.broker.subscriptions.lanes import sender_to
from parvis.broker.subscriptions.model import DeadLetter, Note
from parvis.broker.subscriptions.occurrence import Occurrences
from parvis.broker.subscriptions.reach import is_changed_by
from parvis.broker.subscriptions.recipient import Limits
from parvis.broker.subscriptions.standing import NOTHING_TOLD, TOLD_EVERY_S, WELL, Standing, SubscriptionKey, Told
from parvis.kernel.causes import Cause
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import SECOND, Clock, system_clock

LEASE = "notifications"
MOST_AT_ONCE = 200
"""Dead letters replayed by one call."""
_REPLAY_WITHIN_S = 20.0
_SHOWN_WITHIN_S = 1.0
_CAUGHT_UP_WITHIN_S = 2.0


class Replayed(msgspec.Struct, frozen=True):
    """`sent` were taken and are gone; `left` stay. `reason` is why the first that stays was not taken."""

    sent: int
    left: int
    reason: str = ""


class Notifications:
    """`limits` and `letters_kept` are the installation's settings."""

    def __init__(
        self,
        broker: Broker,
        store: Store,
        senders: Mapping[str, NotificationSender],
        limits: Limits,
        letters_kept: int,
        clock: Clock = system_clock,
    ) -> None:
        self.subscriptions = store.subscriptions
        self._broker = broker
        self._store = store
        self._senders = senders
        self._limits = limits
        self._letters_kept = letters_kept
        self._clock = clock
        self._delivery: Delivery | None = None
        self._heard: Told | None = None

    async def _save_news(self) -> None:
        """Before a subscription is shown, whose counts are to be those of by now (5.2.14.2). Raises Outrun."""
        if self._delivery is not None and self._delivery.has_news:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SHOWN_WITHIN_S):
                    await self._delivery.save()

    async def _catch_up(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_CAUGHT_UP_WITHIN_S):
                if self._delivery is not None:
                    await self._delivery.catch_up()

    async def run(self, holder: str) -> None:
        """Until cancelled: notifies while this process holds the lease."""
        leader = Leader(self._store, LEASE, holder)
        await leader.run(lambda: self._deliver(leader.fence))

    async def follow(self) -> None:
        """Until cancelled: hear what another process tells that notifies."""
        while True:
            with suppress(ParvisError, msgspec.DecodeError):  # told by a process of another version
                self._heard = await self.subscriptions.hear()
            await asyncio.sleep(TOLD_EVERY_S)

    def standings(self) -> Mapping[SubscriptionKey, Standing]:
        """Of all subscriptions where this process notifies, else of those that were heard to be unwell."""
        return self._told.standings if self._delivery is None else self._delivery.standings()

    @property
    def otherwise(self) -> Standing | None:
        """The standing of those that `standings` does not name; None where nothing is known of them."""
        return None if self._delivery is not None or self._heard is None else WELL

    @property
    def open_breakers(self) -> int:
        return self._told.open_breakers if self._delivery is None else self._delivery.open_breakers

    @property
    def waiting(self) -> int:
        return self._told.waiting if self._delivery is None else self._delivery.waiting

    @property
    def lag_s(self) -> float:
        return self._told.lag / SECOND if self._delivery is None else self._delivery.lag_s

    @property
    def _told(self) -> Told:
        return self._heard or NOTHING_TOLD

    async def replay(self, caller: Caller, numbers: Sequence[int]) -> Replayed:
        """Send dead letters once more, the oldest first, to where their subscriptions point now.

        What is taken is forgotten, what is refused again stays. A receiver that is away ends it for its subscription.

        Raises:
            Forbidden: the caller may not write.
        """
        if not caller.may(Right.WRITE):
            raise refusal(caller, "send notifications again")
        tenant = caller.tenant
        sent: list[int] = []
        reasons: list[str] = []
        away: set[str] = set()
        wanted = sorted(numbers)[:MOST_AT_ONCE]
        try:
            async with asyncio.timeout(_REPLAY_WITHIN_S):
                for number in wanted:
                    letter = await self._store.subscriptions.find_letter(tenant, number)
                    if letter is None or letter.subscription_id in away:
                        continue
                    if not await self._may_send_again(caller, letter):
                        continue
                    receipt = await self._send_again(letter)
                    if receipt.verdict is Verdict.TAKEN:
                        sent.append(number)
                        continue
                    reasons.append(receipt.reason)
                    if receipt.verdict is Verdict.LATER:
                        away.add(letter.subscription_id)
        except TimeoutError:
            reasons.append(Cause.TOO_SLOW.say(place="It", limit=f"{_REPLAY_WITHIN_S:g}"))
        if sent:
            await self._store.subscriptions.remove_letters(tenant, sent)
        return Replayed(len(sent), len(numbers) - len(sent), next(iter(reasons), ""))

    async def _may_send_again(self, caller: Caller, letter: DeadLetter) -> bool:
        if caller.writes is None:
            return True
        found = await self._store.subscriptions.find(letter.tenant, letter.subscription_id)
        return found is None or is_changed_by(caller, found.subscription)

    async def _send_again(self, letter: DeadLetter) -> Receipt:
        found = await self._store.subscriptions.find(letter.tenant, letter.subscription_id)
        if found is None:
            return Receipt(Verdict.REFUSED, Cause.SUBSCRIPTION_GONE.say())
        endpoint = found.subscription.notification.endpoint
        receipt = await sender_to(endpoint.uri, self._senders).send(endpoint, letter.headers, letter.body)
        now = self._clock()
        if receipt.verdict is Verdict.TAKEN:
            metrics.SENT.inc()
            note = Note(letter.tenant, letter.subscription_id, sent=1, last_notification=now, last_success=now)
        else:
            metrics.FAILED.inc()
            note = Note(
                letter.tenant,
                letter.subscription_id,
                sent=1,
                failed=1,
                last_notification=now,
                last_failure=now,
                last_reason=receipt.reason,
            )
        await self._store.subscriptions.note([note])
        return receipt

    async def _deliver(self, fence: Fence) -> None:
        self._delivery = Delivery(
            self._broker,
            Occurrences(self._store, self._store),
            self._store.subscriptions,
            self._senders,
            self._limits,
            self._letters_kept,
            self._clock,
            fence,
        )
        sources = SourceNotifier(self._store.sources, self._broker.contexts, self._senders, self._clock, fence)
        door = self._broker.subscriptions
        door.settle, door.catch_up = self._save_news, self._catch_up
        try:
            await both(self._delivery.run(), sources.run())
        finally:
            self._delivery = None
            door.settle = door.catch_up = None


async def both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    """Until one of them fails or both have ended."""
    tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
