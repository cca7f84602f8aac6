"""Registrations of context sources and subscriptions to them, in the store's one file."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

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
from parvis.kernel.errors import ParvisError, ResourceNotFound
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.leases import Leases, outrun

_encode = msgspec.json.encode
_BUMP = "UPDATE source_version SET version = version + 1"
_TENANT = "tenant = (SELECT id FROM tenant WHERE name = ?)"
_KEY = f"{_TENANT} AND urn = ?"

Write = Callable[[Callable[[Connection], object]], Awaitable[object]]
Read = Callable[[Callable[[Connection], Any]], Awaitable[Any]]


class SqliteSources:
    """SourceStore. `write` runs in the writer's transaction, `read` in a snapshot."""

    def __init__(self, write: Write, read: Read, leases: Leases) -> None:
        self._write = write
        self._read = read
        self._leases = leases
        self._bell = ChangeBell(self.version)

    async def add(self, registration: Registration, check: Callable[[Others], None], most: int | None = None) -> None:
        def insert(connection: Connection) -> None:
            others = [registration_of(one) for one in _documents_of(connection, REGISTRATION, registration.tenant)]
            check_new(registration.id, [one.id for one in others], most, too_many)
            check(others)
            _insert(connection, REGISTRATION, registration.tenant, registration.id, _encode(registration))

        await self._change(insert)

    async def change(
        self, tenant: str, registration_id: str, alter: Callable[[Registration, Others], Registration]
    ) -> None:
        def update(connection: Connection) -> None:
            document = _document(connection, REGISTRATION, tenant, registration_id)
            others = [registration_of(one) for one in _documents_of(connection, REGISTRATION, tenant)]
            altered = alter(registration_of(document), others)
            _update(connection, REGISTRATION, tenant, registration_id, _encode(altered))

        await self._change(update)

    async def remove(self, tenant: str, registration_id: str) -> bool:
        return bool(await self._change(lambda connection: _delete(connection, REGISTRATION, tenant, registration_id)))

    async def find(self, tenant: str, registration_id: str) -> Registration | None:
        sql = f"SELECT document FROM registration WHERE {_KEY}"
        row = await self._read(lambda connection: connection.execute(sql, (tenant, registration_id)).fetchone())
        return None if row is None else registration_of(row[0])

    async def list_all(self) -> list[Registration]:
        sql = "SELECT document FROM registration ORDER BY id"
        rows = await self._read(lambda connection: connection.execute(sql).fetchall())
        return [registration_of(document) for (document,) in rows]

    async def version(self) -> int:
        sql = "SELECT version FROM source_version"
        (version,) = await self._read(lambda connection: connection.execute(sql).fetchone())
        return int(version)

    async def mark(self) -> str:
        sql = "SELECT mark FROM source_version"
        (mark,) = await self._read(lambda connection: connection.execute(sql).fetchone())
        return str(mark)

    async def wait(self, version: int) -> int:
        return await self._bell.wait(version)

    async def add_subscription(self, subscription: SourceSubscription, most: int | None = None) -> None:
        def insert(connection: Connection) -> None:
            others = _documents_of(connection, SUBSCRIPTION, subscription.tenant)
            known = [subscription_of(one).id for one in others]
            check_new(subscription.id, known, most, too_many_subscriptions)
            _insert(connection, SUBSCRIPTION, subscription.tenant, subscription.id, _encode(subscription))

        await self._change(insert)

    async def change_subscription(
        self, tenant: str, subscription_id: str, alter: Callable[[SourceSubscription], SourceSubscription]
    ) -> None:
        def update(connection: Connection) -> None:
            altered = alter(subscription_of(_document(connection, SUBSCRIPTION, tenant, subscription_id)))
            _update(connection, SUBSCRIPTION, tenant, subscription_id, _encode(altered))

        await self._change(update)

    async def remove_subscription(self, tenant: str, subscription_id: str) -> bool:
        return bool(await self._change(lambda connection: _delete(connection, SUBSCRIPTION, tenant, subscription_id)))

    async def find_subscription(self, tenant: str, subscription_id: str) -> SourceSubscribed | None:
        sql = f"SELECT document, standing FROM source_subscription WHERE {_KEY}"
        row = await self._read(lambda connection: connection.execute(sql, (tenant, subscription_id)).fetchone())
        return None if row is None else subscribed_of(*row)

    async def list_subscriptions(self, tenant: str, limit: int, offset: int = 0) -> SourceSubscriptionPage:
        def ask(connection: Connection) -> SourceSubscriptionPage:
            sql = f"SELECT document, standing FROM source_subscription WHERE {_TENANT} ORDER BY id LIMIT ? OFFSET ?"
            rows = connection.execute(sql, (tenant, limit, offset)).fetchall()
            count = f"SELECT count(*) FROM source_subscription WHERE {_TENANT}"
            (total,) = connection.execute(count, (tenant,)).fetchone()
            return SourceSubscriptionPage(tuple(subscribed_of(*row) for row in rows), total)

        page: SourceSubscriptionPage = await self._read(ask)
        return page

    async def list_all_subscriptions(self) -> list[SourceSubscribed]:
        sql = "SELECT document, standing FROM source_subscription ORDER BY id"
        rows = await self._read(lambda connection: connection.execute(sql).fetchall())
        return [subscribed_of(*row) for row in rows]

    async def note(self, tenant: str, subscription_id: str, standing: Standing, fence: Fence | None = None) -> None:
        def write(connection: Connection) -> object:
            if fence is not None and not self._leases.is_last(fence):
                return outrun(fence)
            sql = f"UPDATE source_subscription SET standing = ? WHERE {_KEY}"
            return connection.execute(sql, (_encode(standing), tenant, subscription_id)).rowcount

        answer = await self._write(write)
        if isinstance(answer, ParvisError):
            raise answer

    async def add_copy(self, copy: Copy) -> bool:
        sql = (
            "INSERT INTO source_copy (tenant, subscription, registration, token, document)"
            " SELECT id, ?, ?, ?, ? FROM tenant WHERE name = ? ON CONFLICT DO NOTHING"
        )
        row = (copy.subscription_id, copy.registration.id, copy.token, _encode(copy), copy.tenant)
        return bool(await self._write(lambda connection: connection.execute(sql, row).rowcount))

    async def change_copy(self, copy: Copy) -> None:
        sql = f"UPDATE source_copy SET document = ? WHERE {_TENANT} AND token = ?"
        row = (_encode(copy), copy.tenant, copy.token)
        await self._write(lambda connection: connection.execute(sql, row).rowcount)

    async def drop_copy(self, copy: Copy) -> None:
        sql = f"DELETE FROM source_copy WHERE {_TENANT} AND token = ?"
        await self._write(lambda connection: connection.execute(sql, (copy.tenant, copy.token)).rowcount)

    async def find_copy(self, token: str) -> Copy | None:
        sql = "SELECT document FROM source_copy WHERE token = ?"
        row = await self._read(lambda connection: connection.execute(sql, (token,)).fetchone())
        return None if row is None else copy_of(row[0])

    async def list_copies(self) -> list[Copy]:
        sql = "SELECT document FROM source_copy ORDER BY id"
        rows = await self._read(lambda connection: connection.execute(sql).fetchall())
        return [copy_of(document) for (document,) in rows]

    async def _change(self, task: Callable[[Connection], object]) -> object:
        """A refusal is no failure of the transaction: it comes back as a value, and is raised here."""

        def change(connection: Connection) -> object:
            try:
                answer = task(connection)
            except ParvisError as refusal:
                return refusal
            connection.execute(_BUMP)
            return answer

        answer = await self._write(change)
        if isinstance(answer, ParvisError):
            raise answer
        self._bell.ring()
        return answer


def _documents_of(connection: Connection, table: str, tenant: str) -> Sequence[bytes]:
    sql = f"SELECT document FROM {table} WHERE {_TENANT} ORDER BY id"
    return [document for (document,) in connection.execute(sql, (tenant,)).fetchall()]


def _document(connection: Connection, table: str, tenant: str, urn: str) -> bytes:
    row = connection.execute(f"SELECT document FROM {table} WHERE {_KEY}", (tenant, urn)).fetchone()
    if row is None:
        raise ResourceNotFound(f"There is no {urn}.")
    document: bytes = row[0]
    return document


def _insert(connection: Connection, table: str, tenant: str, urn: str, document: bytes) -> None:
    sql = f"INSERT INTO {table} (tenant, urn, document) SELECT id, ?, ? FROM tenant WHERE name = ?"
    if not connection.execute(sql, (urn, document, tenant)).rowcount:
        raise no_tenant(tenant)


def _update(connection: Connection, table: str, tenant: str, urn: str, document: bytes) -> None:
    connection.execute(f"UPDATE {table} SET document = ? WHERE {_KEY}", (document, tenant, urn))


def _delete(connection: Connection, table: str, tenant: str, urn: str) -> int:
    return connection.execute(f"DELETE FROM {table} WHERE {_KEY}", (tenant, urn)).rowcount
