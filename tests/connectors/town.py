"""A small town's platform for tests of one connector."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import TemporalQuery
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.ways.connector import Connector, Surroundings
from parvis.kernel.identity import system_caller
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient
from parvis.stores.sqlite.store import SqliteStore

CALLER = system_caller("test")


@dataclass
class Town:
    store: SqliteStore
    broker: Broker
    fleet: Fleet
    data_dir: Path

    def surroundings(self, table: Mapping[str, Any]) -> Surroundings:
        return Surroundings(self.fleet, self.broker, GuardedClient(OutboundSettings()), self.data_dir, table)

    async def find(self, entity_id: str, term: str) -> Instance | None:
        entity = await self.broker.find(CALLER, entity_id)
        return None if entity is None else entity.find(self.broker.contexts.parvis.expand(term))

    async def value(self, entity_id: str, term: str) -> Any:
        """None where there is no such attribute or entity."""
        instance = await self.find(entity_id, term)
        return None if instance is None else instance.value

    async def eventually(self, entity_id: str, term: str) -> Instance:
        """The attribute, as soon as it is there."""
        async with asyncio.timeout(10):
            while (instance := await self.find(entity_id, term)) is None:  # noqa: ASYNC110 (others write it)
                await asyncio.sleep(0.02)
        return instance

    async def history(self, entity_id: str, term: str) -> list[Any]:
        name = self.broker.contexts.parvis.expand(term)
        history = await self.broker.history(CALLER, entity_id, TemporalQuery(attrs=(name,)))
        return [one.value for one in history.instances.get((name, ""), [])]


@asynccontextmanager
async def open_town(data_dir: Path) -> AsyncIterator[Town]:
    store = await SqliteStore.open(data_dir / "parvis.db")
    broker = Broker(store, Contexts())
    yield Town(store, broker, open_fleet(broker, store.frames, data_dir), data_dir)
    await store.close()


@asynccontextmanager
async def at_work(connector: Connector, name: str) -> AsyncIterator[None]:
    """While the connector does what it does by itself."""
    running = asyncio.create_task(connector.works[name]())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait((running,))
