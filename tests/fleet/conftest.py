"""A village with two bins and a sensor in one of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.query.tree import TemporalQuery
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import OPERATOR, Caller
from parvis.kernel.time import SECOND
from parvis.stores.sqlite.store import SqliteStore

CALLER = Caller("default", "key:gateway", OPERATOR)
NOON = 1_790_000_000 * SECOND
EUI = "70b3d5499e000001"
BIN = "urn:ngsi-ld:WasteContainer:market-place"
DEVICE = f"urn:ngsi-ld:Device:{EUI}"
PROFILE = """
[profile]
id = "bin-sensor"
name = "Fill level"
entity_type = "WasteContainer"
[[attribute]]
field = "fill"
name = "fillingLevel"
scale = 0.01
[[attribute]]
field = "battery"
name = "batteryLevel"
scale = 0.01
"""
CODEC = """
function decodeUplink(input) {
  if (input.fPort !== 1) return {data: {}, errors: ["unexpected port"]};
  if (input.bytes[0] === 255) return {data: {fill: "full"}};
  if (input.bytes[0] === 254) return {data: {nothing: 1}};
  return {data: {fill: input.bytes[0], battery: input.bytes[1]}};
}
"""
RECORD = DeviceRecord(
    hardware_id=EUI.upper(),
    profile="bin-sensor",
    entity_id=BIN,
    name="Market place",
    location={"type": "Point", "coordinates": [-3.2, 48.1]},
    attributes={"storedWasteKind": ["glass"]},
)


def uplink(f_cnt: int, fill: int, at: int | None = None, **more: Any) -> Uplink:
    received_at = NOON + f_cnt * 600 * SECOND if at is None else at
    fields: dict[str, Any] = {
        "hardware_id": EUI,
        "payload": bytes([fill, 80]),
        "f_port": 1,
        "session": "00189440",
        **more,
    }
    return Uplink(f_cnt=f_cnt, received_at=received_at, **fields)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (what is waited for is another part's doing, and has no event)
            await asyncio.sleep(0.005)


@dataclass
class Village:
    store: SqliteStore
    broker: Broker
    fleet: Fleet
    data_dir: Path

    async def value(self, entity_id: str, term: str) -> Any:
        entity = await self.broker.get(CALLER, entity_id)
        instance = entity.find(self.broker.contexts.parvis.expand(term))
        return None if instance is None else instance.value

    async def values(self, entity_id: str, term: str) -> Sequence[Any]:
        """The attribute's history, oldest first."""
        name = self.broker.contexts.parvis.expand(term)
        history = await self.broker.history(CALLER, entity_id, TemporalQuery(attrs=(name,)))
        return [one.value for one in history.instances.get((name, ""), [])]

    async def none_is_refused(self) -> None:
        async with asyncio.timeout(5):
            while await self.fleet.list_refusals(CALLER):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def reopened(self) -> Fleet:
        """The same data after a restart."""
        return open_fleet(self.broker, self.store.frames, self.data_dir)


def write_profile(data_dir: Path, name: str, profile: str, codec: str) -> None:
    folder = data_dir / "profiles" / name
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(profile)
    (folder / "codec.js").write_text(codec)


@pytest.fixture
async def village(tmp_path: Path) -> AsyncIterator[Village]:
    write_profile(tmp_path, "bin-sensor", PROFILE, CODEC)
    store = await SqliteStore.open(tmp_path / "parvis.db")
    broker = Broker(store, Contexts())
    yield Village(store, broker, open_fleet(broker, store.frames, tmp_path), tmp_path)
    await store.close()
