"""Brokers that know each other: each on a store of its own, spoken to as over HTTP, and away when a test says so."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from parvis.broker.api import NgsiLdApi
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import CORE_URL, Contexts
from parvis.broker.sources.forward import SourceClient
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from parvis.kernel.outbound import Answer, CallFailed
from parvis.stores.sqlite.store import SqliteStore

LINK = {"Link": f'<{CORE_URL}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'}


class Open:
    """Everybody may do everything, in the tenant that is named."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            tenant = dict(scope["headers"]).get(b"ngsild-tenant", DEFAULT_TENANT.encode()).decode()
            scope.setdefault("state", {})["caller"] = Caller(tenant, "anybody", ADMINISTRATOR)
        await self._app(scope, receive, send)


class Call:
    """One that a broker made: what it looked like on the wire."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(url)
        self.method = method
        self.host = parts.hostname or ""
        self.path = parts.path
        self.query = dict(httpx.URL(url).params)
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    def __repr__(self) -> str:
        return f"{self.method} {self.host}{self.path} {self.query}"


class Neighbourhood:
    """`calls` are all that brokers made; `answers` stand instead of those of a host, by method and host."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Answer | Exception] = {}
        self.stores: dict[str, SqliteStore] = {}
        self.brokers: dict[str, Broker] = {}
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def build(self, name: str, *tenants: str) -> httpx.AsyncClient:
        store = await SqliteStore.open(":memory:")
        self._stack.push_async_callback(store.close)
        for tenant in tenants:
            await store.add_tenant(tenant)
        broker = Broker(store, Contexts(), source_client=SourceClient(self))
        self.stores[name], self.brokers[name] = store, broker
        app = Starlette(routes=[Mount("/ngsi-ld/v1", app=NgsiLdApi(broker))])
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=Open(app)), base_url=f"http://{name}/ngsi-ld/v1", headers=LINK
        )
        self._clients[name] = await self._stack.enter_async_context(client)
        return client

    async def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
        limit_bytes: int | None = None,
    ) -> Answer:
        call = Call(method, url, headers, body)
        self.calls.append(call)
        if (answer := self.answers.get(call.host)) is not None:
            if isinstance(answer, Exception):
                raise answer
            return answer
        client = self._clients.get(call.host)
        if client is None:
            raise CallFailed(f"{call.host} cannot be found.")
        request = httpx.Request(method, url, headers=dict(headers), content=body)
        response = await client.send(request)
        return Answer(response.status_code, "", response.content, url, dict(response.headers))


def said(status: int, body: bytes = b"") -> Answer:
    return Answer(status, "application/json", body, "", {})


def registration(host: str, types: tuple[str, ...] = ("WasteContainer",), **more: Any) -> dict[str, Any]:
    information = [{"entities": [{"type": one} for one in types]}]
    return {
        "id": f"urn:ngsi-ld:ContextSourceRegistration:{host}",
        "type": "ContextSourceRegistration",
        "endpoint": f"http://{host}",
        "information": information,
        **more,
    }


def bin_(number: int = 1, **attributes: Any) -> dict[str, Any]:
    properties = {name: {"type": "Property", "value": value} for name, value in attributes.items()}
    return {"id": f"urn:ngsi-ld:WasteContainer:{number}", "type": "WasteContainer", **properties}
