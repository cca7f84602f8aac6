"""The composition root: from settings to a running platform. The only module that imports stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from parvis.access.access import Access, build_access
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.store import Store
from parvis.kernel.hosts import is_loopback
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.outbound.client import GuardedClient
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.store import SqliteStore

STORE_FILE = "parvis.db"
ACCESS_FILE = "access.db"
_CONTEXT_TYPES = ("application/ld+json", "application/json", "text/plain")


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a way in or a page needs. `stopping` is set when open answers should come to an end."""

    settings: Settings
    broker: Broker
    access: Access
    outbound: OutboundHttp
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def open_platform(settings: Settings) -> AsyncIterator[Platform]:
    """Raises InvalidSettings, or what the store raises when its file cannot be used."""
    check_exposure(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        access = open_access(settings)
        stack.callback(access.store.close)
        outbound = await stack.enter_async_context(GuardedClient(settings.outbound))
        store = await open_store(settings)
        stack.push_async_callback(store.close)
        broker = build_broker(settings, store, outbound)
        yield Platform(settings, broker, access, outbound)


def build_broker(settings: Settings, store: Store, outbound: OutboundHttp) -> Broker:
    async def fetch_context(url: str) -> bytes:
        return (await outbound.get(url, accept=_CONTEXT_TYPES)).body

    contexts = Contexts(fetch_context)
    public_types = frozenset(contexts.default.expand(name) for name in settings.access.public_types)
    return Broker(store, contexts, public_types)


def open_access(settings: Settings) -> Access:
    return build_access(SqliteAccessStore(settings.data_dir / ACCESS_FILE), settings.access)


async def open_store(settings: Settings) -> SqliteStore:
    return await SqliteStore.open(store_path(settings))


def store_path(settings: Settings) -> Path:
    """Raises InvalidSettings for a store this version has no adapter for."""
    url = urlsplit(settings.store.url)
    if url.scheme in ("postgresql", "postgres"):
        raise InvalidSettings("The PostgreSQL store comes with the next issue: leave --store out to use SQLite.")
    if url.scheme == "sqlite" and url.path:
        return Path(url.path)
    if settings.store.url:
        raise InvalidSettings("store.url must be empty or sqlite:///PATH.")
    return settings.data_dir / STORE_FILE


def check_exposure(settings: Settings) -> None:
    """Without authentication nothing listens beyond this machine."""
    exposed = [
        host
        for host, listens in ((settings.server.host, True), (settings.mqtt.host, settings.mqtt.enabled))
        if listens and not is_loopback(host)
    ]
    if not settings.access.auth and exposed:
        raise InvalidSettings(
            f"--auth off lets everyone do everything, so it is refused on {', '.join(exposed)}:"
            " bind to 127.0.0.1, or leave authentication on."
        )
