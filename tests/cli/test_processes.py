"""Commands that serve, as processes: what they print, what they answer, how they end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from parvis.bootstrap.arriving import import_bundle
from parvis.bootstrap.leaving import export_tenant
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.settings import Settings
from parvis.kernel.settings_reader import load_settings

ADDRESS = re.compile(r"Parvis is at (http://\S+)")


@contextmanager
def parvis(*words: object, until: str = "") -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process and the lines it has printed up to its address, or to a line with `until`."""
    command = [sys.executable, "-m", "parvis", *map(str, words)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
    environment["PYTHONUNBUFFERED"] = "1"
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        lines: list[str] = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if (until in line) if until else ADDRESS.search(line):
                    break
            yield process, lines
        finally:
            if process.poll() is None:
                process.kill()


def address_of(lines: list[str]) -> str:
    found = ADDRESS.search("".join(lines))
    assert found is not None, "".join(lines)
    return found[1]


def rest_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_serves_says_how_to_begin_and_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with parvis("up", "--data", tmp_path, "--port", 0, "--mqtt-port", 0) as (process, lines):
        address = address_of(lines)
        assert httpx.get(address + "/readyz", trust_env=False).status_code == 200
        process.send_signal(number)
        rest = rest_of(process)
        assert process.wait(10) == 0
    link = re.search(r"http://\S+/welcome\?token=\S+", rest)
    assert link is not None
    assert "Traceback" not in rest


def test_up_without_authentication_says_so_and_is_refused_beyond_this_machine(tmp_path: Path) -> None:
    ports = ("--port", 0, "--mqtt-port", 0, "--auth", "off")
    with parvis("up", "--data", tmp_path, *ports) as (process, _):
        process.terminate()
        assert "Authentication is off" in rest_of(process)
    with parvis("up", "--data", tmp_path, *ports, "--host", "0.0.0.0") as (process, lines):
        assert process.wait(10) == 1
    assert "is refused on 0.0.0.0" in "".join(lines)
    assert "Traceback" not in "".join(lines)


def test_several_workers_on_sqlite_are_refused_with_the_reason(tmp_path: Path) -> None:
    with parvis("up", "--data", tmp_path, "--workers", 2, "--port", 0) as (process, lines):
        assert process.wait(10) == 1
    assert "has one writer" in "".join(lines)
    assert "Traceback" not in "".join(lines)


def test_up_waits_for_its_database_until_it_is_told_to_stop(tmp_path: Path, free_port: int) -> None:
    store = f"postgresql://nobody@127.0.0.1:{free_port}/none"
    with parvis("up", "--data", tmp_path, "--store", store, "--port", 0, until="waiting for") as (process, lines):
        process.terminate()
        rest = rest_of(process)
        assert process.wait(10) == 1
    assert "waiting for the database" in "".join(lines)
    assert "Stopped before the store could be opened" in rest
    assert "Traceback" not in rest


@pytest.mark.slow
def test_the_demonstration_comes_to_life_over_mqtt_and_ends_with_its_devices(tmp_path: Path) -> None:
    words = ("demo", "--data", tmp_path, "--port", 0, "--mqtt-port", 0, "--past", 0.5, "--days", 0)
    with parvis(*words) as (process, lines):
        http = httpx.Client(base_url=address_of(lines), trust_env=False)
        measured = _wait_for_measured_containers(http, process)
        write = http.post("/ngsi-ld/v1/entities", json={"id": "urn:ngsi-ld:Building:x", "type": "Building"})
        http.close()
        players = _players_of(process.pid)
        for player in players:
            os.kill(player, signal.SIGKILL)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        rest = rest_of(process)
        assert process.wait(20) == 0
    assert measured > 10
    assert write.status_code == 401
    assert "devices are registered" in rest
    assert len(players) == 1
    assert "The devices have fallen silent" in rest
    assert re.search(r"^\d\d:\d\d:\d\d info +parvis\.demo\.player the bridge is connected", rest, re.MULTILINE)
    assert "Traceback" not in rest
    _check_leaving_and_arriving(tmp_path)


def _check_leaving_and_arriving(data_dir: Path) -> None:
    """The whole demonstration is the same elsewhere."""
    left = export_tenant(load_settings(data_dir), DEFAULT_TENANT, data_dir / "left.zip", "test")
    there = Settings(data_dir / "there")
    import_bundle(there, data_dir / "left.zip", DEFAULT_TENANT, "test")
    again = export_tenant(there, DEFAULT_TENANT, data_dir / "again.zip", "test")
    assert left.counts["entities"] > 3_000
    assert left.counts["history"] > 10_000
    assert again.content == left.content


def _players_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in children if "parvis.demo.play.player" in Path(f"/proc/{one}/cmdline").read_text()]


def _wait_for_measured_containers(http: httpx.Client, process: "subprocess.Popen[str]") -> int:
    query = "/data/v1/entities?type=WasteContainer&q=fillingLevel>=0&count=true&limit=1"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the demonstration ended with {process.returncode}"
        response = http.get(query)
        count = int(response.headers.get("NGSILD-Results-Count", "0"))
        if count > 10:
            return count
        time.sleep(0.5)
    return 0
