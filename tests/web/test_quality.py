"""The quality of a series, wherever its values are shown."""

import httpx

from parvis.bootstrap import Platform
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import Caller
from parvis.kernel.time import MINUTE, Instant
from tests.web.conftest import client_of, plain

BIN, EUI = "urn:ngsi-ld:WasteContainer:hall", "70b3d5499e000001"
PAGE = f"/console/entities/{BIN}"


async def hear(platform: Platform, caller: Caller, now: Instant) -> None:
    await platform.fleet.register(caller, [DeviceRecord(EUI, "cayenne-lpp", BIN, entity_type="WasteContainer")])
    frames = [
        Uplink(EUI, b"\x01\x67" + (180 + count % 7).to_bytes(2), 1, count, now - (30 - count) * MINUTE)
        for count in range(30)
    ]
    await platform.fleet.take(caller, frames)
    await platform.fleet.health.look()


async def test_a_score_stands_at_the_chart_and_at_the_value(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    assert 'class="quality"' not in (await operator.get("/console")).text
    await hear(platform, caller, now)
    quality = (await platform.fleet.health.list_qualities(caller.tenant, BIN))["temperature"]
    answer = await operator.get(PAGE)
    parts = (
        f"Complete {quality.completeness} In time {quality.timeliness}"
        f" Plausible {quality.validity} Steady {quality.stability}"
    )
    assert plain(answer.text).count(f"Temperature, Quality {quality.score} / 100 {parts}") == 2
    assert 'data-quality-of="temperature"' in answer.text
    french = plain((await operator.get(PAGE, params={"lang": "fr"})).text)
    assert f"Qualité {quality.score} / 100 Complète {quality.completeness}" in french


async def test_the_public_sees_values_without_marks(platform: Platform, caller: Caller, now: Instant) -> None:
    await hear(platform, caller, now)
    async with client_of(platform) as visitor:
        page = await visitor.get(PAGE)
        assert page.status_code == 200
        assert 'class="quality"' not in page.text
