"""What is saved of notifications is saved once, whoever stops waiting for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.store import Outrun
from parvis.broker.subscriptions.ledger import Ledger
from parvis.broker.subscriptions.model import DeadLetter, Endpoint, Note, NotificationParams, Selector, Subscription
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.stores.sqlite.store import SqliteStore

NAME = "urn:s:1"
FENCE = Fence("notifications", "one")
LETTER = DeadLetter(DEFAULT_TENANT, NAME, 0, "urn:e:1", 1, "http://receiver.example/", "It is away.", 1, b"{}", {})


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    params = NotificationParams(Endpoint("http://receiver.example/"))
    await store.subscriptions.add(Subscription(DEFAULT_TENANT, NAME, params, (Selector(),)))
    await store.take(FENCE.name, FENCE.holder, 60)
    yield store
    await store.close()


class Notes:
    """What is new since it was asked last."""

    def __init__(self) -> None:
        self.sent = 1

    def take(self) -> Iterable[Note]:
        sent, self.sent = self.sent, 0
        return [Note(DEFAULT_TENANT, NAME, sent=sent, last_success=1, last_notification=1)] if sent else []


def deaf(write: Callable[..., Any]) -> Callable[..., Any]:
    """As `write`, which says nothing for a while after it has been done."""

    async def wrapped(*args: Any) -> Any:
        answer = await write(*args)
        await asyncio.sleep(0.1)
        return answer

    return wrapped


async def cancelled(ledger: Ledger, notes: Notes) -> None:
    task = asyncio.create_task(ledger.save(notes.take))
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_save_that_nobody_waits_for_any_more_counts_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, notes = Ledger(store.subscriptions, 10, FENCE), Notes()
    monkeypatch.setattr(store.subscriptions, "note", deaf(store.subscriptions.note))
    await cancelled(ledger, notes)
    await ledger.save(notes.take)
    found = await store.subscriptions.find(DEFAULT_TENANT, NAME)
    assert found is not None
    assert found.deliveries.times_sent == 1


async def test_letters_are_buried_once_though_nobody_waits_for_it_any_more(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, notes = Ledger(store.subscriptions, 10, FENCE), Notes()
    ledger.letters.append(LETTER)
    monkeypatch.setattr(store.subscriptions, "bury", deaf(store.subscriptions.bury))
    await cancelled(ledger, notes)
    await ledger.save(notes.take)
    assert (await store.subscriptions.list_letters(DEFAULT_TENANT)).total == 1


async def test_what_could_not_be_saved_is_saved_later(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, notes = Ledger(store.subscriptions, 10, FENCE), Notes()
    note = store.subscriptions.note

    async def full(*_of_notes: object) -> None:
        raise Overloaded("The disk is full.")

    monkeypatch.setattr(store.subscriptions, "note", full)
    with pytest.raises(Overloaded):
        await ledger.save(notes.take)
    monkeypatch.setattr(store.subscriptions, "note", note)
    await ledger.save(notes.take)
    found = await store.subscriptions.find(DEFAULT_TENANT, NAME)
    assert found is not None
    assert found.deliveries.times_sent == 1


async def test_who_was_followed_saves_nothing_more_and_is_told_so(store: SqliteStore) -> None:
    ledger, notes = Ledger(store.subscriptions, 10, FENCE), Notes()
    ledger.letters.append(LETTER)
    await store.give_back(FENCE.name, FENCE.holder)
    await store.take(FENCE.name, "two", 60)
    with pytest.raises(Outrun):
        await ledger.save_if_possible(notes.take)
    assert (await store.subscriptions.list_letters(DEFAULT_TENANT)).total == 0
