"""A fresh platform for a group of tests: loopback only, without authentication, in a process of its own."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import SystemRandom

import httpx
import msgspec

from parvis.kernel.errors import ParvisError

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_BESIDE_S = 0.1
_SAID_CHARACTERS = 2000
_COUNTED = re.compile(r'^parvis_http_requests_total\{.*status="(5\d\d)"\} (\d+)', re.MULTILINE)
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


class NotStarted(ParvisError):
    title = "The instance under test did not start"


class Health(msgspec.Struct, frozen=True):
    """How the instances of a group fared. `errors` counts answers by their status, 500 and above; `mib` is None where
    the system does not tell a process's memory."""

    instances: int
    alive: int
    errors: dict[str, int]
    mib_before: float | None
    mib_after: float | None


class Instance(msgspec.Struct):
    host: str
    port: int
    process: Process
    log: Path

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def errors(self) -> Counter[str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            metrics = (await client.get(f"{self.address}/metrics")).text
        counts: Counter[str] = Counter()
        for status, count in _COUNTED.findall(metrics):
            counts[status] += int(count)
        return counts

    def resident_mib(self) -> float | None:
        with suppress(OSError):
            told = _RESIDENT.search(Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii"))
            return int(told[1]) / 1024 if told else None
        return None


def own_loopback() -> str:
    """An address of this machine that no other run uses, where the system has more than 127.0.0.1."""
    random = SystemRandom()
    host = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.1"
    return host if _is_free(host, 0) else "127.0.0.1"


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def place_for(host: str, wanted: int | None) -> tuple[str, int]:
    """`wanted` on 127.0.0.1 if it is free, else any port of `host`."""
    if wanted is not None and _is_free("127.0.0.1", wanted):
        return "127.0.0.1", wanted
    return host, free_port(host)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@asynccontextmanager
async def running_instance(
    place: tuple[str, int], folder: Path, contexts: Mapping[str, Path], store: str
) -> AsyncIterator[Instance]:
    """`store` is the URL of an empty store, or empty: SQLite in `folder`. Raises NotStarted."""
    host, port = place
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "territory.toml").write_text(_territory(host, port, contexts, store), encoding="utf-8")
    log = folder / "parvis.log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parvis", "up", "--data", str(data), "--log-level", "warning"),
            env={name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")},
            cwd=data,
            stdout=said,
            stderr=said,
        )
    instance = Instance(host, port, process, log)
    try:
        await _until_ready(instance)
        yield instance
    finally:
        await _end(process)


def _territory(host: str, port: int, contexts: Mapping[str, Path], store: str) -> str:
    """Everyone may do everything: the suite knows no credentials. `up` takes that on a loopback address only.

    Few instances fit into an answer, as the tests of 206 with Content-Range expect of 20 (6.3.10).
    """
    files = [f"{url} {path}" for url, path in contexts.items()]
    lines = [
        f"[server]\nhost = {json.dumps(host)}\nport = {port}",
        "[access]\nauth = false",
        "[mqtt]\nenabled = false",
        "[history]\nmost_instances = 10",
        '[outbound]\nallow = ["127.0.0.0/8"]\ntimeout_s = 5.0',
        f"[contexts]\nfiles = {json.dumps(files)}",
        f"[store]\nurl = {json.dumps(store)}",
    ]
    return "\n".join(lines) + "\n"


async def _until_ready(instance: Instance) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(round(_START_TIMEOUT_S / _BESIDE_S)):
            with suppress(httpx.HTTPError):
                if (await client.get(f"{instance.address}/readyz")).status_code == httpx.codes.OK:
                    return
            if not instance.is_alive:
                break
            await asyncio.sleep(_BESIDE_S)
    said = instance.log.read_text(encoding="utf-8", errors="replace")[-_SAID_CHARACTERS:]
    raise NotStarted(f"The instance under test did not start at {instance.address}. {said}")


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
