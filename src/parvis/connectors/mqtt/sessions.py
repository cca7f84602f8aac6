"""The sessions of all clients: opened, resumed, kept for a while after their connection, ended."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from parvis.connectors.mqtt import metrics
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.journal import Journal
from parvis.connectors.mqtt.records import (
    SESSIONS,
    Client,
    Restored,
    encode_kept,
    prefix_of,
    restore,
    restore_all,
    state_place,
)
from parvis.connectors.mqtt.session import Session, is_over
from parvis.connectors.mqtt.shares import Shares
from parvis.kernel.identity import Caller
from parvis.kernel.time import HOUR, Clock

_RELEASED_WITHIN_S = 1.0
_SWEPT_AFTER = HOUR
"""So long after it is over nobody has just taken a session that is swept away."""


class Sessions:
    """`detach` is told of sessions that may be sent nothing any more."""

    def __init__(
        self,
        config: ListenerConfig,
        shares: Shares,
        journal: Journal | None,
        clock: Clock,
        process: str,
        detach: Callable[[Session], None],
    ) -> None:
        self._config = config
        self._journal = journal
        self._clock = clock
        self._process = process
        self._detach = detach
        self._shares = shares
        self._by_client: dict[Client, Session] = {}
        self._kept_of_device: Counter[tuple[str, str]] = Counter()
        self._awaited: dict[Client, asyncio.Event] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_client.values()))

    @property
    def kept(self) -> int:
        return self._shares.sessions.used

    def find(self, client: Client) -> Session | None:
        return self._by_client.get(client)

    async def load(self, attach: Callable[[Session], None]) -> None:
        """Sessions that were kept when the platform stopped; who was connected then has left just now."""
        if self._journal is None:
            return
        now = self._clock()
        for tenant, restored in restore_all(await self._journal.shelf.read_all(SESSIONS)):
            session = self._adopt((tenant, restored.kept.client_id), restored)
            if session.ended_at is None:
                session.ended_at = now
                session.write_state(self._process)
            attach(session)

    def expect_release(self, client: Client) -> None:
        """Another process may be about to let go of the client's session, and to say so before `fetch` listens."""
        self._awaited[client] = asyncio.Event()

    async def fetch(self, client: Client, is_alive: Callable[[str], bool]) -> Session | None:
        """A session that another process has kept up to now, once that one has let it go."""
        released = self._awaited.get(client)
        try:
            restored = await self._read(client)
            if restored is not None and released is not None and is_alive(restored.kept.process):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_RELEASED_WITHIN_S):
                        await released.wait()
                restored = await self._read(client)
        finally:
            if self._awaited.get(client) is released:
                self._awaited.pop(client, None)
        if restored is None or client in self._by_client:
            return None
        if is_over(restored.kept.ended_at, restored.kept.expiry_s, self._clock()):
            return None
        return self._adopt(client, restored)

    async def sweep(self, is_alive: Callable[[str], bool]) -> None:
        """End sessions in the database that no process has, and nobody has come back for."""
        if self._journal is None:
            return
        now = self._clock()
        for tenant, restored in restore_all(await self._journal.shelf.read_all(SESSIONS)):
            kept, client = restored.kept, (tenant, restored.kept.client_id)
            if client in self._by_client or is_alive(kept.process):
                continue
            if kept.ended_at is None:
                left = msgspec.structs.replace(kept, ended_at=now)
                self._journal.put(state_place(client), encode_kept(left))
            elif is_over(kept.ended_at, kept.expiry_s, now - _SWEPT_AFTER):
                metrics.SESSIONS_EXPIRED.inc()
                self._journal.empty(prefix_of(client))

    def hear_released(self, client: Client) -> None:
        if (waiting := self._awaited.get(client)) is not None:
            waiting.set()

    def open(self, client: Client, caller: Caller, *, clean_start: bool, expiry_s: int) -> tuple[Session, bool]:
        """The client's session, and whether there was one already (3.1.2.4). One of somebody else is not resumed."""
        session = self._by_client.get(client)
        if session is not None and (clean_start or session.caller.subject != caller.subject):
            self.end(session)
            session = None
        is_resumed = session is not None
        if session is None:
            session = self._make(client, caller, is_kept=expiry_s > 0 and self._has_room(caller))
            if session.is_kept and self._journal is not None:
                self._journal.empty(prefix_of(client))
        if session.will is not None:
            session.will.cancel()
            session.will = None
        session.caller = caller
        session.expiry_s = expiry_s if session.is_kept else 0
        session.ended_at = None
        session.write_state(self._process)
        return session, is_resumed

    def note(self, session: Session) -> None:
        """Its subscriptions or its end have changed."""
        session.write_state(self._process)

    def leave(self, session: Session) -> None:
        """Its connection has ended."""
        session.line = None
        if session.expiry_s == 0:
            self.end(session)
        else:
            session.ended_at = self._clock()
            session.write_state(self._process)

    def end(self, session: Session) -> None:
        self._drop(session)
        session.forget()

    async def let_go(self, session: Session) -> None:
        """Another process goes on with it."""
        self._drop(session)
        session.mailbox.clear()
        if self._journal is not None:
            await self._journal.settle()

    def end_expired(self) -> None:
        now = self._clock()
        for session in self:
            if session.is_over(now):
                metrics.SESSIONS_EXPIRED.inc()
                self.end(session)

    def _has_room(self, caller: Caller) -> bool:
        if self._journal is None or not self._shares.sessions.admits(caller.tenant):
            return False
        return self._kept_of_device[_device_of(caller)] < self._config.max_sessions_of_device

    async def _read(self, client: Client) -> Restored | None:
        assert self._journal is not None
        return restore(await self._journal.shelf.read(prefix_of(client)))

    def _make(self, client: Client, caller: Caller, *, is_kept: bool) -> Session:
        bounds = (self._config.outgoing_messages, self._config.outgoing_bytes, self._shares.mailbox_bytes.of(client[0]))
        session = Session(client, caller, bounds, self._journal if is_kept else None)
        self._by_client[client] = session
        self._count(session, 1)
        return session

    def _adopt(self, client: Client, restored: Restored) -> Session:
        session = self._make(client, restored.kept.caller(client[0]), is_kept=True)
        session.restore(restored)
        session.subscriptions = {one.topic_filter: one for one in restored.kept.subscriptions}
        return session

    def _drop(self, session: Session) -> None:
        if self._by_client.get(session.client) is session:
            del self._by_client[session.client]
            self._count(session, -1)
        self._detach(session)

    def _count(self, session: Session, change: int) -> None:
        if not session.is_kept:
            return
        self._shares.sessions.occupy(session.tenant, change)
        device = _device_of(session.caller)
        if device[1]:
            self._kept_of_device[device] += change
            if not self._kept_of_device[device]:
                del self._kept_of_device[device]
        metrics.SESSIONS_KEPT.set(self.kept)


def _device_of(caller: Caller) -> tuple[str, str]:
    return caller.tenant, caller.device
