"""Temporal queries over HTTP: who is chosen, what of the past is told, in which form (NGSI-LD 1.9.1, 5.7.3, 5.7.4)."""

from typing import Any

import httpx
import pytest

ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
WINDOW = {"timerel": "between", "timeAt": "2026-03-01T00:00:00Z", "endTimeAt": "2026-03-02T00:00:00Z"}
INSIDE, BEFORE = "2026-03-01T12:00:00Z", "2026-01-05T00:00:00Z"


def tram(number: int) -> str:
    return f"urn:ngsi-ld:Tram:{number}"


def speed(value: Any, at: str = INSIDE, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": at, **more}


@pytest.fixture(autouse=True)
async def trams(api: httpx.AsyncClient) -> None:
    for number, instances in enumerate(([speed(30), speed(90, BEFORE)], [speed(10), speed(80, BEFORE)], [speed(5)])):
        answer = await api.post(
            "/temporal/entities", json={"id": tram(number), "type": "Tram", "speed": instances, "line": speed("A")}
        )
        assert answer.status_code == 201, answer.text


async def query(api: httpx.AsyncClient, **parameters: str) -> list[dict[str, Any]]:
    answer = await api.get("/temporal/entities", params={"type": "Tram", **WINDOW, **parameters})
    assert answer.status_code in (200, 206), answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def ids(api: httpx.AsyncClient, **parameters: str) -> list[str]:
    return [one["id"] for one in await query(api, **parameters)]


async def test_an_instance_outside_the_time_satisfies_no_condition(api: httpx.AsyncClient) -> None:
    assert await ids(api, q="speed>25") == [tram(0)]
    assert BEFORE not in str(await query(api, q="speed>25"))
    assert await ids(api, q="speed>25|speed<6") == [tram(0), tram(2)]


async def test_deleted_entities_are_told_of_their_time_and_forgotten_ones_are_not(api: httpx.AsyncClient) -> None:
    await api.delete(f"/entities/{tram(0)}")
    await api.delete(f"/temporal/entities/{tram(1)}")

    assert await ids(api) == [tram(0), tram(2)]
    [gone] = await query(api, id=tram(0), options="sysAttrs")
    assert "deletedAt" in gone
    again = await api.post("/temporal/entities", json={"id": tram(1), "type": "Tram", "speed": speed(1)})
    assert again.status_code == 201
    assert await ids(api) == [tram(0), tram(1), tram(2)]


async def test_members_are_picked_and_left_out(api: httpx.AsyncClient) -> None:
    assert await query(api, pick="id", id=tram(2)) == [{"id": tram(2)}]
    [picked] = await query(api, pick="speed", id=tram(2))
    [left] = await query(api, omit="speed,type", id=tram(2))
    assert (set(picked), set(left)) == ({"speed"}, {"id", "line"})
    assert await query(api, pick="weight") == []
    never = await api.get(f"/temporal/entities/{tram(2)}?attrs=weight")
    assert (never.status_code, never.json()["type"]) == (404, ERRORS + "ResourceNotFound")


async def test_evolutions_are_ordered_by_id(api: httpx.AsyncClient) -> None:
    await api.post("/temporal/entities", json={"id": "urn:ngsi-ld:Tram:0a", "type": "Tram", "speed": speed(1)})
    in_order = [tram(0), "urn:ngsi-ld:Tram:0a", tram(1), tram(2)]
    assert await ids(api, orderBy="id") == in_order
    assert await ids(api, orderBy="id;desc") == in_order[::-1]
    answer = await api.get(
        "/temporal/entities", params={"type": "Tram", **WINDOW, "orderBy": "id", "limit": "3", "pick": "id"}
    )
    assert 'offset=3>; rel="next"' in answer.headers["Link"]


async def test_links_lead_through_all_that_match(api: httpx.AsyncClient) -> None:
    parameters = {"type": "Tram", **WINDOW, "q": "speed<25", "limit": "1", "count": "true", "pick": "id"}
    answer = await api.get("/temporal/entities", params=parameters)
    following = answer.headers["Link"].split(">")[0].lstrip("<").removeprefix("/ngsi-ld/v1")

    last = await api.get(following)

    assert (answer.json(), last.json()) == ([{"id": tram(1)}], [{"id": tram(2)}])
    assert (answer.headers["NGSILD-Results-Count"], last.headers["NGSILD-Results-Count"]) == ("2", "2")
    assert 'rel="next"' not in last.headers["Link"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"pick": "owner{name}"},
        {"pick": "speed", "omit": "speed"},
        {"pick": "speed", "attrs": "speed"},
        {"csf": "))bad(("},
        {"orderBy": "name"},
        {"orderBy": "id,name"},
        {"id": "no uri"},
        {"timeproperty": "expiresAt"},
        {"timeproperty": "deletedAt", "format": "aggregatedValues", "aggrMethods": "avg"},
        {"endTimeAt": ""},
    ],
)
async def test_what_cannot_be_asked_of_the_past(api: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    answer = await api.get("/temporal/entities", params={"type": "Tram", **WINDOW, **wrong})
    assert (answer.status_code, answer.json()["type"]) == (400, ERRORS + "BadRequestData")


async def test_deletions_are_told_with_their_time(api: httpx.AsyncClient) -> None:
    name = {"type": "LanguageProperty", "languageMap": {"fr": "Rouge"}, "observedAt": INSIDE}
    await api.post(f"/temporal/entities/{tram(0)}/attrs", json={"name": name})
    for attribute in ("speed", "name"):
        assert (await api.delete(f"/entities/{tram(0)}/attrs/{attribute}")).status_code == 204

    told = (await api.get(f"/temporal/entities/{tram(0)}?timeproperty=deletedAt")).json()
    simplified = (await api.get(f"/temporal/entities/{tram(0)}?timeproperty=deletedAt&format=temporalValues")).json()

    [gone], [nameless] = told["speed"], told["name"]
    assert (gone["type"], gone["value"]) == ("Property", "urn:ngsi-ld:null")
    assert nameless["languageMap"] == {"@none": "urn:ngsi-ld:null"}
    assert simplified["speed"]["values"] == [["urn:ngsi-ld:null", gone["deletedAt"]]]
    assert "line" not in told


async def test_a_deletion_can_be_written_into_the_past(api: httpx.AsyncClient) -> None:
    document = {
        "id": tram(0),
        "type": ["Tram", "Vehicle"],
        "speed": [speed("urn:ngsi-ld:null", "2026-03-01T13:00:00Z")],
    }
    assert (await api.post("/temporal/entities", json=document)).status_code == 204

    [told] = await query(api, id=tram(0))

    assert [one["value"] for one in told["speed"]] == [30, "urn:ngsi-ld:null"]
    assert set(told["type"]) == {"Tram", "Vehicle"}
    assert (await api.get(f"/entities/{tram(0)}")).json()["speed"]["value"] == 30


async def test_scopes_have_a_history(api: httpx.AsyncClient) -> None:
    scopes = [
        {"type": "Property", "value": "/Depot", "observedAt": "2026-02-01T00:00:00Z"},
        {"type": "Property", "value": ["/Port", "/Old"], "observedAt": "2026-03-01T12:30:00Z"},
    ]
    document = {"id": tram(1), "type": "Tram", "scope": scopes, "speed": [speed(11, "2026-03-01T13:00:00Z")]}
    assert (await api.post("/temporal/entities", json=document)).status_code == 204

    [at_depot] = await query(api, scopeQ="/Depot")
    [in_port] = await query(api, scopeQ="(/Port;/Old)")

    assert [one["value"] for one in at_depot["speed"]] == [10]
    assert [one["value"] for one in in_port["speed"]] == [11]
    assert [one["value"] for one in in_port["scope"]] == ["/Depot", ["/Port", "/Old"]]
    assert set((await api.get(f"/entities/{tram(1)}")).json()["scope"]) == {"/Port", "/Old"}
    assert await query(api, scopeQ="/Nowhere") == []


async def test_who_came_into_a_scope_after_all_that_was_observed_is_told_of_without_it(api: httpx.AsyncClient) -> None:
    document = {"id": tram(7), "type": "Tram", "scope": "/Late", "speed": [speed(7, "2026-03-01T13:00:00Z")]}
    assert (await api.post("/temporal/entities", json=document)).status_code == 201

    window = {"timerel": "after", "timeAt": "2026-03-01T00:00:00Z"}
    [told] = (await api.get("/temporal/entities", params={"type": "Tram", "scopeQ": "/Late", **window})).json()

    assert (told["id"], [one["value"] for one in told["scope"]], "speed" in told) == (tram(7), ["/Late"], False)


async def test_a_scope_that_is_written_as_the_present_is_history_too(api: httpx.AsyncClient) -> None:
    assert (await api.patch(f"/entities/{tram(1)}", json={"scope": "/New"})).status_code == 204

    told = (await api.get(f"/temporal/entities/{tram(1)}?options=sysAttrs")).json()

    [scope] = told["scope"]
    assert (scope["type"], scope["value"]) == ("Property", "/New")
    assert scope["observedAt"] == scope["modifiedAt"]


@pytest.mark.parametrize(
    ("attribute", "lists"),
    [
        ({"type": "LanguageProperty", "languageMap": {"fr": "oui"}}, {"languageMaps": {"languageMap": {"fr": "oui"}}}),
        ({"type": "JsonProperty", "json": {"a": 1}}, {"jsons": {"json": {"a": 1}}}),
        ({"type": "VocabProperty", "vocab": "open"}, {"vocabs": {"vocab": "open"}}),
        ({"type": "ListProperty", "valueList": [1, 2]}, {"valueLists": [1, 2]}),
        ({"type": "ListRelationship", "objectList": ["urn:a:b"]}, {"objectLists": ["urn:a:b"]}),
        ({"type": "Relationship", "object": "urn:a:b"}, {"objects": "urn:a:b"}),
    ],
)
async def test_simplified_values_of_every_kind(
    api: httpx.AsyncClient, attribute: dict[str, Any], lists: dict[str, Any]
) -> None:
    await api.post(f"/temporal/entities/{tram(0)}/attrs", json={"state": {**attribute, "observedAt": INSIDE}})

    [told] = await query(api, id=tram(0), format="temporalValues")

    [(member, value)] = lists.items()
    assert told["state"] == {"type": attribute["type"], member: [[value, INSIDE]]}


@pytest.mark.parametrize("methods", [["max"], "max"])
@pytest.mark.parametrize("place", ["temporalQ", "aggrParams"])
async def test_a_body_says_what_to_aggregate(api: httpx.AsyncClient, place: str, methods: list[str] | str) -> None:
    body: dict[str, Any] = {"type": "Query", "entities": [{"type": "Tram"}], "temporalQ": dict(WINDOW)}
    body.setdefault(place, {}).update(aggrMethods=methods)

    answer = await api.post("/temporal/entityOperations/query", json=body)

    assert answer.status_code == 200, answer.text
    assert [one["speed"]["max"][0][0] for one in answer.json()] == [30, 10, 5]


async def test_an_entity_map_holds_what_the_past_has_given(api: httpx.AsyncClient) -> None:
    asked = {"type": "Tram", **WINDOW, "q": "speed<25", "pick": "id", "entityMap": "true", "limit": "1"}
    made = await api.get("/temporal/entities", params=asked)
    name = made.headers["NGSILD-EntityMap"]
    await api.post("/temporal/entities", json={"id": tram(9), "type": "Tram", "speed": speed(1)})

    del asked["entityMap"], asked["limit"]
    told = await api.get("/temporal/entities", params=asked, headers={"NGSILD-EntityMap": name})

    assert (made.status_code, made.json()) == (201, [{"id": tram(1)}])
    assert (told.status_code, told.json()) == (200, [{"id": tram(1)}, {"id": tram(2)}])
    one = await api.get(f"/temporal/entities/{tram(2)}?entityMap=true")
    assert (one.status_code, "NGSILD-EntityMap" in one.headers) == (200, True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([True, False, True, True], {"sum": 3, "avg": 0.75, "min": 0, "max": 1, "sumsq": 3, "totalCount": 4}),
        ([["a"], ["a", "b"]], {"sum": 3, "avg": 1.5, "min": 1, "max": 2, "totalCount": 2, "distinctCount": 2}),
        (["b, c", "a"], {"min": "a", "max": "b, c", "totalCount": 2}),
        ([{"a": 1}, {"a": 1}], {"totalCount": 2, "distinctCount": 1}),
        ([True, "a"], {"totalCount": 2}),
    ],
)
async def test_aggregates_of_values_that_are_no_numbers(
    api: httpx.AsyncClient, given: list[Any], told: dict[str, Any]
) -> None:
    instances = [speed(value, f"2026-03-01T{hour:02}:00:00Z") for hour, value in enumerate(given)]
    await api.post(f"/temporal/entities/{tram(0)}/attrs", json={"state": instances})
    methods = ("sum", "avg", "min", "max", "stddev", "sumsq", "totalCount", "distinctCount")

    [found] = await query(api, id=tram(0), attrs="state", format="aggregatedValues", aggrMethods=",".join(methods))

    values = {method: rows[0][0] for method, rows in found["state"].items() if method != "type" and rows}
    assert told.items() <= values.items()
    assert not {method for method in values if method not in told} - {"stddev", "distinctCount"}
