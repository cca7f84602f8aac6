"""A fresh broker in memory, spoken to through its API; contexts come from files, never from the network."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from parvis.broker.api import NgsiLdApi
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.kept import KeptContexts
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from parvis.stores.sqlite.store import SqliteStore


class Result(msgspec.Struct, frozen=True):
    """`difference` is empty where the broker did as the example says."""

    name: str
    difference: str


class Unguarded:
    """Everyone may do everything, in the tenant of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            tenant = dict(scope["headers"]).get(b"ngsild-tenant", DEFAULT_TENANT.encode()).decode()
            scope.setdefault("state", {})["caller"] = Caller(tenant, "anyone", ADMINISTRATOR)
        await self._app(scope, receive, send)


@asynccontextmanager
async def fresh_instance(read_context: Callable[[str], bytes]) -> AsyncIterator[httpx.AsyncClient]:
    """`read_context` raises LookupError for a URL that it does not know."""

    async def fetch(url: str) -> bytes:
        return read_context(url)

    store = await SqliteStore.open(":memory:")
    try:
        broker = Broker(store, Contexts(fetch, KeptContexts(store.shelf)), frozenset())
        app = Starlette(routes=[Mount("/ngsi-ld/v1", app=NgsiLdApi(broker))])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=Unguarded(app)), base_url="http://town"
        ) as client:
            yield client
    finally:
        await store.close()
