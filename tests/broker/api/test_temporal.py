"""History over HTTP (NGSI-LD 1.9.1, 6.18 to 6.24): the hourly flow of a water district."""

from typing import Any

import httpx
import pytest

from tests.broker.api.territory import METER

HOURS = range(8)
NGSI_LD = "https://uri.etsi.org/ngsi-ld/errors/"


def at(hour: int) -> str:
    return f"2026-05-01T{hour:02}:00:00Z"


def flow(hour: int) -> dict[str, Any]:
    return {"type": "Property", "value": 10.0 + hour, "observedAt": at(hour), "unitCode": "G51"}


def evolution(hours: list[int], **more: Any) -> dict[str, Any]:
    return {"id": METER, "type": "WaterConsumptionObserved", "flow": [flow(hour) for hour in hours], **more}


@pytest.fixture(autouse=True)
async def a_day(api: httpx.AsyncClient) -> None:
    answer = await api.post("/temporal/entities", json=evolution(list(HOURS)))
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/ngsi-ld/v1/temporal/entities/{METER}"


async def read(api: httpx.AsyncClient, **parameters: str) -> dict[str, Any]:
    answer = await api.get(f"/temporal/entities/{METER}", params=parameters)
    assert answer.status_code == 200, answer.text
    entity: dict[str, Any] = answer.json()
    return entity


async def values(api: httpx.AsyncClient, **parameters: str) -> list[float]:
    entity = await read(api, options="temporalValues", **parameters)
    return [value for value, _ in entity.get("flow", {"values": []})["values"]]


async def present(api: httpx.AsyncClient) -> Any:
    return (await api.get(f"/entities/{METER}")).json()["flow"]


async def test_what_was_observed_last_is_the_present_in_whatever_order_it_came(api: httpx.AsyncClient) -> None:
    assert await present(api) == flow(7)
    backwards = evolution([9, 8])
    assert (await api.post("/temporal/entities", json=backwards)).status_code == 204
    assert await present(api) == flow(9)


async def test_what_comes_late_is_history_only(api: httpx.AsyncClient) -> None:
    late = {"flow": [{**flow(0), "value": 99.0, "observedAt": "2026-04-30T23:00:00Z"}]}
    assert (await api.post(f"/temporal/entities/{METER}/attrs", json=late)).status_code == 204
    assert await present(api) == flow(7)
    assert (await values(api))[0] == 99.0


async def test_every_instance_has_its_time_and_a_name(api: httpx.AsyncClient) -> None:
    entity = await read(api)
    assert (entity["id"], entity["type"]) == (METER, "WaterConsumptionObserved")
    names = [one.pop("instanceId") for one in entity["flow"]]
    assert entity["flow"] == [flow(hour) for hour in HOURS]
    assert len(set(names)) == len(HOURS)


async def test_the_time_relations(api: httpx.AsyncClient) -> None:
    assert await values(api, timerel="before", timeAt=at(2)) == [10.0, 11.0]
    assert await values(api, timerel="after", timeAt=at(5)) == [15.0, 16.0, 17.0]
    assert await values(api, timerel="between", timeAt=at(2), endTimeAt=at(4)) == [12.0, 13.0]


async def test_the_last_n_in_the_order_of_time(api: httpx.AsyncClient) -> None:
    assert await values(api, lastN="2") == [16.0, 17.0]
    assert await values(api, lastN="2", timerel="before", timeAt=at(4)) == [12.0, 13.0]


async def test_the_time_of_arrival_is_another_time(api: httpx.AsyncClient) -> None:
    assert await values(api, timeproperty="modifiedAt", timerel="before", timeAt=at(11)) == []
    assert len(await values(api, timeproperty="modifiedAt", timerel="after", timeAt=at(11))) == len(HOURS)


async def test_attributes_are_chosen(api: httpx.AsyncClient) -> None:
    pressure = {"pressure": [{"type": "Property", "value": 4.2, "observedAt": at(1)}]}
    await api.post(f"/temporal/entities/{METER}/attrs", json=pressure)
    assert (await read(api, attrs="pressure")).keys() == {"id", "type", "pressure"}


async def test_aggregates_by_period(api: httpx.AsyncClient) -> None:
    entity = await read(
        api,
        options="aggregatedValues",
        aggrMethods="avg,max,totalCount",
        aggrPeriodDuration="PT4H",
        timerel="between",
        timeAt=at(0),
        endTimeAt=at(8),
    )
    assert entity["flow"] == {
        "type": "Property",
        "avg": [[11.5, at(0), at(4)], [15.5, at(4), at(8)]],
        "max": [[13.0, at(0), at(4)], [17.0, at(4), at(8)]],
        "totalCount": [[4, at(0), at(4)], [4, at(4), at(8)]],
    }


async def test_aggregates_of_many_entities_at_once(api: httpx.AsyncClient) -> None:
    other, silent = (f"urn:ngsi-ld:WaterConsumptionObserved:dma-{name}" for name in "bc")
    await api.post("/temporal/entities", json={**evolution([1, 5]), "id": other})
    await api.post("/temporal/entities", json={**evolution([9]), "id": silent})
    question = {
        "type": "WaterConsumptionObserved",
        "options": "aggregatedValues",
        "aggrMethods": "sum",
        "aggrPeriodDuration": "PT4H",
        "timerel": "between",
        "timeAt": at(0),
        "endTimeAt": at(8),
    }
    answer = await api.get("/temporal/entities", params=question)
    assert answer.status_code == 200, answer.text
    assert {one["id"]: one["flow"]["sum"] for one in answer.json()} == {
        METER: [[46.0, at(0), at(4)], [62.0, at(4), at(8)]],
        other: [[11.0, at(0), at(4)], [15.0, at(4), at(8)]],
    }


async def test_an_aggregate_over_the_whole_range(api: httpx.AsyncClient) -> None:
    entity = await read(api, options="aggregatedValues", aggrMethods="sum")
    assert [one[0] for one in entity["flow"]["sum"]] == [sum(10.0 + hour for hour in HOURS)]


async def test_many_entities_at_once_and_only_those_with_a_history_in_that_time(api: httpx.AsyncClient) -> None:
    other = "urn:ngsi-ld:WaterConsumptionObserved:dma-b"
    await api.post("/temporal/entities", json={**evolution([1]), "id": other})
    question = {"type": "WaterConsumptionObserved", "options": "temporalValues", "timerel": "before"}
    early = await api.get("/temporal/entities", params={**question, "timeAt": at(1)})
    assert {one["id"]: one["flow"]["values"] for one in early.json()} == {METER: [[10.0, at(0)]]}
    both = await api.get("/temporal/entities", params={**question, "timeAt": at(2), "count": "true"})
    assert [one["id"] for one in both.json()] == [METER, other]
    assert both.headers["NGSILD-Results-Count"] == "2"


async def test_the_same_by_post(api: httpx.AsyncClient) -> None:
    question = {
        "type": "Query",
        "entities": [{"type": "WaterConsumptionObserved"}],
        "temporalQ": {"timerel": "between", "timeAt": at(3), "endTimeAt": at(5)},
    }
    answer = await api.post("/temporal/entityOperations/query?options=temporalValues", json=question)
    assert [one["flow"]["values"] for one in answer.json()] == [[[13.0, at(3)], [14.0, at(4)]]]


async def test_an_answer_cut_short_says_how_far_it_reaches(api: httpx.AsyncClient) -> None:
    minutes = [
        {"type": "Property", "value": n, "observedAt": f"2026-05-02T{n // 60:02}:{n % 60:02}:00Z"} for n in range(1200)
    ]
    answer = await api.post(f"/temporal/entities/{METER}/attrs", json={"pressure": minutes})
    assert answer.status_code == 204
    cut = await api.get(f"/temporal/entities/{METER}?attrs=pressure&options=temporalValues")
    assert cut.status_code == 206
    assert cut.headers["Content-Range"] == "date-time 2026-05-02T00:00:00Z-2026-05-02T16:39:00Z/*"
    assert len(cut.json()["pressure"]["values"]) == 1000
    newest = await api.get(f"/temporal/entities/{METER}?attrs=pressure&options=temporalValues&lastN=1100")
    assert newest.status_code == 206
    assert newest.headers["Content-Range"] == "date-time 2026-05-02T19:59:00Z-2026-05-02T03:20:00Z/1100"
    rest = {"timerel": "after", "timeAt": "2026-05-02T16:39:00Z", "attrs": "pressure"}
    assert len((await read(api, options="temporalValues", **rest))["pressure"]["values"]) == 201


async def test_what_was_written_as_the_present_is_history_too(api: httpx.AsyncClient) -> None:
    await api.patch(f"/entities/{METER}/attrs/flow", json={"value": 30.0, "observedAt": at(10)})
    assert (await values(api))[-2:] == [17.0, 30.0]


async def test_one_instance_is_taken_back_and_the_present_stays(api: httpx.AsyncClient) -> None:
    third = (await read(api))["flow"][2]

    gone = await api.delete(f"/temporal/entities/{METER}/attrs/flow/{third['instanceId']}")

    assert gone.status_code == 204
    assert third["value"] not in await values(api)
    assert await present(api) == flow(7)


async def test_one_instance_is_put_right_and_keeps_its_id(api: httpx.AsyncClient) -> None:
    third = (await read(api))["flow"][2]
    path = f"/temporal/entities/{METER}/attrs/flow"

    right = await api.patch(f"{path}/{third['instanceId']}", json={"flow": [{"type": "Property", "value": 99.0}]})

    found = (await read(api))["flow"]
    assert (right.status_code, right.content) == (204, b"")
    assert [one["value"] for one in found] == [10.0, 11.0, 99.0, *(10.0 + hour for hour in HOURS[3:])]
    assert found[2] == {**third, "value": 99.0}
    assert await present(api) == flow(7)
    again = await api.patch(f"{path}/{third['instanceId']}", json={"type": "Property", "value": 98.0})
    assert (again.status_code, (await read(api))["flow"][2]) == (204, {**third, "value": 98.0})
    gone = await api.delete(f"{path}/{third['instanceId']}")
    assert (gone.status_code, len(await values(api))) == (204, len(found) - 1)


async def test_the_present_is_put_right_with_the_newest_instance(api: httpx.AsyncClient) -> None:
    newest = (await read(api))["flow"][-1]

    await api.patch(
        f"/temporal/entities/{METER}/attrs/flow/{newest['instanceId']}",
        json={"flow": {"value": 1.5, "unitCode": "MQH"}},
    )

    assert await present(api) == {**flow(7), "value": 1.5, "unitCode": "MQH"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"value": "urn:ngsi-ld:null"},
        {"flow": {"value": 1.0}, "pressure": {"value": 1.0}},
        {"flow": [flow(1), flow(2)]},
        {"flow": {"type": "Relationship", "object": "urn:ngsi-ld:Pump:1"}},
        {"flow": {"value": 1.0, "datasetId": "urn:ngsi-ld:Dataset:second"}},
        {"flow": {"value": "urn:ngsi-ld:null"}},
        {"id": "urn:ngsi-ld:WaterConsumptionObserved:other", "flow": {"value": 1.0}},
    ],
)
async def test_a_correction_says_what_one_instance_is_to_be(api: httpx.AsyncClient, body: dict[str, Any]) -> None:
    before = await read(api)
    instance = before["flow"][2]["instanceId"]

    refused = await api.patch(f"/temporal/entities/{METER}/attrs/flow/{instance}", json=body)

    assert (refused.status_code, refused.json()["type"]) == (400, NGSI_LD + "BadRequestData")
    assert await read(api) == before


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("entity", "name", "instance", "status"),
    [
        (METER, "flow", "urn:ngsi-ld:Instance:123456", 404),
        (METER, "flow", "urn:example:of:somebody:else", 404),
        (METER, "flow", "17", 400),
        (METER, "pressure", "urn:ngsi-ld:Instance:1", 404),
        (METER, "never", "urn:ngsi-ld:Instance:1", 404),
        (METER + "2", "flow", "urn:ngsi-ld:Instance:1", 404),
    ],
)
async def test_an_instance_that_is_not_there_is_not_found(
    api: httpx.AsyncClient, method: str, entity: str, name: str, instance: str, status: int
) -> None:
    body = {name: {"value": 1.0}} if method == "PATCH" else None

    answer = await api.request(method, f"/temporal/entities/{entity}/attrs/{name}/{instance}", json=body)

    assert answer.status_code == status
    assert len(await values(api)) == len(HOURS)


async def test_an_attribute_is_taken_back_by_dataset_or_whole(api: httpx.AsyncClient) -> None:
    dataset = "urn:ngsi-ld:Dataset:second"
    await api.post(f"/temporal/entities/{METER}/attrs", json={"flow": [{**flow(0), "datasetId": dataset}]})

    assert (await api.delete(f"/temporal/entities/{METER}/attrs/flow")).status_code == 204
    assert [one["datasetId"] for one in (await read(api))["flow"]] == [dataset]
    assert (await api.delete(f"/temporal/entities/{METER}/attrs/flow?deleteAll=true")).status_code == 204
    assert "flow" not in await read(api)
    both = await api.delete(f"/temporal/entities/{METER}/attrs/flow?deleteAll=true&datasetId={dataset}")
    assert (both.status_code, (await api.delete(f"/temporal/entities/{METER}/attrs/flow")).status_code) == (400, 404)


async def test_an_evolution_is_taken_back_whole(api: httpx.AsyncClient) -> None:
    assert (await api.delete(f"/temporal/entities/{METER}")).status_code == 204

    assert (await api.get(f"/temporal/entities/{METER}")).status_code == 404
    assert (await api.delete(f"/temporal/entities/{METER}")).status_code == 404
    assert await present(api) == flow(7)


async def test_an_instance_of_others_is_not_known(api: httpx.AsyncClient) -> None:
    of_others = await api.delete(f"/temporal/entities/{METER}/attrs/flow/urn:ngsi-ld:Other:1")
    no_name = await api.delete(f"/temporal/entities/{METER}/attrs/flow/17")

    assert (of_others.status_code, no_name.status_code) == (404, 400)
