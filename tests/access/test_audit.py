import sqlite3
from pathlib import Path

import msgspec
import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.audit import find_break
from parvis.access.identities.sessions import SeenFrom
from parvis.access.model import AuditRecord
from parvis.kernel.errors import AlreadyExists, Unauthenticated
from parvis.stores.sqlite.access import SqliteAccessStore


async def eventful_day(access: Access) -> None:
    await access.accounts.add_account(COMMAND_LINE, "odile", "a fine long password", "operator")
    with pytest.raises(Unauthenticated):
        await access.accounts.sign_in("odile", "a wrong password", SeenFrom("192.0.2.7"))
    await access.accounts.sign_in("odile", "a fine long password", SeenFrom("192.0.2.7"))
    key, _ = access.keys.create(COMMAND_LINE, "gate 4", "device")
    access.keys.revoke(COMMAND_LINE, key.id)


async def test_the_trail_tells_the_day_in_order(access: Access) -> None:
    await eventful_day(access)

    actions = [entry.record.action for entry in access.store.read_audit()]

    assert actions == ["account-created", "sign-in-failed", "signed-in", "key-created", "key-revoked"]
    assert access.find_audit_break() is None


async def test_the_trail_cannot_be_changed_through_the_database(access: Access, store: SqliteAccessStore) -> None:
    await eventful_day(access)

    for forgery in ("UPDATE audit SET record = x'7b7d'", "DELETE FROM audit WHERE number = 2"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store._connection.execute(forgery)


@pytest.mark.parametrize("forgery", ["change", "remove", "insert", "swap"])
async def test_every_forgery_shows(access: Access, forgery: str) -> None:
    await eventful_day(access)
    entries = list(access.store.read_audit())
    if forgery == "change":
        record = msgspec.structs.replace(entries[1].record, subject="nobody")
        entries[1] = msgspec.structs.replace(entries[1], record=record)
    elif forgery == "remove":
        del entries[1]
    elif forgery == "insert":
        entries.insert(1, entries[1])
    else:
        entries[1], entries[2] = entries[2], entries[1]

    assert find_break(entries) is not None


async def test_what_did_not_happen_is_not_in_the_trail(access: Access) -> None:
    await eventful_day(access)

    with pytest.raises(AlreadyExists):
        await access.accounts.add_account(COMMAND_LINE, "odile", "a fine long password", "operator")

    assert [entry.number for entry in access.store.read_audit()] == [1, 2, 3, 4, 5]


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    stores = [SqliteAccessStore(tmp_path / "access.db") for _ in range(2)]
    for number in range(6):
        stores[number % 2].append_audit(AuditRecord(number, "default", "system:test", "done", str(number)))

    entries = list(stores[0].read_audit())

    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert find_break(entries) is None
    for store in stores:
        store.close()


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    SqliteAccessStore(tmp_path / "access.db").close()

    assert (tmp_path / "access.db").stat().st_mode & 0o077 == 0
