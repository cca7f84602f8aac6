"""A platform in a process of its own, on a fresh data directory, as `parvis up` starts it."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from benchmarks.harness.http_load import TERMS

READY_WITHIN_S = 60
QUIET_S = 3.0


@dataclass(frozen=True, slots=True)
class Served:
    """A running `parvis up` (or `demo`)."""

    process: "subprocess.Popen[bytes]"
    port: int
    mqtt_port: int
    data_dir: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fetch(self, path: str) -> Any:
        """What the API answers, in Parvis's own terms."""
        ask = urllib.request.Request(self.address + path, headers={"Link": TERMS})
        with urllib.request.urlopen(ask) as answer:
            return msgspec.json.decode(answer.read())

    def bytes_written(self) -> int:
        """Bytes the process has caused to be written to storage so far (Linux)."""
        lines = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("write_bytes")).split()[1])

    def wait_until_quiet(self) -> float:
        """Seconds until it had written for the last time: what it put off while it was busy is done then.

        The last 64 MiB of the write-ahead log at most are not yet copied into the database.
        """
        began = changed = time.perf_counter()
        written = self.bytes_written()
        while time.perf_counter() - changed < QUIET_S:
            time.sleep(0.1)
            if (now_written := self.bytes_written()) != written:
                written, changed = now_written, time.perf_counter()
        return changed - began

    def resident_mib(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def bytes_written_by_ended() -> int:
    """Bytes that platforms which have ended had written to storage, the last of their logs copied."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock * 512


@contextlib.contextmanager
def serving(data_dir: Path | None = None, *options: str, command: str = "up") -> Iterator[Served]:
    """`parvis up --auth off` until the block ends; its data goes too unless `data_dir` is given."""
    with contextlib.ExitStack() as stack:
        folder = data_dir or Path(stack.enter_context(TemporaryDirectory(prefix="parvis-bench-")))
        served = start(folder, *options, command=command)
        stack.callback(stop, served)
        wait_until_ready(served)
        yield served


def start(folder: Path, *options: str, command: str = "up", stdout: int = subprocess.DEVNULL) -> Served:
    port, mqtt_port = free_port(), free_port()
    arguments = ["--data", str(folder), "--port", str(port), "--auth", "off", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "parvis", command, *arguments],
        env={
            **os.environ,
            "PARVIS_MQTT_PORT": str(mqtt_port),
            "PARVIS_MQTT_ANONYMOUS": "true",
            "PARVIS_LOG_LEVEL": "warning",
        },
        stdout=stdout,
    )
    return Served(process, port, mqtt_port, folder)


def stop(served: Served) -> None:
    served.process.terminate()
    try:
        served.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        served.kill()


def wait_until_ready(served: Served) -> float:
    """Seconds until /readyz said yes."""
    began = time.perf_counter()
    while time.perf_counter() - began < READY_WITHIN_S:
        if served.process.poll() is not None:
            raise RuntimeError(f"the platform ended with {served.process.returncode} before it was ready")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{served.address}/readyz", timeout=1) as answer:
            if answer.status == 200:
                return time.perf_counter() - began
        time.sleep(0.005)
    raise RuntimeError(f"the platform was not ready within {READY_WITHIN_S} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
