"""A central system that listens, and stations of the library to connect to it."""

import asyncio
import base64
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from parvis.connectors.ocpp.central import CentralSystem
from parvis.connectors.ocpp.config import OcppConfig, Station
from parvis.connectors.ocpp.records import ChargingRecords
from parvis.kernel.identity import system_caller
from parvis.kernel.time import SECOND
from tests.connectors.town import Town, open_town

STATION = "CP-Market.1"
PASSWORD = "long enough for a test"
NOW = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z
CONFIG = OcppConfig(
    port=0, station=(Station(STATION, PASSWORD), Station("CP-2"), Station("CP-3")), password="common", heartbeat_s=60
)

logging.getLogger("ocpp").setLevel(logging.CRITICAL)


@dataclass
class Central:
    town: Town
    system: CentralSystem
    config: OcppConfig

    @contextlib.asynccontextmanager
    async def wire(
        self, protocol: str, station: str = STATION, password: str | None = PASSWORD
    ) -> AsyncIterator[ClientConnection]:
        headers = {}
        if password is not None:
            shown = base64.b64encode(f"{station}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {shown}"
        url = f"ws://127.0.0.1:{self.system.port}/ocpp/{station}"
        async with connect(
            url,
            subprotocols=[Subprotocol(protocol)],
            additional_headers=headers,
            compression=None,
        ) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def station(self, kind: Any, protocol: str, name: str = STATION, **how: Any) -> AsyncIterator[Any]:
        """A station of the library, which answers as `kind` does."""
        async with self.wire(protocol, name, **how) as connection:
            station = kind(name, connection, response_timeout=5)
            hearing = asyncio.create_task(station.start())
            try:
                yield station
            finally:
                hearing.cancel()
                await asyncio.wait((hearing,))


@contextlib.asynccontextmanager
async def open_central(town: Town, config: OcppConfig = CONFIG) -> AsyncIterator[Central]:
    caller = system_caller("ocpp", config.tenant)
    records = ChargingRecords(town.broker, town.fleet, caller, config.keeps_id_tags, clock=lambda: NOW)
    await town.fleet.registry.load(config.tenant)
    system = CentralSystem(config, records)
    running = asyncio.create_task(system.run())
    async with asyncio.timeout(5):
        while system.server is None:  # noqa: ASYNC110 (it tells nobody that it listens)
            await asyncio.sleep(0.005)
    try:
        yield Central(town, system, config)
    finally:
        running.cancel()
        await asyncio.wait((running,))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as opened:
        yield opened


@pytest.fixture
async def central(town: Town) -> AsyncIterator[Central]:
    async with open_central(town) as listening:
        yield listening
