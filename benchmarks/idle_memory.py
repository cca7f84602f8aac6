"""Resident memory of the platform with the demonstration territory alive, a minute after it began to play.

Published beside it: Stellio 1.8 GB (README). The demonstration's own players and map makers, which are other
processes, are not counted.
"""

import time

from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell

STELLIO_MIB = 1_800
SETTLE_S = 60


def main() -> list[Figure]:
    with serving(command="demo") as served:
        time.sleep(SETTLE_S)
        resident = served.resident_mib()
    return [
        Figure("idle memory with the demonstration", resident, "MiB", 200, STELLIO_MIB, "Stellio (published)",
               smaller_is_better=True)
    ]  # fmt: skip


if __name__ == "__main__":
    tell(*main())
