"""Snapshots over HTTP (NGSI-LD 1.9.1, 5.16, 6.3.22)."""

import threading
from typing import Any

import httpx
import pytest

from parvis.broker import snapshots
from parvis.broker.broker import Broker
from parvis.broker.model.entity import Entity
from parvis.broker.query.tree import EntityQuery

ROOMS = [f"urn:ngsi-ld:Room:{number}" for number in range(4)]


def room(entity_id: str, level: int, **more: Any) -> dict[str, Any]:
    return {"id": entity_id, "type": "Room", "level": {"type": "Property", "value": level}, **more}


@pytest.fixture(autouse=True)
async def rooms(api: httpx.AsyncClient) -> None:
    beside = {"type": "Relationship", "object": ROOMS[2]}
    entities = [room(entity_id, level, beside=beside) for level, entity_id in enumerate(ROOMS)]
    assert (await api.post("/entityOperations/create", json=entities)).status_code == 201


async def taken(api: httpx.AsyncClient, broker: Broker, q: str = "", **more: Any) -> str:
    query = {"type": "Query", "entities": [{"type": "Room"}], **({"q": q} if q else {})}
    answer = await api.post("/snapshots", json={"type": "Snapshot", "snapshotQueries": [query], **more})
    assert answer.status_code == 201, answer.text
    await broker.snapshots.settle()
    return answer.headers["location"].removeprefix("/ngsi-ld/v1/snapshots/")


async def seen(api: httpx.AsyncClient, snapshot: str, **parameters: str) -> list[str]:
    asked = {"type": "Room", **parameters}
    answer = await api.get("/entities", params=asked, headers={"ngsild-snapshot": snapshot})
    assert answer.status_code == 200, answer.text
    assert answer.headers["ngsild-snapshot"] == snapshot
    return [one["id"] for one in answer.json()]


async def test_a_snapshot_holds_what_was_found_and_stays_as_it_is(api: httpx.AsyncClient, broker: Broker) -> None:
    snapshot = await taken(api, broker, "level>1")
    told = (await api.get(f"/snapshots/{snapshot}")).json()
    assert (told["snapshotStatus"], told["snapshotPriority"]) == ("success", 5)
    assert told["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    change = {"level": {"type": "Property", "value": 0}}
    assert (await api.patch(f"/entities/{ROOMS[3]}/attrs", json=change)).status_code == 204
    assert await seen(api, snapshot, q="level==3") == [ROOMS[3]]
    frozen = await api.get(f"/entities/{ROOMS[3]}?options=keyValues", headers={"ngsild-snapshot": snapshot})
    assert frozen.json()["level"] == 3
    outside = await api.get(f"/entities/{ROOMS[0]}", headers={"ngsild-snapshot": snapshot})
    assert outside.status_code == 404


async def test_a_snapshot_is_read_like_the_present(api: httpx.AsyncClient, broker: Broker) -> None:
    snapshot = await taken(api, broker)
    assert await seen(api, snapshot, orderBy="level;desc", limit="2") == [ROOMS[3], ROOMS[2]]
    assert await seen(api, snapshot, q="beside{level}==2", join="flat", limit="1") == [ROOMS[0], ROOMS[2]]
    page = await api.get("/entities?type=Room&limit=3&count=true", headers={"ngsild-snapshot": snapshot})
    following = page.headers["link"].split(">")[0].removeprefix("<")
    rest = await api.get(f"http://town{following}", headers={"ngsild-snapshot": snapshot})
    assert (page.headers["ngsild-results-count"], [one["id"] for one in rest.json()]) == ("4", [ROOMS[3]])


async def test_what_a_snapshot_holds_is_looked_through_beside_other_requests(broker: Broker) -> None:
    looked_in: set[int] = set()

    def shown(entity: Entity) -> Entity:
        looked_in.add(threading.get_ident())
        return entity

    entities = [Entity(one, ("Room",), (), (), 0, 0) for one in ROOMS]
    page = await snapshots.Frozen(entities).query(EntityQuery(limit=2), shown)
    assert [one.id for one in page.entities] == ROOMS[:2]
    assert threading.get_ident() not in looked_in


async def test_a_snapshot_of_nothing_says_so(api: httpx.AsyncClient, broker: Broker) -> None:
    snapshot = await taken(api, broker, "level>9")
    assert (await api.get(f"/snapshots/{snapshot}")).json()["snapshotStatus"] == "empty"
    assert await seen(api, snapshot) == []


async def test_a_clone_outlives_what_it_was_made_from(api: httpx.AsyncClient, broker: Broker) -> None:
    snapshot = await taken(api, broker)
    answer = await api.post(f"/snapshots/{snapshot}/clone", json={"type": "Snapshot", "snapshotPriority": 9})
    clone = answer.headers["location"].removeprefix("/ngsi-ld/v1/snapshots/")
    assert (await api.delete("/snapshots?q=snapshotPriority<6")).status_code == 204
    assert (await api.get(f"/snapshots/{snapshot}")).status_code == 404
    assert await seen(api, clone) == ROOMS


async def test_priority_and_lifetime_may_be_changed_and_nothing_else(api: httpx.AsyncClient, broker: Broker) -> None:
    path = f"/snapshots/{await taken(api, broker)}"
    answer = await api.patch(path, json={"snapshotPriority": 2, "snapshotLifetime": "P9999D"})
    assert (answer.status_code, answer.json()["snapshotPriority"]) == (200, 2)
    assert answer.json()["expiresAt"] < "2200"
    assert (await api.patch(path, json={"snapshotStatus": "success"})).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "Snapshot"}, 400),
        ({"type": "Snapshot", "snapshotQueries": []}, 400),
        ({"type": "Snapshot", "snapshotQueries": [{"type": "Query", "q": "(("}]}, 400),
        (
            {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "A"}], "temporalQ": {}}]},
            400,
        ),
        ({"type": "Snapshot", "snapshotTemporalQueries": []}, 422),
    ],
)
async def test_what_is_no_snapshot_is_refused(api: httpx.AsyncClient, body: dict[str, Any], status: int) -> None:
    assert (await api.post("/snapshots", json=body)).status_code == status


async def test_a_purge_speaks_of_members_of_snapshots(api: httpx.AsyncClient, broker: Broker) -> None:
    snapshot = await taken(api, broker)
    for query in ("", "?q=level>1"):
        assert (await api.delete(f"/snapshots{query}")).status_code == 400
    assert (await api.get(f"/snapshots/{snapshot}")).status_code == 200


async def test_an_unknown_snapshot_is_not_found(api: httpx.AsyncClient) -> None:
    for path in ("/entities?type=Room", f"/entities/{ROOMS[0]}"):
        answer = await api.get(path, headers={"ngsild-snapshot": "urn:ngsi-ld:snapshot:none"})
        assert answer.status_code == 404


async def test_readers_take_none_and_residents_open_none(api: httpx.AsyncClient, broker: Broker) -> None:
    body = {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Room"}]}]}
    assert (await api.post("/snapshots", json=body, headers={"subject": "reader"})).status_code == 403
    snapshot = await taken(api, broker)
    headers = {"ngsild-snapshot": snapshot, "subject": "resident"}
    assert (await api.get("/entities?type=Room", headers=headers)).status_code == 403


async def test_the_least_important_makes_room(
    api: httpx.AsyncClient, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "MOST_SNAPSHOTS", 2)
    kept, dropped = await taken(api, broker, snapshotPriority=8), await taken(api, broker, snapshotPriority=3)
    newest = await taken(api, broker, snapshotPriority=5)
    found = [(await api.get(f"/snapshots/{one}")).status_code for one in (kept, dropped, newest)]
    assert found == [200, 404, 200]
    query = {"type": "Query", "entities": [{"type": "Room"}]}
    refused = await api.post("/snapshots", json={"type": "Snapshot", "snapshotQueries": [query], "snapshotPriority": 1})
    assert (refused.status_code, refused.json()["type"].rsplit("/")[-1]) == (403, "too-many-snapshots")
