"""Purge entities over HTTP (NGSI-LD 1.9.1, 5.6.21 and 6.4.3.3)."""

import httpx
import pytest

from parvis.broker.api import purge
from tests.broker.api.territory import BIN, BIN_2, LAMP, bin_at_the_port, lamp

ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
ALL = frozenset({BIN, BIN_2, LAMP})


@pytest.fixture(autouse=True)
async def port(api: httpx.AsyncClient) -> None:
    first, second = bin_at_the_port(level=0.2), bin_at_the_port(BIN_2, 0.9)
    first["scope"] = "/Port/Quay"
    await api.post("/entityOperations/create", json=[first, second, lamp()])


async def left(api: httpx.AsyncClient) -> set[str]:
    return {one["id"] for one in (await api.get("/entities?local=true&limit=100")).json()}


@pytest.mark.parametrize(
    ("query", "gone"),
    [
        ("type=WasteContainer", {BIN, BIN_2}),
        ("type=WasteContainer|Streetlight", ALL),
        ("attrs=fillingLevel", {BIN, BIN_2}),
        ("q=fillingLevel>0.5", {BIN_2}),
        (f"type=WasteContainer&id={BIN}", {BIN}),
        ("type=WasteContainer&idPattern=nothing", set()),
        ("type=WasteContainer&scopeQ=/Port/%23", {BIN}),
        ("georel=near;maxDistance==100000&geometry=Point&coordinates=[-3,48]", {BIN, BIN_2}),
        ("local=true", ALL),
    ],
)
async def test_what_matches_goes_and_the_rest_stays(api: httpx.AsyncClient, query: str, gone: set[str]) -> None:
    answer = await api.delete(f"/entities?{query}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await left(api) == ALL - gone


async def test_it_goes_on_over_the_end_of_a_page(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "PAGE", 1)
    assert (await api.delete("/entities?q=fillingLevel>0")).status_code == 204
    assert await left(api) == {LAMP}


async def test_what_is_dropped_goes_and_what_has_it_stays(api: httpx.AsyncClient) -> None:
    assert (await api.delete("/entities?type=WasteContainer,Streetlight&drop=fillingLevel,scope")).status_code == 204
    assert await left(api) == ALL
    bin_ = (await api.get(f"/entities/{BIN}")).json()
    assert not {"fillingLevel", "scope"} & bin_.keys()
    assert "location" in bin_


async def test_what_is_kept_stays_and_the_rest_of_it_goes(api: httpx.AsyncClient) -> None:
    assert (await api.delete(f"/entities?type=WasteContainer&id={BIN}&keep=fillingLevel")).status_code == 204
    assert (await api.get(f"/entities/{BIN}")).json().keys() == {"id", "type", "scope", "fillingLevel"}
    assert "location" in (await api.get(f"/entities/{BIN_2}")).json()


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"id={BIN}",
        "idPattern=.*",
        "scopeQ=/Port",
        "attrs=createdAt",
        'q=modifiedAt>"2020-01-01T00:00:00Z"',
        "keep=fillingLevel",
        "local=false",
        "type=WasteContainer&keep=fillingLevel&drop=location",
        "type=WasteContainer&drop=id",
        "type=WasteContainer&keep=type",
        "type=WasteContainer&q=(",
    ],
)
async def test_what_is_too_wide_or_wrong_purges_nothing(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.delete(f"/entities?{query}")
    assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "BadRequestData")
    assert await left(api) == ALL


async def test_a_parameter_that_means_nothing_here_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.delete("/entities?type=WasteContainer&limit=1")
    assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "InvalidRequest")
    assert await left(api) == ALL
