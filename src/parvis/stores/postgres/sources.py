"""Registrations of context sources and subscriptions to them, seen by all processes."""

from collections.abc import Callable, Sequence

import msgspec

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.sources import Others, SourceSubscriptionPage
from parvis.broker.sources.copies import Copy
from parvis.broker.sources.model import Registration
from parvis.broker.sources.rows import (
    REGISTRATION,
    SUBSCRIPTION,
    check_new,
    copy_of,
    no_tenant,
    registration_of,
    subscribed_of,
    subscription_of,
    too_many,
)
from parvis.broker.sources.subscription import SourceSubscribed, SourceSubscription, Standing
from parvis.broker.subscriptions.bell import ChangeBell
from parvis.broker.subscriptions.rows import too_many as too_many_subscriptions
from parvis.kernel.errors import ResourceNotFound
from parvis.stores.postgres.database import EVERY_TENANT, Answer, Connection, Pool, enter, only_row
from parvis.stores.postgres.leases import hold_fence

_encode = msgspec.json.encode
_BUMP = "UPDATE source_version SET version = version + 1"


class PostgresSources:
    """SourceStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._bell = ChangeBell(self.version)

    async def add(self, registration: Registration, check: Callable[[Others], None], most: int | None = None) -> None:
        def insert(connection: Connection) -> None:
            tenant = _enter_alone(connection, registration.tenant)
            others = [registration_of(one) for one in _documents_of(connection, REGISTRATION, tenant)]
            check_new(registration.id, [one.id for one in others], most, too_many)
            check(others)
            _insert(connection, REGISTRATION, tenant, registration.id, _encode(registration))

        await self._change(insert)

    async def change(
        self, tenant: str, registration_id: str, alter: Callable[[Registration, Others], Registration]
    ) -> None:
        def update(connection: Connection) -> None:
            number = _enter_alone(connection, tenant)
            document = _document(connection, REGISTRATION, number, registration_id)
            others = [registration_of(one) for one in _documents_of(connection, REGISTRATION, number)]
            altered = alter(registration_of(document), others)
            _update(connection, REGISTRATION, number, registration_id, _encode(altered))

        await self._change(update)

    async def remove(self, tenant: str, registration_id: str) -> bool:
        return await self._change(lambda connection: _delete(connection, REGISTRATION, tenant, registration_id))

    async def find(self, tenant: str, registration_id: str) -> Registration | None:
        def ask(connection: Connection) -> Registration | None:
            sql = "SELECT document FROM registration WHERE tenant = %s AND urn = %s"
            row = connection.execute(sql, (enter(connection, tenant), registration_id)).fetchone()
            return None if row is None else registration_of(row[0])

        return await self._pool.run(EVERY_TENANT, ask)

    async def list_all(self) -> list[Registration]:
        sql = "SELECT document FROM registration ORDER BY id"
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchall())
        return [registration_of(document) for (document,) in rows]

    async def version(self) -> int:
        sql = "SELECT version FROM source_version"
        return await self._pool.run(EVERY_TENANT, lambda connection: int(only_row(connection, sql)[0]))

    async def mark(self) -> str:
        sql = "SELECT mark FROM source_version"
        return await self._pool.run(EVERY_TENANT, lambda connection: str(only_row(connection, sql)[0]))

    async def wait(self, version: int) -> int:
        return await self._bell.wait(version)

    async def add_subscription(self, subscription: SourceSubscription, most: int | None = None) -> None:
        def insert(connection: Connection) -> None:
            tenant = _enter_alone(connection, subscription.tenant)
            known = [subscription_of(one).id for one in _documents_of(connection, SUBSCRIPTION, tenant)]
            check_new(subscription.id, known, most, too_many_subscriptions)
            _insert(connection, SUBSCRIPTION, tenant, subscription.id, _encode(subscription))

        await self._change(insert)

    async def change_subscription(
        self, tenant: str, subscription_id: str, alter: Callable[[SourceSubscription], SourceSubscription]
    ) -> None:
        def update(connection: Connection) -> None:
            number = _enter_alone(connection, tenant)
            altered = alter(subscription_of(_document(connection, SUBSCRIPTION, number, subscription_id)))
            _update(connection, SUBSCRIPTION, number, subscription_id, _encode(altered))

        await self._change(update)

    async def remove_subscription(self, tenant: str, subscription_id: str) -> bool:
        return await self._change(lambda connection: _delete(connection, SUBSCRIPTION, tenant, subscription_id))

    async def find_subscription(self, tenant: str, subscription_id: str) -> SourceSubscribed | None:
        def ask(connection: Connection) -> SourceSubscribed | None:
            sql = "SELECT document, standing FROM source_subscription WHERE tenant = %s AND urn = %s"
            row = connection.execute(sql, (enter(connection, tenant), subscription_id)).fetchone()
            return None if row is None else subscribed_of(*row)

        return await self._pool.run(EVERY_TENANT, ask)

    async def list_subscriptions(self, tenant: str, limit: int, offset: int = 0) -> SourceSubscriptionPage:
        def ask(connection: Connection) -> SourceSubscriptionPage:
            number = enter(connection, tenant)
            sql = "SELECT document, standing FROM source_subscription WHERE tenant = %s ORDER BY id LIMIT %s OFFSET %s"
            rows = connection.execute(sql, (number, limit, offset)).fetchall()
            (total,) = only_row(connection, "SELECT count(*) FROM source_subscription WHERE tenant = %s", (number,))
            return SourceSubscriptionPage(tuple(subscribed_of(*row) for row in rows), total)

        return await self._pool.run(EVERY_TENANT, ask)

    async def list_all_subscriptions(self) -> list[SourceSubscribed]:
        sql = "SELECT document, standing FROM source_subscription ORDER BY id"
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchall())
        return [subscribed_of(*row) for row in rows]

    async def note(self, tenant: str, subscription_id: str, standing: Standing, fence: Fence | None = None) -> None:
        def write(connection: Connection) -> None:
            sql = "UPDATE source_subscription SET standing = %s WHERE tenant = %s AND urn = %s"
            number = enter(connection, tenant)
            connection.execute(sql, (_encode(standing).decode(), number, subscription_id))
            hold_fence(connection, fence)

        await self._pool.run(EVERY_TENANT, write)

    async def add_copy(self, copy: Copy) -> bool:
        def insert(connection: Connection) -> bool:
            tenant = enter(connection, copy.tenant)
            if tenant is None:
                return False
            sql = (
                "INSERT INTO source_copy (tenant, subscription, registration, token, document)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
            )
            row = (tenant, copy.subscription_id, copy.registration.id, copy.token, _encode(copy).decode())
            return bool(connection.execute(sql, row).rowcount)

        return await self._pool.run(EVERY_TENANT, insert)

    async def change_copy(self, copy: Copy) -> None:
        def update(connection: Connection) -> None:
            sql = "UPDATE source_copy SET document = %s WHERE tenant = %s AND token = %s"
            connection.execute(sql, (_encode(copy).decode(), enter(connection, copy.tenant), copy.token))

        await self._pool.run(EVERY_TENANT, update)

    async def drop_copy(self, copy: Copy) -> None:
        def delete(connection: Connection) -> None:
            sql = "DELETE FROM source_copy WHERE tenant = %s AND token = %s"
            connection.execute(sql, (enter(connection, copy.tenant), copy.token))

        await self._pool.run(EVERY_TENANT, delete)

    async def find_copy(self, token: str) -> Copy | None:
        sql = "SELECT document FROM source_copy WHERE token = %s"
        row = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql, (token,)).fetchone())
        return None if row is None else copy_of(row[0])

    async def list_copies(self) -> list[Copy]:
        sql = "SELECT document FROM source_copy ORDER BY id"
        rows = await self._pool.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchall())
        return [copy_of(document) for (document,) in rows]

    async def _change(self, task: Callable[[Connection], Answer]) -> Answer:
        def change(connection: Connection) -> Answer:
            answer = task(connection)
            connection.execute(_BUMP)
            return answer

        answer = await self._pool.run(EVERY_TENANT, change)
        self._bell.ring()
        return answer


def _enter_alone(connection: Connection, tenant: str) -> int:
    """Nobody else changes the sources of the tenant until the commit. Raises NonexistentTenant."""
    number = enter(connection, tenant)
    if number is None:
        raise no_tenant(tenant)
    connection.execute("SELECT 1 FROM tenant WHERE id = %s FOR NO KEY UPDATE", (number,))
    return number


def _documents_of(connection: Connection, table: str, tenant: int) -> Sequence[str]:
    sql = f"SELECT document FROM {table} WHERE tenant = %s ORDER BY id"
    return [document for (document,) in connection.execute(sql.encode(), (tenant,)).fetchall()]


def _document(connection: Connection, table: str, tenant: int, urn: str) -> str:
    sql = f"SELECT document FROM {table} WHERE tenant = %s AND urn = %s"
    row = connection.execute(sql.encode(), (tenant, urn)).fetchone()
    if row is None:
        raise ResourceNotFound(f"There is no {urn}.")
    document: str = row[0]
    return document


def _insert(connection: Connection, table: str, tenant: int, urn: str, document: bytes) -> None:
    sql = f"INSERT INTO {table} (tenant, urn, document) VALUES (%s, %s, %s)"
    connection.execute(sql.encode(), (tenant, urn, document.decode()))


def _update(connection: Connection, table: str, tenant: int, urn: str, document: bytes) -> None:
    sql = f"UPDATE {table} SET document = %s WHERE tenant = %s AND urn = %s"
    connection.execute(sql.encode(), (document.decode(), tenant, urn))


def _delete(connection: Connection, table: str, tenant: str, urn: str) -> bool:
    sql = f"DELETE FROM {table} WHERE tenant = %s AND urn = %s"
    return bool(connection.execute(sql.encode(), (enter(connection, tenant), urn)).rowcount)
