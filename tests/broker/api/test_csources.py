"""Registrations of context sources over HTTP."""

from typing import Any

import httpx
import pytest

from tests.broker.api.territory import bin_at_the_port

FIRST = "urn:ngsi-ld:ContextSourceRegistration:syndicate"
SECOND = "urn:ngsi-ld:ContextSourceRegistration:county"
PATH = "/csourceRegistrations"
BIN = "urn:ngsi-ld:WasteContainer:port-1"


def source(urn: str = FIRST, **more: Any) -> dict[str, Any]:
    return {
        "id": urn,
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "WasteContainer"}], "propertyNames": ["fillingLevel"]}],
        "endpoint": "http://syndicate.example/ngsi-ld/v1",
        **more,
    }


def exclusive(urn: str = FIRST, entity_id: str = BIN, name: str = "fillingLevel", **more: Any) -> dict[str, Any]:
    entities = [{"type": "WasteContainer", "id": entity_id}]
    information = [{"entities": entities, "propertyNames": [name]}]
    return source(urn, **{"mode": "exclusive", "information": information, "operations": ["redirectionOps"], **more})


async def registered(api: httpx.AsyncClient, *documents: dict[str, Any]) -> None:
    for document in documents:
        answer = await api.post(PATH, json=document)
        assert answer.status_code == 201, answer.text


async def found(api: httpx.AsyncClient, **parameters: str) -> list[str]:
    answer = await api.get(PATH, params=parameters)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


async def test_a_registration_is_kept_with_its_defaults(api: httpx.AsyncClient) -> None:
    answer = await api.post(PATH, json=source(owner="syndicate", scope="Trevalan/Port"))
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/ngsi-ld/v1{PATH}/{FIRST}"
    shown = (await api.get(f"{PATH}/{FIRST}")).json()
    assert shown == {
        **source(owner="syndicate", scope="/Trevalan/Port"),
        "mode": "inclusive",
        "operations": ["federationOps"],
    }
    again = await api.post(PATH, json=source())
    assert again.status_code == 409


@pytest.mark.parametrize(
    "member",
    [
        {"type": "Subscription"},
        {"information": None},
        {"information": []},
        {"information": [{}]},
        {"information": [{"entities": [{"id": BIN}]}]},
        {"endpoint": "ftp://syndicate.example"},
        {"endpoint": "http://user:secret@syndicate.example"},
        {"mode": "shy"},
        {"operations": ["everything"]},
        {"operations": ["updateOps"], "mode": "auxiliary"},
        {"mode": "exclusive"},
        {"expiresAt": "2018-11-29T14:53:15Z"},
        {"expiresAt": "soon"},
        {"management": {"cooldown": 0}},
        {"management": {"cacheDuration": "bogus"}},
        {"management": "yes"},
        {"contextSourceInfo": [{"key": "X-Custom", "value": 123}]},
        {"contextSourceInfo": [{"key": "X-Custom"}]},
        {"contextSourceInfo": [{"key": "Host", "value": "elsewhere"}]},
        {"observationInterval": {"endAt": "2026-01-01T00:00:00Z"}},
        {"observationInterval": {"startAt": "2026-01-01T00:00:00Z", "endAt": "2025-01-01T00:00:00Z"}},
        {"location": {"type": "Point"}},
        {"scope": "/Trevalan/#"},
        {"refreshRate": "often"},
    ],
)
async def test_what_breaks_a_rule_is_refused(api: httpx.AsyncClient, member: dict[str, Any]) -> None:
    answer = await api.post(PATH, json=source(**member))
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"
    assert await found(api, type="WasteContainer") == []


async def test_members_are_changed_and_taken_back(api: httpx.AsyncClient) -> None:
    await registered(api, source(expiresAt="2035-01-01T00:00:00Z", owner="syndicate", description="bins"))
    fragment = {"expiresAt": None, "owner": "urn:ngsi-ld:null", "endpoint": "http://county.example"}
    assert (await api.patch(f"{PATH}/{FIRST}", json=fragment)).status_code == 204
    shown = (await api.get(f"{PATH}/{FIRST}")).json()
    assert shown["endpoint"] == "http://county.example"
    assert shown["description"] == "bins"
    assert not {"expiresAt", "owner"} & shown.keys()
    for wrong in ({"information": None}, {"type": "Building"}, {"endpoint": None}):
        assert (await api.patch(f"{PATH}/{FIRST}", json=wrong)).status_code == 400
    assert (await api.patch(f"{PATH}/{SECOND}", json={"description": "x"})).status_code == 404
    assert (await api.patch(f"{PATH}/nothing", json={"description": "x"})).status_code == 400


async def test_it_ends(api: httpx.AsyncClient) -> None:
    await registered(api, source())
    assert (await api.delete(f"{PATH}/{FIRST}")).status_code == 204
    assert (await api.get(f"{PATH}/{FIRST}")).status_code == 404
    assert (await api.delete(f"{PATH}/{FIRST}")).status_code == 404
    assert (await api.delete(f"{PATH}/")).status_code == 405
    assert await found(api, type="WasteContainer") == []


async def test_sources_are_found_by_what_they_have(api: httpx.AsyncClient) -> None:
    lamps = [{"entities": [{"type": "Streetlight", "id": "urn:ngsi-ld:Streetlight:quay-1"}]}]
    anything = [{"propertyNames": ["note"]}]
    pattern = [{"entities": [{"type": "WasteContainer", "idPattern": "port"}], "propertyNames": ["fillingLevel"]}]
    await registered(
        api,
        source("urn:x:lamps", information=lamps),
        source("urn:x:anything", information=anything),
        source("urn:x:port", information=pattern),
    )
    assert await found(api, type="Streetlight") == ["urn:x:lamps", "urn:x:anything"]
    assert await found(api, type="WasteContainer,Streetlight", attrs="fillingLevel") == ["urn:x:lamps", "urn:x:port"]
    assert await found(api, id=BIN) == ["urn:x:anything", "urn:x:port"]
    assert await found(api, id="urn:ngsi-ld:WasteContainer:hill-1") == ["urn:x:anything"]
    assert await found(api, q='note=="full"') == ["urn:x:lamps", "urn:x:anything"]
    assert await found(api, idPattern="quay", type="Streetlight", attrs="") == ["urn:x:lamps", "urn:x:anything"]


async def test_sources_are_found_by_their_own_properties(api: httpx.AsyncClient) -> None:
    here = {"type": "Point", "coordinates": [8.68, 49.41]}
    year = {"startAt": "2020-08-01T22:07:00Z", "endAt": "2021-08-01T21:07:00Z"}
    await registered(
        api,
        source("urn:x:a", scope="/Madrid/Centro", location=here, owner="town", observationInterval=year),
        source("urn:x:b", scope="/Berlin", endpoint="http://b.example", managementInterval=year),
    )
    near = {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": "[8.68,49.41]"}
    assert await found(api, type="WasteContainer", csf='endpoint=="http://b.example"') == ["urn:x:b"]
    assert await found(api, csf='owner=="town"') == ["urn:x:a"]
    assert await found(api, scopeQ="/Madrid/#") == ["urn:x:a"]
    assert await found(api, type="WasteContainer", geoproperty="", **near) == ["urn:x:a"]
    when = {"timerel": "before", "timeAt": "2021-08-01T22:00:00Z"}
    assert await found(api, type="WasteContainer", timeproperty="", **when) == ["urn:x:a"]
    assert await found(api, type="WasteContainer", timeproperty="createdAt", **when) == ["urn:x:b"]
    assert await found(api, type="WasteContainer", timerel="after", timeAt="2021-08-01T22:00:00Z") == []


@pytest.mark.parametrize("query", ["", "id=none", "q=(broken", "georel=within", "timerel=before", "type=A&timerel=x"])
async def test_a_question_that_is_none_is_refused(api: httpx.AsyncClient, query: str) -> None:
    assert (await api.get(f"{PATH}?{query}")).status_code == 400


async def test_pages_have_links_and_a_count(api: httpx.AsyncClient) -> None:
    await registered(api, *(source(f"urn:x:{number}") for number in range(3)))
    answer = await api.get(PATH, params={"type": "WasteContainer", "limit": 1, "offset": 1, "count": "true"})
    assert [one["id"] for one in answer.json()] == ["urn:x:1"]
    assert answer.headers["ngsild-results-count"] == "3"
    assert 'offset=0>; rel="prev"' in answer.headers["link"]
    assert 'offset=2>; rel="next"' in answer.headers["link"]


async def test_one_source_alone_is_exclusive(api: httpx.AsyncClient) -> None:
    await registered(api, exclusive())
    for mode in ("exclusive", "redirect"):
        answer = await api.post(PATH, json=exclusive(SECOND, mode=mode))
        assert answer.status_code == 409, answer.text
        assert answer.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/Conflict"
    await registered(api, exclusive("urn:x:other", name="note"), exclusive("urn:x:inclusive", mode="inclusive"))
    fragment = {"mode": "exclusive"}
    assert (await api.patch(f"{PATH}/urn:x:inclusive", json=fragment)).status_code == 409


async def test_what_is_exclusive_of_one_entity_bars_its_type_and_no_other(api: httpx.AsyncClient) -> None:
    await registered(api, exclusive())
    benches = [{"entities": [{"type": "Bench"}], "propertyNames": ["fillingLevel"]}]
    await registered(api, source("urn:x:benches", mode="redirect", information=benches))
    same = [{"entities": [{"type": "Bench", "id": BIN}], "propertyNames": ["fillingLevel"]}]
    assert (await api.post(PATH, json=exclusive("urn:x:same", information=same))).status_code == 409


async def test_redirects_may_overlap(api: httpx.AsyncClient) -> None:
    await registered(api, source(mode="redirect"), source(SECOND, mode="redirect"))


async def test_what_is_held_here_cannot_be_held_elsewhere_alone(api: httpx.AsyncClient) -> None:
    assert (await api.post("/entities", json=bin_at_the_port())).status_code == 201
    assert (await api.post(PATH, json=exclusive())).status_code == 409
    assert (await api.post(PATH, json=source(mode="redirect"))).status_code == 409
    await registered(api, exclusive(name="note"), source(SECOND))


async def test_who_may_not_sees_nothing_and_secrets_are_for_administrators(api: httpx.AsyncClient) -> None:
    info = [{"key": "X-Auth-Token", "value": "abc"}]
    refused = await api.post(PATH, json=source(), headers={"Subject": "reader"})
    assert refused.status_code == 403
    await registered(api, source(contextSourceInfo=info))
    assert "contextSourceInfo" not in (await api.get(f"{PATH}/{FIRST}")).json()
    shown = await api.get(f"{PATH}/{FIRST}", headers={"Subject": "administrator"})
    assert shown.json()["contextSourceInfo"] == info
    for subject in ("resident", "nobody"):
        answer = await api.get(PATH, params={"type": "WasteContainer"}, headers={"Subject": subject})
        assert answer.status_code == 403
    neighbour = await api.get(f"{PATH}/{FIRST}", headers={"Subject": "neighbour"})
    assert neighbour.status_code == 404


async def test_callers_credentials_go_on_only_where_an_administrator_wishes_it(api: httpx.AsyncClient) -> None:
    info = [{"key": "Authorization", "value": "urn:ngsi-ld:request"}]
    refused = await api.post(PATH, json=source(contextSourceInfo=info))
    assert refused.status_code == 403
    await registered(api, source(contextSourceInfo=[{"key": "Authorization", "value": "Bearer ours"}]))
    patched = await api.patch(f"{PATH}/{FIRST}", json={"contextSourceInfo": info})
    assert patched.status_code == 403
    by_administrator = {"Subject": "administrator"}
    allowed = await api.patch(f"{PATH}/{FIRST}", json={"contextSourceInfo": info}, headers=by_administrator)
    assert allowed.status_code == 204
    moved = await api.patch(f"{PATH}/{FIRST}", json={"endpoint": "http://elsewhere.example"})
    assert moved.status_code == 403
