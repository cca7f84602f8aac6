"""Entities that are linked to what another broker has (NGSI-LD 1.9.1, 4.5.23)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from parvis.broker.api import neighbours
from parvis.kernel.outbound import CallFailed
from tests.broker.sources.neighbourhood import Neighbourhood, bin_, registration

LAMP = "urn:ngsi-ld:Streetlight:1"
BIN = bin_()["id"]


def lamp(number: int = 1, **relationship: Any) -> dict[str, Any]:
    beside = {"type": "Relationship", "object": BIN, "objectType": "WasteContainer", **relationship}
    return {"id": f"urn:ngsi-ld:Streetlight:{number}", "type": "Streetlight", "beside": beside}


@pytest.fixture
async def around() -> AsyncIterator[Neighbourhood]:
    async with Neighbourhood() as around:
        yield around


@pytest.fixture
async def town(around: Neighbourhood) -> httpx.AsyncClient:
    town, syndicate = await around.build("town"), await around.build("syndicate")
    assert (await town.post("/csourceRegistrations", json=registration("syndicate"))).status_code == 201
    assert (await syndicate.post("/entities", json=bin_(level=7))).status_code == 201
    return town


async def have(town: httpx.AsyncClient, *entities: dict[str, Any]) -> None:
    for one in entities:
        assert (await town.post("/entities", json=one, params={"local": "true"})).status_code == 201


async def test_what_a_source_has_stands_inside(town: httpx.AsyncClient) -> None:
    await have(town, lamp())
    shown = (await town.get(f"/entities/{LAMP}", params={"join": "inline"})).json()
    assert shown["beside"]["entity"]["level"]["value"] == 7
    everyone = (await town.get("/entities", params={"type": "Streetlight", "join": "flat"})).json()
    assert [one["id"] for one in everyone] == [LAMP, BIN]


async def test_a_target_of_no_known_type_is_not_looked_for(town: httpx.AsyncClient, around: Neighbourhood) -> None:
    untyped = lamp()
    del untyped["beside"]["objectType"]
    await have(town, untyped)
    around.calls.clear()
    shown = (await town.get(f"/entities/{LAMP}", params={"join": "inline"})).json()
    assert "entity" not in shown["beside"]
    assert not [one for one in around.calls if BIN in one.path]


async def test_local_means_here(town: httpx.AsyncClient) -> None:
    await have(town, lamp())
    shown = (await town.get(f"/entities/{LAMP}", params={"join": "inline", "local": "true"})).json()
    assert "entity" not in shown["beside"]


async def test_a_source_that_is_away_is_told_as_a_warning(town: httpx.AsyncClient, around: Neighbourhood) -> None:
    await have(town, lamp())
    around.answers["syndicate"] = CallFailed("It is away.")
    answer = await town.get("/entities", params={"type": "Streetlight", "join": "inline"})
    assert answer.json()[0]["beside"]["object"] == BIN
    assert answer.headers["ngsild-warning"]


async def test_sources_are_asked_for_so_many(
    town: httpx.AsyncClient, around: Neighbourhood, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MOST_ELSEWHERE", 2)
    bins = [f"urn:ngsi-ld:WasteContainer:{number}" for number in range(5)]
    await have(town, lamp(object=bins))
    around.calls.clear()
    await town.get("/entities", params={"type": "Streetlight", "join": "inline"})
    assert len([one for one in around.calls if "WasteContainer" in one.path]) == 2
