"""A session at a broker of others: its messages go to the connectors that take their topics, and are acknowledged once
they are durable."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import random

from parvis.connectors.mqttbridge import metrics
from parvis.connectors.mqttbridge.client import Arrival, ConnectionEnded, Subscriber
from parvis.connectors.mqttbridge.config import BrokerConfig
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.delivery import Ack, Handler, Message, Route
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Clock, system_clock
from parvis.kernel.trouble import Trouble
from parvis.mqttwire.subscriber_codec import TooLarge
from parvis.mqttwire.topics import matches

LARGEST_BATCH = 512
_CONNECT_WITHIN_S = 15.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LONGEST_STORE_PAUSE_S = 5.0
_MOST_FAULTS = 3
"""So often a message meets a fault of the platform, the second time and later alone, before it is kept as refused."""
_TOPICS_REMEMBERED = 4096

_log = logging.getLogger(__name__)


class Bridge:
    def __init__(
        self,
        name: str,
        config: BrokerConfig,
        routes: Callable[[], Sequence[Route]],
        fleet: Fleet,
        session: int = 1,
        clock: Clock = system_clock,
    ) -> None:
        """`routes` is asked when the bridge runs."""
        is_only = config.sessions == 1
        self.name = name if is_only else f"{name}-{session}"
        self._config = config
        self._routes = routes
        self._fleet = fleet
        self._clock = clock
        self._caller = Caller(config.tenant, f"system:mqttbridge:{name}", Right.INGEST)
        base_id = config.client_id or f"parvis-{name}"
        self._client_id = base_id if is_only else f"{base_id}-{session}"
        self._connected = metrics.CONNECTED.labels(self.name)
        self._connected.set(0)
        self._trouble = Trouble(f"no messages from the broker {self.name}")
        self._had_session = False
        self._failing: OrderedDict[str, None] = OrderedDict()
        self._find_handler = lru_cache(_TOPICS_REMEMBERED)(self._search_handler)

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = _FIRST_PAUSE_S
        while True:
            began_s = asyncio.get_running_loop().time()
            try:
                await self._serve()
            except (ConnectionEnded, OSError, TimeoutError) as fault:
                self._trouble.note(fault if str(fault) else TimeoutError("it takes too long to answer"))
            was_steady = asyncio.get_running_loop().time() - began_s > _LONGEST_PAUSE_S
            pause_s = _FIRST_PAUSE_S if was_steady else min(pause_s * 2, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s * (0.5 + random() / 2))  # noqa: S311 - so that not all come back at once

    async def _serve(self) -> None:
        """One connection, until it ends. Raises ConnectionEnded, OSError or TimeoutError."""
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            subscriber = await self._open()
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                self._note_session(await subscriber.begin())
                await subscriber.subscribe(self._topic_filters())
            self._trouble.is_over()
            self._connected.set(1)
            while True:
                batch = await subscriber.next_batch(LARGEST_BATCH)
                metrics.RECEIVED.labels(self.name).inc(len(batch))
                await self._deliver(batch)
                subscriber.acknowledge(batch)
        finally:
            self._connected.set(0)
            subscriber.close()

    async def _open(self) -> Subscriber:
        config = self._config
        security = config.open_security()
        _, subscriber = await asyncio.get_running_loop().create_connection(
            lambda: Subscriber(config, self._client_id), config.host, config.port, ssl=security
        )
        return subscriber

    def _note_session(self, is_present: bool) -> None:
        if self._had_session and not is_present:
            _log.warning(
                "the broker has forgotten the session: what came meanwhile was not kept", extra={"broker": self.name}
            )
        self._had_session = True

    def _topic_filters(self) -> list[str]:
        wanted = self._config.topics or tuple(dict.fromkeys(route.topic_filter for route in self._routes()))
        group = f"$share/{self._config.client_id or 'parvis'}/" if self._config.sessions > 1 else ""
        return [f"{group}{self._config.prefix}{one}" for one in wanted]

    def _search_handler(self, topic: str) -> Handler | None:
        return next((route.handler for route in self._routes() if matches(route.topic_filter, topic)), None)

    async def _deliver(self, batch: Sequence[Arrival]) -> None:
        """Until each is durable, or kept as refused."""
        by_handler: dict[Handler, list[Message]] = {}
        refused: list[tuple[Message, str]] = []
        unrouted = 0
        for one in batch:
            topic = one.topic.removeprefix(self._config.prefix)
            if isinstance(one, TooLarge):
                metrics.TOO_LARGE.labels(self.name).inc()
                detail = f"{one.size_bytes} bytes, more than the {self._config.max_message_bytes} that are taken"
                refused.append((self._message(topic, b""), detail))
            elif topic and (handler := self._find_handler(topic)) is not None:
                by_handler.setdefault(handler, []).append(self._message(topic, one.payload))
            else:
                unrouted += 1
        if unrouted:
            metrics.UNROUTED.labels(self.name).inc(unrouted)
        for handler, messages in by_handler.items():
            await self._settle(handler, messages)
        if refused:
            await self._refuse(refused)

    def _message(self, topic: str, payload: bytes) -> Message:
        return Message(self._caller, topic, payload, self._clock())

    async def _settle(self, handler: Handler, messages: list[Message]) -> None:
        """A store that is too busy, or away, is waited for: meanwhile the broker keeps what comes."""
        pause_s, faults = _FIRST_PAUSE_S, 0
        while messages:
            acks = await self._ask(handler, messages)
            if Ack.FAILED in acks and len(messages) > 1:
                acks = await self._ask_each(handler, messages, acks)
            faults += Ack.FAILED in acks
            lost, left = [], []
            for message, ack in zip(messages, acks, strict=True):
                if ack is Ack.FAILED and (faults >= _MOST_FAULTS or message.topic in self._failing):
                    lost.append(message)
                elif ack in (Ack.OVERLOADED, Ack.FAILED):
                    left.append(message)
            if lost:
                await self._give_up(lost)
            messages = left
            if messages:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_STORE_PAUSE_S)

    async def _ask_each(self, handler: Handler, messages: list[Message], acks: list[Ack]) -> list[Ack]:
        """So that one that fails takes none along."""
        return [
            (await self._ask(handler, [message]))[0] if ack is Ack.FAILED else ack
            for message, ack in zip(messages, acks, strict=True)
        ]

    async def _give_up(self, messages: list[Message]) -> None:
        """The next one of the same topic is not waited for, if it fails too."""
        metrics.GIVEN_UP.labels(self.name).inc(len(messages))
        for message in messages:
            self._failing[message.topic] = None
            self._failing.move_to_end(message.topic)
        while len(self._failing) > _TOPICS_REMEMBERED:
            self._failing.popitem(last=False)
        await self._refuse([(one, "a fault of the platform, again and again: its log tells more") for one in messages])

    async def _ask(self, handler: Handler, messages: list[Message]) -> list[Ack]:
        try:
            return await handler(messages)
        except Overloaded:
            return [Ack.OVERLOADED] * len(messages)
        except Exception:
            _log.exception("mqttbridge_handler_failed", extra={"broker": self.name, "messages": len(messages)})
            return [Ack.FAILED] * len(messages)

    async def _refuse(self, refused: list[tuple[Message, str]]) -> None:
        while True:
            try:
                return await self._fleet.refuse_messages(self._caller, refused)
            except Overloaded:
                await asyncio.sleep(_LONGEST_STORE_PAUSE_S)
