"""What says itself whether it is silent (`isStale`): judged by that, and counted so on every page."""

from typing import Any

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, Mode
from parvis.kernel.identity import Caller
from parvis.kernel.time import HOUR, MINUTE, Instant
from tests.fakes.town import measured
from tests.web.test_dashboards import shown


@pytest.fixture
async def services(platform: Platform, caller: Caller, now: Instant) -> None:
    """Of water levels, which are expected every quarter of an hour: two by the hour, and one that has ended; of three
    connectors one whose station is away."""
    expand = platform.broker.contexts.parvis.expand

    def one(name: str, kind: str, term: str, value: Any, at: Instant, is_stale: bool) -> Change:
        instances = (measured(expand(term), value, at, "MTR"), measured(expand("isStale"), is_stale, now))
        return Change(f"urn:ngsi-ld:{kind}:{name}", Mode.CREATE, instances, (expand(kind),))

    hourly = [one(name, "WaterObserved", "height", 1.2, now - HOUR, False) for name in ("hourly", "upstream")]
    ended = one("ended", "WaterObserved", "height", 1.3, now - 10 * MINUTE, True)
    free = [one(name, "ChargingConnector", "status", "Available", now - 5 * HOUR, False) for name in ("free", "left")]
    away = one("away", "ChargingConnector", "status", "Available", now - 5 * HOUR, True)
    await platform.broker.write(caller, [*hourly, ended, *free, away])


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize("kind", ["WaterObserved", "ChargingConnector"])
async def test_the_map_and_a_dashboard_count_it_alike(operator: httpx.AsyncClient, kind: str) -> None:
    features = (await operator.get(f"/console/map.geojson?type={kind}")).json()["features"]
    assert sorted(one["properties"]["state"] for one in features) == ["good", "good", "stale"]
    assert "3 objects 1 silent 2 in order" in await shown(operator, {"kind": "states", "about": kind})


@pytest.mark.usefixtures("services")
async def test_the_widget_of_one_object_says_so(operator: httpx.AsyncClient) -> None:
    async def told_of(entity: str) -> str:
        widget = {"kind": "figure", "entities": [f"urn:ngsi-ld:{entity}"], "method": "average"}
        return await shown(operator, widget)

    assert "Silent" in await told_of("ChargingConnector:away")
    assert "Silent" not in await told_of("ChargingConnector:free")
    assert "In order" in await told_of("WaterObserved:hourly")


@pytest.mark.usefixtures("services")
async def test_values_by_the_hour_are_not_old_after_three_quarters(
    operator: httpx.AsyncClient, platform: Platform, caller: Caller
) -> None:
    await platform.broker.write(caller, [Change("urn:ngsi-ld:WaterObserved:ended", Mode.DELETE)])
    page = await shown(operator, {"kind": "age", "about": "WaterObserved"})
    assert "newest value 1 h ago In order" in page
