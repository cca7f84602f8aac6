"""Entity maps of the past hold what several brokers have, and lead through its pages."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from parvis.broker.api import past_maps
from tests.broker.sources.neighbourhood import Neighbourhood, bin_, registration, said

PAST = {"type": "WasteContainer", "timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}
QUERY = {
    "type": "Query",
    "entities": [{"type": "WasteContainer"}],
    "temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"},
}
MAP = "NGSILD-EntityMap"
SYNDICATE = "urn:ngsi-ld:ContextSourceRegistration:syndicate"


@pytest.fixture
async def around() -> AsyncIterator[Neighbourhood]:
    async with Neighbourhood() as neighbours:
        yield neighbours


@pytest.fixture
async def syndicate(around: Neighbourhood) -> httpx.AsyncClient:
    return await around.build("syndicate")


@pytest.fixture
async def town(around: Neighbourhood, syndicate: httpx.AsyncClient) -> httpx.AsyncClient:
    """It has bins 1 and 2, the syndicate 2, 3 and 4."""
    town = await around.build("town")
    document = registration("syndicate", operations=["queryTemporal"])
    assert (await town.post("/csourceRegistrations", json=document)).status_code == 201
    for broker, number in ((town, 1), (town, 2), (syndicate, 2), (syndicate, 3), (syndicate, 4)):
        await observe(broker, number)
    return town


async def observe(broker: httpx.AsyncClient, number: int, day: int = 1) -> None:
    level = [{"type": "Property", "value": day, "observedAt": f"2026-05-0{day}T08:00:00Z"}]
    assert (await broker.post("/temporal/entities", json={**bin_(number), "fillingLevel": level})).status_code == 201


def numbers(documents: list[dict[str, Any]]) -> list[str]:
    return [one["id"].rpartition(":")[2] for one in documents]


async def page(town: httpx.AsyncClient, map_: str | None = None, **more: str) -> httpx.Response:
    headers = {} if map_ is None else {MAP: map_}
    return await town.get("/temporal/entities", params={**PAST, **more}, headers=headers)


async def test_a_map_that_is_made_on_the_way_leads_through_all_places(
    town: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    first = await page(town, entityMap="true", limit="2", count="true")
    assert (first.status_code, numbers(first.json())) == (201, ["1", "2"])
    assert first.headers["ngsild-results-count"] == "4"
    await observe(syndicate, 5)
    second = await page(town, first.headers[MAP], limit="2", offset="2")
    assert (second.status_code, numbers(second.json())) == (200, ["3", "4"])
    assert "next" not in second.links
    assert numbers((await page(town)).json()) == ["1", "2", "3", "4", "5"]


async def test_an_entity_in_two_places_is_told_whole_by_its_map(town: httpx.AsyncClient) -> None:
    await observe(town, 4, day=2)
    map_ = (await page(town, entityMap="true", limit="0", count="true")).headers[MAP]
    [both] = (await page(town, map_, id="urn:ngsi-ld:WasteContainer:4")).json()
    assert sorted(one["value"] for one in both["fillingLevel"]) == [1, 2]


@pytest.mark.parametrize("by_body", [False, True])
async def test_the_map_says_where_each_is(town: httpx.AsyncClient, by_body: bool) -> None:
    if by_body:
        answer = await town.post("/temporal/entityMaps", json=QUERY)
    else:
        answer = await town.get("/temporal/entityMaps", params=PAST)

    assert answer.status_code == 201, answer.text
    where = {one.rpartition(":")[2]: sources for one, sources in answer.json()["entityMap"].items()}
    assert where == {"1": ["@none", SYNDICATE], "2": ["@none", SYNDICATE], "3": [SYNDICATE], "4": [SYNDICATE]}
    again = await page(town, answer.headers[MAP], limit="1", offset="3")
    assert numbers(again.json()) == ["4"]


async def test_many_ids_are_asked_for_in_several_turns(
    town: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_maps, "ASKED_AT_ONCE", 2)
    map_ = (await page(town, entityMap="true")).headers[MAP]
    assert numbers((await page(town, map_)).json()) == ["1", "2", "3", "4"]


async def test_a_source_that_is_away_costs_its_part_of_the_page(town: httpx.AsyncClient, around: Neighbourhood) -> None:
    map_ = (await page(town, entityMap="true")).headers[MAP]
    around.answers["syndicate"] = said(500)
    left = await page(town, map_)
    assert numbers(left.json()) == ["1", "2"]
    assert left.headers["ngsild-warning"].startswith("299 ")


async def test_a_map_that_is_gone_is_made_anew(town: httpx.AsyncClient) -> None:
    map_ = (await page(town, entityMap="true")).headers[MAP]
    assert (await town.delete(f"/entityMaps/{map_.rpartition('/')[2]}")).status_code == 204
    again = await page(town, map_)
    assert (again.status_code, numbers(again.json())) == (201, ["1", "2", "3", "4"])
    assert again.headers[MAP] != map_


async def test_a_map_over_several_brokers_has_bounds(town: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_maps, "MAX_LIMIT", 3)
    refused = await page(town, entityMap="true")
    assert (refused.status_code, refused.json()["type"].rsplit("/")[-1]) == (403, "TooManyResults")
