"""One endpoint's notifications: several at once for different entities, one after the other for the same entity."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Protocol, assert_never

import msgspec

from parvis.broker.ports.notifications import NotificationSender, Receipt, Verdict
from parvis.broker.subscriptions.breaker import Breaker, BreakerState, pause_s
from parvis.broker.subscriptions.model import Endpoint
from parvis.kernel.causes import Cause
from parvis.kernel.time import Instant

AT_ONCE = 16
MOST_WAITING = 1000
MOST_BYTES = 4 << 20
MOST_WAITING_AWAY = 64
MOST_BYTES_AWAY = 256 << 10
"""Of an endpoint that is away: what waits in the outbox as well takes no room from others."""
MOST_BYTES_OF_ALL = 64 << 20
FEW_WAITING = 4
"""What a lane may hold at least, however much the others hold."""
PATIENT_ATTEMPTS = 8
"""So often one notification is tried while the endpoint takes others."""
_OUT_OF_ORDER = Receipt(Verdict.LATER, Cause.NOT_SENT.say())
_log = logging.getLogger(__name__)

OrderKey = tuple[str, str, str]
"""(tenant, subscription, entity): what stays in order."""


class Parcel(msgspec.Struct, eq=False):
    """One notification under way, about the events `seqs`. `owner` is told how it ended."""

    owner: "Owner"
    key: OrderKey
    seqs: tuple[int, ...]
    at: Instant
    endpoint: Endpoint
    headers: Mapping[str, str]
    body: bytes
    attempts: int = 0
    tried_at_s: float = 0.0


class Owner(Protocol):
    def begun(self, parcel: Parcel) -> None:
        """It is being sent, once more or for the first time."""
        ...

    def taken(self, parcel: Parcel) -> None: ...

    def postponed(self, parcel: Parcel, reason: str) -> None:
        """It stays and is tried again."""
        ...

    def given_up(self, parcel: Parcel, reason: str) -> None: ...

    def is_overdue(self, parcel: Parcel) -> bool:
        """Whether it is too old to be tried once more."""
        ...


class Load:
    """Bytes that all lanes hold together."""

    def __init__(self) -> None:
        self.bytes = 0


class Lane:
    """Bounded: whoever finds it full comes back when `has_room` is set, or after a while."""

    def __init__(self, sender: NotificationSender, breaker: Breaker, load: Load) -> None:
        self.breaker = breaker
        self.has_room = asyncio.Event()
        self.has_room.set()
        self._sender = sender
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._queues: dict[OrderKey, deque[Parcel]] = {}
        self._ready: deque[OrderKey] = deque()
        self._paused: dict[OrderKey, asyncio.TimerHandle] = {}
        self._being_sent: set[OrderKey] = set()
        self._waiting = 0
        self._bytes = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._starting = 0
        self._opening: asyncio.TimerHandle | None = None
        self._taken_at_s = 0.0

    def __len__(self) -> int:
        return self._waiting

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._workers

    @property
    def state(self) -> BreakerState:
        return self.breaker.state(self._loop.time())

    @property
    def is_full(self) -> bool:
        if self._load.bytes >= MOST_BYTES_OF_ALL and self._waiting >= FEW_WAITING:
            return True
        if self.breaker.is_away:
            return self._waiting >= MOST_WAITING_AWAY or self._bytes >= MOST_BYTES_AWAY
        return self._waiting >= MOST_WAITING or self._bytes >= MOST_BYTES

    def put(self, parcel: Parcel) -> None:
        """The caller has seen that it is not full."""
        self._waiting += 1
        self._weigh(len(parcel.body))
        if (queue := self._queues.get(parcel.key)) is not None:
            queue.append(parcel)
        else:
            self._queues[parcel.key] = deque((parcel,))
            if parcel.key not in self._being_sent:
                self._ready.append(parcel.key)
                self._wake()
        if self.is_full:
            self.has_room.clear()

    def drop(self, owner: Owner) -> None:
        """Forget what waits for `owner`; what is being sent ends by itself, untold, before its key is sent again."""
        for key in [key for key, queue in self._queues.items() if queue[0].owner is owner]:
            self._unpause(key)
            for parcel in self._queues.pop(key):
                self._gone(parcel)
        self._ready = deque(key for key in self._ready if key in self._queues)

    def give_up_overdue(self, reason: str) -> None:
        """Where nothing is taken any more, nothing that waits is looked at either: this looks."""
        for key in [key for key in self._queues if key not in self._being_sent]:
            while (queue := self._queues.get(key)) and queue[0].owner.is_overdue(queue[0]):
                parcel = queue[0]
                self._unpause(key)
                if key in self._ready:
                    self._ready.remove(key)
                self._settle(parcel)
                parcel.owner.given_up(parcel, reason)
        self._wake()

    async def close(self) -> None:
        for timer in (*self._paused.values(), *([self._opening] if self._opening else [])):
            timer.cancel()
        self._ready.clear()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._weigh(-self._bytes)

    def _wake(self) -> None:
        """As many workers as there is work, one alone where the endpoint must first show that it is back."""
        at_once = AT_ONCE if self.breaker.failures == 0 else 1
        while len(self._ready) > self._starting and len(self._workers) < at_once and self._may_send():
            self._starting += 1
            worker = self._loop.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._worker_ended)

    def _worker_ended(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if not worker.cancelled():
            worker.result()
            self._wake()

    def _may_send(self) -> bool:
        if self.breaker.state(self._loop.time()) is not BreakerState.OPEN:
            return True
        if self._opening is None or self._opening.when() < self.breaker.open_until_s:
            if self._opening is not None:
                self._opening.cancel()
            self._opening = self._loop.call_at(self.breaker.open_until_s, self._open)
        return False

    def _open(self) -> None:
        self._opening = None
        self._wake()

    async def _work(self) -> None:
        self._starting -= 1
        while self._ready and self._may_send() and not self._is_one_too_many():
            key = self._ready.popleft()
            parcel = self._queues[key][0]
            parcel.attempts += 1
            parcel.tried_at_s = parcel.tried_at_s or self._loop.time()
            self._being_sent.add(key)
            parcel.owner.begun(parcel)
            try:
                receipt = await self._send(parcel)
            finally:
                self._being_sent.discard(key)
            self._judge(parcel, receipt)

    async def _send(self, parcel: Parcel) -> Receipt:
        """Whatever a sender did not think of: nothing may be left lying for it."""
        try:
            return await self._sender.send(parcel.endpoint, parcel.headers, parcel.body)
        except Exception:
            _log.exception("a notification could not be sent", extra={"endpoint": parcel.endpoint.shown_uri})
            return _OUT_OF_ORDER

    def _is_one_too_many(self) -> bool:
        return self.breaker.failures > 0 and len(self._being_sent) > 0

    def _judge(self, parcel: Parcel, receipt: Receipt) -> None:
        if receipt.verdict is Verdict.LATER:
            self.breaker.note_failure(self._loop.time(), max(receipt.wait_s, (parcel.endpoint.cooldown_ms or 0) / 1000))
        else:
            self._note_answer()
        if self._is_dropped(parcel):
            if parcel.key in self._queues:
                self._ready.append(parcel.key)
            return
        match receipt.verdict:
            case Verdict.TAKEN:
                self._settle(parcel)
                parcel.owner.taken(parcel)
            case Verdict.REFUSED:
                self._settle(parcel)
                parcel.owner.given_up(parcel, receipt.reason)
            case Verdict.LATER:
                self._postpone(parcel, receipt.reason)
            case verdict:
                assert_never(verdict)

    def _note_answer(self) -> None:
        self._taken_at_s = self._loop.time()
        if self.breaker.failures == 0:
            return
        if self.breaker.is_away:
            self._unpause_all()
        self.breaker.note_taken()
        self._make_known_room()
        self._wake()

    def _is_dropped(self, parcel: Parcel) -> bool:
        queue = self._queues.get(parcel.key)
        return queue is None or queue[0] is not parcel

    def _postpone(self, parcel: Parcel, reason: str) -> None:
        is_alone_in_failing = self._taken_at_s > parcel.tried_at_s and parcel.attempts >= PATIENT_ATTEMPTS
        if is_alone_in_failing or parcel.owner.is_overdue(parcel):
            self._settle(parcel)
            parcel.owner.given_up(parcel, reason)
            return
        self._paused[parcel.key] = self._loop.call_later(pause_s(parcel.attempts), self._unpause_later, parcel.key)
        parcel.owner.postponed(parcel, reason)

    def _unpause_later(self, key: OrderKey) -> None:
        del self._paused[key]
        self._ready.append(key)
        self._wake()

    def _unpause(self, key: OrderKey) -> None:
        if (timer := self._paused.pop(key, None)) is not None:
            timer.cancel()

    def _unpause_all(self) -> None:
        for timer in self._paused.values():
            timer.cancel()
        self._ready.extend(self._paused)
        self._paused.clear()

    def _settle(self, parcel: Parcel) -> None:
        queue = self._queues[parcel.key]
        queue.popleft()
        self._gone(parcel)
        if queue:
            self._ready.append(parcel.key)
        else:
            del self._queues[parcel.key]

    def _gone(self, parcel: Parcel) -> None:
        self._waiting -= 1
        self._weigh(-len(parcel.body))
        self._make_known_room()

    def _make_known_room(self) -> None:
        if not self.has_room.is_set() and self._waiting <= MOST_WAITING // 2 and not self.is_full:
            self.has_room.set()

    def _weigh(self, size: int) -> None:
        self._bytes += size
        self._load.bytes += size
