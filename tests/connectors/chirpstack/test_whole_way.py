"""A frame over TCP to state and history on disk, acknowledged only then."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import parvis.demo
from parvis.broker.bounds import Bounds
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.change import Change, Outcome
from parvis.broker.ports.store import Progress
from parvis.broker.query.tree import TemporalQuery
from parvis.connectors.chirpstack.plugin import build
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.listener import MqttListener
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.model.delivery import Ack, Message
from parvis.fleet.model.frame import Room
from parvis.fleet.model.refusal import Refusal, RefusalReason
from parvis.fleet.ways.connector import Surroundings
from parvis.kernel.identity import OPERATOR, Caller
from parvis.kernel.settings import OutboundSettings
from parvis.mqttwire import codec
from parvis.mqttwire.packets import Publish, Version
from parvis.outbound.client import GuardedClient
from parvis.stores.sqlite.store import SqliteStore
from tests.fleet.conftest import eventually

GATEWAY = Caller("default", "key:gateway", OPERATOR)
EUI = "70b3d5499e000001"
BIN = "urn:ngsi-ld:WasteContainer:market-place"
TOPIC = f"application/1/device/{EUI}/event/up"
FULL = bytes.fromhex("01510264000364041a020503")  # the demonstration profile's own example: 100 %, burning


class HeldStore(SqliteStore):
    """Lets no write through while it is held."""

    let_through: asyncio.Event
    asked = 0

    async def write(
        self, tenant: str, changes: Sequence[Change], progress: Progress | None = None, bounds: Bounds | None = None
    ) -> list[Outcome]:
        self.asked += 1
        await self.let_through.wait()
        return await super().write(tenant, changes, progress, bounds)


def event(f_cnt: int, payload: bytes = FULL, dev_eui: str = EUI) -> bytes:
    document: dict[str, Any] = {
        "time": f"2026-09-21T07:{f_cnt:02d}:00.000000000+00:00",
        "deviceInfo": {"devEui": dev_eui},
        "devAddr": "00189440",
        "fCnt": f_cnt,
        "fPort": 85,
        "data": base64.b64encode(payload).decode(),
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -71, "snr": 8}],
    }
    return json.dumps(document).encode()


class Way:
    def __init__(self, store: HeldStore, data_dir: Path) -> None:
        self.store = store
        self.broker = Broker(store, Contexts())
        self.fleet: Fleet = open_fleet(
            self.broker, store.frames, data_dir, [Path(parvis.demo.__file__).parent / "codecs"]
        )
        self.routes = build(
            Surroundings(self.fleet, self.broker, GuardedClient(OutboundSettings()), data_dir, {})
        ).routes
        self.listener = MqttListener(ListenerConfig(port=0), self.routes, lambda _client, _user, _password: GATEWAY)

    async def history(self, term: str) -> list[Any]:
        name = self.broker.contexts.parvis.expand(term)
        history = await self.broker.history(GATEWAY, BIN, TemporalQuery(attrs=(name,)))
        return [one.value for one in history.instances[name, ""]]

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        writer.write(b"\x10\x0c\0\4MQTT\4\2\0\0\0\0")
        assert await reader.readexactly(4) == b"\x20\x02\0\0"
        yield reader, writer
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    HeldStore.let_through = asyncio.Event()
    HeldStore.let_through.set()
    store = await HeldStore.open(tmp_path / "parvis.db")
    assert isinstance(store, HeldStore)
    made = Way(store, tmp_path)
    await made.fleet.register(GATEWAY, [DeviceRecord(EUI, "trevalan-fill-level", BIN, "Market place")])
    await made.listener.start()
    yield made
    HeldStore.let_through.set()
    await made.listener.stop()
    await store.close()


def publish(packet_id: int, payload: bytes) -> bytes:
    return codec.encode_publish(Publish(TOPIC, payload, 1, packet_id=packet_id), Version.V311)


async def test_acknowledged_means_on_disk(way: Way, tmp_path: Path) -> None:
    way.store.let_through.clear()
    way.store.asked = 0
    async with way.client() as (reader, writer):
        writer.write(publish(1, event(1)))
        await eventually(lambda: way.store.asked > 0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first := asyncio.ensure_future(reader.readexactly(4))), 0.1)
        way.store.let_through.set()
        assert await asyncio.wait_for(first, 5) == b"\x40\x02\0\x01"
        other = await SqliteStore.open(tmp_path / "parvis.db")
        seen = await Broker(other, way.broker.contexts).get(GATEWAY, BIN)
        await other.close()
    levels = {one.name: one.value for one in seen.instances}
    assert levels[way.broker.contexts.parvis.expand("fillingLevel")] == 1.0


async def test_state_and_history_hold_what_the_device_sent(way: Way) -> None:
    levels = [10, 35, 60]
    async with way.client() as (reader, writer):
        for number, level in enumerate(levels, 1):
            payload = bytes([1, 80, 3, level, 4, 165, 0, 5, 0])
            writer.write(publish(number, event(number, payload)))
        async with asyncio.timeout(5):
            await reader.readexactly(4 * len(levels))
    assert await way.history("fillingLevel") == [0.1, 0.35, 0.6]
    assert await way.history("temperature") == [16.5] * 3


async def test_what_will_never_be_stored_is_acknowledged_once_the_refusal_is_kept(way: Way) -> None:
    broken = [event(1, dev_eui="70b3d5499e0000ff"), b"{}", event(2, b"\x09\x09"), event(3)]
    async with way.client() as (reader, writer):
        writer.write(b"".join(publish(number, one) for number, one in enumerate(broken, 1)))
        async with asyncio.timeout(5):
            acknowledged = await reader.readexactly(16)
    assert acknowledged == b"".join(b"\x40\x02\0" + bytes([number]) for number in (1, 2, 3, 4))
    assert {one.reason for one in (await way.fleet.list_refusals(GATEWAY))} == {
        RefusalReason.UNKNOWN_DEVICE,
        RefusalReason.MALFORMED_MESSAGE,
        RefusalReason.CODEC_REPORTED_ERRORS,
    }
    malformed = (await way.fleet.list_refusals(GATEWAY))[-1]
    assert (malformed.payload, malformed.topic) == (b"{}", TOPIC)


async def test_many_messages_that_are_no_uplinks_cost_one_write(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    keep = way.store.frames.keep

    async def keep_counted(refusals: Sequence[Refusal], room: Room) -> list[bool]:
        kept.append(len(refusals))
        return await keep(refusals, room)

    monkeypatch.setattr(way.store.frames, "keep", keep_counted)
    messages = [Message(GATEWAY, TOPIC, b"noise %d" % number, 0) for number in range(50)]
    assert await way.routes[0].handler(messages) == [Ack.REFUSED] * 50
    assert kept == [50]
    assert [one.payload for one in (await way.fleet.list_refusals(GATEWAY))][-1] == b"noise 0"
