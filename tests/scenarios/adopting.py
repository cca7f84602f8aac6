"""A process that adopts what waits of a device, until it is killed or done. Given: data directory, store's address."""

import asyncio
import sys
from pathlib import Path

from parvis.bootstrap import open_platform
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import system_caller
from parvis.kernel.settings import MqttSettings, Settings, StoreSettings
from parvis.kernel.time import MINUTE, SECOND

EUI = "70b3d5499e000001"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:1"
CALLER = system_caller("test")
START = 1_780_000_000 * SECOND
RECORD = DeviceRecord(EUI, "cayenne-lpp", ROOM)


def settings(data_dir: Path, store_url: str) -> Settings:
    return Settings(data_dir, mqtt=MqttSettings(enabled=False), store=StoreSettings(store_url))


def frame(number: int) -> Uplink:
    """Temperature in Cayenne LPP, another one each time."""
    payload = b"\x01\x67" + (number % 400).to_bytes(2)
    return Uplink(EUI, payload, 1, number, START + number * MINUTE, session="00189440")


async def adopt(data_dir: Path, store_url: str) -> None:
    async with open_platform(settings(data_dir, store_url), listen=False) as platform:
        print("open", flush=True)
        await platform.fleet.register(CALLER, [RECORD])
        await platform.fleet.held.sweep()
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(adopt(Path(sys.argv[1]), sys.argv[2]))
