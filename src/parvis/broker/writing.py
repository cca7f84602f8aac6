"""The queue in front of a store's one thread that writes: bounded, and what waits together shares a commit."""

import asyncio
import queue
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from parvis.broker.bounds import Bounds
from parvis.broker.model.change import Change, Outcome
from parvis.broker.ports.store import Progress
from parvis.kernel.errors import Overloaded

MAX_PENDING_CHANGES = 50_000
MAX_GROUP_CHANGES = 4_000
RETRY_AFTER_S = 5

Other = TypeVar("Other")


class Call(NamedTuple):
    tenant: str
    changes: Sequence[Change]
    progress: Progress | None
    future: "asyncio.Future[list[Outcome]]"
    bounds: Bounds | None = None


Answers = list[tuple[Call, list[Outcome] | Exception]]


class WriteQueue(Generic[Other]):
    """Calls, and what else the thread has to do, in the order in which they came.

    `write` and `answer` are for the event loop on which it was made, `get`, `group` and `drain` for the thread.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._loop = asyncio.get_running_loop()
        self._items: queue.SimpleQueue[Call | Other] = queue.SimpleQueue()
        self._left_over: list[Call | Other] = []
        self._pending = 0

    @property
    def pending_changes(self) -> int:
        """Changes that wait for their commit."""
        return self._pending

    @property
    def is_empty(self) -> bool:
        return not self._left_over and self._items.empty()

    async def write(
        self, tenant: str, changes: Sequence[Change], progress: Progress | None, bounds: Bounds | None = None
    ) -> list[Outcome]:
        """What the thread answers. Raises Overloaded."""
        self.check_open()
        if self._pending + len(changes) > MAX_PENDING_CHANGES and self._pending:
            raise Overloaded(f"{self._pending} changes wait to be written; nothing of this request was stored.")
        self._pending += len(changes)
        future: asyncio.Future[list[Outcome]] = self._loop.create_future()
        self._items.put(Call(tenant, changes, progress, future, bounds))
        return await future

    def check_open(self) -> None:
        if self.is_closed:
            raise Overloaded("The store is closing.", RETRY_AFTER_S)

    def put(self, item: Other) -> None:
        """From any thread."""
        self._items.put(item)

    def get(self, timeout_s: float | None = None) -> Call | Other:
        """Raises queue.Empty where nothing comes in time."""
        return self._left_over.pop() if self._left_over else self._items.get(timeout=timeout_s)

    def group(self, first: Call) -> list[Call]:
        """With the calls that wait behind the first, as many as a commit takes."""
        group, size = [first], len(first.changes)
        while size < MAX_GROUP_CHANGES and not self._items.empty():
            item = self._items.get()
            if not isinstance(item, Call):
                self._left_over.append(item)
                break
            group.append(item)
            size += len(item.changes)
        return group

    def drain(self) -> list[Call | Other]:
        """Everything that still waits."""
        items, self._left_over = self._left_over, []
        while not self._items.empty():
            items.append(self._items.get())
        return items

    def answer(self, answers: Answers) -> None:
        for call, answer in answers:
            self._pending -= len(call.changes)
            settle(call.future, answer)


def settle(future: "asyncio.Future[Any]", answer: object) -> None:
    """Where nobody has cancelled it."""
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
