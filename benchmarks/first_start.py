"""The demonstration's first start, on an empty folder: from the command until devices are registered, the first of them
is heard, and 90 days of history are told; and the processor time of all its processes until then."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from benchmarks.harness.platform import Served, start, stop, wait_until_ready
from benchmarks.harness.report import Figure, tell

HISTORY_WITHIN_S = 20
LONG_AGO_DAYS = 60
LOOK_EVERY_S = 0.05
FIRST_VALUE_WITHIN_S = 120
_LEVELS = {"type": "WasteContainer", "attrs": "fillingLevel", "limit": 1}


def main() -> list[Figure]:
    with TemporaryDirectory(prefix="parvis-bench-") as name:
        began_s = time.perf_counter()
        served = start(Path(name), command="demo", stdout=subprocess.PIPE)
        try:
            registered_s, heard_s, told_s = _follow(served, began_s)
            processor_s = sum(_cpu_s(pid) for pid in [served.process.pid, *_descendants(served.process.pid)])
            _look_back(served)
        finally:
            stop(served)
    return [
        Figure("first start of the demonstration until devices are registered", registered_s, "s", None),
        Figure("until the first value of one is there", heard_s, "s", None),
        Figure("until 90 days of history are told", told_s, "s", HISTORY_WITHIN_S, smaller_is_better=True),
        Figure("processor time of all its processes until then", processor_s, "s", None),
    ]


def _follow(served: Served, began_s: float) -> tuple[float, float, float]:
    """When devices were registered, when one was heard, and when all was told."""
    heard: list[float] = []
    listening = threading.Thread(target=lambda: heard.append(_hear(served) - began_s), daemon=True)
    listening.start()
    registered_s = 0.0
    for line, at_s in _lines(served):
        if "could not be laid out" in line:
            raise RuntimeError(line)
        if "devices are registered" in line:
            registered_s = at_s - began_s
        if line.startswith("The past is told"):
            print(line, flush=True)
            listening.join(FIRST_VALUE_WITHIN_S)
            if not heard:
                raise RuntimeError("no device was heard")
            return registered_s, heard[0], at_s - began_s
    raise RuntimeError(f"the demonstration ended with {served.process.wait()} before all was told")


def _lines(served: Served) -> Iterator[tuple[str, float]]:
    assert served.process.stdout is not None, "it was started with one"
    for line in served.process.stdout:
        yield line.decode().strip(), time.perf_counter()


def _hear(served: Served) -> float:
    """History goes into the archive: what is of the present was heard."""
    wait_until_ready(served)
    while True:
        with suppress(OSError):  # it may be busy
            if served.fetch(f"/ngsi-ld/v1/entities?{urlencode(_LEVELS)}"):
                return time.perf_counter()
        time.sleep(LOOK_EVERY_S)


def _look_back(served: Served) -> None:
    at = datetime.now(UTC) - timedelta(days=LONG_AGO_DAYS)
    span = {"timerel": "between", "timeAt": _told(at), "endTimeAt": _told(at + timedelta(days=1))}
    if not served.fetch(f"/ngsi-ld/v1/temporal/entities?{urlencode(_LEVELS | span)}"):
        raise RuntimeError(f"nothing is told of the {at:%d %B}")


def _told(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _descendants(of: int) -> list[int]:
    found, parents = [of], {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
    for one in found:
        found += [pid for pid, parent in parents.items() if parent == one]
    return found[1:]


def _parent(process: Path) -> int:
    try:
        return int(_stat(process)[1])
    except OSError:
        return 0


def _cpu_s(pid: int) -> float:
    """With that of processes it started which have ended."""
    try:
        return sum(map(int, _stat(Path(f"/proc/{pid}"))[11:15])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def _stat(process: Path) -> list[str]:
    """From the state on, which follows the name."""
    return (process / "stat").read_text().rpartition(")")[2].split()


if __name__ == "__main__":
    tell(*main())
