"""Of several purposes the longest holds, and nobody's data are held without one unseen."""

from typing import Any

from parvis.access.privacy.holding import Holding, Unfounded, find_holding, list_covered, list_kept, list_unfounded
from parvis.access.privacy.model import Cover, Purpose, Then
from parvis.access.roles.packaged import PACKAGED_CLASSES

TYPES = ("Person", "Contact")


def purpose(name: str, keep: str, **more: Any) -> Purpose:
    cover = Cover(**{"type": "Person", "attributes": ("email",), "keep": keep, **more})
    return Purpose(id=name, name={"en": name}, basis="a", covers=(cover,))


def holding(*purposes: Purpose, scopes: tuple[str, ...] = ()) -> Holding | None:
    return find_holding(list_covered(purposes, "email", TYPES), TYPES, scopes)


def names(found: Holding | None) -> tuple[str, str]:
    assert found is not None
    return found.full.purpose.id, "" if found.totals is None else found.totals.purpose.id


def test_the_longest_holds_whichever_of_its_types_it_is_for() -> None:
    short, long = purpose("short", "P30D"), purpose("long", "P2Y", type="Contact")
    assert names(holding(short, long)) == names(holding(long, short)) == ("long", "")


def test_totals_follow_where_any_purpose_needs_them_for_longer() -> None:
    totals = purpose("totals", "P30D", then=Then.AGGREGATE, keep_totals="P3Y")
    assert names(holding(totals, purpose("long", "P2Y"))) == ("long", "totals")
    assert names(holding(totals, purpose("longer", "P4Y"))) == ("longer", "")
    for_ever = purpose("for-ever", "P30D", then=Then.AGGREGATE)
    assert names(holding(totals, for_ever)) == ("totals", "for-ever")


def test_totals_of_a_purpose_are_as_fine_as_any_other_needs_them() -> None:
    daily = purpose("daily", "P30D", then=Then.AGGREGATE, period="P1D", keep_totals="P5Y")
    monthly = purpose("monthly", "P10D", then=Then.AGGREGATE, period="P1M")
    for several in ((daily, monthly), (monthly, daily)):
        found = holding(*several)
        assert found is not None
        assert found.totals is not None
        assert (found.totals.cover.period, found.totals.cover.keep_totals) == ("P1D", "")
    over = purpose("over", "P10D", then=Then.AGGREGATE, period="PT1H", keep_totals="P20D")
    found = holding(over, daily)
    assert found is not None
    assert found.totals is not None
    assert found.totals.cover.period == "P1D", "its time is over before totals are made"


def test_a_purpose_of_a_scope_holds_there_and_below() -> None:
    north = purpose("north", "P1Y", scopes=("/north",))
    assert names(holding(north, scopes=("/north/school",))) == ("north", "")
    assert holding(north, scopes=("/northern",)) is None
    assert holding(north) is None


def test_what_holds_is_told_for_everyone_and_for_each_scope() -> None:
    all_, north = purpose("all", "P2Y"), purpose("north", "P1Y", scopes=("/north",))
    kept = [(one.scopes, one.holding.full.purpose.id, one.among) for one in list_kept([all_, north])]
    assert kept == [((), "all", ("all",)), (("/north",), "all", ("all", "north"))]


def test_what_is_of_people_and_has_no_purpose_is_named() -> None:
    held = {"Person": {"email", "birthDate", "name"}, "Building": {"email", "name", "category"}}
    found = list_unfounded(held, [purpose("mail", "P1Y")], PACKAGED_CLASSES)
    assert found == [
        Unfounded("Building", "email", "personal"),
        Unfounded("Person", "birthDate", "sensitive"),
        Unfounded("Person", "name", "personal"),
    ], "the name of a building is nobody's"


def test_where_a_purpose_covers_some_scopes_only_the_rest_is_named() -> None:
    some = purpose("mail", "P1Y", scopes=("/north",))
    [found] = list_unfounded({"Person": {"email"}}, [some], PACKAGED_CLASSES)
    assert found.scopes == ("/north",)
