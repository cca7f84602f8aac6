"""Rounds of mixed load that end by `kill -9`: what was acknowledged must be there afterwards."""

import asyncio
import base64
import contextlib
import random
import sqlite3
import struct
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.harness.http_load import TERMS, request, run_load
from benchmarks.harness.mqtt_load import CONNECTION_ACCEPTED, connect_packet, publish_packet
from benchmarks.harness.platform import Served, start, stop, wait_until_ready
from parvis.kernel.time import SECOND, Instant, format_instant, parse_instant

HTTP_WRITERS, MQTT_WRITERS = 6, 3
MQTT_WINDOW = 40
START = 1_780_000_000 * SECOND
SHORTEST_S, LONGEST_S = 0.05, 1.2


@dataclass(slots=True)
class Ledger:
    """`acknowledged`: for each entity, the observation times that the platform said were stored."""

    clock: Instant = START
    acknowledged: dict[str, set[Instant]] = field(default_factory=dict)

    def next_time(self) -> Instant:
        self.clock += SECOND
        return self.clock

    def acknowledge(self, entity: str, at: Instant) -> None:
        self.acknowledged.setdefault(entity, set()).add(at)

    @property
    def count(self) -> int:
        return sum(len(times) for times in self.acknowledged.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one round: acknowledged writes, those of them that are missing, and whether the database is sound."""

    acknowledged: int
    missing: int
    sound: bool


def run_rounds(folder: Path, rounds: int, seed: int) -> list[Verdict]:
    """Start, load, kill, start again and look, `rounds` times on the same data."""
    source = random.Random(seed)
    ledger = Ledger()
    verdicts = []
    served = start(folder)
    try:
        wait_until_ready(served)
        _register(served)
        for _ in range(rounds):
            before = ledger.clock
            ledger.acknowledged.clear()
            asyncio.run(_load_until_killed(served, ledger, source.uniform(SHORTEST_S, LONGEST_S)))
            sound = _is_sound(folder / "parvis.db")
            served = start(folder)
            wait_until_ready(served)
            missing = sum(len(times - _stored(served, entity, before)) for entity, times in ledger.acknowledged.items())
            verdicts.append(Verdict(ledger.count, missing, sound))
    finally:
        stop(served)
    return verdicts


async def _load_until_killed(served: Served, ledger: Ledger, after_s: float) -> None:
    writers = [asyncio.create_task(_http_writer(served, ledger, number)) for number in range(HTTP_WRITERS)]
    writers += [asyncio.create_task(_mqtt_writer(served, ledger, number)) for number in range(MQTT_WRITERS)]
    await asyncio.sleep(after_s)
    served.kill()
    for writer in writers:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await writer


async def _http_writer(served: Served, ledger: Ledger, number: int) -> None:
    """Batches of three, patches between."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        for turn in range(1_000_000):
            at = ledger.next_time()
            entities = [_room(number, part) for part in range(3)] if turn % 2 == 0 else [_room(number, 0)]
            writer.write(_batch(entities, at) if turn % 2 == 0 else _patch(entities[0], at))
            status = await _status(reader)
            if status in (201, 204):
                for entity in entities:
                    ledger.acknowledge(entity, at)
            elif status != 503:
                raise RuntimeError(f"a write was answered {status}")
    finally:
        writer.close()


async def _mqtt_writer(served: Served, ledger: Ledger, number: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.mqtt_port)
    writer.write(connect_packet(f"crash-{number}"))
    if await reader.readexactly(4) != CONNECTION_ACCEPTED:
        raise RuntimeError("the listener refused the connection")
    waiting: dict[int, Instant] = {}
    packet_id = 0
    try:
        while True:
            while len(waiting) < MQTT_WINDOW:
                packet_id = packet_id % 65_535 + 1
                waiting[packet_id] = ledger.next_time()
                writer.write(publish_packet(_topic(number), _uplink(number, waiting[packet_id]), packet_id))
            acknowledgement = await reader.readexactly(4)
            at = waiting.pop(int.from_bytes(acknowledgement[2:], "big"))
            ledger.acknowledge(_climate(number), at)
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    mark = lowered.find(b"content-length:")
    if mark >= 0:
        await reader.readexactly(int(lowered[mark + 15 :].split(b"\r\n", 1)[0]))
    return int(head[9:12])


def _stored(served: Served, entity: str, since: Instant) -> set[Instant]:
    path = f"/ngsi-ld/v1/temporal/entities/{entity}?attrs=temperature&timerel=after&timeAt={format_instant(since)}"
    found: set[Instant] = set()
    while path:
        with urllib.request.urlopen(urllib.request.Request(served.address + path, headers={"Link": TERMS})) as answer:
            body = msgspec.json.decode(answer.read())
        instances = body.get("temperature", [])
        instances = instances if isinstance(instances, list) else [instances]
        times = {parse_instant(one["observedAt"]) for one in instances if "observedAt" in one}
        found |= times
        truncated = answer.status == 206 and times
        path = path.rsplit("=", 1)[0] + "=" + format_instant(max(times)) if truncated else ""
    return found


def _is_sound(database: Path) -> bool:
    connection = sqlite3.connect(database)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    finally:
        connection.close()


def _register(served: Served) -> None:
    records = [
        {
            "hardware_id": f"70b3d57ed1{number:06x}",
            "profile": "generic-climate",
            "entity_id": _climate(number),
            "entity_type": "IndoorEnvironmentObserved",
        }
        for number in range(MQTT_WRITERS)
    ]
    rooms = [
        {
            "id": _room(number, part),
            "type": "IndoorEnvironmentObserved",
            "temperature": {"type": "Property", "value": 0},
        }
        for number in range(HTTP_WRITERS)
        for part in range(3)
    ]
    calls = [
        request("POST", "/api/devices", msgspec.json.encode(records)),
        request("POST", "/ngsi-ld/v1/entityOperations/upsert", msgspec.json.encode(rooms)),
    ]
    tally = run_load(served.port, iter(calls), connections=1)
    if set(tally.statuses) - {201, 204}:
        raise RuntimeError(f"the rooms were refused: {tally.statuses}")


def _room(number: int, part: int) -> str:
    return f"urn:ngsi-ld:IndoorEnvironmentObserved:http-{number}-{part}"


def _climate(number: int) -> str:
    return f"urn:ngsi-ld:IndoorEnvironmentObserved:mqtt-{number}"


def _temperature(at: Instant) -> dict[str, object]:
    return {"type": "Property", "value": at % 997 / 10, "unitCode": "CEL", "observedAt": format_instant(at)}


def _batch(entities: list[str], at: Instant) -> bytes:
    body = [{"id": one, "type": "IndoorEnvironmentObserved", "temperature": _temperature(at)} for one in entities]
    return request("POST", "/ngsi-ld/v1/entityOperations/upsert?options=update", msgspec.json.encode(body))


def _patch(entity: str, at: Instant) -> bytes:
    return request("PATCH", f"/ngsi-ld/v1/entities/{entity}/attrs/temperature", msgspec.json.encode(_temperature(at)))


def _topic(number: int) -> str:
    return f"application/1c6f8a0e-3ac8-4a3e-9f7c-f0c2b0f1d2aa/device/70b3d57ed1{number:06x}/event/up"


def _uplink(number: int, at: Instant) -> bytes:
    """Two bytes of temperature, one of humidity; the frame counter goes up with the time."""
    frame = struct.pack(">hB", at // SECOND % 400, 50)
    return msgspec.json.encode(
        {
            "time": format_instant(at),
            "deviceInfo": {"devEui": f"70b3d57ed1{number:06x}", "deviceProfileName": "generic-climate"},
            "fCnt": (at - START) // SECOND,
            "fPort": 1,
            "data": base64.b64encode(frame).decode(),
            "rxInfo": [],
        }
    )
