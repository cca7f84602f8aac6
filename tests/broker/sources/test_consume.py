"""A town asks its syndicate: entities are read from several brokers as if one had them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from parvis.broker.jsonld.contexts import CORE_URL
from parvis.broker.sources.model import Management, Registration
from parvis.broker.sources.remembered import RememberedAnswers, kept_for, question_of
from parvis.kernel.outbound import AnswerTooLarge, CallFailed
from parvis.kernel.time import DAY, MINUTE, SECOND
from tests.broker.sources.neighbourhood import Neighbourhood, bin_, registration, said

BIN = "/entities/urn:ngsi-ld:WasteContainer:1"
ALL = {"type": "WasteContainer", "format": "keyValues"}


class Brokers:
    def __init__(self, around: Neighbourhood, town: httpx.AsyncClient, syndicate: httpx.AsyncClient) -> None:
        self.around = around
        self.town = town
        self.syndicate = syndicate

    async def register(self, host: str = "syndicate", **more: Any) -> None:
        answer = await self.town.post("/csourceRegistrations", json=registration(host, **more))
        assert answer.status_code == 201, answer.text

    async def ids(self, **parameters: str) -> list[str]:
        answer = await self.town.get("/entities", params={**ALL, **parameters})
        assert answer.status_code == 200, answer.text
        return [one["id"].rpartition(":")[2] for one in answer.json()]


@pytest.fixture
async def brokers() -> AsyncIterator[Brokers]:
    async with Neighbourhood() as around:
        yield Brokers(around, await around.build("town"), await around.build("syndicate", "port"))


async def have(broker: httpx.AsyncClient, *entities: dict[str, Any], **headers: str) -> None:
    for one in entities:
        answer = await broker.post("/entities", json=one, headers=headers, params={"local": "true"})
        assert answer.status_code == 201, answer.text


async def test_an_entity_is_put_together_from_both(brokers: Brokers) -> None:
    await brokers.register()
    await have(brokers.town, bin_(fillingLevel=0.4))
    await have(brokers.syndicate, bin_(collectedOn="monday"))
    shown = (await brokers.town.get(BIN, params={"format": "keyValues"})).json()
    assert shown == {"id": bin_()["id"], "type": "WasteContainer", "fillingLevel": 0.4, "collectedOn": "monday"}


async def test_what_only_the_source_has_is_there_too(brokers: Brokers) -> None:
    await brokers.register()
    await have(brokers.town, bin_(1, fillingLevel=0.4))
    await have(brokers.syndicate, bin_(2, fillingLevel=0.9))
    assert await brokers.ids() == ["1", "2"]
    assert await brokers.ids(q="fillingLevel>0.5") == ["2"]
    assert (await brokers.town.get("/entities/urn:ngsi-ld:WasteContainer:2")).status_code == 200
    assert (await brokers.town.get("/entities/urn:ngsi-ld:WasteContainer:3")).status_code == 404


async def test_local_stays_here(brokers: Brokers) -> None:
    await brokers.register()
    await have(brokers.syndicate, bin_(2))
    assert await brokers.ids(local="true") == []
    assert (await brokers.town.get("/entities/urn:ngsi-ld:WasteContainer:2?local=true")).status_code == 404
    assert brokers.around.calls == []


async def test_a_source_of_something_else_is_not_asked(brokers: Brokers) -> None:
    await brokers.register(types=("Streetlight",))
    await have(brokers.town, bin_())
    assert await brokers.ids() == ["1"]
    assert (await brokers.town.get(BIN)).status_code == 200
    assert brokers.around.calls == []


async def test_the_newest_of_equals_is_believed(brokers: Brokers) -> None:
    await brokers.register()
    old, new = "2026-05-01T08:00:00Z", "2026-05-02T08:00:00Z"
    await have(brokers.town, {**bin_(), "fillingLevel": {"type": "Property", "value": 1, "observedAt": new}})
    await have(brokers.syndicate, {**bin_(), "fillingLevel": {"type": "Property", "value": 2, "observedAt": old}})
    assert (await brokers.town.get(BIN, params=ALL | {"type": "WasteContainer"})).json()["fillingLevel"] == 1


async def test_what_was_modified_last_is_believed_where_nothing_was_observed(brokers: Brokers) -> None:
    await brokers.register()
    await have(brokers.town, bin_(fillingLevel=1))
    await have(brokers.syndicate, bin_(fillingLevel=2))
    assert (await brokers.town.get(BIN, params={"format": "keyValues"})).json()["fillingLevel"] == 2


async def test_an_auxiliary_source_only_adds(brokers: Brokers) -> None:
    await brokers.register(mode="auxiliary")
    await have(brokers.town, bin_(fillingLevel=1))
    await have(brokers.syndicate, bin_(fillingLevel=2, note="theirs"))
    shown = (await brokers.town.get(BIN, params={"format": "keyValues"})).json()
    assert (shown["fillingLevel"], shown["note"]) == (1, "theirs")


async def test_a_source_is_asked_for_what_it_has_registered_and_believed_in_that(brokers: Brokers) -> None:
    entities = [{"type": "WasteContainer", "id": bin_()["id"]}]
    information = [{"entities": entities, "propertyNames": ["fillingLevel"]}]
    await brokers.register(mode="exclusive", information=information)
    await have(brokers.town, bin_(note="ours"))
    brokers.around.answers["syndicate"] = said(
        200, b'{"id":"urn:ngsi-ld:WasteContainer:1","type":"WasteContainer","fillingLevel":0.4,"note":"theirs"}'
    )
    shown = (await brokers.town.get(BIN, params={"format": "keyValues"})).json()
    assert (shown["fillingLevel"], shown["note"]) == (0.4, "ours")
    [call] = brokers.around.calls
    assert call.query == {"attrs": "fillingLevel", "options": "sysAttrs"}
    brokers.around.answers["syndicate"] = said(200, b"[]")
    await brokers.ids()
    assert brokers.around.calls[1].query["id"] == bin_()["id"]
    await brokers.ids(attrs="note")
    assert len(brokers.around.calls) == 2, "it has no notes"


async def test_a_call_carries_tenant_context_and_way(brokers: Brokers) -> None:
    info = [
        {"key": "Authorization", "value": "Bearer abc"},
        {"key": "user", "value": "urn:ngsi-ld:request"},
        {"key": "X-None", "value": "urn:ngsi-ld:request"},
        {"key": "NGSILD-Tenant", "value": "other"},
    ]
    await brokers.register(tenant="port", contextSourceInfo=info, localOnly=True)
    await have(brokers.syndicate, bin_(2), **{"NGSILD-Tenant": "port"})
    assert await brokers.ids() == ["2"]
    await brokers.town.get(BIN, headers={"user": "abcd", "Via": "1.1 county"})
    first, second = brokers.around.calls
    assert first.headers["ngsild-tenant"] == "port"
    assert first.headers["authorization"] == "Bearer abc"
    assert CORE_URL in first.headers["link"]
    assert first.query["local"] == "true"
    assert not {"user", "x-none"} & first.headers.keys()
    assert second.headers["user"] == "abcd"
    assert second.headers["via"].startswith("1.1 county, 1.1 parvis-")


async def test_what_comes_back_goes_no_further(brokers: Brokers) -> None:
    await brokers.register()
    answer = await brokers.syndicate.post("/csourceRegistrations", json=registration("town"))
    assert answer.status_code == 201
    await have(brokers.town, bin_(1))
    await have(brokers.syndicate, bin_(2))
    assert await brokers.ids() == ["1", "2"]
    assert [call.host for call in brokers.around.calls] == ["syndicate", "town"]


async def test_a_source_that_the_request_has_passed_is_left_out(brokers: Brokers) -> None:
    await brokers.register(contextSourceAlias="county")
    await brokers.town.get(BIN, headers={"Via": "1.1 county"})
    assert brokers.around.calls == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (CallFailed("too slow"), "199"),
        (AnswerTooLarge("too much"), "111"),
        (said(403), "299"),
        (said(200, b"not json"), "111"),
        (said(200, b'[{"id":"nothing"}]'), "111"),
        (said(200, b"[7]"), "111"),
    ],
)
async def test_a_source_that_fails_costs_its_part_and_a_warning(brokers: Brokers, answer: Any, code: str) -> None:
    await brokers.register()
    await have(brokers.town, bin_(1))
    brokers.around.answers["syndicate"] = answer
    found = await brokers.town.get("/entities", params=ALL)
    assert [one["id"] for one in found.json()] == [bin_(1)["id"]]
    assert found.headers["ngsild-warning"].startswith(f"{code} ")
    missing = await brokers.town.get("/entities/urn:ngsi-ld:WasteContainer:3")
    assert missing.status_code == 404
    assert code in missing.headers["ngsild-warning"]


async def test_not_found_there_is_nothing_to_warn_of(brokers: Brokers) -> None:
    await brokers.register()
    brokers.around.answers["syndicate"] = said(404)
    answer = await brokers.town.get(BIN)
    assert answer.status_code == 404
    assert "ngsild-warning" not in answer.headers


async def test_a_source_that_keeps_failing_is_left_alone_a_while(brokers: Brokers) -> None:
    await brokers.register()
    brokers.around.answers["syndicate"] = CallFailed("away")
    for _ in range(5):
        answer = await brokers.town.get("/entities", params=ALL)
    assert len(brokers.around.calls) == 3
    assert answer.headers["ngsild-warning"].startswith("199 ")


async def test_a_cooldown_holds_from_the_first_failure_on(brokers: Brokers) -> None:
    await brokers.register(management={"cooldown": 60_000})
    brokers.around.answers["syndicate"] = CallFailed("away")
    for _ in range(3):
        await brokers.town.get("/entities", params=ALL)
    assert len(brokers.around.calls) == 1


async def test_a_source_is_asked_in_the_way_it_can_answer(brokers: Brokers) -> None:
    await have(brokers.syndicate, bin_(2))
    await brokers.register(operations=["queryBatch"])
    assert await brokers.ids(q="!note") == ["2"]
    assert (await brokers.town.get("/entities/urn:ngsi-ld:WasteContainer:2")).status_code == 200
    assert {(call.method, call.path) for call in brokers.around.calls} == {
        ("POST", "/ngsi-ld/v1/entityOperations/query")
    }
    await brokers.town.patch(
        "/csourceRegistrations/" + registration("syndicate")["id"], json={"operations": ["updateOps"]}
    )
    assert await brokers.ids() == []


async def test_a_query_by_body_goes_on_by_body(brokers: Brokers) -> None:
    await brokers.register()
    await have(brokers.syndicate, bin_(2, fillingLevel=0.9), bin_(3, fillingLevel=0.1))
    body = {"type": "Query", "entities": [{"type": "WasteContainer"}], "q": "fillingLevel>0.5"}
    answer = await brokers.town.post("/entityOperations/query", json=body)
    assert [one["id"] for one in answer.json()] == [bin_(2)["id"]]
    assert brokers.around.calls[0].method == "POST"


async def test_csf_says_which_sources_are_asked(brokers: Brokers) -> None:
    await brokers.register(sourceType={"type": "Property", "value": "sensor"})
    await have(brokers.syndicate, bin_(2))
    assert await brokers.ids(csf='sourceType=="archive"') == []
    assert brokers.around.calls == []
    assert await brokers.ids(csf='sourceType=="sensor"') == ["2"]


async def test_an_entity_in_two_places_is_filtered_once_it_is_whole(brokers: Brokers) -> None:
    await brokers.register()
    await have(brokers.town, bin_(fillingLevel=0.9))
    await have(brokers.syndicate, bin_(note="full"))
    condition = 'fillingLevel>0.5;note=="full"'
    assert await brokers.ids(q=condition) == []
    assert await brokers.ids(q=condition, splitEntities="true") == ["1"]
    assert "q" not in brokers.around.calls[-1].query


async def test_pages_go_through_all_places(brokers: Brokers) -> None:
    await brokers.register()
    await have(brokers.town, bin_(1), bin_(2))
    await have(brokers.syndicate, bin_(2), bin_(3), bin_(4))
    answer = await brokers.town.get("/entities", params={**ALL, "limit": 2, "offset": 1, "count": "true"})
    assert [one["id"][-1] for one in answer.json()] == ["2", "3"]
    assert answer.headers["ngsild-results-count"] == "4"
    assert 'offset=3>; rel="next"' in answer.headers["link"]


async def test_a_loop_is_told_to_who_asked_first(brokers: Brokers) -> None:
    await brokers.register(mode="auxiliary", operations=["retrieveOps"])
    await brokers.syndicate.post("/csourceRegistrations", json=registration("town"))
    await have(brokers.town, bin_(1))
    await have(brokers.syndicate, bin_(2))
    answer = await brokers.town.get("/entities", params=ALL)
    assert [one["id"][-1] for one in answer.json()] == ["1", "2"]
    assert answer.headers["ngsild-warning"].startswith("199 parvis-")


async def test_a_source_is_asked_for_the_part_of_the_map_that_it_has(brokers: Brokers) -> None:
    square = [[[13.0, 52.2], [13.8, 52.2], [13.8, 52.8], [13.0, 52.8], [13.0, 52.2]]]
    await brokers.register(location={"type": "Polygon", "coordinates": square})
    near = {"georel": "near;maxDistance==5000", "geometry": "Point"}
    await brokers.ids(**near, coordinates="[2.35,48.85]")
    assert brokers.around.calls == []
    await brokers.ids(**near, coordinates="[13.4,52.52]")
    await brokers.ids(georel="within", geometry="Polygon", coordinates="[[[0,0],[20,0],[20,60],[0,60],[0,0]]]")
    assert len(brokers.around.calls) == 2
    assert brokers.around.calls[0].query["georel"] == near["georel"]


async def test_an_entity_whose_time_has_passed_is_none(brokers: Brokers) -> None:
    await brokers.register()
    past = b'{"id":"urn:ngsi-ld:WasteContainer:1","type":"WasteContainer","expiresAt":"2020-01-01T00:00:00Z"}'
    brokers.around.answers["syndicate"] = said(200, past)
    assert (await brokers.town.get(BIN)).status_code == 404


async def test_a_source_that_says_it_has_failed_rests_where_it_wants_to(brokers: Brokers) -> None:
    await brokers.register(management={"cooldown": 60_000})
    brokers.around.answers["syndicate"] = said(500)
    first = await brokers.town.get("/entities", params=ALL)
    second = await brokers.town.get("/entities", params=ALL)
    assert [one.headers["ngsild-warning"][:3] for one in (first, second)] == ["299", "199"]
    assert len(brokers.around.calls) == 1


async def test_a_registration_tells_how_its_source_does(brokers: Brokers) -> None:
    await brokers.register()
    path = "/csourceRegistrations/" + registration("syndicate")["id"]
    assert "status" not in (await brokers.town.get(path)).json()
    await brokers.town.get("/entities", params=ALL)
    well = (await brokers.town.get(path)).json()
    assert (well["status"], well["timesSent"], well["timesFailed"]) == ("ok", 1, 0)
    brokers.around.answers["syndicate"] = CallFailed("away")
    await brokers.town.get("/entities", params=ALL)
    away = (await brokers.town.get(path)).json()
    assert (away["status"], away["timesSent"], away["timesFailed"]) == ("failed", 2, 1)
    assert away["lastFailure"] > away["lastSuccess"]


async def test_a_source_of_other_datasets_is_not_asked(brokers: Brokers) -> None:
    await brokers.register(datasetId=["urn:ngsi-ld:Dataset:b"])
    await have(brokers.syndicate, bin_())
    assert await brokers.ids(datasetId="urn:ngsi-ld:Dataset:a") == []
    await brokers.town.get(BIN, params={"datasetId": "urn:ngsi-ld:Dataset:a"})
    assert brokers.around.calls == []
    await brokers.ids(datasetId="urn:ngsi-ld:Dataset:a,urn:ngsi-ld:Dataset:b")
    assert await brokers.ids() == ["1"]
    assert len(brokers.around.calls) == 2


async def test_a_source_that_wants_it_is_asked_the_same_thing_seldom(brokers: Brokers) -> None:
    await brokers.register(management={"cacheDuration": "PT1H"})
    await have(brokers.syndicate, bin_(1))
    assert await brokers.ids() == ["1"]
    await have(brokers.syndicate, bin_(2))
    assert await brokers.ids() == ["1"]
    assert len(brokers.around.calls) == 1
    assert await brokers.ids(limit="7") == ["1", "2"]


def test_what_is_remembered_ends_and_is_bounded() -> None:
    now = [0]
    answers = RememberedAnswers(lambda: now[0], most_bytes=5000)
    answers.keep("a", said(200, b"x" * 1000), MINUTE)
    now[0] = MINUTE - 1
    assert answers.find("a") is not None
    for name in "bcd":
        answers.keep(name, said(200, b"x" * 1000), MINUTE)
    answers.keep("large", said(200, b"x" * 9000), MINUTE)
    assert [answers.find(name) is not None for name in ("a", "b", "c", "d", "large")] == [
        False,
        False,
        True,
        True,
        False,
    ]
    now[0] = 2 * MINUTE
    assert answers.find("d") is None


def test_other_credentials_ask_another_question() -> None:
    source = Registration("default", "urn:x:a", "http://a.example", management=Management(cache_duration="P1MT1S"))
    assert kept_for(source) == 30 * DAY + SECOND
    assert kept_for(Registration("default", "urn:x:a", "http://a.example")) == 0
    first, other, again = (
        question_of(source, "GET", "http://a.example", headers, b"")
        for headers in ({"Authorization": "a"}, {"Authorization": "b"}, {"Authorization": "a", "Via": "1.1 x"})
    )
    assert first == again != other
