"""A CSV of a million readings through the platform's import, with a `kill -9` on the way.

The file is as a supervision exports it: 500 meters every ten minutes, with words beside the number, 190 bytes a row.
The import is a job of the running platform, asked for by `parvis import file`; early on the platform is killed and
started anew, and goes on. Peaks are the kernel's: of the platform, and of the process that reads the file. In the end
history holds each row once.
"""

import argparse
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell

ROWS = 1_000_000
METERS = 500
START = datetime(2024, 1, 1, tzinfo=UTC)
SITE = (
    "Groupe scolaire de la place du marche, batiment C, chaufferie; compteur general du reseau de chaleur, "
    "releve automatique toutes les dix minutes"
)
MAPPING = """
[time]
column = "time"
[[series]]
column = "index"
entity = "urn:ngsi-ld:Meter:{meter}"
type = "Meter"
attribute = "energyIndex"
"""
LOOK_EVERY_S = 0.1
KILLED_AT = 0.1


class Peaks:
    """Of resident memory, in MiB, looked at until stopped."""

    def __init__(self) -> None:
        self.platform = 0.0
        self.reader = 0.0
        self.process_id = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            process_id = self.process_id
            self.platform = max(self.platform, peak_mib(process_id))
            self.reader = max([self.reader, *map(peak_mib, children_of(process_id))])


def peak_mib(process_id: int) -> float:
    """0 where there is no such process any more."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def children_of(process_id: int) -> list[int]:
    try:
        lists = [path.read_text() for path in Path(f"/proc/{process_id}/task").glob("*/children")]
    except OSError:
        return []
    return [int(number) for one in lists for number in one.split()]


def main(rows: int = ROWS, folder: Path | None = None) -> list[Figure]:
    with TemporaryDirectory(prefix="parvis-bench-", dir=folder) as parent:
        file, data = Path(parent, "meters.csv"), Path(parent, "data")
        Path(parent, "meters.toml").write_text(MAPPING)
        write_file(file, rows)
        peaks = Peaks()
        with serving(data) as served:
            peaks.process_id = served.process.pid
            began = time.perf_counter()
            command = ask_for_import(data, file)
            wait_until_written(data, rows * KILLED_AT, command)
            served.kill()
        with serving(data) as served:
            peaks.process_id = served.process.pid
            if command.wait() != 0:
                raise RuntimeError("the import failed")
            seconds = time.perf_counter() - began
            peaks.stop()
            check_stored(served, rows)
        size_mb = file.stat().st_size / 1e6
    print(f"{size_mb:.0f} MB and {rows:,} rows in {seconds:.0f} s, the platform's end and new start among them")
    return [
        Figure("import of a CSV, killed once on the way", rows / seconds, "rows/s", None),
        Figure("peak memory of the platform meanwhile", peaks.platform, "MiB", 200, smaller_is_better=True),
        Figure("peak memory of the process that reads it", peaks.reader, "MiB", 200, smaller_is_better=True),
    ]


def write_file(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("time,meter,index,site,quality\n")
        for number in range(rows):
            moment = START + timedelta(minutes=10) * (number // METERS)
            quality = "validated" if number % 3 else "raw"
            file.write(f"{moment:%Y-%m-%dT%H:%M:%SZ},{meter(number)},{1000 + number / 10},{SITE},{quality}\n")


def meter(number: int) -> str:
    return f"m{number % METERS:05d}"


def ask_for_import(data: Path, file: Path) -> "subprocess.Popen[bytes]":
    words = ["import", "file", str(file), "--mapping", str(file.with_suffix(".toml")), "--data", str(data)]
    return subprocess.Popen([sys.executable, "-m", "parvis", *words], stdout=subprocess.DEVNULL)


def wait_until_written(data: Path, rows: float, command: "subprocess.Popen[bytes]") -> None:
    while sum(map(count_outcomes, data.glob("imports/*/*/position.json"))) < rows:
        if command.poll() is not None:
            raise RuntimeError("the import ended before the platform was killed")
        time.sleep(LOOK_EVERY_S)


def count_outcomes(position: Path) -> int:
    return sum(msgspec.json.decode(position.read_bytes())["verdicts"].values())


def check_stored(served: Served, rows: int) -> None:
    """Each row is there once."""
    for number in range(METERS):
        path = f"/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Meter:{meter(number)}"
        body = served.fetch(f"{path}?attrs=energyIndex&options=aggregatedValues&aggrMethods=totalCount")
        count = body["energyIndex"]["totalCount"][0][0]
        expected = len(range(number, rows, METERS))
        if count != expected:
            raise RuntimeError(f"{meter(number)} has {count} of {expected} readings")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--folder", type=Path, help="where the file and the data are made; 0.5 KB a row")
    given = parser.parse_args()
    tell(*main(given.rows, given.folder))
