"""Messages of a broker of others under `kill -9` of the platform: nothing missing, nothing doubled."""

import json
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.harness.platform import start, stop, wait_until_ready
from parvis.kernel.time import SECOND, format_instant
from tests import system_tools
from tests.fakes.terms import PARVIS_TERMS

DEVICES, FRAMES, KILLS = 3, 200, 2
EVERYTHING = [[number / 10 for number in range(FRAMES)]] * DEVICES
START = 1_780_000_000 * SECOND


def frames() -> Iterator[tuple[str, bytes]]:
    for number in range(FRAMES):
        for device in range(DEVICES):
            event = {
                "time": format_instant(START + number * SECOND),
                "deviceInfo": {"devEui": eui(device)},
                "fCnt": number,
                "fPort": 1,
                "data": b64encode(struct.pack(">hB", number, 50)).decode(),
            }
            yield f"application/1/device/{eui(device)}/event/up", json.dumps(event).encode()


def eui(device: int) -> str:
    return f"70b3d57ed100000{device}"


def asset(device: int) -> str:
    return f"urn:ngsi-ld:IndoorEnvironmentObserved:{device}"


def stored(http: httpx.Client, device: int) -> list[float]:
    """As long as the platform answers in parts, the rest is asked for."""
    values: list[float] = []
    since = "2020-01-01T00:00:00Z"
    while True:
        query = {"attrs": "temperature", "timerel": "after", "timeAt": since}
        answer = http.get(f"/ngsi-ld/v1/temporal/entities/{asset(device)}", params=query, headers=PARVIS_TERMS)
        instances = answer.json().get("temperature", []) if answer.status_code in (200, 206) else []
        instances = instances if isinstance(instances, list) else [instances]
        values += [one["value"] for one in instances]
        if answer.status_code != 206:
            return values
        since = max(one["observedAt"] for one in instances)


def bridged(folder: Path, port: int, more: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "territory.toml").write_text(f'[connectors.mqttbridge.town]\nurl = "mqtt://127.0.0.1:{port}"\n{more}\n')


@pytest.mark.slow
@pytest.mark.parametrize(("program", "version"), [("mosquitto", "5.0"), ("nats", "3.1.1")])
def test_nothing_is_missing_and_nothing_doubled(tmp_path: Path, program: str, version: str) -> None:
    chance, data = Random(5), tmp_path / "data"
    running = system_tools.running_mosquitto if program == "mosquitto" else system_tools.running_nats
    more = ("max_queued_messages 0\n",) if program == "mosquitto" else ()
    with running(tmp_path, *more) as port:
        bridged(data, port, f'version = "{version}"')
        served = start(data)
        try:
            wait_until_ready(served)
            register(served.address)
            until_connected(served.address)
            with publishing(port) as publish:
                for part in parts():
                    publish(part)
                    time.sleep(chance.uniform(0.01, 0.3))
                    served.kill()
                    served = start(data)
                    wait_until_ready(served)
            histories = all_stored(served.address)
        finally:
            stop(served)
    assert [sorted(one) for one in histories] == EVERYTHING


@pytest.mark.slow
def test_a_process_takes_over_the_sessions_of_one_that_died(tmp_path: Path, postgres_url: str) -> None:
    with system_tools.running_mosquitto(tmp_path, "max_queued_messages 0\n") as port:
        folders = [tmp_path / "one", tmp_path / "other"]
        for folder in folders:
            bridged(folder, port, "sessions = 2")
        first, second = (start(folder, "--store", postgres_url) for folder in folders)
        try:
            wait_until_ready(first)
            wait_until_ready(second)
            register(first.address)
            until_connected(first.address, second.address, sessions=2)
            with publishing(port) as publish:
                begin, rest = parts()
                publish(begin)
                time.sleep(0.3)
                first.kill()
                publish(rest)
            histories = all_stored(second.address)
        finally:
            stop(second)
            stop(first)
    assert [sorted(one) for one in histories] == EVERYTHING


@contextmanager
def publishing(port: int) -> Iterator[Callable[[list[tuple[str, bytes]]], None]]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()

    def publish(part: list[tuple[str, bytes]]) -> None:
        told = [client.publish(topic, payload, qos=1) for topic, payload in part]
        told[-1].wait_for_publish(10)

    yield publish
    client.disconnect()
    client.loop_stop()


def parts() -> list[list[tuple[str, bytes]]]:
    sent = list(frames())
    size = len(sent) // KILLS
    return [sent[begin : begin + size] for begin in range(0, len(sent), size)]


def all_stored(address: str) -> list[list[float]]:
    """As soon as there is as much as was sent."""
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as http:
        deadline = time.monotonic() + 60
        while any(len(stored(http, one)) < FRAMES for one in range(DEVICES)) and time.monotonic() < deadline:
            time.sleep(0.3)
        return [stored(http, one) for one in range(DEVICES)]


def register(address: str) -> None:
    records = [
        {"hardware_id": eui(one), "profile": "generic-climate", "entity_id": asset(one)} for one in range(DEVICES)
    ]
    answer = httpx.post(f"{address}/api/devices", json=records, trust_env=False)
    assert answer.status_code == 201, answer.text


def until_connected(*addresses: str, sessions: int = 1) -> None:
    deadline = time.monotonic() + 20
    while sum(connected(address) for address in addresses) < sessions:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def connected(address: str) -> int:
    lines = httpx.get(f"{address}/metrics", trust_env=False).text.splitlines()
    return sum(line.startswith("parvis_mqttbridge_connected{") and line.endswith(" 1.0") for line in lines)
