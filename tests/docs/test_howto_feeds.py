"""The feeds that the how-to names can be followed."""

import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.connectors.feeds.mapping import Reading
from parvis.connectors.feeds.plugin import build_feeds
from parvis.fleet.ways.connector import Surroundings
from parvis.kernel.settings import OutboundSettings
from parvis.kernel.time import parse_instant
from parvis.outbound.client import GuardedClient
from tests.connectors.town import Town, open_town

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs/howto/open-feeds.md").read_text(encoding="utf-8")
SETTINGS, AREA, OWN = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NOW = parse_instant("2026-09-21T12:00:00Z")


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


def surroundings(town: Town, table: str) -> Surroundings:
    outbound = GuardedClient(OutboundSettings())
    read = tomllib.loads(table)["connectors"]["feeds"]
    return Surroundings(town.fleet, town.broker, outbound, town.data_dir, read)


@pytest.mark.parametrize(
    ("table", "names"),
    [(SETTINGS, ["hubeau-hydrometrie", "lcsqa-e2", "meteofrance-6m"]), (AREA, ["gironde"])],
)
async def test_its_settings_are_feeds(town: Town, table: str, names: list[str]) -> None:
    assert [feed.name for feed in build_feeds(surroundings(town, table))] == names


async def test_its_own_format_reads_what_it_is_for(town: Town) -> None:
    folder = town.data_dir / "feeds/wells"
    folder.mkdir(parents=True)
    (folder / "feed.toml").write_text(OWN)
    (feed,) = build_feeds(surroundings(town, '[[connectors.feeds.feed]]\nfeed = "wells"\n'))
    body = b"well;measured;lon;lat;level_cm\n7;2026-09-21T11:00:00Z;-0.5;44.8;1250\n"
    reading, _ = feed.read(body, NOW)
    assert isinstance(reading, Reading)
    (station,) = reading.stations.values()
    assert (station.id, station.place) == ("7", (-0.5, 44.8))
    assert [(one.term, one.value) for one in station.observations.values()] == [("height", 12.5)]
