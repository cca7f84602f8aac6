"""A disk that is full, or read-only, under a running platform: a clear state, and well again without a hand."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.platform import Served, serving

ENTITIES = "/ngsi-ld/v1/entities"
ROOM_BYTES = 300_000
BACK_WITHIN_S = 10


@contextmanager
def full_disk(served: Served) -> Iterator[None]:
    """No file of that process can grow any more, beyond a little."""
    soft, hard = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE)
    longest = max(path.stat().st_size for path in served.data_dir.iterdir())
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (longest + ROOM_BYTES, hard))
    yield
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def create(http: httpx.Client, number: int) -> httpx.Response:
    body = {"id": f"urn:ngsi-ld:Bin:{number}", "type": "Bin", "level": {"type": "Property", "value": number}}
    return http.post(ENTITIES, json=body)


@pytest.mark.slow
def test_a_disk_that_fills_up_and_has_room_again(tmp_path: Path) -> None:
    with serving(tmp_path) as served, httpx.Client(base_url=served.address, trust_env=False) as http:
        with full_disk(served):
            stored = 0
            while (answer := create(http, stored)).status_code == 201:
                stored += 1
            counts = http.get("/metrics").text
            unready, page, read = http.get("/readyz"), http.get("/"), http.get(f"{ENTITIES}/urn:ngsi-ld:Bin:0")
        deadline = time.monotonic() + BACK_WITHIN_S
        while http.get("/readyz").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        again = create(http, stored)
        count = http.get(ENTITIES, params={"type": "Bin", "count": "true", "limit": 0})
    assert stored > 0
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (unready.status_code, read.status_code, page.status_code) == (503, 200, 200)
    assert "make room on the disk" in unready.text
    assert "has-banner" in page.text
    assert "parvis_store_writing 0.0" in counts
    assert again.status_code == 201
    assert int(count.headers["NGSILD-Results-Count"]) == stored + 1


def test_a_directory_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    """A folder of the system's that nobody writes, not even root."""
    folder = Path("/proc/sys") if os.geteuid() == 0 else tmp_path
    if folder is tmp_path:
        folder.chmod(0o500)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "parvis",
        "up",
        "--data",
        folder / "data",
        "--port",
        "0",
        "--mqtt-port",
        "0",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert str(folder) in done.stderr
    assert "Traceback" not in done.stderr
