"""Commands where two processes share one PostgreSQL: given at one, sent by either, acknowledged at the other."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from parvis.bootstrap import Platform, open_platform
from parvis.fleet.commands.command import CommandState
from parvis.fleet.commands.downlink import CommandWish
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.delivery import Ack, Message
from parvis.kernel.identity import system_caller
from parvis.kernel.settings import MqttSettings, OutboundSettings, Settings, StoreSettings
from parvis.kernel.time import system_clock
from tests.fakes.receiver import Receiver

EUI = "0254520112345699"
CALLER = system_caller("test")
ROOM = DeviceRecord(EUI, "cayenne-lpp", "urn:ngsi-ld:IndoorEnvironmentObserved:council")
DEVICE = {"dev_eui": EUI, "device_id": "council", "application_ids": {"application_id": "town"}}


@asynccontextmanager
async def process(folder: Path, postgres_url: str, cluster: str) -> AsyncIterator[Platform]:
    settings = Settings(
        folder,
        store=StoreSettings(url=postgres_url),
        mqtt=MqttSettings(enabled=False),
        outbound=OutboundSettings(allow=("127.0.0.0/8",)),
        connectors={"thingsstack": {"url": cluster, "api_key": "SECRET"}},
    )
    async with open_platform(settings) as platform:
        yield platform


async def tell(platform: Platform, **message: Any) -> None:
    body = json.dumps({"end_device_ids": DEVICE, **message}).encode()
    (route, *_) = platform.connectors["thingsstack"].routes
    assert await route.handler([Message(CALLER, "v3/town/devices/council/up", body, system_clock())]) == [Ack.STORED]


async def test_a_command_goes_through_both(tmp_path: Path, postgres_url: str) -> None:
    async with (
        Receiver().listening() as cluster,
        process(tmp_path / "one", postgres_url, cluster.url.removesuffix("/notify")) as one,
        process(tmp_path / "two", postgres_url, cluster.url.removesuffix("/notify")) as two,
    ):
        await one.fleet.register(CALLER, [ROOM])
        await tell(one, uplink_message={"f_port": 1, "frm_payload": "A2cBEA=="})
        async with asyncio.timeout(10):
            while not getattr(two.fleet.registry.find("default", EUI), "route", ""):  # noqa: ASYNC110 (it follows)
                await asyncio.sleep(0.02)
        given = await two.commands.give(CALLER, EUI, CommandWish(10, b"\1", is_confirmed=True))
        await cluster.until(lambda: len(cluster.heard) == 1, within_s=20)
        (downlink,) = cluster.heard[0].document["downlinks"]
        await tell(one, downlink_ack=downlink)
        (command,) = await two.commands.list_commands(CALLER, EUI)
        assert (command.id, command.state) == (given.id, CommandState.ACKNOWLEDGED)
        await asyncio.sleep(1.5)
        assert len(cluster.heard) == 1, "one process sends"
