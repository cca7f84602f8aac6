"""`kill -9` at random moments under mixed HTTP and MQTT load: every acknowledged write present, database sound."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.crash import run_rounds
from benchmarks.harness.report import Figure, tell

ROUNDS = 200


def main(rounds: int = ROUNDS) -> list[Figure]:
    with TemporaryDirectory(prefix="parvis-crash-") as folder:
        verdicts = run_rounds(Path(folder), rounds, seed=7)
    acknowledged = sum(one.acknowledged for one in verdicts)
    idle = sum(not one.acknowledged for one in verdicts)
    if 10 * idle > len(verdicts):
        raise RuntimeError(f"{idle} of {len(verdicts)} rounds were killed before anything was acknowledged")
    unsound = sum(not one.sound for one in verdicts)
    print(f"{len(verdicts)} kills, {acknowledged} acknowledged writes looked for")
    return [
        Figure("acknowledged writes missing after kill -9", sum(one.missing for one in verdicts), "writes", 0,
               smaller_is_better=True),
        Figure("databases not sound after kill -9", unsound, "databases", 0, smaller_is_better=True),
    ]  # fmt: skip


if __name__ == "__main__":
    tell(*main(*(int(argument) for argument in sys.argv[1:])))
