"""Messages of all clients on their way to the platform: those of one turn of the loop go to their handler together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

import msgspec

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.connection import Connection
from parvis.connectors.mqtt.session import Session
from parvis.connectors.mqtt.shares import Share
from parvis.fleet.model.delivery import Ack, Handler, Message, Route
from parvis.kernel.errors import Overloaded
from parvis.mqttwire.packets import Publish
from parvis.mqttwire.topics import matches

_log = logging.getLogger(__name__)
_TOPICS_REMEMBERED = 65_536


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """`connection` is None for the will of a client that has left."""

    connection: Connection | None
    session: Session
    publish: Publish
    message: Message
    handler: Handler | None


Finish = Callable[[list[Arrival], list[Ack]], Awaitable[None]]
"""What follows once the platform has answered. One batch after the other, in the order of arrival."""


class Intake:
    def __init__(self, config: ListenerConfig, in_flight: Share, routes: Sequence[Route], finish: Finish) -> None:
        self.routes = tuple(routes)
        self.in_flight = in_flight
        self._config = config
        self._finish = finish
        self._find_handler = lru_cache(_TOPICS_REMEMBERED)(self._search_handler)
        self._arrivals: list[Arrival] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._newest_batch: asyncio.Task[None] | None = None
        self._start_scheduled = False

    def take(self, connection: Connection | None, session: Session, publish: Publish, message: Message) -> None:
        handler = self._find_handler(publish.topic)
        self._arrivals.append(Arrival(connection, session, publish, message, handler))
        self.in_flight.occupy(session.tenant)
        self._schedule_batch()

    async def drain(self, within_s: float) -> None:
        """Finish what has arrived. Who is not answered by then sends again."""
        try:
            async with asyncio.timeout(within_s):
                while self._arrivals or self._batches:
                    await asyncio.sleep(0)
                    if self._batches:
                        await asyncio.wait(self._batches)
        except TimeoutError:
            _log.warning("MQTT messages could not be finished before the end", extra={"messages": self.in_flight.used})
            for task in self._batches:
                task.cancel()

    def _search_handler(self, topic: str) -> Handler | None:
        return next((route.handler for route in self.routes if matches(route.topic_filter, topic)), None)

    def _schedule_batch(self) -> None:
        if not self._start_scheduled and len(self._batches) < self._config.concurrent_batches:
            self._start_scheduled = True
            asyncio.get_running_loop().call_soon(self._start_batch)

    def _start_batch(self) -> None:
        self._start_scheduled = False
        batch = self._arrivals[: self._config.max_batch]
        if not batch:
            return
        del self._arrivals[: self._config.max_batch]
        task = asyncio.get_running_loop().create_task(self._run_batch(batch, self._newest_batch))
        self._newest_batch = task
        self._batches.add(task)
        task.add_done_callback(self._end_batch)
        if self._arrivals:
            self._schedule_batch()

    def _end_batch(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if self._newest_batch is task:
            self._newest_batch = None
        if self._arrivals:
            self._schedule_batch()

    async def _run_batch(self, batch: list[Arrival], previous: asyncio.Task[None] | None) -> None:
        metrics.MESSAGES_IN.inc(len(batch))
        if unrouted := sum(arrival.handler is None for arrival in batch):
            metrics.UNROUTED.inc(unrouted)
        acks = await self._handle(batch)
        if previous is not None and not previous.done():
            await asyncio.wait((previous,))
        try:
            await self._finish(batch, acks)
        finally:
            _count_losses(acks)

    async def _handle(self, batch: list[Arrival]) -> list[Ack]:
        acks = [Ack.STORED] * len(batch)
        by_handler: dict[Handler, list[int]] = {}
        for index, arrival in enumerate(batch):
            if arrival.handler is not None:
                by_handler.setdefault(arrival.handler, []).append(index)
        for handler, indexes in by_handler.items():
            answers = await self._ask(handler, [batch[index].message for index in indexes])
            for index, ack in zip(indexes, answers, strict=True):
                acks[index] = ack
        return acks

    async def _ask(self, handler: Handler, messages: list[Message]) -> list[Ack]:
        """The handler's answers; what it is too busy for is offered again, and then given up."""
        acks = await _ask_once(handler, messages)
        for _ in range(self._config.overload_retries):
            again = [index for index, ack in enumerate(acks) if ack is Ack.OVERLOADED]
            if not again:
                break
            await asyncio.sleep(self._config.overload_pause_s)
            answers = await _ask_once(handler, [messages[index] for index in again])
            for index, ack in zip(again, answers, strict=True):
                acks[index] = ack
        return acks


async def _ask_once(handler: Handler, messages: list[Message]) -> list[Ack]:
    try:
        return await handler(messages)
    except Overloaded:
        return [Ack.OVERLOADED] * len(messages)
    except Exception:
        _log.exception("mqtt_handler_failed", extra={"messages": len(messages)})
        return [Ack.FAILED] * len(messages)


def _count_losses(acks: list[Ack]) -> None:
    if overloaded := acks.count(Ack.OVERLOADED):
        metrics.OVERLOADED.inc(overloaded)
    if failed := acks.count(Ack.FAILED):
        metrics.FAILED.inc(failed)
