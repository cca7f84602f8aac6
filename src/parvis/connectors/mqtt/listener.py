"""The MQTT server in the process: PUBACK goes out only after the platform has the message on disk."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from secrets import token_hex

import msgspec

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.acks import acknowledge
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.connection import Connection
from parvis.connectors.mqtt.groups import Group, Groups, groups_for
from parvis.connectors.mqtt.relay import Client, Relay
from parvis.fleet.delivery import Ack, Handler, Message, Route
from parvis.kernel.bus import Bus
from parvis.kernel.errors import Forbidden, Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.time import Clock, system_clock
from parvis.mqttwire.packets import Connect, Publish, Reason, Subscription, Version
from parvis.mqttwire.topics import matches, split_shared

_log = logging.getLogger(__name__)
_TOPICS_REMEMBERED = 65_536
_CALLERS_A_TURN = 100
_BACKLOG = 1024

Authenticate = Callable[[str, str | None, bytes | None], Caller | None]
"""(client identifier, user name, password) to the caller they open, or None."""


class _Arrival(msgspec.Struct, frozen=True, gc=False):
    connection: Connection
    publish: Publish
    message: Message
    handler: Handler | None


class MqttListener:
    """Messages of all clients that arrive in one turn of the loop go to their handler together.

    Acknowledgements leave in the order of arrival (MQTT-4.6.0-2), however the handlers' answers come.
    """

    def __init__(
        self,
        config: ListenerConfig,
        routes: Sequence[Route],
        authenticate: Authenticate,
        is_in_force: Callable[[Caller], bool] = lambda _caller: True,
        clock: Clock = system_clock,
        bus: Bus | None = None,
    ) -> None:
        """`is_in_force` is asked again and again: a connection ends when the proof it came in with does.

        Listeners on one `bus` are as one to their clients.
        """
        self.config = config
        self._routes = tuple(routes)
        self._authenticate = authenticate
        self._is_in_force = is_in_force
        self._clock = clock
        self._find_handler = lru_cache(_TOPICS_REMEMBERED)(self._search_handler)
        self._connections: set[Connection] = set()
        self._clients: dict[tuple[str, str], Connection] = {}
        self._subscribers: set[Connection] = set()
        self._groups = Groups()
        self._relay = None if bus is None else Relay(bus, self)
        self._changed = _nothing if self._relay is None else self._relay.changed
        self._relaying: asyncio.Task[None] | None = None
        self._retained: dict[tuple[str, str], Publish] = {}
        self._arrivals: list[_Arrival] = []
        self._in_flight = 0
        self._was_full = False
        self._batches: set[asyncio.Task[None]] = set()
        self._newest_batch: asyncio.Task[None] | None = None
        self._start_scheduled = False
        self._is_stopping = False
        self._server: asyncio.Server | None = None
        self._rechecking: asyncio.Task[None] | None = None
        self._recheck_now = asyncio.Event()

    @property
    def port(self) -> int:
        """The port in use, also where a free one was asked for."""
        if self._server is None or not self._server.sockets:
            return self.config.port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, tls: ssl.SSLContext | None = None, bound: socket.socket | None = None) -> None:
        """Listen as configured, or on a socket that is bound already."""
        loop = asyncio.get_running_loop()
        place = {"host": self.config.host, "port": self.config.port, "reuse_address": True}
        self._server = await loop.create_server(
            lambda: Connection(self), **({"sock": bound} if bound else place), ssl=tls, backlog=_BACKLOG
        )
        self._rechecking = loop.create_task(self._recheck_callers())
        if self._relay is not None:
            self._relaying = loop.create_task(self._relay.run())

    async def stop(self) -> None:
        """Take no more, finish what is in flight, say goodbye."""
        self._is_stopping = True
        if self._rechecking is not None:
            self._rechecking.cancel()
        if self._relaying is not None:
            self._relaying.cancel()
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.pause()
        while self._arrivals or self._batches:
            await asyncio.sleep(0)
            if self._batches:
                await asyncio.wait(self._batches)
        for connection in list(self._connections):
            connection.forget_will()
            connection.close(Reason.SERVER_SHUTTING_DOWN)
        await asyncio.sleep(0)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is read."""
        return self._is_stopping or self._in_flight >= self.config.max_in_flight

    def enter(self, connection: Connection) -> bool:
        if len(self._connections) >= self.config.max_connections:
            return False
        self._connections.add(connection)
        return True

    def admit(self, connection: Connection, connect: Connect) -> Caller | Reason:
        try:
            caller = self._identify(connection, connect)
        except Overloaded:
            return Reason.SERVER_UNAVAILABLE
        if caller is None:
            return Reason.BAD_USER_NAME_OR_PASSWORD if connect.password is not None else Reason.NOT_AUTHORIZED
        if not connect.client_id:
            if connect.version is Version.V311 and not connect.clean_start:
                return Reason.CLIENT_IDENTIFIER_NOT_VALID
            connection.client_id = f"parvis-{token_hex(8)}"
        earlier = self._clients.get((caller.tenant, connection.client_id))
        if earlier is not None:
            earlier.close(Reason.SESSION_TAKEN_OVER)
        self._clients[caller.tenant, connection.client_id] = connection
        metrics.CLIENTS.set(len(self._clients))
        if self._relay is not None:
            self._relay.claim((caller.tenant, connection.client_id))
        return caller

    def _identify(self, connection: Connection, connect: Connect) -> Caller | None:
        try:
            caller = self._authenticate(connect.client_id, connect.username, connect.password)
        except Forbidden:
            return None
        is_unnamed = connect.username is None and connect.password is None
        if caller is None and is_unnamed and connection.is_loopback:
            return self.config.anonymous
        return caller

    def recheck(self) -> None:
        """Look at once whether those who are connected still may be: rights have changed."""
        self._recheck_now.set()

    async def _recheck_callers(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.recheck_every_s):
                    await self._recheck_now.wait()
            self._recheck_now.clear()
            try:
                await self._close_revoked()
            except Overloaded as fault:
                _log.warning("the keys of connected clients cannot be checked", extra={"reason": fault.detail})
            except Exception:
                _log.exception("the keys of connected clients could not be checked")

    async def _close_revoked(self) -> None:
        by_caller: dict[Caller, list[Connection]] = {}
        for connection in self._clients.values():
            if connection.caller is not None:
                by_caller.setdefault(connection.caller, []).append(connection)
        for number, (caller, connections) in enumerate(by_caller.items(), 1):
            if not self._is_in_force(caller):
                for connection in connections:
                    connection.close(Reason.NOT_AUTHORIZED)
            if number % _CALLERS_A_TURN == 0:
                await asyncio.sleep(0)

    def leave(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._subscribers.discard(connection)
        if connection.caller is not None:
            key = (connection.caller.tenant, connection.client_id)
            if self._clients.get(key) is connection:
                del self._clients[key]
                if self._relay is not None:
                    self._relay.release(key)
        if connection.subscriptions:
            self._groups.leave_all(connection)
            self._changed()
        metrics.CLIENTS.set(len(self._clients))

    def subscribe(self, connection: Connection, subscription: Subscription, is_new: bool) -> None:
        """Send what is retained under the filter, unless the subscription asks otherwise (5.0, 3.8.3.1)."""
        assert connection.caller is not None
        self._changed()
        if (group := _group(connection, subscription.topic_filter)) is not None:
            self._groups.join(group, connection, subscription.qos)
            return
        self._subscribers.add(connection)
        if subscription.retain_handling == 2 or (subscription.retain_handling == 1 and not is_new):
            return
        for (tenant, topic), publish in self._retained.items():
            if tenant == connection.caller.tenant and matches(subscription.topic_filter, topic):
                connection.send(msgspec.structs.replace(publish, qos=min(publish.qos, subscription.qos), packet_id=0))

    def unsubscribe(self, connection: Connection, topic_filter: str) -> None:
        self._changed()
        with contextlib.suppress(ValueError):
            if (group := _group(connection, topic_filter)) is not None:
                self._groups.leave(group, connection)

    def publish(self, connection: Connection, publish: Publish) -> None:
        assert connection.caller is not None
        message = Message(connection.caller, publish.topic, publish.payload, self._clock())
        self._arrivals.append(_Arrival(connection, publish, message, self._find_handler(publish.topic)))
        self._in_flight += 1
        self._was_full |= self.is_full
        self._schedule_batch()

    def _search_handler(self, topic: str) -> Handler | None:
        return next((route.handler for route in self._routes if matches(route.topic_filter, topic)), None)

    def _schedule_batch(self) -> None:
        if not self._start_scheduled and len(self._batches) < self.config.concurrent_batches:
            self._start_scheduled = True
            asyncio.get_running_loop().call_soon(self._start_batch)

    def _start_batch(self) -> None:
        self._start_scheduled = False
        batch = self._arrivals[: self.config.max_batch]
        if not batch:
            return
        del self._arrivals[: self.config.max_batch]
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

    async def _run_batch(self, batch: list[_Arrival], previous: asyncio.Task[None] | None) -> None:
        metrics.MESSAGES_IN.inc(len(batch))
        if unrouted := sum(arrival.handler is None for arrival in batch):
            metrics.UNROUTED.inc(unrouted)
        acks = await self._handle(batch)
        if previous is not None and not previous.done():
            await asyncio.wait((previous,))
        self._finish(batch, acks)

    async def _handle(self, batch: list[_Arrival]) -> list[Ack]:
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
        acks = await self._ask_once(handler, messages)
        for _ in range(self.config.overload_retries):
            again = [index for index, ack in enumerate(acks) if ack is Ack.OVERLOADED]
            if not again:
                break
            await asyncio.sleep(self.config.overload_pause_s)
            answers = await self._ask_once(handler, [messages[index] for index in again])
            for index, ack in zip(again, answers, strict=True):
                acks[index] = ack
        return acks

    async def _ask_once(self, handler: Handler, messages: list[Message]) -> list[Ack]:
        try:
            return await handler(messages)
        except Overloaded:
            return [Ack.OVERLOADED] * len(messages)
        except Exception:
            _log.exception("mqtt_handler_failed", extra={"messages": len(messages)})
            return [Ack.FAILED] * len(messages)

    def _finish(self, batch: list[_Arrival], acks: list[Ack]) -> None:
        answers: dict[Connection, list[tuple[Publish, Ack]]] = {}
        for arrival, ack in zip(batch, acks, strict=True):
            answers.setdefault(arrival.connection, []).append((arrival.publish, ack))
            if ack is Ack.STORED and (arrival.publish.retain or self._subscribers or self._groups or self._relay):
                self._fan_out(arrival)
        self._in_flight -= len(batch)
        for connection, finished in answers.items():
            acknowledge(connection, finished)
        self._count_losses(acks)
        self._wake_paused()

    def _wake_paused(self) -> None:
        """Who was held back because of all the others may go on."""
        if self._was_full and not self.is_full:
            self._was_full = False
            for connection in list(self._clients.values()):
                connection.resume_if_possible()

    def _count_losses(self, acks: list[Ack]) -> None:
        if overloaded := acks.count(Ack.OVERLOADED):
            metrics.OVERLOADED.inc(overloaded)
        if failed := acks.count(Ack.FAILED):
            metrics.FAILED.inc(failed)

    def _fan_out(self, arrival: _Arrival) -> None:
        publish, tenant = arrival.publish, arrival.message.caller.tenant
        wanted = groups_for(iter(self._groups), tenant, publish.topic) if self._groups else set()
        served = self._deliver(tenant, publish, wanted, arrival.connection)
        if self._relay is not None:
            self._relay.publish(tenant, publish, served)

    def _deliver(
        self, tenant: str, publish: Publish, groups: Iterable[Group], origin: Connection | None = None
    ) -> set[Group]:
        """The groups of which a member here has taken it."""
        if publish.retain:
            self._retain(tenant, publish)
        for connection in self._subscribers:
            if connection.caller is not None and connection.caller.tenant == tenant:
                connection.deliver(publish, origin)
        return {group for group in groups if self._groups.deliver(group, publish)}

    def hear(self, tenant: str, publish: Publish, groups: Iterable[Group]) -> None:
        """From a listener in another process."""
        self._deliver(tenant, publish, groups)

    def keep(self, tenant: str, publish: Publish) -> None:
        """A message retained elsewhere, unless there is a newer one."""
        if (tenant, publish.topic) not in self._retained:
            self._retain(tenant, publish)

    def take_over(self, client: Client) -> None:
        """The client is connected elsewhere now."""
        if (earlier := self._clients.get(client)) is not None:
            earlier.close(Reason.SESSION_TAKEN_OVER)

    def list_interest(self) -> tuple[set[tuple[str, str]], list[Group]]:
        filters = {
            (connection.caller.tenant, one)
            for connection in self._subscribers
            if connection.caller is not None
            for one in connection.subscriptions
            if not one.startswith("$share/")
        }
        return filters, list(self._groups)

    def list_retained(self) -> Iterator[tuple[str, Publish]]:
        return ((tenant, publish) for (tenant, _), publish in self._retained.items())

    def _retain(self, tenant: str, publish: Publish) -> None:
        """An empty payload takes the retained message away (3.3.1.3). Beyond the bound nothing more is kept."""
        key = (tenant, publish.topic)
        if not publish.payload:
            self._retained.pop(key, None)
        elif key in self._retained or len(self._retained) < self.config.max_retained:
            self._retained[key] = publish


def _group(connection: Connection, topic_filter: str) -> Group | None:
    shared = split_shared(topic_filter)
    if shared is None or connection.caller is None:
        return None
    return Group(connection.caller.tenant, *shared)


def _nothing() -> None:
    pass
