"""Changes as they happen, for open pages: one outbox reader for all of them, server-sent events for each.

What a page has not yet been told is kept once per entity, the newest value of each attribute; a page too far behind
is told to start anew. No reader runs while no page listens.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from time import monotonic
from typing import Any

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Event, EventKind
from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.sight import Sight
from parvis.broker.temporal.selection import NO_ATTRIBUTE
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, Caller
from parvis.kernel.reach import local_name

MOST_PAGES = 2_000
KEPT_FOR_KNOWN = 500
"""Of them, for pages of people who are signed in: visitors cannot take the last ones."""
MOST_PENDING = 5_000
FLUSH_AT_MOST = 500
FLUSH_EVERY_S = 0.25
LOOK_AT_STORE_EVERY_S = 1.0
HEARTBEAT_S = 15.0
STREAM_ENDS_AFTER_S = 900.0
"""A page then comes back by itself, perhaps to another process."""
STILL_MAY_EVERY_S = 15.0
"""So long at most a page hears on after its session has ended."""
CATCH_UP_AT_MOST = 5_000
_READ_AT_ONCE = 1_000
_RETRY_AFTER_S = 1.0

_log = logging.getLogger(__name__)


class Pending(msgspec.Struct):
    """All that happened to an entity since a page was last told."""

    entity_id: str
    types: tuple[Iri, ...]
    kind: EventKind
    first_seq: int
    at: int
    instances: dict[AttributeKey, Instance]

    def add(self, event: Event) -> None:
        if event.kind is not EventKind.UPDATED:
            self.kind = event.kind
        if event.kind is EventKind.DELETED:
            self.instances.clear()
        self.types = event.types
        self.at = event.at
        for key in event.removed:
            self.instances.pop(key, None)
        self.instances.update((one.key, one) for one in event.instances)


Renderer = Callable[[list[Pending]], Awaitable[Any]]
"""Makes what a page is told, ready for JSON."""


class Listener:
    """One open page: `types` or `entity_id` say what it wants to hear of."""

    def __init__(self, caller: Caller, types: frozenset[Iri], entity_id: str | None = None) -> None:
        self.caller = caller
        self.told_up_to = 0
        self.must_reset = False
        self.told_down = False
        self.woken = asyncio.Event()
        self._types = types
        self._entity_id = entity_id
        self._pending: dict[str, Pending] = {}

    def wants(self, event: Event) -> bool:
        if event.tenant != self.caller.tenant:
            return False
        if self._entity_id is not None:
            return event.entity_id == self._entity_id
        return not self._types.isdisjoint(event.types)

    def hear(self, event: Event) -> None:
        known = self._pending.get(event.entity_id)
        if known is not None:
            known.add(event)
        elif len(self._pending) >= MOST_PENDING:
            self.reset()
        else:
            fresh = Pending(event.entity_id, event.types, event.kind, event.seq, event.at, {})
            fresh.add(event)
            self._pending[event.entity_id] = fresh
        self.woken.set()

    def reset(self) -> None:
        self._pending.clear()
        self.must_reset = True
        self.woken.set()

    def take(self) -> list[Pending]:
        """The oldest news, as much as goes into one message."""
        taken = [self._pending.pop(entity_id) for entity_id in list(self._pending)[:FLUSH_AT_MOST]]
        if not self._pending:
            self.woken.clear()
        return taken

    def acknowledged(self, read_up_to: int) -> int:
        """The number up to which this page has been told everything."""
        waiting = (one.first_seq for one in self._pending.values())
        return min(waiting, default=read_up_to + 1) - 1


class Live:
    """Streams end when `stopping` is set, so that the server can stop. `is_down`: nothing can be saved just now."""

    def __init__(
        self,
        broker: Broker,
        stopping: asyncio.Event,
        is_down: Callable[[], bool] = lambda: False,
        version_of_rights: Callable[[], int] = lambda: 0,
    ) -> None:
        self._version_of_rights = version_of_rights
        self._broker = broker
        self._stopping = stopping
        self._is_down = is_down
        self._open: set[Listener] = set()
        self._hearing: set[Listener] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._read_up_to = 0

    def check_room(self, caller: Caller) -> None:
        """Raises Overloaded where as many pages are open as can be told of every change."""
        if len(self._open) >= MOST_PAGES - (KEPT_FOR_KNOWN if caller.subject == ANONYMOUS else 0):
            raise Overloaded("Too many pages are followed live. The page stays as it is; load it again later.", 30)

    async def stream(
        self,
        listener: Listener,
        render: Renderer,
        last_event_id: int | None,
        still_may: Callable[[], bool] = lambda: True,
    ) -> AsyncIterator[bytes]:
        """Server-sent events until the page leaves: `hello` (to whom this is told), `store` (both: whether anything can
        be saved just now), `changes` (a list), `reset`, and comments that keep the line.

        They end, too, once `still_may` says no, which is asked whenever rights have changed and now and then.
        """
        version = self._version_of_rights()
        ends_at = monotonic() + STREAM_ENDS_AFTER_S
        ask_at = monotonic() + STILL_MAY_EVERY_S
        try:
            await self._join(listener, last_event_id)
            yield self._of_store("hello", listener, who=who_is(listener.caller))
            while monotonic() < ends_at and not self._stopping.is_set():
                if monotonic() >= ask_at or version != self._version_of_rights():
                    version = self._version_of_rights()
                    if not still_may():
                        return
                    ask_at = monotonic() + STILL_MAY_EVERY_S
                async for message in self._next(listener, render):
                    yield message
        finally:
            await self._leave(listener)

    async def _next(self, listener: Listener, render: Renderer) -> AsyncIterator[bytes]:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await listener.woken.wait()
        except TimeoutError:
            yield b": still here\n\n"
            return
        if listener.told_down != self._is_down():
            yield self._of_store("store", listener)
        if listener.must_reset:
            listener.must_reset = False
            yield _message("reset", "{}", self._read_up_to)
        elif news := await self._seen(listener.caller, listener.take()):
            body = msgspec.json.encode(await render(news)).decode()
            yield _message("changes", body, listener.acknowledged(self._read_up_to))
        await asyncio.sleep(FLUSH_EVERY_S)

    async def _seen(self, caller: Caller, news: list[Pending]) -> list[Pending]:
        """As much of it as the caller sees: in which scopes an entity lies, and so whether it is seen, events do not
        say."""
        if not news:
            return news
        sight = self._broker.sight(caller)
        if sight.is_by_scope:
            found = [await self._broker.find_history(caller, one.entity_id, NO_ATTRIBUTE) for one in news]
            news = [one for one, is_seen in zip(news, found, strict=True) if is_seen is not None]
        return [one for one in news if _keep_shown(one, sight)]

    def _of_store(self, event: str, listener: Listener, **further: str) -> bytes:
        listener.told_down = self._is_down()
        body = msgspec.json.encode({"saves": not listener.told_down, **further}).decode()
        return _message(event, body, listener.acknowledged(self._read_up_to))

    async def _join(self, listener: Listener, last_event_id: int | None) -> None:
        self._open.add(listener)
        if not self._tasks:
            newest = await self._broker.outbox.newest()
            self._start(newest)
        if last_event_id is not None:
            await self._catch_up(listener, last_event_id)
        self._hearing.add(listener)

    def _start(self, newest: int) -> None:
        """Unless another page, joining at the same time, was first."""
        if not self._tasks:
            self._read_up_to = newest
            self._tasks = [asyncio.create_task(work) for work in (self._read(), self._end(), self._watch_store())]

    async def _catch_up(self, listener: Listener, after: int) -> None:
        """Tell what was missed, up to where the reader is by then; start anew where that is too much or forgotten."""
        if self._read_up_to - after > CATCH_UP_AT_MOST:
            listener.reset()
            return
        while after < self._read_up_to:
            events = await self._broker.outbox.read(after, _READ_AT_ONCE)
            if not events or events[0].seq != after + 1:
                listener.reset()
                return
            self._tell((listener,), (event for event in events if event.seq <= self._read_up_to))
            after = min(events[-1].seq, self._read_up_to)

    async def _leave(self, listener: Listener) -> None:
        self._open.discard(listener)
        self._hearing.discard(listener)
        if self._open:
            return
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self) -> None:
        await self._stopping.wait()
        for listener in self._open:
            listener.woken.set()

    async def _watch_store(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AT_STORE_EVERY_S)
            for listener in self._open:
                if listener.told_down != self._is_down():
                    listener.woken.set()

    async def _read(self) -> None:
        while True:
            try:
                await self._read_once()
            except Overloaded as fault:
                _log.warning("the outbox cannot be read for the live pages", extra={"reason": fault.detail})
                await asyncio.sleep(_RETRY_AFTER_S)
            except Exception:
                _log.exception("the outbox could not be read for the live pages")
                await asyncio.sleep(_RETRY_AFTER_S)

    async def _read_once(self) -> None:
        await self._broker.outbox.wait(self._read_up_to)
        events = await self._broker.outbox.read(self._read_up_to, _READ_AT_ONCE)
        if events:
            self._tell(self._hearing, events)
            self._read_up_to = events[-1].seq

    def _tell(self, listeners: Iterable[Listener], events: Iterable[Event]) -> None:
        for event in events:
            for listener in listeners:
                if listener.wants(event) and self._broker.may_read(listener.caller, event.types):
                    listener.hear(event)


def _keep_shown(news: Pending, sight: Sight) -> bool:
    """Whether anything is left to tell."""
    hidden = sight.hidden_of(news.types)
    if not hidden or not news.instances:
        return True
    shown = {key: one for key, one in news.instances.items() if local_name(one.name) not in hidden}
    news.instances = shown
    return bool(shown) or news.kind is not EventKind.UPDATED


def who_is(caller: Caller) -> str:
    """As pages say it: another tenant is as somebody else."""
    return caller.subject if caller.tenant == DEFAULT_TENANT else f"{caller.subject} @ {caller.tenant}"


def _message(event: str, data: str, seq: int) -> bytes:
    return f"event: {event}\nid: {seq}\ndata: {data}\n\n".encode()
