"""Purposes, the ledger and what is just being done are kept alike on both stores."""

import pytest

from parvis.access.ports import AccessStore
from parvis.access.privacy.model import Action, Cover, LedgerEntry, Policy, Purpose, Then
from tests.contract.test_access import Opener, opener, store

__all__ = ["opener", "store"]

METERS = Purpose(
    id="meters",
    name={"en": "Water meters", "fr": "Compteurs d’eau"},
    basis="c",
    covers=(Cover(type="WaterConsumption", attributes=("volume",), keep="P13M", then=Then.AGGREGATE),),
    version=1,
)


def entry(key: str, at: int = 5, tenant: str = "town") -> LedgerEntry:
    return LedgerEntry(
        tenant=tenant, at=at, action=Action.ERASED, key=key, by="system:retention", purpose="meters", version=1,
        type="WaterConsumption", attribute="volume", count=3, objects=2, since=1, until=4, places={"history": 3},
    )  # fmt: skip


def told(entries: list[LedgerEntry]) -> list[str]:
    return [one.key for one in entries]


def test_a_purpose_is_of_one_tenant_and_replaced_by_its_id(store: AccessStore) -> None:
    privacy = store.privacy
    privacy.put_purpose("town", Purpose(id="meters", name={"en": "Old"}, basis="a"))
    privacy.put_purpose("town", METERS)
    privacy.put_purpose("harbour", Purpose(id="berths", name={"en": "Berths"}, basis="b"))

    assert privacy.list_purposes("town") == [METERS]


def test_a_policy_is_of_one_tenant(store: AccessStore) -> None:
    policy = Policy(executes=True, executes_since=7, controller="Plouhinec", contact="mairie@plouhinec.example")
    store.privacy.put_policy("town", Policy())
    store.privacy.put_policy("town", policy)

    assert store.privacy.find_policy("town") == policy
    assert store.privacy.find_policy("harbour") is None


def test_the_ledger_tells_everything_once_and_in_order(store: AccessStore) -> None:
    privacy = store.privacy
    assert privacy.append_ledger(entry("first", at=9))
    assert privacy.append_ledger(entry("first", tenant="harbour"))
    assert privacy.append_ledger(entry("second", at=3))
    assert not privacy.append_ledger(entry("first", at=11)), "told already"

    first, second = privacy.list_ledger("town")
    assert (first.key, second.key) == ("first", "second")
    assert first.number < second.number
    assert first.places == {"history": 3}
    assert first.at == 9
    assert told(privacy.list_ledger("town", after=first.number)) == ["second"]
    assert told(privacy.list_ledger("town", limit=1)) == ["first"]
    assert told(privacy.list_last_ledger("town")) == ["second", "first"]
    assert told(privacy.list_last_ledger("town", since=4)) == ["first"]


@pytest.mark.parametrize("sql", ["DELETE FROM privacy_ledger", "UPDATE privacy_ledger SET at = 0"])
def test_nothing_is_taken_out_of_the_ledger(store: AccessStore, sql: str) -> None:
    store.privacy.append_ledger(entry("first"))

    with pytest.raises(Exception, match="append-only"):
        store.privacy._on.write(sql)  # type: ignore[attr-defined]  # past the port, as somebody with the database would

    assert told(store.privacy.list_ledger("town")) == ["first"]


def test_a_step_is_there_until_it_is_done_and_all_or_nothing_with_the_ledger(
    store: AccessStore, opener: Opener
) -> None:
    store.privacy.put_step("town", "b", b"later")
    store.privacy.put_step("town", "a", b"planned")
    store.privacy.put_step("town", "a", b"planned anew")

    with pytest.raises(ValueError, match="stopped"), store.transaction():  # noqa: PT012
        store.privacy.append_ledger(entry("a"))
        store.privacy.drop_step("town", "a")
        raise ValueError("stopped")

    again = opener().privacy
    assert again.list_steps("town") == [("a", b"planned anew"), ("b", b"later")]
    assert again.list_ledger("town") == []
    assert again.drop_step("town", "a")
    assert again.list_steps("town") == [("b", b"later")]
    assert again.list_steps("harbour") == []
