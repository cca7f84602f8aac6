"""What was acknowledged is told: `kill -9` while notifications are under way, to a receiver that is busy at times."""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.harness.platform import Served, start, stop, wait_until_ready
from tests.fakes.receiver import Receiver

BINS = 4
KILLS = 2
FILLINGS_A_ROUND = 120
PATIENCE_S = 30.0


def bin_id(number: int) -> str:
    return f"urn:ngsi-ld:WasteContainer:{number}"


class Filling:
    """Levels that only grow; `acknowledged` are those the platform said are stored."""

    def __init__(self) -> None:
        self.level = 0
        self.acknowledged: dict[int, set[int]] = defaultdict(set)

    async def fill(self, client: httpx.AsyncClient, number: int) -> None:
        self.level += 1
        level = self.level
        body = {"type": "Property", "value": level}
        answer = await client.patch(f"/ngsi-ld/v1/entities/{bin_id(number)}/attrs/fillingLevel", json=body)
        if answer.status_code == 204:
            self.acknowledged[number].add(level)

    async def fill_until_it_dies(self, address: str) -> None:
        """One writer for each bin, so that the order of its levels is the order of its requests."""

        async def one_bin(client: httpx.AsyncClient, number: int) -> None:
            for _ in range(FILLINGS_A_ROUND // BINS):
                await self.fill(client, number)

        async with httpx.AsyncClient(base_url=address, timeout=5, trust_env=False) as client:
            await asyncio.gather(*[one_bin(client, number) for number in range(BINS)], return_exceptions=True)


async def test_every_acknowledged_change_is_told_in_order_though_the_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARVIS_OUTBOUND_ALLOW", "127.0.0.0/8")
    filling, served = Filling(), await _started(tmp_path)
    asked = 0

    def answer(document: Any) -> tuple[int, str]:
        nonlocal asked
        asked += 1
        return (503, "") if asked % 17 == 0 else (204, "")

    try:
        async with Receiver(answer, delay_s=0.005).listening() as receiver:
            await _prepare(served.address, receiver.url)
            for _ in range(KILLS):
                killing = asyncio.create_task(_kill_after(served, 0.35))
                await filling.fill_until_it_dies(served.address)
                await killing
                served = await _started(tmp_path)
            await filling.fill_until_it_dies(served.address)
            await receiver.until(lambda: not _missing(filling, receiver), PATIENCE_S)
            told = {number: _levels(receiver, number) for number in range(BINS)}
    finally:
        await asyncio.to_thread(stop, served)
    assert sum(map(len, filling.acknowledged.values())) > FILLINGS_A_ROUND
    for number, levels in told.items():
        first_told = list(dict.fromkeys(levels))
        assert first_told == sorted(first_told), f"bin {number} was told out of order"


async def _started(data_dir: Path) -> Served:
    served = start(data_dir)
    await asyncio.to_thread(wait_until_ready, served)
    return served


async def _kill_after(served: Served, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await asyncio.to_thread(served.kill)


async def _prepare(address: str, uri: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=5, trust_env=False) as client:
        for number in range(BINS):
            entity = {"id": bin_id(number), "type": "WasteContainer", "fillingLevel": {"type": "Property", "value": 0}}
            assert (await client.post("/ngsi-ld/v1/entities", json=entity)).status_code == 201
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "WasteContainer"}],
            "notification": {"endpoint": {"uri": uri, "accept": "application/json"}},
        }
        answer = await client.post("/ngsi-ld/v1/subscriptions", json=subscription)
        assert answer.status_code == 201, answer.text


def _missing(filling: Filling, receiver: Receiver) -> set[tuple[int, int]]:
    return {
        (number, level)
        for number, levels in filling.acknowledged.items()
        for level in levels - set(_levels(receiver, number))
    }


def _levels(receiver: Receiver, number: int) -> list[int]:
    return receiver.values(bin_id(number), "fillingLevel")
