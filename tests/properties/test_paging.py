"""Whoever follows the links from page to page meets every entity that stays, once, whatever others write meanwhile."""

import re
from collections.abc import AsyncIterator
from itertools import count
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from parvis.broker.api.app import NgsiLdApi
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import Store
from parvis.kernel.identity import Caller, Right
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite.store import SqliteStore

CONTEXTS = Contexts()
BIN, LAMP, LEVEL, NOTE, PLACE = (CONTEXTS.parvis.expand(name) for name in ("Bin", "Lamp", "level", "note", "location"))
NEXT = re.compile(r'<([^>]+)>; rel="next"')
TOWNS = count()
QUERIES = (
    "local=true",
    "type=Bin",
    "type=Bin|Lamp&q=level>=5",
    "type=Bin&idPattern=[02468]$",
    'q=note~="^a";level>=3',
    "georel=near;maxDistance==600000&geometry=Point&coordinates=[0,0]",
)
writes = st.lists(
    st.tuples(st.sampled_from(["put", "put", "delete", "retype"]), st.integers(0, 9), st.integers(0, 9)), max_size=5
)


def change(deed: str, number: int, level: int) -> Change:
    name = f"urn:ngsi-ld:Bin:{number}"
    match deed:
        case "delete":
            return Change(name, Mode.DELETE)
        case "retype":
            return Change(name, Mode.APPEND, (), (LAMP,))
        case _:
            held = (
                Instance(LEVEL, Kind.PROPERTY, level),
                Instance(NOTE, Kind.PROPERTY, "ab"[level % 2]),
                Instance(PLACE, Kind.GEO_PROPERTY, {"type": "Point", "coordinates": [level, 0]}),
            )
            return Change(name, Mode.UPSERT_UPDATE, held, (BIN,))


class Calling:
    """Stands where access stands: everybody may read the tenant that the path begins with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.tenant = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"caller": Caller(self.tenant, "a reader", Right.READ)}
        await self._app(scope, receive, send)


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    opened: Store
    if request.param == "sqlite":
        opened = await SqliteStore.open(":memory:")
    else:
        opened = await PostgresStore.open(request.getfixturevalue("prepared_postgres_url"))
    yield opened
    await opened.close()


async def read(client: httpx.AsyncClient, url: str) -> tuple[list[str], str | None]:
    """A page, and the link to the next one."""
    page = await client.get(url)
    assert page.status_code == 200, page.text
    found = NEXT.search(page.headers.get("Link", ""))
    return [one["id"] for one in page.json()], found and found.group(1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.sampled_from(QUERIES),
    limit=st.integers(1, 3),
    levels=st.lists(st.integers(0, 9), min_size=4, max_size=10),
    story=st.lists(writes, max_size=8),
)
async def test_no_hole_and_no_double(
    store: Store, query: str, limit: int, levels: list[int], story: list[list[tuple[str, int, int]]]
) -> None:
    calling = Calling(NgsiLdApi(Broker(store, CONTEXTS)))
    calling.tenant = f"town-{next(TOWNS)}"
    await store.add_tenant(calling.tenant)
    await store.write(calling.tenant, [change("put", number, level) for number, level in enumerate(levels)])
    asked = f"/entities?{quote(query, safe='=&')}&options=keyValues"
    transport = httpx.ASGITransport(app=calling)
    async with httpx.AsyncClient(transport=transport, base_url="http://town") as client:
        everything, _ = await read(client, f"{asked}&limit=1000")
        stayed, once_there = set(everything), set(everything)
        assert query != "local=true" or len(everything) == len(levels)
        seen, url = await read(client, f"{asked}&limit={limit}")
        while url is not None:
            await store.write(calling.tenant, [change(*one) for one in (story.pop() if story else [])])
            everything, _ = await read(client, f"{asked}&limit=1000")
            stayed &= set(everything)
            once_there |= set(everything)
            found, url = await read(client, url)
            seen += found

    assert len(seen) == len(set(seen))
    assert stayed <= set(seen) <= once_there
