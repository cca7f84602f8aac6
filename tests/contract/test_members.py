"""Members, mandates and usage are kept alike on both stores."""

import pytest

from parvis.access.members.model import Mandate, Member, Usage
from parvis.access.ports import AccessStore
from tests.contract.test_access import Opener, opener, store

__all__ = ["opener", "store"]

PLOUHINEC = Member(tenant="plouhinec", title="Plouhinec – Ploheneg", code="56169", since=5, hosts=("p.example",))


def mandate(number: int, member: str = "plouhinec") -> Mandate:
    return Mandate(
        id=f"m{number}", member=member, role="operator", since=1, until=9, reference="2026-014",
        granted_by="user:mairie", granted_at=number,
    )  # fmt: skip


def test_a_member_is_kept_replaced_and_listed(store: AccessStore) -> None:
    outline = {"type": "Polygon", "coordinates": [[[-3.5, 47.5], [-3.25, 47.5], [-3.25, 47.75], [-3.5, 47.5]]]}
    whole = Member(tenant="riantec", title="Riantec", since=7, until=9, public_types=("Building",), outline=outline)
    for one in (whole, PLOUHINEC, PLOUHINEC):
        store.members.put_member(one)

    assert [one.tenant for one in store.members.list_members()] == ["plouhinec", "riantec"]
    assert [one.outline for one in store.members.list_members()] == [None, None], "asked for at every request"
    assert store.members.list_outlines() == {"riantec": outline}
    assert store.members.find_member("riantec") == whole
    assert store.members.find_member("groix") is None


def test_mandates_are_those_of_a_member_the_last_first(store: AccessStore) -> None:
    store.members.put_member(PLOUHINEC)
    store.members.put_member(Member(tenant="riantec", title="Riantec", since=7))
    for one in (mandate(1), mandate(2), mandate(3, "riantec")):
        store.members.put_mandate(one)
    ended = Mandate(**{name: getattr(mandate(1), name) for name in Mandate.__struct_fields__} | {"ended_at": 4})
    store.members.put_mandate(ended)

    assert store.members.list_mandates("plouhinec") == [mandate(2), ended]
    assert [one.id for one in store.members.list_mandates()] == ["m3", "m2", "m1"]


def test_what_is_not_committed_is_not_there(store: AccessStore, opener: Opener) -> None:
    with pytest.raises(ValueError, match="later"), store.transaction():  # noqa: PT012
        store.members.put_member(PLOUHINEC)
        raise ValueError("later")

    assert opener().members.list_members() == []


def test_the_last_figures_of_a_month_are_kept(store: AccessStore) -> None:
    first = Usage(
        month="2026-11", tenant="plouhinec", changes=1, values=2, entities=3, store_bytes=4, archive_bytes=5,
        measured_at=6,
    )  # fmt: skip
    later = Usage(
        month="2026-11", tenant="plouhinec", changes=7, values=9, entities=3, store_bytes=2**40, archive_bytes=5,
        measured_at=8,
    )  # fmt: skip
    before = Usage(
        month="2026-10", tenant="default", changes=0, values=0, entities=0, store_bytes=0, archive_bytes=0,
        measured_at=1,
    )  # fmt: skip
    for one in (first, before, later):
        store.members.put_usage(one)

    assert store.members.list_usage("2026-11") == [later]
    assert store.members.list_months() == ["2026-11", "2026-10"]
