"""Objects of types that no domain knows: they have their place, and never hide what is measured."""

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import Caller
from parvis.web.objects import Objects, load_objects
from parvis.web.site import Site

ALL = 100
FEW = 3


@pytest.fixture
async def site(operator: httpx.AsyncClient, platform: Platform, caller: Caller) -> Site:
    """The town of the other tests, and four trees."""
    found: Site = operator._transport.app._app._pages.state.site  # type: ignore[attr-defined]
    types = (found.reader.expand("Tree"),)
    changes = [
        Change(f"urn:ngsi-ld:Tree:{number}", Mode.UPSERT_REPLACE, types=types, instances=(_name(found, name),))
        for number, name in enumerate(("Tilleul", "Platane (rue)", "Érable", "Frêne"))
    ]
    await platform.broker.write(caller, changes)
    return found


def _name(site: Site, name: str) -> Instance:
    return Instance(site.reader.expand("name"), Kind.PROPERTY, name)


def names(found: Objects) -> set[str]:
    return {view.name for view in found.views if view.type == "Tree"}


async def test_where_there_is_room_they_stand_among_all_others(site: Site, caller: Caller) -> None:
    found = await load_objects(site, caller, {}, most=ALL)
    assert (len(found.views), len(names(found)), found.aside) == (9, 4, 0)


async def test_where_they_would_be_too_many_they_stand_aside(site: Site, caller: Caller) -> None:
    found = await load_objects(site, caller, {}, most=8)
    assert (len(found.views), names(found), found.aside) == (5, set(), 4)


@pytest.mark.parametrize("kind", ["other", "Tree"])
async def test_who_chooses_them_sees_as_many_as_fit(site: Site, caller: Caller, kind: str) -> None:
    found = await load_objects(site, caller, {"type": kind}, most=FEW)
    assert (len(names(found)), found.beyond) == (3, 1)


@pytest.mark.parametrize(
    ("search", "expected"), [("FRÊNE", {"Frêne"}), ("(rue", {"Platane (rue)"}), ("tree:2", {"Érable"}), ("x.*", set())]
)
async def test_a_name_is_found_beyond_what_fits(site: Site, caller: Caller, search: str, expected: set[str]) -> None:
    assert names(await load_objects(site, caller, {"search": search}, most=FEW)) == expected


async def test_of_an_import_only_its_own(site: Site, caller: Caller) -> None:
    found = await load_objects(site, caller, {}, ["urn:ngsi-ld:Tree:1", "urn:ngsi-ld:Tree:gone"])
    assert [view.name for view in found.views] == ["Platane (rue)"]
