"""Two processes on one PostgreSQL that are given the same frames in the same moments store each of them once."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest

from parvis.kernel.time import SECOND, format_instant
from tests.scenarios.test_two_processes import Process
from tests.system_tools import free_port

NOON = 1_790_000_000 * SECOND
EUI = "70b3d5499e000001"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:hall"
FRAMES = 60
WEBHOOK = "/api/connectors/chirpstack?event=up"


@contextmanager
def two_on(folder: Path, url: str) -> Iterator[list[Process]]:
    processes = [
        Process(
            *("parvis", "up", "--data", folder / "data", "--store", url, "--auth", "off"),
            *("--port", free_port(), "--mqtt-port", free_port()),
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.stop()


def uplink(number: int) -> bytes:
    """Twenty degrees and a bit, in Cayenne LPP."""
    frame = b"\1\x67" + (200 + number).to_bytes(2, "big")
    message = {
        "deduplicationId": f"{number:032x}",
        "time": format_instant(NOON + number * 60 * SECOND),
        "deviceInfo": {"devEui": EUI, "applicationId": "rooms", "deviceName": "Hall"},
        "devAddr": "00189440",
        "fCnt": number,
        "fPort": 1,
        "data": base64.b64encode(frame).decode(),
    }
    return msgspec.json.encode(message)


async def knows_the_device(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while (await http.get(f"/api/devices/{EUI}")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_frame_that_two_processes_are_given_at_once_is_stored_once(tmp_path: Path, postgres_url: str) -> None:
    with two_on(tmp_path, postgres_url) as processes:
        addresses = [await asyncio.to_thread(one.wait_until_serving) for one in processes]
        one, two = (httpx.AsyncClient(base_url=address, trust_env=False, timeout=20) for address in addresses)
        async with one, two:
            device = {"hardware_id": EUI, "profile": "cayenne-lpp", "entity_id": ROOM, "name": "Hall"}
            device["entity_type"] = "IndoorEnvironmentObserved"
            assert (await one.post("/api/devices", json=[device])).status_code == 201
            await knows_the_device(two)
            for number in range(FRAMES):
                answers = await asyncio.gather(*(http.post(WEBHOOK, content=uplink(number)) for http in (one, two)))
                assert {answer.status_code for answer in answers} <= {202, 204}
                assert 204 in {answer.status_code for answer in answers}
    numbers = temperatures(postgres_url)
    assert numbers == [20 + number / 10 for number in range(FRAMES)]
    assert not any("Traceback" in line for process in processes for line in process.lines)


def temperatures(url: str) -> list[float]:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', false)")
        rows = connection.execute(
            "SELECT h.number FROM history h JOIN entity e ON e.tenant = h.tenant AND e.id = h.entity"
            " JOIN word w ON w.id = h.name WHERE e.urn = %s AND w.text LIKE '%%temperature' ORDER BY h.ts, h.seq",
            (ROOM,),
        ).fetchall()
    return [row[0] for row in rows]
