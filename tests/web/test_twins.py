"""Two objects of one name are told apart wherever a list shows both."""

import json

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant
from tests.web.conftest import plain

NAME = "Point tri Rue des Tanneurs, verre"
STREETS = {"a": "1 Rue des Tanneurs", "b": "4 Rue des Tanneurs", "c": "", "d": ""}


@pytest.fixture
async def twins(platform: Platform, caller: Caller, now: Instant) -> Platform:
    """Two with an address each, two of which nothing else is known, and one in another commune."""
    expand = platform.broker.contexts.parvis.expand

    def container(short: str, commune: str, street: str) -> Change:
        address = {"addressLocality": commune, **({"streetAddress": street} if street else {})}
        instances = (
            Instance(expand("name"), Kind.PROPERTY, NAME),
            Instance(expand("address"), Kind.PROPERTY, address),
            Instance(expand("fillingLevel"), Kind.PROPERTY, 0.97, observed_at=now, unit_code="C62"),
        )
        return Change(f"urn:ngsi-ld:WasteContainer:{short}", Mode.CREATE, instances, (expand("WasteContainer"),))

    changes = [container(short, "Penhervan", street) for short, street in STREETS.items()]
    await platform.broker.write(caller, [*changes, container("e", "Port", "9 Quai")])
    await platform.broker.take_in_words()
    return platform


async def test_a_list_and_the_map_say_what_tells_them_apart(twins: Platform, operator: httpx.AsyncClient) -> None:
    told = json.loads((await operator.get("/console/map.geojson", params={"search": NAME})).content)
    where = {one["id"].rpartition(":")[2]: one["properties"]["where"] for one in told["features"]}
    assert where == {
        "a": "Waste container · Penhervan · 1 Rue des Tanneurs",
        "b": "Waste container · Penhervan · 4 Rue des Tanneurs",
        "c": "Waste container · Penhervan · c",
        "d": "Waste container · Penhervan · d",
        "e": "Waste container · Port",
    }
    page = plain((await operator.get("/console/map", params={"search": NAME})).text)
    assert all(line in page for line in where.values())


async def test_one_alone_in_a_list_is_told_by_its_name(twins: Platform, operator: httpx.AsyncClient) -> None:
    told = json.loads((await operator.get("/console/map.geojson", params={"commune": "Port", "search": NAME})).content)
    assert [one["properties"]["where"] for one in told["features"]] == ["Waste container · Port"]


async def test_what_needs_attention_and_what_is_found_are_told_apart_too(
    twins: Platform, operator: httpx.AsyncClient
) -> None:
    overview = plain((await operator.get("/console")).text)
    found = plain((await operator.get("/console/search", params={"q": "tanneurs"})).text)
    for page in (overview, found):
        assert "Waste container · Penhervan · 1 Rue des Tanneurs" in page
        assert "Waste container · Penhervan · 4 Rue des Tanneurs" in page
