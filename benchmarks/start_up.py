"""From the start of the process until /readyz says yes, with 200 000 entities stored."""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.platform import serving, start, stop, wait_until_ready
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.territory import load


def main() -> list[Figure]:
    with TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        with serving(folder) as served:
            load(served.port)
        starts = []
        for _ in range(3):
            served = start(folder)
            starts.append(wait_until_ready(served))
            stop(served)
    return [Figure("start with 200 000 entities", sorted(starts)[1], "s", 2, smaller_is_better=True)]


if __name__ == "__main__":
    tell(*main())
