"""Notifications from the outbox: each event is read once for all subscriptions that keep up.

A subscription that does not keep up, for its endpoint is slow or away, is left to a reader of its own, which follows
from where it stands until it has caught up: nobody waits for it, and nothing of it is held in memory meanwhile. What is
settled is saved now and then, so that after a crash the last moment is sent again, and nothing is left out.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from functools import partial

from parvis.broker.broker import Broker
from parvis.broker.jsonld.context import Context
from parvis.broker.model.change import Event
from parvis.broker.model.entity import Iri
from parvis.broker.ports.leases import Fence
from parvis.broker.ports.notifications import NotificationSender
from parvis.broker.ports.store import Outbox
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.subscriptions.lanes import Lanes
from parvis.broker.subscriptions.ledger import SAVE_EVERY_S, Ledger
from parvis.broker.subscriptions.links import find_linked, find_linked_of, find_told
from parvis.broker.subscriptions.match import Compiled, Matcher
from parvis.broker.subscriptions.model import Note, Occurrence, Status, Subscribed, Subscription
from parvis.broker.subscriptions.notification import Notices
from parvis.broker.subscriptions.occurrence import Occurrences
from parvis.broker.subscriptions.ownerless import pause_ownerless
from parvis.broker.subscriptions.periodic import entities_of, next_due
from parvis.broker.subscriptions.recipient import Limits, Recipient, Surroundings
from parvis.broker.subscriptions.seeing import seen
from parvis.broker.subscriptions.standing import TOLD_EVERY_S, Standing, SubscriptionKey, Told, worst_of
from parvis.broker.subscriptions.watched import types_of_all
from parvis.kernel.causes import Cause
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.time import SECOND, Clock, Instant

_BEHIND_NOBODY = 2**63
AT_ONCE = 64
"""Events read at a time: the event loop is given back after them."""
GATHER_S = 0.01
"""A first event is told at once; those that follow it are read together after this time, for a reading costs more than
the events it reads."""
NEAR = 20_000
"""Events: who is not further behind after a start is read for together."""
ROOM_AT_LEAST_EVERY_S = 2.0
CONTEXT_AGAIN_AFTER_S = 15.0
_SAVE_AT_THE_END_WITHIN_S = 3.0
_log = logging.getLogger(__name__)


class Delivery:
    """One turn at notifying: from `run` until it is cancelled. Who runs it holds the lease of `fence`."""

    def __init__(
        self,
        broker: Broker,
        occurrences: Occurrences,
        subscriptions: SubscriptionStore,
        senders: Mapping[str, NotificationSender],
        limits: Limits,
        letters_kept: int,
        clock: Clock,
        fence: Fence,
    ) -> None:
        self._broker = broker
        self._outbox: Outbox = broker.outbox
        self._occurrences = occurrences
        self._subscriptions = subscriptions
        self._fence = fence
        self._ledger = Ledger(subscriptions, letters_kept, fence)
        self._clock = clock
        self._newest = 0
        self._now = clock()
        self._around = Surroundings(clock, limits, self._ledger.letters.append, lambda: self._newest)
        self._lanes = Lanes(senders)
        self._recipients: dict[SubscriptionKey, Recipient] = {}
        self._tasks: dict[SubscriptionKey, asyncio.Task[None]] = {}
        self._see = partial(seen, broker)
        self._matcher = Matcher((), self._see)
        self._types: frozenset[Iri] = frozenset()
        self._group: asyncio.TaskGroup | None = None
        self._cursor = 0
        self._front = 0
        self._someone_is_live = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. A fault of the store ends it; it is begun again then, from what was saved."""
        version = await self._subscriptions.version()
        subscribed = await self._subscriptions.list_all()
        self._newest = await self._outbox.newest()
        positions = [one.position for one in subscribed if self._newest - one.position <= NEAR]
        self._cursor = self._front = min(positions, default=self._newest)
        try:
            async with self._saving(), asyncio.TaskGroup() as group:
                self._group = group
                self._apply(subscribed, self._newest, group)
                group.create_task(self._follow())
                group.create_task(self._follow_changes(version, group))
                group.create_task(self._save_now_and_then())
                group.create_task(self._tell_others())
        except* ParvisError as faults:
            raise faults.exceptions[0] from None

    def standings(self) -> dict[SubscriptionKey, Standing]:
        now = self._clock()
        return {
            key: Standing(one.lane.state, len(one.pending), max(0, self._newest - self._position(one)), one.lag(now))
            for key, one in self._recipients.items()
        }

    @property
    def open_breakers(self) -> int:
        return self._lanes.open_breakers

    @property
    def waiting(self) -> int:
        return self._lanes.waiting

    @property
    def lag_s(self) -> float:
        """Of the notification that waits for longest."""
        now = self._clock()
        return max((one.lag(now) for one in self._recipients.values()), default=0) / SECOND

    async def _follow(self) -> None:
        while True:
            await self._outbox.wait(self._cursor)
            self._newest = await self._outbox.newest()
            if not self._is_anyone_live():
                self._cursor = self._front = self._newest
                await self._wait_for_someone()
                continue
            events = await self._next()
            self._now = self._clock()
            for event in events:
                if candidates := self._matcher.candidates(event):
                    await self._tell(event, candidates)
                self._cursor = event.seq
            self._cursor = self._front
            await self._ledger.wait_for_room(self._take_notes)
            await asyncio.sleep(0 if len(events) == AT_ONCE else GATHER_S)

    async def _next(self) -> list[Event]:
        """Who joins must stand at `_front`: while these are read nobody can, then who stands behind them all.

        So no event is looked at, or left out for its type, without one who has joined.
        """
        self._front = _BEHIND_NOBODY
        events = await self._outbox.read(self._cursor, AT_ONCE, self._types)
        last = events[-1].seq if events else self._cursor
        self._front = last if len(events) == AT_ONCE else max(last, self._newest)
        return events

    def _is_anyone_live(self) -> bool:
        return any(one.is_live for one in self._recipients.values())

    async def _wait_for_someone(self) -> None:
        self._someone_is_live.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAVE_EVERY_S):
                await self._someone_is_live.wait()

    async def _tell(self, event: Event, candidates: Sequence[Compiled]) -> None:
        live = [
            (compiled, one)
            for compiled in candidates
            if (one := self._recipients.get((compiled.subscription.tenant, compiled.subscription.id))) is not None
            and one.is_live
            and one.cursor < event.seq
            and not one.slept_through(event)
        ]
        if not live:
            return
        occurrence = await self._occurrence(event, any(one.with_previous for _, one in live))
        if occurrence is None:
            return
        notices, now = Notices(occurrence), self._now
        for compiled, one in live:
            if (told := await find_told(self._broker, self._matcher, compiled, occurrence, now)) is None:
                continue
            linked = await find_linked_of(self._broker, one, told)
            if one.is_live and one.can_take:
                one.take(told, notices if told is occurrence else Notices(told), now, linked)
            elif one.is_live:
                self._fall_behind(one, event.seq - 1)

    @property
    def has_news(self) -> bool:
        return any(one.has_news for one in self._recipients.values())

    async def save(self) -> None:
        """What is known by now, that readers of the store know it too."""
        await self._ledger.save_if_possible(self._take_notes)

    async def catch_up(self) -> None:
        """Until every event so far was looked at for those who keep up."""
        newest = await self._outbox.newest()
        while self._cursor < newest and self._is_anyone_live():  # noqa: ASYNC110 - rare, and soon over
            await asyncio.sleep(GATHER_S / 2)

    async def _occurrence(self, event: Event, with_previous: bool) -> Occurrence | None:
        """None, too, where an event cannot be understood: it must not stand in the way of those after it."""
        try:
            return await self._occurrences.find(event, with_previous=with_previous)
        except (ValueError, TypeError, LookupError, AttributeError):
            _log.exception("an event cannot be told", extra={"event": event.seq, "entity": event.entity_id})
            return None

    def _fall_behind(self, one: Recipient, cursor: int) -> None:
        one.is_live = False
        one.cursor = cursor
        assert self._group is not None
        self._start(one.key, self._catch_up(one), self._group)

    async def _catch_up(self, one: Recipient) -> None:
        matcher = Matcher((one.subscription,), self._see)
        while True:
            await self._wait_for_room(one)
            if one.cursor >= self._front:
                self._join(one)
                return
            newest = await self._outbox.newest()
            events = await self._outbox.read(one.cursor, AT_ONCE)
            if not events:
                one.cursor = max(one.cursor, newest)
            self._now = self._clock()
            for event in events:
                while not await self._tell_alone(one, matcher, event):
                    await self._wait_for_room(one)
                one.cursor = event.seq
            await asyncio.sleep(0)

    async def _tell_alone(self, one: Recipient, matcher: Matcher, event: Event) -> bool:
        """False where there is no room for it yet."""
        for compiled in () if one.slept_through(event) else matcher.candidates(event):
            occurrence = await self._occurrence(event, one.with_previous)
            told = await find_told(self._broker, matcher, compiled, occurrence, self._now)
            if told is None:
                continue
            linked = await find_linked_of(self._broker, one, told)
            if not one.can_take:
                return False
            one.take(told, Notices(told), self._now, linked)
        return True

    async def _wait_for_room(self, one: Recipient) -> None:
        while not one.can_take:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROOM_AT_LEAST_EVERY_S):
                    await one.lane.has_room.wait()
            if not one.can_take:
                await asyncio.sleep(ROOM_AT_LEAST_EVERY_S / 10)
        await self._ledger.wait_for_room(self._take_notes)

    def _join(self, one: Recipient) -> None:
        one.is_live = True
        self._someone_is_live.set()

    async def _follow_changes(self, version: int, group: asyncio.TaskGroup) -> None:
        while True:
            version = await self._subscriptions.wait(version)
            subscribed = await self._subscriptions.list_all()
            self._apply(subscribed, await self._outbox.newest(), group)

    def _apply(self, subscribed: Sequence[Subscribed], newest: int, group: asyncio.TaskGroup) -> None:
        """Begin what is new, end what is gone; what was changed ends, and begins where it stood.

        `newest` was asked for after `subscribed`: whatever is above it happened since.
        """
        listed = {_key(one.subscription): one for one in subscribed}
        ended: dict[SubscriptionKey, Recipient] = {}
        for key, one in list(self._recipients.items()):
            found = listed.get(key)
            if found is None or found.subscription != one.subscription:
                ended[key] = self._end(key)
        self._matcher = Matcher((one.subscription for one in listed.values()), self._see)
        self._types = types_of_all(one.subscription for one in listed.values())
        for key, found in listed.items():
            if key not in self._recipients:
                self._begin(found, ended.get(key), newest, group)
        self._lanes.forget_all_but([one.lane for one in self._recipients.values()])

    def _start(self, key: SubscriptionKey, work: Coroutine[None, None, None], group: asyncio.TaskGroup) -> None:
        self._tasks[key] = group.create_task(work, name=f"notifies {key[1]}")

    def _end(self, key: SubscriptionKey) -> Recipient:
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()
        one = self._recipients.pop(key)
        one.cursor = self._position(one)
        one.close()
        return one

    def _begin(self, subscribed: Subscribed, before: Recipient | None, newest: int, group: asyncio.TaskGroup) -> None:
        """`before` is what it was until it was changed, or another one of the same name that was deleted."""
        subscription = subscribed.subscription
        lane = self._lanes.of(subscription)
        one = Recipient(subscription, self._broker.contexts.core, lane, self._around, subscribed.position)
        one.is_resting = subscription.status(self._clock()) is not Status.ACTIVE
        if before is not None and before.subscription.created_at == subscription.created_at:
            one.follow_on(before, newest)
        self._recipients[one.key] = one
        if not one.is_resting:
            self._start(one.key, self._notify(one, subscribed.deliveries.last_notification), group)

    async def _notify(self, one: Recipient, last: Instant | None) -> None:
        one.context = await self._context(one)
        if one.subscription.interval_s is not None:
            await self._tell_by_the_clock(one, round(one.subscription.interval_s * SECOND), last)
        else:
            await self._catch_up(one)

    async def _context(self, one: Recipient) -> Context:
        """Its notifications wait until their @context can be had, as long as they would for its endpoint; then they
        are told in full names, which need none."""
        subscription, began = one.subscription, self._clock()
        is_said = False
        while True:
            try:
                source = subscription.jsonld_context or subscription.context
                return await self._broker.contexts.resolve(source, subscription.tenant)
            except ParvisError as error:
                if not is_said:
                    facts = {"subscription": subscription.id, "reason": error.detail}
                    _log.warning("a subscription waits for its @context", extra=facts)
                    one.note_fault(Cause.NO_CONTEXT.say(fault=error.detail))
                    is_said = True
            if one.is_over(began, one.cursor):
                return self._broker.contexts.core
            await asyncio.sleep(CONTEXT_AGAIN_AFTER_S)

    async def _tell_by_the_clock(self, one: Recipient, interval: Instant, last: Instant | None) -> None:
        now = self._clock()
        due = next_due(last or now, interval, now)
        while True:
            await asyncio.sleep(max(0.0, (due - self._clock()) / SECOND))
            if one.subscription.status(self._clock()) is not Status.ACTIVE:
                return
            if one.is_settled:
                await self._tell_what_is_there(one)
            due = next_due(due, interval, self._clock())

    async def _tell_what_is_there(self, one: Recipient) -> None:
        """What cannot be read for one is no reason to tell the others nothing."""
        try:
            for entities in await entities_of(self._broker, one.subscription):
                await self._wait_for_room(one)
                one.tell_all(entities, await find_linked(self._broker, one, entities))
        except ParvisError as fault:
            one.note_fault(Cause.NOT_READ.say(fault=fault.detail))

    def _position(self, one: Recipient) -> int:
        """What is live, rests or goes by the clock has looked at whatever was read for all."""
        if one.is_live or one.is_resting or one.subscription.is_periodic:
            one.cursor = max(one.cursor, self._cursor)
        return one.position()

    @contextlib.asynccontextmanager
    async def _saving(self) -> AsyncIterator[None]:
        """Whatever ends it, what is settled is saved if the store can."""
        try:
            yield
        finally:
            await self._lanes.close()
            with contextlib.suppress(ParvisError, OSError, TimeoutError):
                async with asyncio.timeout(_SAVE_AT_THE_END_WITHIN_S):
                    await self._ledger.save(lambda: self._take_notes(final=True))

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            self._lanes.give_up_overdue()
            await self.save()
            await pause_ownerless(self._broker, self._subscriptions, list(self._recipients.values()), self.save)

    async def _tell_others(self) -> None:
        """Not where nothing has changed. A store that cannot write just now is told later."""
        last: Told | None = None
        while True:
            now = Told(self.open_breakers, self.waiting, round(self.lag_s) * SECOND, worst_of(self.standings()))
            if now != last:
                try:
                    await self._subscriptions.tell(now, self._fence)
                    last = now
                except Overloaded:
                    pass
            await asyncio.sleep(TOLD_EVERY_S)

    def _take_notes(self, *, final: bool = False) -> Iterator[Note]:
        for one in self._recipients.values():
            one.let_go_of_old_holds()
            self._position(one)
            if (note := one.take_note(final=final)) is not None:
                yield note


def _key(subscription: Subscription) -> SubscriptionKey:
    return subscription.tenant, subscription.id
