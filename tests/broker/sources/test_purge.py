"""Purging what lies here and with context sources (NGSI-LD 1.9.1, 5.6.21)."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from parvis.kernel.outbound import CallFailed
from tests.broker.sources.neighbourhood import Neighbourhood, bin_, registration

PURGES = ["purgeEntity", "retrieveOps"]
BINS = "/entities?type=WasteContainer"


class Two(NamedTuple):
    around: Neighbourhood
    town: httpx.AsyncClient
    syndicate: httpx.AsyncClient

    async def register(self, **more: Any) -> None:
        document = registration("syndicate", **{"operations": PURGES, **more})
        assert (await self.town.post("/csourceRegistrations", json=document)).status_code == 201

    async def left(self) -> list[list[str]]:
        """Ids that the town has, and that the syndicate has."""
        pages = [await one.get("/entities?local=true") for one in (self.town, self.syndicate)]
        return [[one["id"][-1] for one in page.json()] for page in pages]


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    async with Neighbourhood() as around:
        two = Two(around, await around.build("town"), await around.build("syndicate"))
        for broker, numbers in ((two.town, (1, 2)), (two.syndicate, (2, 3))):
            for number in numbers:
                await broker.post("/entities?local=true", json=bin_(number, fillingLevel=number / 10))
        yield two


async def test_it_is_purged_here_and_there(two: Two) -> None:
    await two.register()
    assert (await two.town.delete(f"{BINS}&q=fillingLevel>0.1")).status_code == 204
    assert await two.left() == [["1"], []]


async def test_it_is_purged_there_where_all_of_it_is(two: Two) -> None:
    await two.town.delete("/entities?local=true")
    await two.register(mode="redirect")
    assert (await two.town.delete(f"{BINS}&drop=fillingLevel")).status_code == 204
    assert await two.left() == [[], ["2", "3"]]
    assert "fillingLevel" not in (await two.syndicate.get(f"/entities/{bin_(2)['id']}")).json()


async def test_only_what_a_source_is_registered_for_is_purged_there(two: Two) -> None:
    of_one = {"type": "WasteContainer", "id": bin_(3)["id"]}
    await two.register(information=[{"entities": [of_one]}])
    assert (await two.town.delete(BINS)).status_code == 204
    assert await two.left() == [[], ["2"]]


async def test_local_stays_here(two: Two) -> None:
    await two.register()
    assert (await two.town.delete("/entities?local=true")).status_code == 204
    assert await two.left() == [[], ["2", "3"]]


async def test_an_inclusive_source_that_purges_nothing_is_not_asked(two: Two) -> None:
    await two.register(operations=["retrieveOps"])
    assert (await two.town.delete(BINS)).status_code == 204
    assert await two.left() == [[], ["2", "3"]]


async def test_what_a_source_alone_has_and_does_not_purge_is_told(two: Two) -> None:
    await two.town.delete("/entities?local=true")
    await two.register(mode="redirect", operations=["retrieveOps"])
    answer = await two.town.delete(BINS)
    assert answer.status_code == 207
    assert answer.json()["success"] == []
    [error] = answer.json()["errors"]
    assert error["registrationId"] == "urn:ngsi-ld:ContextSourceRegistration:syndicate"
    assert error["error"]["type"].endswith("Conflict")


async def test_a_source_that_is_away_is_told(two: Two) -> None:
    await two.register()
    two.around.answers["syndicate"] = CallFailed("syndicate is away.")
    answer = await two.town.delete(BINS)
    assert answer.status_code == 207
    [error] = answer.json()["errors"]
    assert error["error"]["status"] == 504
    assert await two.left() == [[], ["2", "3"]]
