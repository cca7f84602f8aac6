"""Events and entities are told together: nobody hears of a change and then finds the entity as it was before."""

import asyncio
from pathlib import Path

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.stores.sqlite.store import SqliteStore

TYPE, LEVEL = "https://example.org/Bin", "https://example.org/level"
BINS, ROUNDS = 20, 60


def bin_id(number: int) -> str:
    return f"urn:ngsi-ld:Bin:{number}"


async def test_who_reads_an_event_finds_its_entity_no_older_than_the_event(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "parvis.db")

    async def write() -> None:
        for level in range(ROUNDS):
            changes = [
                Change(bin_id(number), Mode.UPSERT_UPDATE, (Instance(LEVEL, Kind.PROPERTY, level),), types=(TYPE,))
                for number in range(BINS)
            ]
            await asyncio.gather(*[store.write(DEFAULT_TENANT, [change]) for change in changes])

    writing = asyncio.create_task(write())
    position, stale = 0, 0
    while position < BINS * ROUNDS:
        for event in await store.read(position):
            entity = await store.find(DEFAULT_TENANT, event.entity_id)
            assert entity is not None
            stale += entity.modified_at < event.at
            position = event.seq
        await asyncio.sleep(0)
    await writing
    await store.close()
    assert stale == 0
