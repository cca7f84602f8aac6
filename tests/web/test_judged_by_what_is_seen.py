"""Where an attribute that judges is hidden, the overview and dashboards stand, and count as the map does."""

from collections.abc import AsyncIterator

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.roles.model import Classified
from parvis.bootstrap import Platform
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from tests.web.conftest import client_of, plain
from tests.web.test_dashboards import compose

MAYOR = Caller(DEFAULT_TENANT, "user:maire", ADMINISTRATOR)


@pytest.fixture
async def reader(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Whom levels of bins, pollution and alarms of meters are hidden from."""
    for hidden in ("fillingLevel", "pm25", "alarmStopsLeaks"):
        platform.access.gate.roles.classify(MAYOR, Classified(hidden, "personal", ""))
    _, token = platform.access.keys.create(COMMAND_LINE, "a label", "reader")
    async with client_of(platform, authorization=f"Bearer {token}") as client:
        yield client


async def test_the_overview_counts_as_the_map_does(reader: httpx.AsyncClient) -> None:
    features = (await reader.get("/console/map.geojson")).json()["features"]
    told = sorted((one["properties"]["state"], one["properties"]["attribute"]) for one in features)
    assert told == [*[("good", "fillingLevel")] * 3, ("good", "flow"), ("good", "temperature")]
    assert "under 15 min 2" in plain((await reader.get("/console")).text)
    summary = (await reader.get("/api/summary")).json()
    assert (summary["total"], summary["attention"]) == (5, 0)
    assert sum(one["by_state"]["good"] for one in summary["domains"]) == 5


async def test_each_widget_stands(reader: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    bins = {"about": "WasteContainer"}
    widgets = [{"kind": kind, **bins} for kind in ("states", "age", "alerts", "map", "figure")]
    address = await compose(operator, *widgets, {"kind": "states"})
    page = plain((await reader.get(address)).text)
    assert "3 objects 3 in order" in page
    assert "5 objects 5 in order" in page
    assert "could not be read just now" not in page
    assert len((await reader.get("/console/dashboards/map.geojson?type=WasteContainer")).json()["features"]) == 3
