"""Several processes on one PostgreSQL act as one: what was acknowledged is there once, what reacts reacts once."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx
import psycopg
import pytest

from tests.scenarios.reacting import CONSUMER, TALLY_ID
from tests.system_tools import Cluster, free_port

ROOT = Path(__file__).resolve().parents[2]
KILLS = 51
CLIENTS = 4
START_S = 30
ENTITIES = "/ngsi-ld/v1/entities"


class Process:
    """A process that is begun again after each kill; a start that fails is told."""

    def __init__(self, *command: object) -> None:
        self._command = [sys.executable, "-m", *map(str, command)]
        self.popen: subprocess.Popen[str] | None = None
        self.lines: list[str] = []

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
        self.popen = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | {"PYTHONUNBUFFERED": "1"},
        )

    def wait_until_serving(self) -> str:
        """Its address."""
        assert self.popen is not None
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line)
            if found := re.search(r"Parvis is at (http://\S+)", line):
                return found[1]
        raise AssertionError("".join(self.lines))

    def kill(self) -> None:
        assert self.popen is not None
        self.popen.kill()
        self.close()

    def stop(self) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.terminate()
        self.close()

    def close(self) -> None:
        if self.popen is not None:
            rest, _ = self.popen.communicate(timeout=START_S)
            self.lines.append(rest)
            self.popen = None


@dataclass
class Load:
    """Clients that create bins, each until it hears that the bin is there; `refused` counts what they heard else."""

    addresses: list[str]
    ids: list[str] = field(default_factory=list)
    levels: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._write(number)) for number in range(CLIENTS)]
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.gather(*tasks)

    async def _write(self, client: int) -> None:
        number = 0
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            while not self._stop.is_set():
                number += 1
                entity_id = f"urn:ngsi-ld:Bin:{client}-{number}"
                body = {"id": entity_id, "type": "Bin", "level": {"type": "Property", "value": number}}
                await self._create(http, body, number + client)
                self.ids.append(entity_id)
                self.levels += number

    async def _create(self, http: httpx.AsyncClient, body: Mapping[str, object], turn: int) -> None:
        """409 after a try whose answer was lost says that the bin is there."""
        for attempt in range(1000):
            try:
                answer = await http.post(self.addresses[(turn + attempt) % len(self.addresses)] + ENTITIES, json=body)
            except httpx.HTTPError as fault:
                self._note(type(fault).__name__)
            else:
                if answer.status_code == 201 or (answer.status_code == 409 and attempt):
                    return
                assert answer.status_code == 503, answer.text
                assert answer.headers["retry-after"]
                self._note("503")
            await asyncio.sleep(0.05)
        raise AssertionError("nobody took it")

    def _note(self, what: str) -> None:
        self.refused[what] = self.refused.get(what, 0) + 1


@contextmanager
def two_reacting(folder: Path, url: str) -> Iterator[list[Process]]:
    processes = [Process("tests.scenarios.reacting", folder / "data", url, free_port()) for _ in range(2)]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.stop()


async def count_bins(address: str) -> int:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=10) as http:
        answer = await http.get(ENTITIES, params={"type": "Bin", "count": "true", "limit": 0})
        return int(answer.headers["NGSILD-Results-Count"])


async def read_tally(address: str) -> tuple[int, int]:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=10) as http:
        answer = await http.get(f"{ENTITIES}/{TALLY_ID}", params={"options": "keyValues"})
        return (answer.json()["count"], answer.json()["sum"]) if answer.status_code == 200 else (0, 0)


async def tally_reaches(address: str, wanted: tuple[int, int], within_s: float) -> tuple[int, int]:
    ends_at = time.monotonic() + within_s
    while (tally := await read_tally(address)) != wanted and time.monotonic() < ends_at:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return tally


@pytest.mark.slow
async def test_fifty_kills_of_two_processes_lose_nothing_and_double_nothing(tmp_path: Path, postgres_url: str) -> None:
    random = Random(3)
    with two_reacting(tmp_path, postgres_url) as processes:
        addresses = [await asyncio.to_thread(one.wait_until_serving) for one in processes]
        load = Load(addresses)

        async def kill(process: Process, after_s: float) -> None:
            await asyncio.sleep(after_s)
            await asyncio.to_thread(process.kill)
            process.start()

        async with load.running():
            for turn in range(KILLS // 3):
                victim = processes[turn % 2]
                if turn >= 2:  # the other one has been killed meanwhile: now and then nobody serves
                    await asyncio.to_thread(victim.wait_until_serving)
                await kill(victim, random.uniform(0.1, 0.5))
                await kill(victim, random.uniform(0.1, 1.0))  # while it starts
                await kill(victim, random.uniform(0.1, 1.0))
            for process in processes:
                await asyncio.to_thread(process.wait_until_serving)
            await asyncio.gather(*(kill(process, 0.2) for process in processes))
            for process in processes:
                await asyncio.to_thread(process.wait_until_serving)
        wanted = (len(load.ids), load.levels)
        tally = await tally_reaches(addresses[0], wanted, within_s=20)
        assert await count_bins(addresses[1]) == len(load.ids) == len(set(load.ids))
    assert len(load.ids) > 100, "the load was too small to say anything"
    assert tally == wanted
    assert not any("Traceback" in line for process in processes for line in process.lines)
    _check_steps(postgres_url, len(load.ids))


def _check_steps(url: str, bins: int) -> None:
    """Every step of the tally follows from the one before: none was written twice, none from an older state."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', false)")
        rows = connection.execute(
            "SELECT h.number FROM history h JOIN entity e ON e.tenant = h.tenant AND e.id = h.entity"
            " JOIN word w ON w.id = h.name WHERE e.urn = %s AND w.text LIKE '%%count' ORDER BY h.seq",
            (TALLY_ID,),
        ).fetchall()
    counts = [row[0] for row in rows]
    assert counts == sorted(set(counts))
    assert counts[-1] == bins


@pytest.mark.slow
async def test_a_reaction_is_taken_over_within_seconds(tmp_path: Path, postgres_url: str) -> None:
    with two_reacting(tmp_path, postgres_url) as processes:
        addresses = [await asyncio.to_thread(one.wait_until_serving) for one in processes]
        load = Load(addresses)
        async with load.running():
            await asyncio.sleep(1.5)
            leader = _find_leader(postgres_url, processes)
            await asyncio.to_thread(leader.kill)
            died_at = time.monotonic()
            address = addresses[1 - processes.index(leader)]
            load.addresses[:] = [address]
            count, _ = await read_tally(address)
            while (await read_tally(address))[0] <= count + 100:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            taken_over_s = time.monotonic() - died_at
        assert await tally_reaches(address, (len(load.ids), load.levels), 10) == (len(load.ids), load.levels)
    print(f"taken over after {taken_over_s:.1f} s")
    assert taken_over_s < 8


def _find_leader(url: str, processes: list[Process]) -> Process:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT holder FROM lease WHERE name = %s", (CONSUMER,)).fetchone()
    assert row is not None
    pid = int(row[0].split(":")[1])
    return next(one for one in processes if one.popen is not None and one.popen.pid == pid)


@contextmanager
def workers(folder: Path, url: str, number: int = 2) -> Iterator[Process]:
    ports = ("--port", free_port(), "--mqtt-port", free_port())
    process = Process(
        "parvis", "up", "--data", folder / "data", "--store", url, "--workers", number, "--auth", "off", *ports
    )
    process.start()
    try:
        yield process
    finally:
        process.stop()


def children_of(process: Process) -> set[int]:
    assert process.popen is not None
    path = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children")
    return {int(pid) for pid in path.read_text().split()}


def _lives(pid: int) -> bool:
    """Nobody waits for the children of a parent that is gone: in a container they may stay as zombies."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def all_serve(address: str, number: int) -> None:
    async with asyncio.timeout(START_S):
        while (await _count_workers(address)) != number:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _count_workers(address: str) -> int:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        counts = (await http.get("/metrics")).text
    return len(set(re.findall(r'parvis_http_requests_open\{worker="(\d+)"\}', counts)))


@pytest.mark.slow
async def test_a_rolling_restart_under_load_is_noticed_by_nobody(tmp_path: Path, postgres_url: str) -> None:
    with workers(tmp_path, postgres_url) as parent:
        address = await asyncio.to_thread(parent.wait_until_serving)
        await all_serve(address, 2)
        old, load = children_of(parent), Load([address])
        async with load.running():
            assert parent.popen is not None
            parent.popen.send_signal(signal.SIGHUP)
            async with asyncio.timeout(START_S):
                while children_of(parent) & old:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
        assert len(children_of(parent)) == 2
        assert await count_bins(address) == len(load.ids) > 100
    assert load.refused == {}


@pytest.mark.slow
async def test_a_worker_that_dies_is_replaced_and_the_others_serve_on(tmp_path: Path, postgres_url: str) -> None:
    with workers(tmp_path, postgres_url) as parent:
        address = await asyncio.to_thread(parent.wait_until_serving)
        await all_serve(address, 2)
        old, load = children_of(parent), Load([address])
        async with load.running():
            os.kill(min(old), signal.SIGKILL)
            await asyncio.sleep(0.2)
            assert max(old) in children_of(parent)
            await asyncio.sleep(1)
            await all_serve(address, 2)
        assert await count_bins(address) == len(load.ids)
        survivors = children_of(parent)
        assert parent.popen is not None
        parent.popen.kill()
        async with asyncio.timeout(START_S):
            while any(map(_lives, survivors)):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    assert "503" not in load.refused


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with TemporaryDirectory(prefix="parvis-restart-") as folder:
        made = Cluster(Path(folder))
        made.start()
        yield made
        made.stop(signal.SIGQUIT)


@pytest.mark.slow
async def test_postgresql_restarts_under_load_and_all_come_back(tmp_path: Path, cluster: Cluster) -> None:
    with two_reacting(tmp_path, cluster.dsn) as processes:
        addresses = [await asyncio.to_thread(one.wait_until_serving) for one in processes]
        load = Load(addresses)
        async with load.running(), httpx.AsyncClient(base_url=addresses[0], trust_env=False, timeout=10) as http:
            for how in (signal.SIGINT, signal.SIGQUIT):
                await asyncio.sleep(1)
                await asyncio.to_thread(cluster.stop, how)
                unready = await _until_status(http, 503)
                assert "store:" in unready.text
                assert unready.headers["retry-after"]
                assert "parvis_store_writing 0.0" in (await http.get("/metrics")).text
                assert (await http.get("/healthz")).status_code == 200
                await asyncio.to_thread(cluster.start)
                await _until_status(http, 200)
        wanted = (len(load.ids), load.levels)
        assert await tally_reaches(addresses[1], wanted, within_s=45) == wanted
        assert await count_bins(addresses[1]) == len(load.ids)
    assert not any("Traceback" in line for process in processes for line in process.lines)


async def _until_status(http: httpx.AsyncClient, status: int) -> httpx.Response:
    async with asyncio.timeout(START_S):
        while (answer := await http.get("/readyz")).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return answer
