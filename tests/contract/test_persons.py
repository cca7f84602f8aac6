"""Somebody is taken out of the tables of access with all that is theirs, and nobody else; alike on both stores."""

from parvis.access.identities.model import Authenticator, Begun, ForeignIdentity, Passkey
from parvis.access.model import Account, AccountLink, ApiKey, Session
from parvis.access.ports import AccessStore
from parvis.access.privacy.model import Action, LedgerEntry
from parvis.access.roles.model import Assignment
from tests.contract.test_access import Opener, opener, store

__all__ = ["Opener", "opener", "store"]

NOW, LATER = 1_000, 2_000


def come_in(access: AccessStore, name: str) -> None:
    digest = name.encode()
    access.add_account(Account(name, "$x", "operator", "town", NOW))
    access.add_session(Session(digest, name, NOW, NOW, LATER))
    access.replace_account_link(AccountLink(digest, name, LATER))
    access.roles.put_assignment(Assignment(name, f"user:{name}", "town", "reader", NOW))
    identities = access.identities
    identities.begin(Begun(digest, "code", name, {}, LATER), NOW)
    identities.keep_authenticator(Authenticator(name, b"secret", NOW))
    identities.add_passkey(Passkey(digest, name, b"", "phone", b"", 0, NOW))
    identities.keep_foreign(ForeignIdentity("https://id.example", name, name, NOW))


def belongings(access: AccessStore, name: str) -> list[object]:
    identities, digest = access.identities, name.encode()
    return [
        access.find_account(name),
        access.find_session(digest),
        access.find_account_link(digest, NOW),
        identities.find_begun(digest, "code", NOW),
        identities.find_authenticator(name),
        identities.find_passkey(digest),
        identities.find_foreign("https://id.example", name),
        next(iter(access.roles.list_assignments(f"user:{name}")), None),
    ]


def test_an_account_goes_with_all_that_is_its_own(store: AccessStore) -> None:
    come_in(store, "marie")
    come_in(store, "marie-anne")
    assert None not in belongings(store, "marie")

    assert store.persons.drop_account("marie")

    assert set(belongings(store, "marie")) == {None}
    assert None not in belongings(store, "marie-anne")
    assert not store.persons.drop_account("marie")


def test_a_key_goes_with_its_roles(store: AccessStore) -> None:
    for key_id in ("one", "other"):
        store.add_key(ApiKey(key_id, key_id.encode(), "Marie's phone", "reader", "town", NOW))
        store.roles.put_assignment(Assignment(key_id, f"key:{key_id}", "town", "reader", NOW))

    assert store.persons.drop_key("one")

    assert [one.id for one in store.list_keys()] == ["other"]
    assert [one.subject for one in store.roles.list_assignments()] == ["key:other"]
    assert not store.persons.drop_key("one")


def test_of_the_ledger_the_erasures_of_persons_are_told_of_all_tenants(store: AccessStore) -> None:
    for tenant, key, action in (
        ("town", "person 1", Action.PERSON_ERASED),
        ("town", "meters 1", Action.ERASED),
        ("harbour", "person 2", Action.PERSON_ERASED),
    ):
        store.privacy.append_ledger(LedgerEntry(tenant=tenant, at=NOW, action=action, key=key, by="user:ada"))

    assert [(one.tenant, one.key) for one in store.persons.list_erased()] == [
        ("town", "person 1"),
        ("harbour", "person 2"),
    ]
