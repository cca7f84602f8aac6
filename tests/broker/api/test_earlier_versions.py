"""Answers for readers of an earlier version (NGSI-LD 1.9.1, 4.3.6.8)."""

from typing import Any

import httpx
import pytest

THING = "urn:ngsi-ld:Thing:1"
VOCAB: dict[str, Any] = {"type": "VocabProperty", "vocab": "open"}


@pytest.fixture(autouse=True)
async def a_thing(api: httpx.AsyncClient) -> None:
    thing = {
        "id": THING,
        "type": "Thing",
        "state": VOCAB,
        "sizes": {"type": "ListProperty", "valueList": [1, 2]},
        "level": {"type": "Property", "value": 3},
    }
    assert (await api.post("/entities", json=thing)).status_code == 201


@pytest.mark.parametrize("path", [f"/entities/{THING}", "/entities?type=Thing"])
async def test_what_a_version_has_no_name_for_is_a_property(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path, headers={"prefer": "ngsi-ld=1.5"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (203, "ngsi-ld=1.5")
    thing = answer.json()[0] if "?" in path else answer.json()
    assert thing["state"] == {"type": "Property", "value": "open"}
    assert thing["sizes"] == {"type": "Property", "value": [1, 2]}


async def test_a_version_that_knows_all_of_it_gets_it_as_it_is(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"/entities/{THING}", headers={"prefer": "body=json, ngsi-ld=1.9"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "ngsi-ld=1.9")
    assert answer.json()["state"] == VOCAB


async def test_without_a_wish_nothing_is_said(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"/entities/{THING}", headers={"prefer": "ngsi-ld=new"})
    assert (answer.status_code, "preference-applied" in answer.headers) == (200, False)
