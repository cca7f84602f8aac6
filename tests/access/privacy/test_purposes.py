"""Declarations: each tenant's own, each change with its version in the trail, by who answers for people's data."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from parvis.access.audit_proof import proof_lines, prove
from parvis.access.privacy.model import Cover, Policy, Purpose, Then
from parvis.access.privacy.packaged import PACKAGED_PURPOSES, read_purposes
from parvis.access.privacy.purposes import Purposes
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.stores.sqlite.access import SqliteAccessStore

STEWARD = Caller("town", "user:marie", Right.READ | Right.STEWARD)
COVER = Cover(type="Person", attributes=("email",), keep="P1Y")
MAIL = Purpose(id="mail", name={"en": "Newsletter", "fr": "Lettre"}, basis="a", covers=(COVER,))


@pytest.fixture
def store() -> Iterator[SqliteAccessStore]:
    with closing(SqliteAccessStore(":memory:")) as opened:
        yield opened


@pytest.fixture
def purposes(store: SqliteAccessStore) -> Purposes:
    return Purposes(store, lambda: 7)


def cover(**changed: Any) -> Purpose:
    told = {"type": "Person", "attributes": ("email",), "keep": "P1Y"}
    return Purpose(id="mail", name={"en": "Mail"}, basis="a", covers=(Cover(**{**told, **changed}),))


def test_packaged_purposes_are_declared_until_the_tenant_says_otherwise(purposes: Purposes) -> None:
    assert {one.id for one in purposes.list_of("town")} == set(PACKAGED_PURPOSES)

    purposes.take_back(STEWARD, "vehicle-charging")

    assert "vehicle-charging" not in {one.id for one in purposes.list_of("town")}
    assert [one.id for one in purposes.list_off("town")] == ["vehicle-charging"]
    assert "vehicle-charging" in {one.id for one in purposes.list_of("harbour")}

    assert purposes.reset(STEWARD, "vehicle-charging").version == 2
    assert purposes.list_off("town") == []


def test_every_change_counts_up_and_is_in_the_trail(purposes: Purposes, store: SqliteAccessStore) -> None:
    first = purposes.put(STEWARD, MAIL)
    second = purposes.put(STEWARD, first)
    off = purposes.take_back(STEWARD, "mail")

    assert [first.version, second.version, off.version] == [1, 2, 3]
    told = [entry.record for entry in store.read_audit()]
    assert [one.action for one in told] == ["purpose-declared", "purpose-declared", "purpose-taken-back"]
    assert told[0].facts["covers"][0]["keep"] == "P1Y"
    assert prove(proof_lines(store.read_audit())).entries == 3


def test_only_who_answers_for_peoples_data_declares(purposes: Purposes) -> None:
    operator = Caller("town", "user:yann", Right.READ | Right.WRITE)
    with pytest.raises(Forbidden):
        purposes.put(operator, MAIL)
    with pytest.raises(Forbidden):
        purposes.take_back(operator, "vehicle-charging")
    with pytest.raises(Forbidden):
        purposes.execute(operator, is_on=True)
    with pytest.raises(Forbidden):
        purposes.put_policy(operator, Policy())


def test_by_a_mandate_one_prepares_what_the_members_own_people_let_go(purposes: Purposes) -> None:
    pools = Caller("town", "user:paul", Right.READ | Right.STEWARD, mandate="3f9a01cc")
    purposes.put(pools, MAIL)
    with pytest.raises(Forbidden, match="By a mandate"):
        purposes.execute(pools, is_on=True)
    assert not purposes.policy_of("town").executes

    purposes.execute(STEWARD, is_on=True)
    shorter = cover(keep="P1M")
    with pytest.raises(Forbidden, match="By a mandate"):
        purposes.put(pools, shorter)
    with pytest.raises(Forbidden, match="By a mandate"):
        purposes.take_back(pools, "mail")
    assert purposes.get("town", "mail").covers == MAIL.covers

    assert not purposes.execute(pools, is_on=False).executes
    assert purposes.put(pools, shorter).covers == shorter.covers


@pytest.mark.parametrize(
    ("purpose", "rule"),
    [
        (Purpose(id="Mail", name={"en": "Mail"}, basis="a"), "purpose-id"),
        (Purpose(id="mail", name={"en": " "}, basis="a"), "purpose-name"),
        (Purpose(id="mail", name={"de": "Post"}, basis="a"), "purpose-text"),
        (Purpose(id="mail", name={"en": "Mail"}, basis="a", records=("letters",)), "purpose-records"),
        (cover(keep="13 months"), "purpose-keep"),
        (cover(keep="P0D"), "purpose-keep"),
        (cover(keep="P999999999Y"), "purpose-keep"),
        (cover(attributes=()), "purpose-names"),
        (cover(attributes=("e mail",)), "purpose-names"),
        (cover(then=Then.AGGREGATE, period="P2D"), "purpose-period"),
        (cover(then=Then.AGGREGATE, keep_totals="P6M"), "purpose-totals"),
        (cover(scopes=("north",)), "role-scopes"),
    ],
)
def test_what_is_no_declaration_is_refused(purposes: Purposes, purpose: Purpose, rule: str) -> None:
    with pytest.raises(BadRequestData) as refused:
        purposes.put(STEWARD, purpose)
    assert refused.value.extras["rule"] == rule
    assert "mail" not in {one.id for one in purposes.list_of("town")}


def test_what_is_not_known_is_not_taken_back(purposes: Purposes) -> None:
    with pytest.raises(ResourceNotFound):
        purposes.take_back(STEWARD, "mail")
    with pytest.raises(ResourceNotFound):
        purposes.reset(STEWARD, "mail")


def test_who_answers_and_whether_it_is_executed_are_told_apart(purposes: Purposes) -> None:
    assert purposes.execute(STEWARD, is_on=True).executes_since == 7
    kept = purposes.put_policy(STEWARD, Policy(controller="Plouhinec", contact="dpo@plouhinec.example"))
    assert (kept.executes, kept.controller) == (True, "Plouhinec")
    assert purposes.execute(STEWARD, is_on=False).controller == "Plouhinec"
    assert purposes.policy_of("harbour") == Policy()


def test_purposes_are_read_from_a_file() -> None:
    text = """
    [mail]
    basis = "a"
    name = { en = "Newsletter" }
    [[mail.cover]]
    type = "Person"
    attributes = ["email"]
    keep = "P1Y"
    """
    [found] = read_purposes(text)
    assert found.covers == (COVER,)


@pytest.mark.parametrize(
    "text", ["[mail", "mail = 1", '[mail]\nbasis = "g"\nname = {}', '[mail]\nbasis = "a"\nname = {}\nversion = 2']
)
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(BadRequestData):
        read_purposes(text)
