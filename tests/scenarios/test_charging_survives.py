"""A charging session outlives `kill -9`: what a station was told is there, and what it sends again is no second one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks.harness.platform import Served, start, stop, wait_until_ready
from tests.fakes.terms import PARVIS_TERMS

SETTINGS = """
[connectors.ocpp]
port = {port}

[[connectors.ocpp.station]]
id = "CP-1"
"""
START = {"connectorId": 1, "idTag": "CARD", "meterStart": 1000, "timestamp": "2026-09-21T12:00:00Z"}
STOP = {"meterStop": 6000, "timestamp": "2026-09-21T12:30:00Z"}


@pytest.mark.slow
async def test_a_session_that_was_answered_is_there_after_a_kill_and_only_once(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "territory.toml").write_text(SETTINGS.format(port=free_port), encoding="utf-8")
    served = await asyncio.to_thread(ready, tmp_path)
    try:
        number = (await ask(free_port, "StartTransaction", START))["transactionId"]
    finally:
        served.kill()
    served = await asyncio.to_thread(ready, tmp_path)
    try:
        assert (await ask(free_port, "StartTransaction", START))["transactionId"] == number
        await ask(free_port, "StopTransaction", {**STOP, "transactionId": number})
    finally:
        served.kill()
    served = await asyncio.to_thread(ready, tmp_path)
    try:
        await ask(free_port, "StopTransaction", {**STOP, "transactionId": number})
        (session,) = await sessions(served)
        assert session["id"] == f"urn:ngsi-ld:ChargingSession:CP-1:{number}"
        assert session["energyDelivered"]["value"] == 5
    finally:
        await asyncio.to_thread(stop, served)


def ready(data_dir: Path) -> Served:
    served = start(data_dir)
    wait_until_ready(served)
    return served


async def ask(port: int, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """As a station does: again, until it is answered."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with connect(f"ws://127.0.0.1:{port}/CP-1", subprotocols=[Subprotocol("ocpp1.6")]) as connection:
                    await connection.send(json.dumps([2, "1", action, payload]))
                    answer: dict[str, Any] = json.loads(await connection.recv())[2]
                    return answer
            except OSError:
                await asyncio.sleep(0.1)


async def sessions(served: Served) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=served.address) as client:
        answer = await client.get("/ngsi-ld/v1/entities", params={"type": "ChargingSession"}, headers=PARVIS_TERMS)
        found: list[dict[str, Any]] = answer.json()
        return found
