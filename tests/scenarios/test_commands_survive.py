"""A command outlives `kill -9` of who was just handing it over: it is handed over again, under the same id."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.harness.platform import Served, start, stop, wait_until_ready
from tests.fakes.receiver import Receiver

EUI = "0254520112345699"
DEVICE = {"hardware_id": EUI, "profile": "cayenne-lpp", "entity_id": "urn:ngsi-ld:IndoorEnvironmentObserved:council"}
UPLINK = {
    "end_device_ids": {"dev_eui": EUI, "device_id": "council", "application_ids": {"application_id": "town"}},
    "uplink_message": {"f_port": 1, "frm_payload": "A2cBEA=="},
}
SETTINGS = """
[outbound]
allow = ["127.0.0.0/8"]

[connectors.thingsstack]
url = "{url}"
api_key = "SECRET"
"""


@pytest.mark.slow
async def test_a_command_that_is_being_handed_over_when_the_platform_dies_is_handed_over_again(tmp_path: Path) -> None:
    async with Receiver(delay_s=60).listening() as cluster:
        url = cluster.url.removesuffix("/notify")
        (tmp_path / "territory.toml").write_text(SETTINGS.format(url=url), encoding="utf-8")
        served = await asyncio.to_thread(ready, tmp_path)
        try:
            given = await give(served)
            await cluster.until(lambda: cluster.under_way == 1, within_s=20)
        finally:
            served.kill()
        cluster.delay_s = 0
        served = await asyncio.to_thread(ready, tmp_path)
        try:
            await cluster.until(lambda: len(cluster.heard) == 1, within_s=30)
            ((name,),) = [one["correlation_ids"] for one in cluster.heard[0].document["downlinks"]]
            assert name == f"parvis:command:{given['id']}"
            await until_sent(served, given["id"])
        finally:
            await asyncio.to_thread(stop, served)


def ready(data_dir: Path) -> Served:
    served = start(data_dir)
    wait_until_ready(served)
    return served


async def give(served: Served) -> Any:
    async with httpx.AsyncClient(base_url=served.address) as client:
        assert (await client.post("/api/devices", json=[DEVICE])).status_code == 201
        assert (await client.post("/api/connectors/thingsstack", json=UPLINK)).status_code == 204
        wish = {"f_port": 10, "payload_hex": "01", "confirmed": True}
        answer = await client.post(f"/api/devices/{EUI}/commands", json=wish)
        assert answer.status_code == 201, answer.text
        return answer.json()


async def until_sent(served: Served, command_id: str) -> None:
    async with httpx.AsyncClient(base_url=served.address) as client, asyncio.timeout(20):
        while True:
            (command,) = (await client.get(f"/api/devices/{EUI}/commands")).json()
            assert command["id"] == command_id
            if command["state"] == "sent":
                return
            await asyncio.sleep(0.1)
