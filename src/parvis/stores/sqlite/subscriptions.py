"""Subscriptions, what became of their notifications, and dead letters: small tables beside the territory's data."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.store import Outrun
from parvis.broker.ports.subscriptions import DeadLetterPage, SubscriptionPage
from parvis.broker.subscriptions.bell import ChangeBell
from parvis.broker.subscriptions.model import DeadLetter, Note, Subscribed, Subscription, consumer_of
from parvis.broker.subscriptions.rows import (
    deliveries_of,
    letter_of,
    letter_row,
    moves_of,
    subscribed_of,
    subscription_of,
    too_many,
)
from parvis.broker.subscriptions.standing import NOTHING_TOLD, Told
from parvis.kernel.errors import AlreadyExists, NonexistentTenant, ParvisError, ResourceNotFound
from parvis.stores.sqlite.database import Connection, RunSql
from parvis.stores.sqlite.leases import Leases, outrun

_encode = msgspec.json.encode
_BUMP = "UPDATE subscription_version SET version = version + 1"
_NEWEST = "SELECT max((SELECT ifnull(max(seq), 0) FROM outbox), (SELECT ifnull(max(seq), 0) FROM consumer))"
_SUBSCRIBED = (
    "SELECT s.document, s.sent, s.failed, s.last_notification, s.last_success, s.last_failure, s.last_reason, c.seq"
    " FROM subscription s LEFT JOIN consumer c ON c.name = s.consumer"
)
_COUNT = "SELECT count(*), ifnull(max(urn = ?), 0) FROM subscription WHERE tenant = ?"
_KEY = "tenant = (SELECT id FROM tenant WHERE name = ?) AND urn = ?"
_LETTER = (
    "SELECT d.number, t.name, s.urn, d.at, d.entity, d.event, d.uri, d.reason, d.attempts, d.body, d.headers"
    " FROM dead_letter d JOIN subscription s ON s.id = d.subscription JOIN tenant t ON t.id = s.tenant"
)
_NOTE = (
    "UPDATE subscription SET sent = sent + ?, failed = failed + ?,"
    " last_notification = ifnull(?, last_notification), last_success = ifnull(?, last_success),"
    " last_failure = ifnull(?, last_failure), last_reason = ifnull(?, last_reason)"
    f" WHERE {_KEY}"
)
_BURY = (
    "INSERT INTO dead_letter (subscription, at, entity, event, uri, reason, attempts, body, headers)"
    f" SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM subscription WHERE {_KEY}"
)
_DROP_OLDEST = (
    f"DELETE FROM dead_letter WHERE subscription = (SELECT id FROM subscription WHERE {_KEY}) AND number <="
    f" (SELECT number FROM dead_letter WHERE subscription = (SELECT id FROM subscription WHERE {_KEY})"
    " ORDER BY number DESC LIMIT 1 OFFSET ?)"
)

Answer = TypeVar("Answer")


class SqliteSubscriptions:
    """SubscriptionStore. `write` runs in the writer's transaction, `read` in a snapshot."""

    def __init__(self, write: RunSql, read: RunSql, leases: Leases) -> None:
        self._write = write
        self._read = read
        self._leases = leases
        self._told = NOTHING_TOLD
        self._bell = ChangeBell(self.version)

    async def add(self, subscription: Subscription, most: int | None = None) -> None:
        await self._change(lambda connection: _add(connection, subscription, most))

    async def change(self, tenant: str, subscription_id: str, alter: Callable[[Subscription], Subscription]) -> None:
        await self._change(lambda connection: _alter(connection, tenant, subscription_id, alter))

    async def remove(self, tenant: str, subscription_id: str) -> bool:
        return await self._change(lambda connection: _remove(connection, tenant, subscription_id))

    async def find(self, tenant: str, subscription_id: str) -> Subscribed | None:
        sql = f"{_SUBSCRIBED} WHERE s.{_KEY}"
        row = await self._read(lambda connection: connection.execute(sql, (tenant, subscription_id)).fetchone())
        return None if row is None else subscribed_of(row)

    async def list_page(self, tenant: str, limit: int, offset: int = 0) -> SubscriptionPage:
        def ask(connection: Connection) -> SubscriptionPage:
            of_tenant = "tenant = (SELECT id FROM tenant WHERE name = ?)"
            sql = f"{_SUBSCRIBED} WHERE s.{of_tenant} ORDER BY s.id LIMIT ? OFFSET ?"
            rows = connection.execute(sql, (tenant, limit, offset)).fetchall()
            count = f"SELECT count(*) FROM subscription WHERE {of_tenant}"
            (total,) = connection.execute(count, (tenant,)).fetchone()
            return SubscriptionPage(tuple(map(subscribed_of, rows)), total)

        page: SubscriptionPage = await self._read(ask)
        return page

    async def list_all(self) -> list[Subscribed]:
        rows = await self._read(lambda connection: connection.execute(f"{_SUBSCRIBED} ORDER BY s.id").fetchall())
        return [subscribed_of(row) for row in rows]

    async def version(self) -> int:
        sql = "SELECT version FROM subscription_version"
        (version,) = await self._read(lambda connection: connection.execute(sql).fetchone())
        return int(version)

    async def wait(self, version: int) -> int:
        return await self._bell.wait(version)

    async def note(self, notes: Sequence[Note], fence: Fence | None = None) -> None:
        await self._behind(fence, lambda connection: _note(connection, notes))

    async def bury(self, letters: Sequence[DeadLetter], keep: int, fence: Fence | None = None) -> int:
        return _checked(await self._behind(fence, lambda connection: _bury(connection, letters, keep)), int)

    async def tell(self, told: Told, fence: Fence) -> None:
        if not self._leases.is_last(fence):
            raise outrun(fence)
        self._told = told

    async def hear(self) -> Told:
        return self._told

    async def list_letters(
        self, tenant: str, subscription_id: str | None = None, limit: int = 20, before: int | None = None
    ) -> DeadLetterPage:
        def ask(connection: Connection) -> DeadLetterPage:
            where = "t.name = ? AND (? IS NULL OR s.urn = ?)"
            key = (tenant, subscription_id, subscription_id)
            sql = f"{_LETTER} WHERE {where} AND d.number < ? ORDER BY d.number DESC LIMIT ?"
            rows = connection.execute(sql, (*key, 2**62 if before is None else before, limit)).fetchall()
            count = f"SELECT count(*) FROM ({_LETTER} WHERE {where})"
            (total,) = connection.execute(count, key).fetchone()
            return DeadLetterPage(tuple(map(letter_of, rows)), total)

        page: DeadLetterPage = await self._read(ask)
        return page

    async def find_letter(self, tenant: str, number: int) -> DeadLetter | None:
        sql = f"{_LETTER} WHERE t.name = ? AND d.number = ?"
        row = await self._read(lambda connection: connection.execute(sql, (tenant, number)).fetchone())
        return None if row is None else letter_of(row)

    async def remove_letters(self, tenant: str, numbers: Sequence[int]) -> int:
        def delete(connection: Connection) -> int:
            sql = (
                "DELETE FROM dead_letter WHERE number IN (SELECT value FROM json_each(?)) AND subscription IN"
                " (SELECT id FROM subscription WHERE tenant = (SELECT id FROM tenant WHERE name = ?))"
            )
            return connection.execute(sql, (_encode(list(numbers)).decode(), tenant)).rowcount

        return _checked(await self._write(delete), int)

    async def count_letters(self) -> dict[tuple[str, str], int]:
        sql = (
            "SELECT t.name, s.urn, count(*) FROM dead_letter d JOIN subscription s ON s.id = d.subscription"
            " JOIN tenant t ON t.id = s.tenant GROUP BY s.id"
        )
        rows = await self._read(lambda connection: connection.execute(sql).fetchall())
        return {(tenant, urn): number for tenant, urn, number in rows}

    async def _behind(self, fence: Fence | None, task: Callable[[Connection], object]) -> object:
        """Asked in the writer's thread: what waited in its queue may have been outrun there. Raises Outrun."""

        def write(connection: Connection) -> object:
            if fence is not None and not self._leases.is_last(fence):
                return outrun(fence)
            return task(connection)

        answer = await self._write(write)
        if isinstance(answer, Outrun):
            raise answer
        return answer

    async def _change(self, task: Callable[[Connection], bool | ParvisError]) -> bool:
        """A refusal is no failure of the transaction: it comes back as a value, and is raised here."""
        answer = await self._write(task)
        if isinstance(answer, ParvisError):
            raise answer
        self._bell.ring()
        return _checked(answer, bool)


def _checked(answer: object, kind: type[Answer]) -> Answer:
    assert isinstance(answer, kind)
    return answer


def _add(connection: Connection, subscription: Subscription, most: int | None) -> bool | ParvisError:
    tenant = connection.execute("SELECT id FROM tenant WHERE name = ?", (subscription.tenant,)).fetchone()
    if tenant is None:
        return NonexistentTenant(f"There is no tenant {subscription.tenant!r}.")
    count, is_there = connection.execute(_COUNT, (subscription.id, *tenant)).fetchone()
    if most is not None and count >= most and not is_there:
        return too_many(most)
    added = connection.execute(
        "INSERT INTO subscription (tenant, urn, consumer, document) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (*tenant, subscription.id, subscription.consumer, _encode(subscription)),
    )
    if not added.rowcount:
        return AlreadyExists(f"The subscription {subscription.id} exists already: update it, or choose another id.")
    connection.execute(f"INSERT OR REPLACE INTO consumer SELECT ?, ({_NEWEST})", (subscription.consumer,))
    connection.execute(_BUMP)
    return True


def _alter(
    connection: Connection, tenant: str, subscription_id: str, alter: Callable[[Subscription], Subscription]
) -> bool | ParvisError:
    key = (tenant, subscription_id)
    row = connection.execute(f"SELECT document FROM subscription WHERE {_KEY}", key).fetchone()
    if row is None:
        return ResourceNotFound(f"There is no subscription {subscription_id}.")
    try:
        altered = alter(subscription_of(row[0]))
    except ParvisError as refusal:
        return refusal
    connection.execute(f"UPDATE subscription SET document = ? WHERE {_KEY}", (_encode(altered), *key))
    connection.execute(_BUMP)
    return True


def _remove(connection: Connection, tenant: str, subscription_id: str) -> bool:
    key = (tenant, subscription_id)
    connection.execute(f"DELETE FROM dead_letter WHERE subscription = (SELECT id FROM subscription WHERE {_KEY})", key)
    if not connection.execute(f"DELETE FROM subscription WHERE {_KEY}", key).rowcount:
        return False
    connection.execute("DELETE FROM consumer WHERE name = ?", (consumer_of(tenant, subscription_id),))
    connection.execute(_BUMP)
    return True


def _note(connection: Connection, notes: Sequence[Note]) -> None:
    """A consumer is only moved here, and on: one of a subscription that is gone stays gone, and who leads no more moves
    none back."""
    connection.executemany("UPDATE consumer SET seq = max(seq, ?) WHERE name = ?", moves_of(notes))
    connection.executemany(_NOTE, deliveries_of(notes))


def _bury(connection: Connection, letters: Sequence[DeadLetter], keep: int) -> int:
    connection.executemany(_BURY, map(letter_row, letters))
    dropped = 0
    for key in dict.fromkeys((one.tenant, one.subscription_id) for one in letters):
        dropped += connection.execute(_DROP_OLDEST, (*key, *key, keep)).rowcount
    return dropped
