"""A tenant is made by what creates something in it, and by nothing that is refused (NGSI-LD 1.9.1, 4.14, 5.5.10)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from parvis.broker.api import NgsiLdApi
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.kept import KeptContexts
from parvis.broker.ports.store import Store
from parvis.kernel.identity import ADMINISTRATOR, Caller
from tests.broker.api.conftest import SUBJECTS, As
from tests.broker.api.territory import lamp
from tests.contract.territory import Ticking

HEADERS = {"Subject": "newcomer", "NGSILD-Tenant": "village"}
SUBSCRIPTION = {
    "type": "Subscription",
    "entities": [{"type": "Lamp"}],
    "notification": {"endpoint": {"uri": "http://192.0.2.1/told"}},
}
REGISTRATION = {
    "type": "ContextSourceRegistration",
    "information": [{"entities": [{"type": "Lamp"}]}],
    "endpoint": "http://192.0.2.1/ngsi-ld/v1",
}
CREATIONS: list[tuple[str, Any, Any]] = [
    ("/entities", lamp(), {**lamp(), "type": 7}),
    ("/entityOperations/create", [lamp()], [{"id": "no URI"}]),
    ("/entityOperations/upsert", [lamp()], [{"id": "no URI"}]),
    ("/temporal/entities", lamp(), {**lamp(), "type": 7}),
    ("/subscriptions", SUBSCRIPTION, {**SUBSCRIPTION, "notification": {}}),
    ("/csourceRegistrations", REGISTRATION, {**REGISTRATION, "information": []}),
    ("/csourceSubscriptions", SUBSCRIPTION, {**SUBSCRIPTION, "notification": {}}),
    ("/jsonldContexts", {"@context": {"level": "urn:level"}}, {"@context": 7}),
]


@pytest.fixture
async def api(store: Store, clock: Ticking, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setitem(SUBJECTS, "newcomer", Caller("village", "administrator", ADMINISTRATOR))
    broker = Broker(store, Contexts(kept=KeptContexts(store.shelf, clock)))
    app = Starlette(routes=[Mount("/ngsi-ld/v1", app=NgsiLdApi(broker))])
    transport = httpx.ASGITransport(app=As(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://town/ngsi-ld/v1") as client:
        yield client


@pytest.mark.parametrize(("path", "sound", "broken"), CREATIONS, ids=[path for path, _, _ in CREATIONS])
async def test_only_what_is_created_makes_a_tenant(
    api: httpx.AsyncClient, store: Store, path: str, sound: Any, broken: Any
) -> None:
    refused = await api.post(path, json=broken, headers=HEADERS)
    assert refused.status_code == (207 if "Operations" in path else 400)
    assert "village" not in await store.list_tenants()

    created = await api.post(path, json=sound, headers=HEADERS)
    assert created.status_code == 201, created.text
    assert "village" in await store.list_tenants()
