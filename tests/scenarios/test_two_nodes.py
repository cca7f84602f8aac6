"""A commune's node and its syndicate's act as one: docs/howto/federation.md, between two installations with keys."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.fakes.receiver import Receiver
from tests.scenarios.federation import ROOT, Document, Node

GUIDE = (ROOT / "docs/howto/federation.md").read_text(encoding="utf-8")
WITHIN_S = 20
NOON, LATER = "2026-03-02T12:00:00Z", "2026-03-02T12:05:00Z"


@dataclass(frozen=True)
class Pair:
    """Each with a key of its own, made for the other."""

    commune: Node
    syndicate: Node
    commune_key: str
    syndicate_key: str


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder, allow = tmp_path_factory.mktemp("nodes"), guide_block("toml").replace("10.20.0.0/16", "127.0.0.0/8")
    commune = Node(folder / "commune", new_store(request), allow)
    syndicate = Node(folder / "syndicate", new_store(request), allow)
    try:
        with ThreadPoolExecutor(2) as both:
            keys = both.map(lambda node: node.key("the other node", "operator"), (commune, syndicate))
            pair = Pair(commune, syndicate, *keys)
            list(both.map(Node.start, (commune, syndicate)))
        yield pair
    finally:
        commune.kill()
        syndicate.kill()


@pytest.fixture
async def commune(pair: Pair) -> AsyncIterator[httpx.AsyncClient]:
    async with pair.commune.client(pair.commune_key) as client:
        yield client


@pytest.fixture
async def syndicate(pair: Pair) -> AsyncIterator[httpx.AsyncClient]:
    async with pair.syndicate.client(pair.syndicate_key) as client:
        yield client


def new_store(request: pytest.FixtureRequest) -> str:
    """Of its own; empty: a file of SQLite."""
    if request.param == "sqlite":
        return ""
    cluster: str = request.getfixturevalue("postgresql")
    name = f"node_{uuid4().hex}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return cluster.removesuffix("postgres") + name


def guide_block(language: str) -> str:
    [block] = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    return str(block)


def registration(pair: Pair, type_: str, mode: str = "inclusive", **more: Any) -> Document:
    """The guide's own, for entities of `type_`."""
    document: Document = json.loads(guide_block("json"))
    document["id"] = f"urn:ngsi-ld:ContextSourceRegistration:{type_}"
    document["endpoint"] = pair.commune.address
    document["information"][0]["entities"] = [{"type": type_}]
    document["contextSourceInfo"] = [{"key": "Authorization", "value": f"Bearer {pair.commune_key}"}]
    return {**document, "mode": mode, **more}


def thing(type_: str, name: str, level: float, at: str = NOON) -> Document:
    return {
        "id": f"urn:ngsi-ld:{type_}:{name}",
        "type": type_,
        "fillingLevel": {"type": "Property", "value": level, "observedAt": at},
    }


async def made(answer: Awaitable[httpx.Response]) -> None:
    got = await answer
    assert got.status_code == 201, got.text


async def levels(client: httpx.AsyncClient, type_: str, **more: str) -> dict[str, float]:
    """By the last part of each id."""
    answer = await client.get("/entities", params={"type": type_, "options": "keyValues", **more})
    assert answer.status_code == 200, answer.text
    return {one["id"].rpartition(":")[2]: one["fillingLevel"] for one in answer.json()}


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await holds():  # noqa: ASYNC110 - it looks at other processes
            await asyncio.sleep(0.2)


async def test_inclusive_both_are_asked_and_the_last_observation_is_believed(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    await made(syndicate.post("/csourceRegistrations", json=registration(pair, "WasteContainer")))
    await made(commune.post("/entities", json=thing("WasteContainer", "quay", 0.4, LATER)))
    await made(syndicate.post("/entities", json=thing("WasteContainer", "quay", 0.2)))
    await made(syndicate.post("/entities", json=thing("WasteContainer", "depot", 0.1)))

    assert await levels(syndicate, "WasteContainer") == {"quay": 0.4, "depot": 0.1}
    assert await levels(syndicate, "WasteContainer", local="true") == {"quay": 0.2, "depot": 0.1}
    assert await levels(syndicate, "WasteContainer", q="fillingLevel>0.3") == {"quay": 0.4}
    one = await syndicate.get("/entities/urn:ngsi-ld:WasteContainer:quay")
    assert one.json()["fillingLevel"]["value"] == 0.4
    assert await levels(commune, "WasteContainer") == {"quay": 0.4}


async def test_exclusive_writes_and_reads_go_to_the_commune_alone(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    path = "/entities/urn:ngsi-ld:FireHydrant:7"
    information = [
        {"entities": [{"type": "FireHydrant", "id": "urn:ngsi-ld:FireHydrant:7"}], "propertyNames": ["fillingLevel"]}
    ]
    operations = ["redirectionOps"]
    document = registration(pair, "FireHydrant", "exclusive", information=information, operations=operations)
    await made(syndicate.post("/csourceRegistrations", json=document))
    await made(commune.post("/entities", json=thing("FireHydrant", "7", 0.4)))

    changed = await syndicate.patch(f"{path}/attrs/fillingLevel", json={"type": "Property", "value": 0.9})

    assert changed.status_code == 204, changed.text
    assert (await commune.get(path)).json()["fillingLevel"]["value"] == 0.9
    assert (await syndicate.get(path)).json()["fillingLevel"]["value"] == 0.9
    assert (await syndicate.get(path, params={"local": "true"})).status_code == 404


async def test_what_a_source_holds_alone_and_may_not_be_told_to_change_is_a_conflict(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    await made(syndicate.post("/csourceRegistrations", json=registration(pair, "Bollard", "redirect")))
    await made(commune.post("/entities", json=thing("Bollard", "1", 0.4)))

    refused = await syndicate.patch(
        "/entities/urn:ngsi-ld:Bollard:1/attrs/fillingLevel", json={"type": "Property", "value": 0.9}
    )

    assert refused.status_code == 409, refused.text
    assert await levels(syndicate, "Bollard") == {"1": 0.4}


async def test_redirect_a_batch_is_kept_by_the_commune_and_nothing_of_it_here(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    operations = ["retrieveOps", "createBatch", "upsertBatch", "deleteBatch"]
    document = registration(pair, "Streetlight", "redirect", operations=operations)
    await made(syndicate.post("/csourceRegistrations", json=document))
    batch = [thing("Streetlight", str(number), number / 10) for number in range(3)]

    await made(syndicate.post("/entityOperations/create", json=batch))
    again = await syndicate.post("/entityOperations/create", json=[*batch, thing("Streetlight", "3", 0.3)])

    assert again.status_code == 207, again.text
    assert [one["entityId"][-1] for one in again.json()["errors"]] == ["0", "1", "2"]
    assert again.json()["success"] == ["urn:ngsi-ld:Streetlight:3"]
    everything = {"0": 0.0, "1": 0.1, "2": 0.2, "3": 0.3}
    assert await levels(commune, "Streetlight") == everything
    assert await levels(syndicate, "Streetlight") == everything
    assert await levels(syndicate, "Streetlight", local="true") == {}


async def test_auxiliary_adds_what_nobody_else_has(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    await made(
        syndicate.post(
            "/csourceRegistrations", json=registration(pair, "Bench", "auxiliary", operations=["retrieveOps"])
        )
    )
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-3.1, 47.9]}}
    await made(commune.post("/entities", json={**thing("Bench", "1", 0.9, LATER), "location": place}))
    await made(syndicate.post("/entities", json=thing("Bench", "1", 0.1)))

    bench = (await syndicate.get("/entities/urn:ngsi-ld:Bench:1")).json()

    assert bench["fillingLevel"]["value"] == 0.1
    assert bench["location"] == place


async def test_the_past_is_put_together_from_both(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    await made(syndicate.post("/csourceRegistrations", json=registration(pair, "Well")))
    await made(commune.post("/entities", json=thing("Well", "1", 3.0)))
    await made(syndicate.post("/entities", json=thing("Well", "1", 5.0, LATER)))
    await made(commune.post("/entities", json=thing("Well", "2", 7.0)))
    params = {"type": "Well", "timerel": "after", "timeAt": "2026-03-02T00:00:00Z", "options": "temporalValues"}

    found = (await syndicate.get("/temporal/entities", params=params)).json()
    means = await syndicate.get(
        "/temporal/entities",
        params={**params, "options": "aggregatedValues", "aggrMethods": "avg,sum", "aggrPeriodDuration": "PT0S"},
    )

    past = {one["id"][-1]: sorted(value for value, _ in one["fillingLevel"]["values"]) for one in found}
    assert past == {"1": [3.0, 5.0], "2": [7.0]}
    averages = {one["id"][-1]: one["fillingLevel"]["avg"][0][0] for one in means.json()}
    assert averages == {"1": 4.0, "2": 7.0}


async def test_a_subscription_hears_of_what_happens_beyond_the_border_also_after_a_crash(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    operations = ["retrieveOps", "createSubscription", "updateSubscription", "deleteSubscription"]
    document = registration(pair, "Sluice", operations=operations)
    await made(syndicate.post("/csourceRegistrations", json=document))
    async with Receiver().listening() as receiver:
        endpoint = {"uri": receiver.url, "accept": "application/json"}
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Sluice"}],
            "notification": {"endpoint": endpoint},
        }
        await made(syndicate.post("/subscriptions", json=subscription))
        await until(lambda: has_subscriptions(commune, 1))

        await made(commune.post("/entities", json=thing("Sluice", "1", 0.1)))
        await receiver.until(lambda: heard(receiver) == [0.1], WITHIN_S)
        await begin_again(pair.commune)
        patched = await commune.patch(
            "/entities/urn:ngsi-ld:Sluice:1/attrs/fillingLevel", json={"type": "Property", "value": 0.2}
        )
        assert patched.status_code == 204, patched.text
        await receiver.until(lambda: heard(receiver)[-1] == 0.2, WITHIN_S)

        [made_here] = (await syndicate.get("/subscriptions")).json()
        assert {one.document["subscriptionId"] for one in receiver.taken} == {made_here["id"]}
        assert (await syndicate.delete(f"/subscriptions/{made_here['id']}")).status_code == 204
        await until(lambda: has_subscriptions(commune, 0))


async def test_a_node_that_is_killed_costs_its_own_part_and_comes_back(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    await made(syndicate.post("/csourceRegistrations", json=registration(pair, "Pump")))
    await made(commune.post("/entities", json=thing("Pump", "theirs", 0.4)))
    await made(syndicate.post("/entities", json=thing("Pump", "ours", 0.1)))
    assert await levels(syndicate, "Pump") == {"theirs": 0.4, "ours": 0.1}

    pair.commune.kill()
    answers = [await syndicate.get("/entities", params={"type": "Pump"}) for _ in range(4)]
    await asyncio.to_thread(pair.commune.start)

    for answer in answers:
        assert answer.status_code == 200
        assert [one["id"] for one in answer.json()] == ["urn:ngsi-ld:Pump:ours"]
        assert answer.headers["NGSILD-Warning"].startswith("199 ")
    await until(lambda: has_both(syndicate))
    whole = await syndicate.get("/entities", params={"type": "Pump"})
    assert "NGSILD-Warning" not in whole.headers


async def test_nodes_that_are_registered_with_each_other_do_not_ask_in_circles(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    operations = ["federationOps", "updateOps", "createEntity"]
    back_info = [{"key": "Authorization", "value": f"Bearer {pair.syndicate_key}"}]
    there = registration(pair, "Buoy", operations=operations, contextSourceAlias=await alias(commune))
    back = {
        **there,
        "endpoint": pair.syndicate.address,
        "contextSourceInfo": back_info,
        "contextSourceAlias": await alias(syndicate),
    }
    await made(syndicate.post("/csourceRegistrations", json=there))
    await made(commune.post("/csourceRegistrations", json=back))

    await made(syndicate.post("/entities", json=thing("Buoy", "1", 0.1)))
    await made(commune.post("/entities", json=thing("Buoy", "2", 0.2)))

    for node in (commune, syndicate):
        assert await levels(node, "Buoy") == {"1": 0.1, "2": 0.2}
        assert await levels(node, "Buoy", local="true") == {"1": 0.1, "2": 0.2}
        answer = await node.get("/entities", params={"type": "Buoy"})
        assert "NGSILD-Warning" not in answer.headers


async def test_nodes_that_do_not_know_whom_they_have_registered_end_the_circle_where_it_closes(
    pair: Pair, commune: httpx.AsyncClient, syndicate: httpx.AsyncClient
) -> None:
    there = registration(pair, "Ferry")
    back_info = [{"key": "Authorization", "value": f"Bearer {pair.syndicate_key}"}]
    back = {**there, "endpoint": pair.syndicate.address, "contextSourceInfo": back_info}
    await made(syndicate.post("/csourceRegistrations", json=there))
    await made(commune.post("/csourceRegistrations", json=back))
    await made(syndicate.post("/entities", json=thing("Ferry", "1", 0.1)))
    await made(commune.post("/entities", json=thing("Ferry", "2", 0.2)))

    for node in (commune, syndicate):
        assert await levels(node, "Ferry") == {"1": 0.1, "2": 0.2}
        assert (await node.get("/entities/urn:ngsi-ld:Ferry:none")).status_code == 404


async def alias(client: httpx.AsyncClient) -> str:
    return str((await client.get("/info/sourceIdentity")).json()["contextSourceAlias"])


async def begin_again(node: Node) -> None:
    """As after a power cut."""
    node.kill()
    await asyncio.to_thread(node.start)


async def has_subscriptions(client: httpx.AsyncClient, count: int) -> bool:
    return len((await client.get("/subscriptions")).json()) == count


async def has_both(client: httpx.AsyncClient) -> bool:
    return set(await levels(client, "Pump")) == {"theirs", "ours"}


def heard(receiver: Receiver) -> list[float]:
    found: list[float] = receiver.values("urn:ngsi-ld:Sluice:1", "fillingLevel")
    return found
