"""The MQTT server in the process: PUBACK and PUBREC go out only after the platform has the message on disk."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.acks import acknowledge, note_taken
from parvis.connectors.mqtt.admission import Admission, Authenticate, AuthenticateCertificate, KeepsCertificate
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.connection import Connection, Opening
from parvis.connectors.mqtt.dialogue import ANSWERS, welcome
from parvis.connectors.mqtt.intake import Arrival, Intake
from parvis.connectors.mqtt.journal import Journal
from parvis.connectors.mqtt.records import Client, client_of
from parvis.connectors.mqtt.relay import Relay
from parvis.connectors.mqtt.retained import Retained
from parvis.connectors.mqtt.router import Router
from parvis.connectors.mqtt.session import Session
from parvis.connectors.mqtt.sessions import Sessions
from parvis.connectors.mqtt.shares import Shares
from parvis.connectors.mqtt.tls import TlsListener
from parvis.fleet.model.delivery import Ack, Message, Route
from parvis.kernel.bus import Bus
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.shelf import Shelf
from parvis.kernel.time import Clock, system_clock
from parvis.mqttwire.packets import Connect, Property, Publish, Reason, Subscription

_log = logging.getLogger(__name__)
_CALLERS_A_TURN = 100
_BACKLOG = 1024


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
        shelf: Shelf | None = None,
        authenticate_certificate: AuthenticateCertificate = lambda _shown: None,
        keeps_certificate: KeepsCertificate = lambda _shown: True,
        list_tenants: Callable[[], Awaitable[Iterable[str]]] | None = None,
    ) -> None:
        """`is_in_force`, `keeps_certificate` are asked again and again: a connection ends when the proof of it does.

        Each tenant of `list_tenants` is sure of its share of the bounds. Listeners on one `bus` are as one to their
        clients. On a `shelf` sessions and retained messages are kept.
        """
        self.config = config
        self.clock = clock
        self.answers = ANSWERS
        self._shares = Shares(config)
        self._admission = Admission(config, self._shares, authenticate, authenticate_certificate, keeps_certificate)
        self._is_in_force = is_in_force
        self._journal = None if shelf is None else Journal(shelf)
        retained = Retained(config, self._shares, self._journal)
        self._router = Router(retained, self._journal, clock, bus, self.take_over, self._hear_released)
        self._relay = self._router.relay
        self._is_alone = bus is None
        process = "" if bus is None else bus.process
        self._sessions = Sessions(config, self._shares, self._journal, clock, process, self._router.detach)
        self._intake = Intake(config, self._shares.in_flight, routes, self._finish)
        self._clients: dict[Client, Connection] = {}
        self._held_back: set[str] = set()
        self._list_tenants = list_tenants
        self._is_stopping = False
        self._server: asyncio.Server | None = None
        self._tls: TlsListener | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._recheck_now = asyncio.Event()

    @property
    def tls_port(self) -> int | None:
        return None if self._tls is None else self._tls.port

    @property
    def port(self) -> int:
        """The port in use, also where a free one was asked for."""
        if self._server is None or not self._server.sockets:
            return self.config.port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, tls: ssl.SSLContext | None = None, bound: socket.socket | None = None) -> None:
        """Listen as configured, or on a socket that is bound already. Raises OSError."""
        loop = asyncio.get_running_loop()
        await self._learn_tenants()
        await self._router.retained.load()
        if self._is_alone:
            await self._sessions.load(self._router.attach)
        place = {"host": self.config.host, "port": self.config.port, "reuse_address": True}
        self._server = await loop.create_server(
            lambda: Connection(self), **({"sock": bound} if bound else place), ssl=tls, backlog=_BACKLOG
        )
        self._keep(self._recheck_callers())
        if self._relay is not None:
            self._keep(self._relay.run())
            self._keep(self._sweep(self._relay))

    async def start_tls(self, listener: TlsListener) -> None:
        """Listen there too. Raises OSError, or InvalidSettings for files that cannot be used."""
        await listener.start(lambda: Connection(self), self.config.connect_timeout_s)
        self._tls = listener
        self._keep(listener.follow_files())

    async def stop(self) -> None:
        """Take no more, finish what is in flight, say goodbye. Sessions that are kept wait for the next start."""
        if self._is_stopping:
            return
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
        if self._tls is not None:
            self._tls.close()
        for connection in self._admission.connections:
            connection.pause()
        await self._intake.drain(self.config.stop_timeout_s)
        for connection in list(self._admission.connections):
            connection.will = None
            connection.close(Reason.SERVER_SHUTTING_DOWN)
        await asyncio.sleep(0)
        if self._journal is not None:
            await self._journal.close(self.config.stop_timeout_s)

    def is_full(self, tenant: str) -> bool:
        """Whether nothing more of it is read."""
        return self._is_stopping or not self._shares.in_flight.has_room(tenant)

    def tell(self, tenant: str, topic: str, payload: bytes) -> bool:
        """From the platform to whoever has subscribed, at the quality of service that each asked for.

        Whether anybody has.
        """
        touched: set[Session] = set()
        is_wanted_elsewhere = self._router.fan_out(tenant, Publish(topic, payload, 2), None, touched)
        self._router.settle(touched)
        return bool(touched) or is_wanted_elsewhere

    def enter(self, connection: Connection) -> bool:
        return self._admission.enter(connection)

    def admit(self, connection: Connection, connect: Connect) -> Caller | Reason:
        caller = self._admission.judge(connection, connect)
        if isinstance(caller, Reason):
            return caller
        client = client_of(caller, connection.client_id)
        earlier = self._clients.get(client)
        self._clients[client] = connection
        if earlier is not None:
            earlier.close(Reason.SESSION_TAKEN_OVER)
        metrics.CLIENTS.set(len(self._clients))
        if self._relay is not None:
            self._relay.claim(client)
        return caller

    def open(self, connection: Connection, connect: Connect, expiry_s: int) -> Opening | None:
        """At once, unless another process may have the session, or an old one has yet to go for good."""
        client = self._client_of(connection)
        known = self._sessions.find(client)
        may_be_elsewhere = not self._is_alone and self._journal is not None and known is None
        is_to_go = known is not None and known.is_kept and connect.clean_start
        if not may_be_elsewhere and not is_to_go:
            return self._open(connection, connect, expiry_s)
        if may_be_elsewhere:
            self._sessions.expect_release(client)
        self._keep(self._open_later(connection, connect, expiry_s))
        return None

    def _open(self, connection: Connection, connect: Connect, expiry_s: int) -> Opening:
        caller = connection.caller
        assert caller is not None
        client = self._client_of(connection)
        return Opening(*self._sessions.open(client, caller, clean_start=connect.clean_start, expiry_s=expiry_s))

    async def _open_later(self, connection: Connection, connect: Connect, expiry_s: int) -> None:
        client = self._client_of(connection)
        try:
            if self._relay is not None and self._sessions.find(client) is None:
                fetched = await self._sessions.fetch(client, self._relay.is_alive)
                if fetched is not None:
                    self._router.attach(fetched)
            opening = self._open(connection, connect, expiry_s)
            if self._journal is not None:
                await self._journal.settle()
        except Exception as fault:
            if not isinstance(fault, Overloaded):
                _log.exception("a session could not be opened")
            connection.close(Reason.SERVER_UNAVAILABLE)
            return
        if connection.is_closed or self._clients.get(client) is not connection:
            self._abandon(connection, opening.session)
            return
        welcome(connection, connect, opening)
        connection.go_on()

    def _abandon(self, connection: Connection, session: Session) -> None:
        """The client has gone before its session was there."""
        if session.line is None and self._sessions.find(session.client) is session:
            self._sessions.leave(session)
        connection.abort()

    def _client_of(self, connection: Connection) -> Client:
        assert connection.caller is not None
        return client_of(connection.caller, connection.client_id)

    def recheck(self) -> None:
        """Look at once whether those who are connected still may be: rights have changed."""
        self._recheck_now.set()

    async def _recheck_callers(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.recheck_every_s):
                    await self._recheck_now.wait()
            self._recheck_now.clear()
            self._sessions.end_expired()
            self._router.retained.expire(self.clock())
            try:
                await self._close_revoked()
                await self._learn_tenants()
            except Overloaded as fault:
                _log.warning("the keys of connected clients cannot be checked", extra={"reason": fault.detail})
            except Exception:
                _log.exception("the keys of connected clients could not be checked")

    async def _learn_tenants(self) -> None:
        if self._list_tenants is not None:
            self._shares.tenants.update(await self._list_tenants())
        self._shares.tell()

    async def _close_revoked(self) -> None:
        by_caller: dict[Caller, list[Session]] = {}
        for session in self._sessions:
            by_caller.setdefault(session.caller, []).append(session)
        for number, (caller, sessions) in enumerate(by_caller.items(), 1):
            if not self._is_in_force(caller):
                for session in sessions:
                    self._revoke(session)
            self._admission.close_revoked(session.line for session in sessions)
            if number % _CALLERS_A_TURN == 0:
                await asyncio.sleep(0)

    def _revoke(self, session: Session) -> None:
        if isinstance(session.line, Connection):
            session.line.close(Reason.NOT_AUTHORIZED)
        if session.is_kept:
            self._sessions.end(session)

    async def _sweep(self, relay: Relay) -> None:
        """Of several processes each looks after sessions whose process has died."""
        await asyncio.sleep(self.config.sweep_after_s)
        while True:
            try:
                await self._sessions.sweep(relay.is_alive)
            except Overloaded as fault:
                _log.warning("sessions of processes that died cannot be looked after", extra={"reason": fault.detail})
            await asyncio.sleep(self.config.sweep_every_s)

    def leave(self, connection: Connection, will: Publish | None) -> None:
        self._admission.leave(connection)
        if connection.caller is not None:
            self._leave_as(connection, self._client_of(connection))
        if connection.session is not None:
            self._part(connection, connection.session, will)
        metrics.CLIENTS.set(len(self._clients))

    def _leave_as(self, connection: Connection, client: Client) -> None:
        if self._clients.get(client) is connection:
            del self._clients[client]
            if self._relay is not None:
                self._relay.release(client)

    def _part(self, connection: Connection, session: Session, will: Publish | None) -> None:
        """The session ends or waits for the next connection; the will is published when either is certain (3.1.2.5)."""
        is_taken_over = session.line is not connection
        if not is_taken_over and self._sessions.find(session.client) is session:
            self._sessions.leave(session)
        if will is None:
            return
        delay_s = will.properties.get(Property.WILL_DELAY_INTERVAL, 0)
        wait_s = min(delay_s, session.expiry_s) if isinstance(delay_s, int) else 0
        message = Publish(
            will.topic,
            will.payload,
            will.qos,
            will.retain,
            properties={key: value for key, value in will.properties.items() if key != Property.WILL_DELAY_INTERVAL},
        )
        if not wait_s:
            self.publish(None, session, message)
        elif not is_taken_over:
            session.will = asyncio.get_running_loop().call_later(wait_s, self.publish, None, session, message)

    def take_over(self, client: Client) -> None:
        """The client is connected elsewhere now."""
        if (earlier := self._clients.get(client)) is not None:
            earlier.close(Reason.SESSION_TAKEN_OVER)
        session = self._sessions.find(client)
        if session is not None and session.is_kept:
            session.line = None
            self._keep(self._let_go(session))

    async def _let_go(self, session: Session) -> None:
        await self._sessions.let_go(session)
        if self._relay is not None:
            self._relay.tell_released(session.client)

    def _hear_released(self, client: Client) -> None:
        self._sessions.hear_released(client)

    def subscribe(self, session: Session, subscriptions: list[Subscription]) -> None:
        for one in subscriptions:
            self._router.subscribe(session, one)
        self.changed(session)
        self._router.settle({session})

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        is_gone = self._router.unsubscribe(session, topic_filter)
        if is_gone:
            self.changed(session)
        return is_gone

    def changed(self, session: Session) -> None:
        self._sessions.note(session)

    def when_durable(self, session: Session, act: Callable[[], None]) -> None:
        if self._journal is not None and session.is_kept:
            self._journal.then(act)
        else:
            act()

    def publish(self, connection: Connection | None, session: Session, publish: Publish) -> None:
        message = Message(session.caller, publish.topic, publish.payload, self.clock())
        self._intake.take(connection, session, publish, message)
        if self.is_full(session.tenant):
            self._held_back.add(session.tenant)

    async def _finish(self, batch: list[Arrival], acks: list[Ack]) -> None:
        made = 0 if self._journal is None else self._journal.made
        try:
            self._pass_on(batch, acks)
        except Exception:
            _log.exception("mqtt_messages_not_passed_on", extra={"messages": len(batch)})
            acks = [Ack.FAILED] * len(batch)
        answers: dict[Connection, list[tuple[Publish, Ack]]] = {}
        for arrival, ack in zip(batch, acks, strict=True):
            publish = arrival.publish
            if arrival.connection is not None:
                answers.setdefault(arrival.connection, []).append((publish, ack))
            if publish.qos == 2 and publish.packet_id:
                note_taken(arrival.session, publish.packet_id, ack)
        if self._journal is not None and self._journal.made != made:
            await self._journal.settle()
        for tenant, count in Counter(arrival.session.tenant for arrival in batch).items():
            self._shares.in_flight.occupy(tenant, -count)
        for connection, finished in answers.items():
            acknowledge(connection, finished)
        self._wake_paused()

    def _pass_on(self, batch: list[Arrival], acks: list[Ack]) -> None:
        """What is stored to whoever has subscribed."""
        has_subscribers = self._router.has_subscribers
        touched: set[Session] = set()
        for arrival, ack in zip(batch, acks, strict=True):
            if (has_subscribers or arrival.publish.retain) and ack is Ack.STORED:
                self._router.fan_out(arrival.session.tenant, arrival.publish, arrival.session, touched)
        if touched:
            self._router.settle(touched)

    def _wake_paused(self) -> None:
        """Who was held back because of all the others may go on."""
        free = {tenant for tenant in self._held_back if not self.is_full(tenant)}
        if free:
            self._held_back -= free
            for (tenant, _), connection in list(self._clients.items()):
                if tenant in free:
                    connection.resume_if_possible()

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
