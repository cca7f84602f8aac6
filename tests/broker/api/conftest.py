"""The API over the real store, in memory, spoken to through HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from parvis.broker.api import NgsiLdApi
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, NOBODY, OPERATOR, Caller, Right
from parvis.kernel.reach import Area, Hidden
from parvis.stores.sqlite.store import SqliteStore
from tests.broker.api.territory import NOON

LAMPS = (Area(frozenset((Contexts().core.expand("Streetlight"),))),)
SUBJECTS = {
    "administrator": Caller(DEFAULT_TENANT, "administrator", ADMINISTRATOR),
    "operator": Caller(DEFAULT_TENANT, "operator", OPERATOR),
    "reader": Caller(DEFAULT_TENANT, "reader", Right.READ_PUBLIC | Right.READ),
    "lamplighter": Caller(DEFAULT_TENANT, "lamplighter", Right.READ | Right.WRITE, reads=LAMPS, writes=LAMPS),
    "clerk": Caller(DEFAULT_TENANT, "clerk", OPERATOR, hides=Hidden(frozenset({"level"}))),
    "another clerk": Caller(DEFAULT_TENANT, "another", OPERATOR, hides=Hidden(frozenset({"level"}))),
    "resident": Caller(DEFAULT_TENANT, "resident", Right.READ_PUBLIC),
    "nobody": Caller(DEFAULT_TENANT, "nobody", NOBODY),
    "neighbour": Caller("neighbour", "neighbour", OPERATOR),
}
PUBLIC_TYPES = ("WasteContainer",)
MAX_BODY_BYTES = 200_000


class As:
    """Stands where access stands: the header Subject says who calls."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            subject = dict(scope["headers"]).get(b"subject", b"operator").decode()
            scope.setdefault("state", {})
            if subject in SUBJECTS:
                scope["state"]["caller"] = SUBJECTS[subject]
        await self._app(scope, receive, send)


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:", clock=lambda: NOON)
    yield store
    await store.close()


@pytest.fixture
async def broker(store: SqliteStore) -> Broker:
    contexts = Contexts()
    await store.add_tenant("neighbour")
    return Broker(store, contexts, frozenset(contexts.core.expand(name) for name in PUBLIC_TYPES))


@pytest.fixture
async def api(broker: Broker) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[Mount("/ngsi-ld/v1", app=NgsiLdApi(broker, MAX_BODY_BYTES))])
    transport = httpx.ASGITransport(app=As(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://town/ngsi-ld/v1") as client:
        yield client
