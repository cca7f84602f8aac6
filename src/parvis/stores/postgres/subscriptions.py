"""Subscriptions, what became of their notifications, and dead letters, seen by all processes."""

from collections.abc import Callable, Sequence

import msgspec

from parvis.broker.ports.leases import Fence
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
from parvis.kernel.errors import AlreadyExists, NonexistentTenant, ResourceNotFound
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Pool, enter, only_row
from parvis.stores.postgres.leases import hold_fence

_encode = msgspec.json.encode
_decode_told = msgspec.json.Decoder(Told).decode
_TELL = "INSERT INTO notifying (told) VALUES (%s) ON CONFLICT (id) DO UPDATE SET told = excluded.told"
_BUMP = "UPDATE subscription_version SET version = version + 1"
_SUBSCRIBED = (
    "SELECT s.document, s.sent, s.failed, s.last_notification, s.last_success, s.last_failure, s.last_reason, c.seq"
    " FROM subscription s LEFT JOIN consumer c ON c.name = s.consumer"
)
_LETTER = (
    "SELECT d.number, t.name, s.urn, d.at, d.entity, d.event, d.uri, d.reason, d.attempts, d.body, d.headers"
    " FROM dead_letter d JOIN subscription s ON s.tenant = d.tenant AND s.id = d.subscription"
    " JOIN tenant t ON t.id = d.tenant"
)
_ADD = (
    "INSERT INTO subscription (tenant, urn, consumer, document) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (tenant, urn) DO NOTHING"
)
_ADD_CONSUMER = (
    "INSERT INTO consumer VALUES (%s, (SELECT event FROM numbers)) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq"
)
_KEY = "tenant = (SELECT id FROM tenant WHERE name = %s) AND urn = %s"
_NOTE = (
    "UPDATE subscription SET sent = sent + %s, failed = failed + %s,"
    " last_notification = coalesce(%s, last_notification), last_success = coalesce(%s, last_success),"
    " last_failure = coalesce(%s, last_failure), last_reason = coalesce(%s, last_reason)"
    f" WHERE {_KEY}"
)
_BURY = (
    "INSERT INTO dead_letter (tenant, subscription, at, entity, event, uri, reason, attempts, body, headers)"
    f" SELECT tenant, id, %s, %s, %s, %s, %s, %s, %s, %s FROM subscription WHERE {_KEY} FOR KEY SHARE"
)
_DROP_OLDEST = (
    "DELETE FROM dead_letter d USING subscription s WHERE"
    f" s.{_KEY} AND d.tenant = s.tenant AND d.subscription = s.id AND d.number <="
    " (SELECT number FROM dead_letter o WHERE o.tenant = s.tenant AND o.subscription = s.id"
    " ORDER BY number DESC LIMIT 1 OFFSET %s)"
)


class PostgresSubscriptions:
    """SubscriptionStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._bell = ChangeBell(self.version)

    async def add(self, subscription: Subscription, most: int | None = None) -> None:
        await self._pool.run(EVERY_TENANT, lambda connection: _add(connection, subscription, most))
        self._bell.ring()

    async def change(self, tenant: str, subscription_id: str, alter: Callable[[Subscription], Subscription]) -> None:
        await self._pool.run(EVERY_TENANT, lambda connection: _alter(connection, tenant, subscription_id, alter))
        self._bell.ring()

    async def remove(self, tenant: str, subscription_id: str) -> bool:
        removed = await self._pool.run(EVERY_TENANT, lambda connection: _remove(connection, tenant, subscription_id))
        self._bell.ring()
        return removed

    async def find(self, tenant: str, subscription_id: str) -> Subscribed | None:
        def ask(connection: Connection) -> Subscribed | None:
            number = enter(connection, tenant)
            sql = f"{_SUBSCRIBED} WHERE s.tenant = %s AND s.urn = %s"
            row = connection.execute(sql, (number, subscription_id)).fetchone()
            return None if row is None else subscribed_of(row)

        return await self._pool.run(EVERY_TENANT, ask)

    async def list_page(self, tenant: str, limit: int, offset: int = 0) -> SubscriptionPage:
        def ask(connection: Connection) -> SubscriptionPage:
            number = enter(connection, tenant)
            sql = f"{_SUBSCRIBED} WHERE s.tenant = %s ORDER BY s.id LIMIT %s OFFSET %s"
            rows = connection.execute(sql, (number, limit, offset)).fetchall()
            total = _count(connection, "SELECT count(*) FROM subscription WHERE tenant = %s", (number,))
            return SubscriptionPage(tuple(map(subscribed_of, rows)), total)

        return await self._pool.run(EVERY_TENANT, ask)

    async def list_all(self) -> list[Subscribed]:
        sql = f"{_SUBSCRIBED} ORDER BY s.id"
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchall())
        return [subscribed_of(row) for row in rows]

    async def version(self) -> int:
        sql = "SELECT version FROM subscription_version"
        return await self._pool.run(EVERY_TENANT, lambda connection: _count(connection, sql))

    async def wait(self, version: int) -> int:
        return await self._bell.wait(version)

    async def note(self, notes: Sequence[Note], fence: Fence | None = None) -> None:
        def write(connection: Connection) -> None:
            _note(connection, notes)
            hold_fence(connection, fence)

        await self._pool.run(EVERY_TENANT, write)

    async def bury(self, letters: Sequence[DeadLetter], keep: int, fence: Fence | None = None) -> int:
        def write(connection: Connection) -> int:
            dropped = _bury(connection, letters, keep)
            hold_fence(connection, fence)
            return dropped

        return await self._pool.run(EVERY_TENANT, write)

    async def tell(self, told: Told, fence: Fence) -> None:
        def write(connection: Connection) -> None:
            connection.execute("SELECT set_config('synchronous_commit', 'off', true)")
            connection.execute(_TELL, (_encode(told),))
            hold_fence(connection, fence)

        await self._pool.run(EVERY_TENANT, write)

    async def hear(self) -> Told:
        sql = "SELECT told FROM notifying"
        row = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchone())
        return NOTHING_TOLD if row is None else _decode_told(row[0])

    async def list_letters(
        self, tenant: str, subscription_id: str | None = None, limit: int = 20, before: int | None = None
    ) -> DeadLetterPage:
        def ask(connection: Connection) -> DeadLetterPage:
            where = "WHERE d.tenant = %s AND (%s::text IS NULL OR s.urn = %s)"
            key = (enter(connection, tenant), subscription_id, subscription_id)
            sql = f"{_LETTER} {where} AND d.number < %s ORDER BY d.number DESC LIMIT %s"
            rows = connection.execute(sql, (*key, 2**62 if before is None else before, limit)).fetchall()
            total = _count(connection, f"SELECT count(*) FROM ({_LETTER} {where}) AS letter", key)
            return DeadLetterPage(tuple(map(letter_of, rows)), total)

        return await self._pool.run(EVERY_TENANT, ask)

    async def find_letter(self, tenant: str, number: int) -> DeadLetter | None:
        def ask(connection: Connection) -> DeadLetter | None:
            key = (enter(connection, tenant), number)
            row = connection.execute(f"{_LETTER} WHERE d.tenant = %s AND d.number = %s", key).fetchone()
            return None if row is None else letter_of(row)

        return await self._pool.run(EVERY_TENANT, ask)

    async def remove_letters(self, tenant: str, numbers: Sequence[int]) -> int:
        def delete(connection: Connection) -> int:
            key = (enter(connection, tenant), list(numbers))
            return connection.execute("DELETE FROM dead_letter WHERE tenant = %s AND number = ANY(%s)", key).rowcount

        return await self._pool.run(EVERY_TENANT, delete)

    async def count_letters(self) -> dict[tuple[str, str], int]:
        sql = (
            "SELECT t.name, s.urn, count(*) FROM dead_letter d"
            " JOIN subscription s ON s.tenant = d.tenant AND s.id = d.subscription"
            " JOIN tenant t ON t.id = s.tenant GROUP BY t.name, s.urn"
        )
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchall())
        return {(tenant, urn): number for tenant, urn, number in rows}


def _count(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> int:
    return int(only_row(connection, sql, parameters)[0])


def _add(connection: Connection, subscription: Subscription, most: int | None) -> None:
    number = enter(connection, subscription.tenant)
    if number is None:
        raise NonexistentTenant(f"There is no tenant {subscription.tenant!r}.")
    document = _encode(subscription).decode()
    row = (number, subscription.id, subscription.consumer, document)
    if not connection.execute(_ADD, row).rowcount:
        raise AlreadyExists(f"The subscription {subscription.id} exists already: update it, or choose another id.")
    if most is not None and _count_alone(connection, number) > most:
        raise too_many(most)
    connection.execute(_ADD_CONSUMER, (subscription.consumer,))
    connection.execute(_BUMP)


def _count_alone(connection: Connection, tenant: int) -> int:
    """With the one just added, while nobody else adds any to the tenant."""
    connection.execute("SELECT 1 FROM tenant WHERE id = %s FOR NO KEY UPDATE", (tenant,))
    return _count(connection, "SELECT count(*) FROM subscription WHERE tenant = %s", (tenant,))


def _alter(
    connection: Connection, tenant: str, subscription_id: str, alter: Callable[[Subscription], Subscription]
) -> None:
    key = (tenant, subscription_id)
    row = connection.execute(f"SELECT document FROM subscription WHERE {_KEY} FOR UPDATE", key).fetchone()
    if row is None:
        raise ResourceNotFound(f"There is no subscription {subscription_id}.")
    altered = _encode(alter(subscription_of(row[0]))).decode()
    connection.execute(f"UPDATE subscription SET document = %s WHERE {_KEY}", (altered, *key))
    connection.execute(_BUMP)


def _remove(connection: Connection, tenant: str, subscription_id: str) -> bool:
    if not connection.execute(f"DELETE FROM subscription WHERE {_KEY}", (tenant, subscription_id)).rowcount:
        return False
    connection.execute("DELETE FROM consumer WHERE name = %s", (consumer_of(tenant, subscription_id),))
    connection.execute(_BUMP)
    return True


def _note(connection: Connection, notes: Sequence[Note]) -> None:
    """A consumer is only moved here, and on: one of a subscription that is gone stays gone, and who leads no more moves
    none back."""
    cursor = connection.cursor()
    cursor.executemany("UPDATE consumer SET seq = greatest(seq, %s) WHERE name = %s", moves_of(notes))
    cursor.executemany(_NOTE, deliveries_of(notes))


def _bury(connection: Connection, letters: Sequence[DeadLetter], keep: int) -> int:
    connection.cursor().executemany(_BURY, [letter_row(one) for one in letters])
    dropped = 0
    for key in dict.fromkeys((one.tenant, one.subscription_id) for one in letters):
        dropped += connection.execute(_DROP_OLDEST, (*key, keep)).rowcount
    return dropped
