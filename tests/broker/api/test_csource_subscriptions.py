"""Subscriptions to registrations over HTTP."""

from typing import Any

import httpx
import pytest

PATH = "/csourceSubscriptions"
BINS = "urn:ngsi-ld:Subscription:bins"


def subscription(urn: str = BINS, **more: Any) -> dict[str, Any]:
    return {
        "id": urn,
        "type": "Subscription",
        "entities": [{"type": "WasteContainer"}],
        "notification": {"endpoint": {"uri": "http://town.example/notify", "accept": "application/json"}},
        **more,
    }


async def test_a_subscription_is_shown_as_it_was_given(api: httpx.AsyncClient) -> None:
    given = subscription(
        csf='owner=="town"', temporalQ={"timerel": "after", "timeAt": "2020-06-01T22:07:00Z"}, isActive=False
    )
    created = await api.post(PATH, json=given)
    assert created.status_code == 201
    assert created.headers["location"] == f"/ngsi-ld/v1{PATH}/{BINS}"
    shown = (await api.get(f"{PATH}/{BINS}")).json()
    notification = {"format": "normalized", **given["notification"]}
    assert shown == {**given, "notification": notification, "status": "paused"}
    assert (await api.post(PATH, json=given)).status_code == 409


async def test_it_is_changed_and_ends(api: httpx.AsyncClient) -> None:
    await api.post(PATH, json=subscription(csf="owner"))
    fragment = {"csf": None, "description": "bins of others", "watchedAttributes": ["fillingLevel"]}
    assert (await api.patch(f"{PATH}/{BINS}", json=fragment)).status_code == 204
    shown = (await api.get(f"{PATH}/{BINS}")).json()
    assert (shown["description"], shown["watchedAttributes"]) == ("bins of others", ["fillingLevel"])
    assert not {"csf", "isActive"} & shown.keys()
    assert (await api.delete(f"{PATH}/{BINS}")).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await api.request(method, f"{PATH}/{BINS}")).status_code == 404
    assert (await api.patch(f"{PATH}/{BINS}", json=fragment)).status_code == 404


@pytest.mark.parametrize(
    "member",
    [
        {"notification": None},
        {"type": "Other"},
        {"q": "speed>"},
        {"csf": "(broken"},
        {"watchedAttributes": []},
        {"temporalQ": {"timerel": "after"}},
        {"temporalQ": {"timerel": "sometime", "timeAt": "2020-06-01T22:07:00Z"}},
        {"temporalQ": 7},
        {"expiresAt": "2018-08-01T22:07:00Z"},
    ],
)
async def test_what_breaks_a_rule_is_refused(api: httpx.AsyncClient, member: dict[str, Any]) -> None:
    answer = await api.post(PATH, json=subscription(**member))
    assert answer.status_code == 400
    assert answer.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"


async def test_a_fragment_without_an_endpoint_is_refused(api: httpx.AsyncClient) -> None:
    await api.post(PATH, json=subscription())
    answer = await api.patch(f"{PATH}/{BINS}", json={"notification": {"format": "keyValues"}})
    assert answer.status_code == 400
    assert (await api.patch(f"{PATH}/nothing", json={"csf": "owner"})).status_code == 400


async def test_they_are_listed_in_pages(api: httpx.AsyncClient) -> None:
    for number in range(3):
        await api.post(PATH, json=subscription(f"urn:x:{number}"))
    answer = await api.get(PATH, params={"limit": 1, "offset": 1, "count": "true"})
    assert [one["id"] for one in answer.json()] == ["urn:x:1"]
    assert answer.headers["ngsild-results-count"] == "3"
    assert 'offset=0>; rel="prev"' in answer.headers["link"]
    neighbour = await api.get(PATH, headers={"Subject": "neighbour"})
    assert neighbour.json() == []


async def test_who_may_not_write_subscribes_to_nothing(api: httpx.AsyncClient) -> None:
    assert (await api.post(PATH, json=subscription(), headers={"Subject": "reader"})).status_code == 403
    assert (await api.get(PATH, headers={"Subject": "resident"})).status_code == 403
