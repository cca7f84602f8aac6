"""Resident memory of the platform with the demonstration territory alive: a minute after it began to play, and later.

Published beside it: Stellio 1.8 GB (README). The demonstration's own players and map makers, and what writes its
months into the archive, are other processes and are not counted.
"""

import time

from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell

STELLIO_MIB = 1_800
SETTLE_S = 60
LATER_S = 300
WHAT = "idle memory with the demonstration"


def main() -> list[Figure]:
    with serving(command="demo") as served:
        time.sleep(SETTLE_S)
        soon = served.resident_mib()
        time.sleep(LATER_S - SETTLE_S)
        later = served.resident_mib()
    return [
        Figure(f"{WHAT}, a minute in", soon, "MiB", None, STELLIO_MIB, "Stellio (published)", smaller_is_better=True),
        Figure(f"{WHAT}, five minutes in", later, "MiB", 200, STELLIO_MIB, "Stellio (published)",
               smaller_is_better=True),
    ]  # fmt: skip


if __name__ == "__main__":
    tell(*main())
