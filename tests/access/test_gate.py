import sqlite3
from pathlib import Path

import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.gate import ANSWER_HOLDS_S, Gate
from parvis.access.model import EVERY_TENANT
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound, Unauthenticated
from parvis.kernel.identity import ADMINISTRATOR, ANONYMOUS, NOBODY, OPERATOR, Caller, Right
from parvis.stores.sqlite.access import SqliteAccessStore
from tests.access.conftest import FakeClock


def bearer(key: str) -> bytes:
    return b"Bearer " + key.encode()


def test_a_key_gives_the_rights_of_its_role(access: Access) -> None:
    for role, rights in (("operator", OPERATOR), ("device", Right.INGEST), ("administrator", ADMINISTRATOR)):
        key, token = access.keys.create(COMMAND_LINE, "a label", role)

        caller = access.gate.authenticate(bearer(token), None)
        assert (caller.tenant, caller.subject, caller.rights) == ("default", f"key:{key.id}", rights)


@pytest.mark.parametrize("header", [b"Bearer parvis_wrong", b"Bearer ", b"Basic YTpi", b""])
def test_a_proof_that_opens_nothing_is_no_way_to_be_anonymous(access: Access, header: bytes) -> None:
    with pytest.raises(Unauthenticated):
        access.gate.authenticate(header, None)


def test_without_a_proof_one_reads_what_is_public_in_the_default_tenant(access: Access) -> None:
    anonymous = access.gate.authenticate(None, None)
    assert (anonymous.tenant, anonymous.subject, anonymous.rights) == ("default", ANONYMOUS, Right.READ_PUBLIC)
    assert access.gate.authenticate(None, b"no such session").rights == Right.READ_PUBLIC
    assert access.gate.authenticate(None, None, "port").rights == NOBODY


def test_where_nothing_is_public_the_anonymous_may_nothing(store: SqliteAccessStore) -> None:
    assert Gate(store).authenticate(None, None).rights == NOBODY


def test_without_authentication_everyone_may_everything(store: SqliteAccessStore) -> None:
    gate = Gate(store, auth=False)

    assert gate.authenticate(None, None, "port") == Caller("port", "everyone", ADMINISTRATOR)
    assert gate.authenticate_device(b"") == Caller("default", "everyone", ADMINISTRATOR)


def test_a_key_holds_in_its_tenant_or_in_every_one(access: Access) -> None:
    _, here = access.keys.create(COMMAND_LINE, "here", "reader")
    _, everywhere = access.keys.create(COMMAND_LINE, "everywhere", "reader", EVERY_TENANT)

    with pytest.raises(Forbidden):
        access.gate.authenticate(bearer(here), None, "port")
    assert access.gate.authenticate(bearer(everywhere), None, "port").tenant == "port"


def test_a_revoked_key_opens_nothing_at_once(access: Access) -> None:
    key, token = access.keys.create(COMMAND_LINE, "gate 4", "device")
    assert access.gate.authenticate_device(token.encode()) is not None

    access.keys.revoke(COMMAND_LINE, key.id)

    assert access.gate.authenticate_device(token.encode()) is None
    with pytest.raises(ResourceNotFound):
        access.keys.revoke(COMMAND_LINE, key.id)


def test_a_key_revoked_by_another_process_opens_nothing_soon(store: SqliteAccessStore, access: Access) -> None:
    ticks = [0.0]
    beside = Gate(store, ticks_s=lambda: ticks[0])
    key, token = access.keys.create(COMMAND_LINE, "gate 4", "device")
    assert beside.authenticate(bearer(token), None).subject == f"key:{key.id}"

    access.keys.revoke(COMMAND_LINE, key.id)
    assert beside.authenticate(bearer(token), None).subject == f"key:{key.id}"
    ticks[0] += ANSWER_HOLDS_S

    with pytest.raises(Unauthenticated):
        beside.authenticate(bearer(token), None)


def test_a_device_acts_in_the_tenant_of_its_key(access: Access) -> None:
    tenants = {}
    for tenant in ("default", "port", EVERY_TENANT):
        _, token = access.keys.create(COMMAND_LINE, "gateway", "device", tenant)
        caller = access.gate.authenticate_device(token.encode())
        assert caller is not None
        tenants[tenant] = caller.tenant

    assert tenants == {"default": "default", "port": "port", EVERY_TENANT: "default"}
    assert access.gate.authenticate_device(b"guess") is None


def test_a_key_expires(access: Access, clock: FakeClock) -> None:
    _, token = access.keys.create(COMMAND_LINE, "for a day", "reader", expires_at=clock() + 1)
    clock.now += 1

    with pytest.raises(Unauthenticated):
        access.gate.authenticate(bearer(token), None)
    with pytest.raises(BadRequestData):
        access.keys.create(COMMAND_LINE, "for no time", "reader", expires_at=clock())


def test_the_last_use_of_a_key_is_noted(access: Access, clock: FakeClock) -> None:
    _, token = access.keys.create(COMMAND_LINE, "gate 4", "device")
    access.gate.authenticate_device(token.encode())

    (key,) = access.keys.list_keys(COMMAND_LINE)

    assert key.last_used_at == clock()


def test_keys_are_made_and_seen_by_administrators_of_their_tenant_only(access: Access) -> None:
    key, _ = access.keys.create(COMMAND_LINE, "gate 4", "device")
    elsewhere = Caller("port", "user:perig", ADMINISTRATOR)

    for caller in (elsewhere, Caller("default", "user:odile", OPERATOR)):
        with pytest.raises(Forbidden):
            access.keys.create(caller, "mine", "administrator")
    assert access.keys.list_keys(elsewhere) == []
    with pytest.raises(ResourceNotFound):
        access.keys.revoke(elsewhere, key.id)
    with pytest.raises(Forbidden):
        access.keys.create(elsewhere, "all", "administrator", EVERY_TENANT)


def test_a_key_is_found_without_the_store_for_a_while(access: Access, store: SqliteAccessStore) -> None:
    _, token = access.keys.create(COMMAND_LINE, "gate 4", "device")
    access.gate.authenticate(bearer(token), None)
    store.close()

    assert access.gate.authenticate(bearer(token), None).rights == Right.INGEST


def test_a_key_stays_in_force_until_it_is_revoked(access: Access) -> None:
    key, token = access.keys.create(COMMAND_LINE, "gate 4", "device")
    caller = access.gate.authenticate_device(token.encode())
    assert caller is not None
    assert access.gate.is_in_force(caller)

    access.keys.revoke(COMMAND_LINE, key.id)

    assert not access.gate.is_in_force(caller)


def test_who_showed_no_key_stays(access: Access) -> None:
    assert access.gate.is_in_force(Caller("default", "system:mqtt-anonymous", Right.INGEST))


def test_a_key_of_one_device_speaks_for_it_alone(access: Access) -> None:
    key, token = access.keys.create(COMMAND_LINE, "bin 4", "device", device="70B3D5499E000001")
    told = Caller("default", f"key:{key.id}", Right.INGEST, "70b3d5499e000001")
    assert access.gate.authenticate(bearer(token), None) == told
    assert access.gate.authenticate_device(token.encode()) == told
    assert [one.id for one in access.keys.list_device_keys(COMMAND_LINE, "70B3d5499e000001")] == [key.id]

    access.keys.end_device(Caller("default", "user:ada", OPERATOR), "70b3d5499e000001")

    assert access.gate.authenticate_device(token.encode()) is None
    assert access.keys.list_device_keys(COMMAND_LINE, "70b3d5499e000001") == []


@pytest.mark.parametrize(("role", "tenant"), [("operator", "default"), ("device", EVERY_TENANT)])
def test_a_key_of_one_device_delivers_and_nothing_else(access: Access, role: str, tenant: str) -> None:
    with pytest.raises(BadRequestData):
        access.keys.create(COMMAND_LINE, "bin 4", role, tenant, device="70b3d5499e000001")


def test_keys_of_an_older_parvis_are_of_no_one_device(tmp_path: Path) -> None:
    path = tmp_path / "access.db"
    old = sqlite3.connect(path)
    old.executescript(
        "CREATE TABLE api_key (id TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, label TEXT NOT NULL, role TEXT NOT NULL,"  # noqa: E501
        " tenant TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER,"
        " revoked_at INTEGER) STRICT, WITHOUT ROWID;"
        "INSERT INTO api_key VALUES ('k1', x'00', 'old', 'device', 'default', 5, NULL, NULL, NULL);"
    )
    old.close()
    for _ in range(2):
        store = SqliteAccessStore(path)
        assert [(one.id, one.device) for one in store.list_keys()] == [("k1", "")]
        store.close()
