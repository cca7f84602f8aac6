"""Access behaves alike on both stores, and with several processes on one of them."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from parvis.access.audit import find_break
from parvis.access.certificates.model import DeviceCertificate
from parvis.access.identities.model import Authenticator, Begun, ForeignIdentity, Passkey
from parvis.access.model import Account, AccountLink, ApiKey, AuditRecord, Bound, OneTimeLink, Session
from parvis.access.ports import AccessStore
from parvis.access.roles.model import Assignment, Classified, Role, RoleGrant
from parvis.access.throttle import WINDOW
from parvis.kernel.errors import AlreadyExists, Overloaded
from parvis.kernel.time import SECOND
from parvis.stores.postgres.access import PostgresAccessStore
from parvis.stores.postgres.database import Database
from parvis.stores.sqlite.access import SqliteAccessStore

ODILE = Account("odile", "hash", "operator", "default", 10)
KEY = ApiKey("k1", b"key digest", "gate 4", "device", "default", 10, expires_at=90)
Opener = Callable[[], AccessStore]


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Each call is another process's way to the same accounts."""
    if request.param == "postgres":
        database = Database(request.getfixturevalue("postgres_url"))
        database.prepare()
    opened: list[AccessStore] = []

    def open_one() -> AccessStore:
        one: AccessStore = (
            PostgresAccessStore(database) if request.param == "postgres" else SqliteAccessStore(tmp_path / "access.db")
        )
        opened.append(one)
        return one

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def store(opener: Opener) -> AccessStore:
    return opener()


def record(number: int) -> AuditRecord:
    return AuditRecord(number, "default", "system:test", "done", str(number), {"é": "ü"})


def test_an_account_is_kept_and_its_name_taken(store: AccessStore) -> None:
    store.add_account(ODILE)
    with pytest.raises(AlreadyExists), store.transaction():  # noqa: PT012
        store.append_audit(record(1))
        store.add_account(ODILE)
    changed = Account("odile", "other", "reader", "port", 10, disabled=True)
    store.replace_account(changed)

    assert store.find_account("odile") == changed
    assert store.find_account("perig") is None
    assert store.list_accounts() == [changed]
    assert list(store.read_audit()) == [], "what was in the transaction went with it"


def test_sessions_are_known_to_all_processes_until_they_end(opener: Opener) -> None:
    here, there = opener(), opener()
    here.add_account(ODILE)
    one, two, old = (Session(name, "odile", 10, 10, ends) for name, ends in ((b"1", 90), (b"2", 90), (b"old", 20)))
    for session in (one, two, old):
        here.add_session(session)

    assert there.find_session(b"1") == one
    there.touch_session(b"1", 30)
    there.forget_sessions(50)
    assert here.find_session(b"1") == Session(b"1", "odile", 10, 30, 90)
    assert here.find_session(b"old") is None
    here.end_session(b"1")
    assert there.find_session(b"1") is None
    here.end_sessions_of("odile")
    assert there.find_session(b"2") is None


def test_a_session_has_one_secret_after_the_other(opener: Opener) -> None:
    here, there = opener(), opener()
    here.add_account(ODILE)
    here.add_session(Session(b"1", "odile", 10, 10, 90, "Firefox, Linux", "192.0.2.0/24", "passkey", "hint", b"a"))
    here.add_session(Session(b"2", "odile", 10, 40, 90, secret=b"x", rotated_at=10))
    here.offer_secret(b"1", b"b", 20)
    there.turn_secret(b"1", b"made up", 25)
    offered = Session(
        b"1", "odile", 10, 10, 90, "Firefox, Linux", "192.0.2.0/24", "passkey", "hint", b"a", b"b", 20, None, 0
    )
    assert there.find_session(b"1") == offered
    there.turn_secret(b"1", b"b", 30)

    turned = here.find_session(b"1")
    assert turned is not None
    assert (turned.secret, turned.next_secret, turned.previous, turned.rotated_at) == (b"b", None, b"a", 30)
    assert [one.digest for one in here.list_sessions("odile")] == [b"2", b"1"], "the one used last first"
    there.rotate_soon("odile")
    assert {one.rotated_at for one in here.list_sessions("odile")} == {0}
    assert here.list_sessions("perig") == []


def test_what_was_begun_is_finished_once_and_in_time(opener: Opener) -> None:
    here, there = opener(), opener()
    begun = Begun(b"1", "sign-in", "odile", {"é": [1, "ü"]}, 50)
    here.identities.begin(begun, 10)
    here.identities.begin(Begun(b"2", "sign-in", "odile", {}, 20), 10)

    assert there.identities.find_begun(b"1", "sign-in", 49) == begun
    assert there.identities.find_begun(b"1", "passkey", 49) is None
    assert there.identities.finish(b"2", "sign-in", 20) is None, "it is too late"
    assert there.identities.finish(b"1", "sign-in", 49) == begun
    assert here.identities.finish(b"1", "sign-in", 49) is None
    here.identities.begin(Begun(b"3", "sign-in", "odile", {}, 90), 30)
    here.identities.begin(Begun(b"2", "sign-in", "odile", {}, 90), 30)


def test_a_code_is_taken_once_by_all_processes(opener: Opener) -> None:
    here, there = opener(), opener()
    here.add_account(ODILE)
    here.identities.keep_authenticator(Authenticator("odile", b"secret", 10))
    assert here.identities.take_step("odile", 7)
    assert not there.identities.take_step("odile", 7)
    assert not there.identities.take_step("odile", 6)
    assert there.identities.find_authenticator("odile") == Authenticator("odile", b"secret", 10, 7)
    there.identities.keep_authenticator(Authenticator("odile", b"another", 20))
    assert here.identities.find_authenticator("odile") == Authenticator("odile", b"another", 20)

    here.identities.replace_recovery_codes("odile", [b"1", b"2"])
    assert there.identities.use_recovery_code("odile", b"1")
    assert not here.identities.use_recovery_code("odile", b"1")
    assert not here.identities.use_recovery_code("perig", b"2")
    assert here.identities.list_recovery_codes("odile") == [b"2"]
    here.identities.replace_recovery_codes("odile", [])
    assert here.identities.list_recovery_codes("odile") == []
    assert there.identities.drop_authenticator("odile")
    assert not here.identities.drop_authenticator("odile")


def test_a_certificate_that_is_revoked_stays_so_whoever_notes_its_use(opener: Opener) -> None:
    here, there = opener().certificates, opener().certificates
    used = DeviceCertificate(b"1", "0011aabb", "default", 90, 10, 10)
    here.add(used)
    there.add(DeviceCertificate(b"2", "0011aabb", "default", 0))
    here.touch(b"1", 20)
    assert here.find(b"1") == replace(used, last_used_at=20)
    assert there.revoke(b"1", 30)
    assert not here.revoke(b"1", 31)
    here.add(used)
    here.touch(b"1", 40)
    assert here.find(b"1") == replace(used, last_used_at=40, revoked_at=30)
    assert [one.fingerprint for one in there.list_all()] in ([b"1", b"2"], [b"2", b"1"])
    there.forget_expired(91)
    assert [one.fingerprint for one in here.list_all()] == [b"2"], "of one that nobody has shown the end is not known"


def test_passkeys_are_of_one_account(store: AccessStore) -> None:
    store.add_account(ODILE)
    key = Passkey(b"id", "odile", b"handle", "Phone", b"credential", 0, 10)
    store.identities.add_passkey(key)
    with pytest.raises(AlreadyExists), store.transaction():
        store.identities.add_passkey(key)
    store.identities.note_passkey_use(b"id", 5, 20)

    used = Passkey(b"id", "odile", b"handle", "Phone", b"credential", 5, 10, 20)
    assert store.identities.find_passkey(b"id") == used
    assert store.identities.list_passkeys("odile") == [used]
    assert not store.identities.drop_passkey("perig", b"id")
    assert store.identities.drop_passkey("odile", b"id")
    assert store.identities.find_passkey(b"id") is None


def test_a_foreign_identity_leads_to_one_account(store: AccessStore) -> None:
    store.add_account(ODILE)
    known = ForeignIdentity("https://id.example", "abc", "odile", 10)
    store.identities.keep_foreign(known)
    assert store.identities.find_foreign("https://id.example", "abc") == known
    assert store.identities.find_foreign("https://other.example", "abc") is None
    later = ForeignIdentity("https://id.example", "abc", "odile", 10, 20)
    store.identities.keep_foreign(later)
    assert store.identities.list_foreign("odile") == [later]


def test_a_key_opens_everywhere_until_it_is_revoked_anywhere(opener: Opener) -> None:
    here, there = opener(), opener()
    here.add_key(KEY)
    assert there.find_key(b"key digest") == there.find_key_by_id("k1") == KEY
    there.touch_key(b"key digest", 20)

    assert here.revoke_key("k1", 30)
    assert not there.revoke_key("k1", 40)
    (found,) = there.list_keys()
    assert (found.last_used_at, found.revoked_at) == (20, 30)


def test_a_link_opens_once_and_the_next_one_closes_it(opener: Opener) -> None:
    here, there = opener(), opener()
    here.replace_link(OneTimeLink(b"first", "administrator", 90))
    here.replace_link(OneTimeLink(b"second", "administrator", 90))

    assert there.find_link(b"first") is None
    assert there.use_link(b"second", 95) is None
    assert there.use_link(b"second", 50) == OneTimeLink(b"second", "administrator", 90, used_at=50)
    assert here.use_link(b"second", 60) is None


def test_an_account_has_one_link(store: AccessStore) -> None:
    store.add_account(ODILE)
    store.replace_account_link(AccountLink(b"first", "odile", 90))
    store.replace_account_link(AccountLink(b"second", "odile", 90))

    assert store.find_account_link(b"first", 50) is None
    assert store.find_account_link(b"second", 90) is None
    assert store.find_account_link(b"second", 50) == AccountLink(b"second", "odile", 90)
    store.end_account_links("odile")
    assert store.find_account_link(b"second", 50) is None


PAIR, ADDRESS = Bound(b"one from here", 2), Bound(b"here", 3)


def test_attempts_are_bounded_by_every_subject_until_they_are_old(store: AccessStore) -> None:
    assert [store.count_attempt((PAIR, ADDRESS), SECOND * at) for at in (1, 2, 3)] == [0, 0, WINDOW // SECOND - 2]
    assert store.count_attempt((Bound(b"two from here", 2), ADDRESS), 4 * SECOND) == 0, (
        "what was refused is not counted"
    )
    assert store.count_attempt((Bound(b"three from here", 2), ADDRESS), 5 * SECOND) == WINDOW // SECOND - 4
    assert store.count_attempt((PAIR, ADDRESS), WINDOW + SECOND) == 0


def test_attempts_of_a_subject_are_forgotten_alone(store: AccessStore) -> None:
    for at in (1, 2):
        store.count_attempt((PAIR, ADDRESS), at)
    store.forget_attempts(PAIR.subject)
    assert store.count_attempt((PAIR, ADDRESS), 3) == 0
    assert store.count_attempt((PAIR, ADDRESS), 4) == WINDOW // SECOND


def test_processes_that_share_a_database_count_attempts_together(opener: Opener) -> None:
    stores = [opener() for _ in range(3)]
    if not isinstance(stores[0], PostgresAccessStore):
        pytest.skip("one process signs people in")
    taken = [stores[turn % 3].count_attempt((Bound(b"guessed", 5),), turn) == 0 for turn in range(12)]
    assert taken == [True] * 5 + [False] * 7


def test_attempts_take_bounded_room(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis.stores.postgres.access.MOST_ATTEMPTS", 10)
    store = opener()
    if not isinstance(store, PostgresAccessStore):
        pytest.skip("in memory they are bounded by the throttle")
    for turn in range(30):
        store.count_attempt((Bound(b"%d" % turn, 1),), turn)
    assert store._rows("SELECT count(*) FROM attempt") == [(10,)]


def test_several_processes_write_one_unbroken_trail(opener: Opener) -> None:
    """Each with a connection of its own, all at once."""
    faults: list[Exception] = []

    def write(first: int) -> None:
        store = opener()
        try:
            for number in range(first, first + 25):
                with store.transaction():
                    store.append_audit(record(number))
                    store.append_audit(record(-number))
        except Exception as fault:
            faults.append(fault)

    opener_is_threaded = isinstance(opener(), PostgresAccessStore)
    if opener_is_threaded:
        threads = [threading.Thread(target=write, args=(first,)) for first in (100, 200, 300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        for first in (100, 200, 300):
            write(first)

    store = opener()
    entries = list(store.read_audit())
    assert not faults
    assert [entry.number for entry in entries] == list(range(1, 151))
    assert find_break(entries) is None
    assert {entry.record.object for entry in entries[::2]} == {str(n + i) for n in (100, 200, 300) for i in range(25)}
    assert store.newest_audit() == 150
    assert [entry.number for entry in store.read_audit(148)] == [149, 150]
    assert [entry.number for entry in store.list_audit(None, 2)] == [150, 149]
    assert [entry.number for entry in store.list_audit(3, 5)] == [2, 1]


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[PostgresAccessStore]:
    database = Database(postgres_url)
    database.prepare()
    store = PostgresAccessStore(database)
    yield store
    store.close()


def test_postgresql_refuses_every_forgery_of_the_trail(on_postgres: PostgresAccessStore, postgres_url: str) -> None:
    on_postgres.append_audit(record(1))
    for forgery in ("UPDATE audit SET number = 2", "DELETE FROM audit", "TRUNCATE audit"):
        with psycopg.connect(postgres_url) as connection, pytest.raises(psycopg.Error, match="append-only"):
            connection.execute(forgery.encode())
    assert on_postgres.newest_audit() == 1


def test_a_lost_connection_is_refused_at_once_and_comes_back(
    on_postgres: PostgresAccessStore, postgresql: str, postgres_url: str
) -> None:
    on_postgres.add_key(KEY)
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgresql, autocommit=True) as cluster:
        cluster.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    with pytest.raises(Overloaded):
        on_postgres.find_key(b"key digest")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert on_postgres.find_key(b"key digest") == KEY
            return
        except Overloaded:
            time.sleep(0.05)
    pytest.fail("the connection did not come back")


def test_a_call_waits_no_longer_than_its_bound_for_another_process(opener: Opener) -> None:
    here, there = opener(), opener()
    if not isinstance(here, PostgresAccessStore):
        pytest.skip("SQLite has its own bound (busy timeout)")
    began_s = time.monotonic()
    with here.transaction(), pytest.raises(Overloaded):
        there.append_audit(record(1))
    assert time.monotonic() - began_s < 4
    there.append_audit(record(1))


LAMPLIGHTER = Role(
    (RoleGrant(("read",)), RoleGrant(("write", "command"), ("Streetlight",), ("/port/north",))),
    "internal",
    {"fr": "Allumeur"},
    name="lamplighter",
)


def test_a_role_of_a_tenants_own_is_kept_until_it_is_dropped(opener: Opener) -> None:
    here, there = opener(), opener()
    here.roles.put_role("port", LAMPLIGHTER)
    assert there.roles.list_roles() == [("port", LAMPLIGHTER)]
    changed = Role((RoleGrant(("read",)),), name="lamplighter")
    there.roles.put_role("port", changed)
    assert here.roles.list_roles() == [("port", changed)]
    assert not here.roles.drop_role("default", "lamplighter")
    assert here.roles.drop_role("port", "lamplighter")
    assert there.roles.list_roles() == []


def test_an_attribute_is_in_one_class(store: AccessStore) -> None:
    store.roles.put_class("port", Classified("name", "personal", "Boat"))
    store.roles.put_class("port", Classified("name", "sensitive", "Boat"))
    store.roles.put_class("port", Classified("name", "internal"))
    assert store.roles.list_classes() == [
        ("port", Classified("name", "internal")),
        ("port", Classified("name", "sensitive", "Boat")),
    ]
    assert store.roles.drop_class("port", Classified("name", "internal"))
    assert not store.roles.drop_class("port", Classified("name", "internal"))
    assert len(store.roles.list_classes()) == 1


def test_somebody_has_several_roles_with_dates(store: AccessStore) -> None:
    first = Assignment("a1", "user:odile", "port", "operator", 10, 90, ("Streetlight",), ("/port",))
    second = Assignment("a2", "key:k1", "default", "reader", 20)
    for one in (first, second):
        store.roles.put_assignment(one)
    assert store.roles.list_assignments() == [second, first]
    assert store.roles.list_assignments("user:odile") == [first]
    assert store.roles.drop_assignment("a1")
    assert not store.roles.drop_assignment("a1")
