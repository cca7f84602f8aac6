"""Kinds of entities, of attributes, and the past, of several brokers as if one had them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from parvis.broker.sources.documents import join_evolutions, join_kinds
from tests.broker.sources.neighbourhood import Neighbourhood, bin_, registration, said

READS = ["federationOps", "retrieveTemporal", "queryTemporal"]


class Brokers:
    def __init__(self, around: Neighbourhood, town: httpx.AsyncClient, syndicate: httpx.AsyncClient) -> None:
        self.around = around
        self.town = town
        self.syndicate = syndicate


@pytest.fixture
async def brokers() -> AsyncIterator[Brokers]:
    async with Neighbourhood() as around:
        town, syndicate = await around.build("town"), await around.build("syndicate")
        lamp = {"id": "urn:ngsi-ld:Streetlight:1", "type": "Streetlight", "note": {"type": "Property", "value": 1}}
        for broker, entity in (
            (town, bin_(1, note="ours")),
            (syndicate, bin_(2, collectedOn="monday")),
            (syndicate, lamp),
        ):
            assert (await broker.post("/entities", json=entity)).status_code == 201
        types = ("WasteContainer", "Streetlight")
        answer = await town.post("/csourceRegistrations", json=registration("syndicate", types, operations=READS))
        assert answer.status_code == 201
        yield Brokers(around, town, syndicate)


async def test_types_of_all_places_are_told(brokers: Brokers) -> None:
    assert (await brokers.town.get("/types")).json()["typeList"] == ["Streetlight", "WasteContainer"]
    assert (await brokers.town.get("/types?local=true")).json()["typeList"] == ["WasteContainer"]
    details = (await brokers.town.get("/types?details=true")).json()
    assert [one["attributeNames"] for one in details] == [["note"], ["collectedOn", "note"]]
    one = (await brokers.town.get("/types/WasteContainer")).json()
    assert one["entityCount"] == 2
    assert [each["attributeName"] for each in one["attributeDetails"]] == ["collectedOn", "note"]
    assert (await brokers.town.get("/types/Streetlight")).json()["entityCount"] == 1
    assert (await brokers.town.get("/types/Bench")).status_code == 404


async def test_attributes_of_all_places_are_told(brokers: Brokers) -> None:
    assert (await brokers.town.get("/attributes")).json()["attributeList"] == ["collectedOn", "note"]
    one = (await brokers.town.get("/attributes/note")).json()
    assert one["attributeCount"] == 2
    assert one["typeNames"] == ["Streetlight", "WasteContainer"]
    assert (await brokers.town.get("/attributes/collectedOn")).json()["attributeCount"] == 1


async def test_the_past_is_put_together(brokers: Brokers) -> None:
    entity = {**bin_(1), "fillingLevel": [{"type": "Property", "value": 7, "observedAt": "2026-05-01T08:00:00Z"}]}
    assert (await brokers.syndicate.post("/temporal/entities", json=entity)).status_code == 201
    found = (await brokers.town.get(f"/temporal/entities/{bin_(1)['id']}")).json()
    assert [one["value"] for one in found["fillingLevel"]] == [7]
    assert [one["value"] for one in found["note"]] == ["ours"]
    when = {"timerel": "after", "timeAt": "2026-01-01T00:00:00Z", "timeproperty": "modifiedAt"}
    both = (await brokers.town.get("/temporal/entities", params={"type": "WasteContainer", **when})).json()
    assert sorted(one["id"] for one in both) == [bin_(1)["id"], bin_(2)["id"]]


async def test_of_the_past_a_source_is_believed_in_what_it_has_registered_alone(brokers: Brokers) -> None:
    levels = [{"type": "Property", "value": 7, "observedAt": "2026-05-01T08:00:00Z"}]
    hidden = [{"type": "Property", "value": "secret", "observedAt": "2026-05-01T08:00:00Z"}]
    entity = {**bin_(4), "fillingLevel": levels, "note": hidden}
    assert (await brokers.syndicate.post("/temporal/entities", json=entity)).status_code == 201
    information = [{"entities": [{"type": "WasteContainer"}], "propertyNames": ["fillingLevel"]}]
    path = "/csourceRegistrations/" + registration("syndicate")["id"]
    assert (await brokers.town.patch(path, json={"information": information})).status_code == 204
    alone = (await brokers.town.get(f"/temporal/entities/{entity['id']}")).json()
    listed = (await brokers.town.get("/temporal/entities", params=PAST_OF_ALL)).json()
    for one in (alone, *(one for one in listed if one["id"] == entity["id"])):
        assert set(one) - {"@context"} == {"id", "type", "fillingLevel"}
    assert entity["id"] in [one["id"] for one in listed]


async def test_a_source_that_fails_is_a_warning(brokers: Brokers) -> None:
    brokers.around.answers["syndicate"] = said(200, b"not json")
    answer = await brokers.town.get("/types")
    assert answer.json()["typeList"] == ["WasteContainer"]
    assert answer.headers["ngsild-warning"].startswith("111 ")
    brokers.around.answers["syndicate"] = said(200, b'[7, "x", {"id": 1}]')
    assert (await brokers.town.get("/types")).json()["typeList"] == ["WasteContainer"]


def test_what_is_of_another_shape_is_left_out() -> None:
    assert join_kinds([["b", "a"], {"id": "x"}, ["c", 7]]) == ["a", "b", "c"]
    assert join_kinds([{"entityCount": 1}, 7, {"entityCount": "many"}]) == {"entityCount": 1}
    assert join_evolutions([{"id": "x", "a": [1]}, [], {"id": "x", "a": [1, 2], "b": 3}]) == {
        "id": "x",
        "a": [1, 2],
        "b": 3,
    }
    assert join_evolutions(
        [[{"id": "x", "a": {"values": [[1, "t"]]}}], [{"id": "x", "a": {"values": [[2, "u"], [3, "t"]]}}, 7]]
    ) == [{"id": "x", "a": {"values": [[1, "t"], [2, "u"]]}}]


async def test_the_last_instances_are_those_of_all_places(brokers: Brokers) -> None:
    for broker, hours in ((brokers.town, (8, 10)), (brokers.syndicate, (9, 10, 11))):
        levels = [{"type": "Property", "value": hour, "observedAt": f"2026-05-01T{hour:02}:00:00Z"} for hour in hours]
        answer = await broker.post("/temporal/entities", json={**bin_(3), "fillingLevel": levels})
        assert answer.status_code == 201
    path = f"/temporal/entities/{bin_(3)['id']}"
    found = (await brokers.town.get(path)).json()
    assert [one["value"] for one in found["fillingLevel"]] == [8, 9, 10, 11]
    last = (await brokers.town.get(path, params={"lastN": 2})).json()
    assert [one["value"] for one in last["fillingLevel"]] == [10, 11]


async def test_a_source_of_another_time_is_not_asked(brokers: Brokers) -> None:
    interval = {"observationInterval": {"startAt": "2020-01-01T00:00:00Z", "endAt": "2021-01-01T00:00:00Z"}}
    await brokers.town.patch("/csourceRegistrations/" + registration("syndicate")["id"], json=interval)
    path = f"/temporal/entities/{bin_(1)['id']}"
    await brokers.town.get(path, params={"timerel": "after", "timeAt": "2026-01-01T00:00:00Z"})
    assert brokers.around.calls == []
    await brokers.town.get(path, params={"timerel": "before", "timeAt": "2020-06-01T00:00:00Z"})
    assert len(brokers.around.calls) == 1


PAST_OF_ALL = {"type": "WasteContainer", "timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}


async def past(broker: httpx.AsyncClient, number: int, **more: object) -> None:
    level = [{"type": "Property", "value": number, "observedAt": f"2026-05-0{number}T08:00:00Z"}]
    entity = {**bin_(number), "fillingLevel": level, **more}
    assert (await broker.post("/temporal/entities", json=entity)).status_code == 201


PAST = {**PAST_OF_ALL, "attrs": "fillingLevel"}


async def test_pages_of_the_past_go_through_all_places(brokers: Brokers) -> None:
    for broker, number in ((brokers.town, 3), (brokers.syndicate, 4), (brokers.syndicate, 5)):
        await past(broker, number)
    seen: list[str] = []
    for offset in ("0", "2"):
        page = await brokers.town.get("/temporal/entities", params={**PAST, "limit": "2", "offset": offset})
        seen += [one["id"].rpartition(":")[2] for one in page.json()]
        assert ("next" in page.links, "prev" in page.links) == (offset == "0", offset == "2")
    assert seen == ["3", "4", "5"]
    counted = await brokers.town.get("/temporal/entities", params={**PAST, "limit": "0", "count": "true"})
    assert counted.json() == []
    assert counted.headers["ngsild-results-count"] == "3"
    far = await brokers.town.get("/temporal/entities", params={**PAST, "offset": "5000"})
    assert far.status_code == 403


async def test_a_query_of_the_past_by_body_is_asked_everywhere(brokers: Brokers) -> None:
    await past(brokers.town, 3)
    await past(brokers.syndicate, 4)
    query = {
        "type": "Query",
        "entities": [{"type": "WasteContainer"}],
        "attrs": ["fillingLevel"],
        "temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"},
    }
    answer = await brokers.town.post("/temporal/entityOperations/query", json=query)
    assert [one["id"].rpartition(":")[2] for one in answer.json()] == ["3", "4"]
    local = await brokers.town.post("/temporal/entityOperations/query?local=true", json=query)
    assert [one["id"].rpartition(":")[2] for one in local.json()] == ["3"]


AGGREGATED = {
    "type": "WasteContainer",
    "timerel": "between",
    "timeAt": "2026-05-01T00:00:00Z",
    "endTimeAt": "2026-05-09T00:00:00Z",
    "format": "aggregatedValues",
}


async def levels(broker: httpx.AsyncClient, *days: int) -> None:
    told = [{"type": "Property", "value": day, "observedAt": f"2026-05-0{day}T08:00:00Z"} for day in days]
    answer = await broker.post("/temporal/entities", json={**bin_(9), "fillingLevel": told})
    assert answer.status_code == 201


@pytest.mark.parametrize("period", ["PT0S", "P2D"])
async def test_aggregates_are_those_of_one_broker_that_has_it_all(brokers: Brokers, period: str) -> None:
    await levels(brokers.town, 1, 4, 5)
    await levels(brokers.syndicate, 2, 3, 7)
    asked = {**AGGREGATED, "aggrMethods": "avg,stddev,min,max,totalCount", "aggrPeriodDuration": period}
    shown = (await brokers.town.get("/temporal/entities/urn:ngsi-ld:WasteContainer:9", params=asked)).json()
    listed = (await brokers.town.get("/temporal/entities", params=asked)).json()
    async with Neighbourhood() as around:
        one = await around.build("one")
        await levels(one, 1, 2, 3, 4, 5, 7)
        whole = (await one.get("/temporal/entities", params=asked)).json()
    assert listed == [shown]
    [expected] = whole
    assert shown.keys() == expected.keys()
    ours, theirs = shown["fillingLevel"], expected["fillingLevel"]
    assert ours.keys() == theirs.keys()
    for method in ("avg", "stddev", "min", "max", "totalCount"):
        assert [row[0] for row in ours[method]] == pytest.approx([row[0] for row in theirs[method]])
        assert [row[1:] for row in ours[method]] == [row[1:] for row in theirs[method]]


async def test_of_aggregates_and_maps_of_the_past_too_only_what_is_registered_is_told(brokers: Brokers) -> None:
    reading = {"type": "Property", "value": 3, "observedAt": "2026-05-01T08:00:00Z"}
    mixed, hidden = {**bin_(4), "fillingLevel": [reading], "note": [reading]}, {**bin_(5), "note": [reading]}
    for one in (mixed, hidden):
        assert (await brokers.syndicate.post("/temporal/entities", json=one)).status_code == 201
    information = [{"entities": [{"type": "WasteContainer"}], "propertyNames": ["fillingLevel"]}]
    path = "/csourceRegistrations/" + registration("syndicate")["id"]
    assert (await brokers.town.patch(path, json={"information": information})).status_code == 204

    both = {"id": f"{mixed['id']},{hidden['id']}"}
    aggregated = {**AGGREGATED, "aggrMethods": "avg", "aggrPeriodDuration": "PT0S", **both}
    past = {**PAST_OF_ALL, **both}
    first = await brokers.town.get("/temporal/entities", params={**past, "entityMap": "true", "limit": "1"})
    following = {"NGSILD-EntityMap": first.headers["NGSILD-EntityMap"]}
    for answer in (
        await brokers.town.get("/temporal/entities", params=aggregated),
        first,
        await brokers.town.get("/temporal/entities", params=past, headers=following),
    ):
        [told] = answer.json()
        assert (told["id"], set(told) - {"@context"}) == (mixed["id"], {"id", "type", "fillingLevel"})
    for params in ({}, aggregated):
        of_one = {name: value for name, value in params.items() if name not in ("type", "id")}
        assert (await brokers.town.get(f"/temporal/entities/{hidden['id']}", params=of_one)).status_code == 404


async def test_only_what_was_asked_for_is_told_of_aggregates(brokers: Brokers) -> None:
    await levels(brokers.town, 1, 2)
    answer = await brokers.town.get("/temporal/entities", params={**AGGREGATED, "aggrMethods": "avg"})
    assert answer.json()[0]["fillingLevel"].keys() == {"type", "avg"}
    refused = await brokers.town.get("/temporal/entities", params={**AGGREGATED, "aggrMethods": "distinctCount"})
    assert refused.status_code == 422
    local = {**AGGREGATED, "aggrMethods": "distinctCount", "local": "true"}
    assert (await brokers.town.get("/temporal/entities", params=local)).status_code == 200
