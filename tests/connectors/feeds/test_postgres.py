"""The same on PostgreSQL: a turn that is broken off is told again, and stored once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.bootstrap import Platform, open_platform
from parvis.broker.query.tree import TemporalQuery
from parvis.connectors.feeds import records
from parvis.connectors.feeds.plugin import build_feeds
from parvis.fleet.ways.connector import Surroundings
from parvis.kernel.settings import AccessSettings, MqttSettings, OutboundSettings, Settings, StoreSettings
from parvis.kernel.time import HOUR
from parvis.outbound.client import GuardedClient
from tests.connectors.feeds.samples import DORDOGNE, GARONNE, NOW, river, rivers
from tests.connectors.feeds.test_feeds import HUBEAU, RIVER, At, Service
from tests.connectors.feeds.test_feeds import service as service
from tests.connectors.town import CALLER


@pytest.fixture
async def platform(tmp_path: Path, postgres_url: str) -> AsyncIterator[Platform]:
    given = Settings(
        tmp_path / "data",
        access=AccessSettings(auth=False),
        mqtt=MqttSettings(enabled=False),
        store=StoreSettings(url=postgres_url),
    )
    async with open_platform(given, listen=False) as platform:
        yield platform


async def history(platform: Platform, entity_id: str, term: str) -> list[object]:
    name = platform.broker.contexts.parvis.expand(term)
    told = await platform.broker.history(CALLER, entity_id, TemporalQuery(attrs=(name,)))
    return [one.value for one in told.instances.get((name, ""), [])]


@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_turn_that_is_broken_off_is_stored_once(
    platform: Platform, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    monkeypatch.setattr(records, "_AT_ONCE", 1)
    outbound = GuardedClient(OutboundSettings(allow=("127.0.0.0/8",)))
    table = {"feed": [{**HUBEAU, "stations": [GARONNE, DORDOGNE], "url": f"{service.url}/obs"}]}
    (feed,) = build_feeds(Surroundings(platform.fleet, platform.broker, outbound, tmp_path, table))
    feed.clock = clock = At(NOW)
    times = ("2026-09-21T11:50:00Z", "2026-09-21T11:55:00Z", "2026-09-21T12:00:00Z")
    service.says["/obs"] = rivers(
        *(river(station, "H", at, 1000.0 + n) for station in (GARONNE, DORDOGNE) for n, at in enumerate(times))
    )
    write, writes = platform.broker.write, 0

    async def dying(*args: object) -> object:
        nonlocal writes
        writes += 1
        if writes == 2 and is_committed:
            await write(*args)  # type: ignore[arg-type]
        if writes == 2:
            raise RuntimeError("killed")
        return await write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(platform.broker, "write", dying)
    await feed.ask()
    assert feed.failures == 1
    await feed.ask()
    assert feed.failures == 0
    for station in (GARONNE, DORDOGNE):
        assert await history(platform, RIVER.replace(GARONNE, station), "height") == [1.0, 1.001, 1.002]

    clock.now += 6 * HOUR
    await feed.ask()
    assert await history(platform, RIVER, "isStale") == [False, True]
