"""`make audit`: are the versions that the tests ran with on the public list of known weaknesses?

It asks the network, so that no run of the tests depends on it. Exit code 0: none is; 1: some are; 3: nobody could be
asked.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent.parent / "build/constraints.txt"
NONE_KNOWN, KNOWN, NOT_ASKED = 0, 1, 3
_PROGRAM = "pip-audit"
_LONGEST_S = 600
_FOUND = "Found "
"""How it begins what it says where it has found some; it ends with 1 also where it could not ask."""


def audit(constraints: Path = CONSTRAINTS, program: str | None = None) -> int:
    found = program or shutil.which(_PROGRAM)
    if found is None:
        return _not_asked(f"there is no {_PROGRAM} here: pipx install {_PROGRAM}")
    command = [found, "--requirement", str(constraints), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return _not_asked(str(fault))
    if run.returncode == 0:
        print(f"No known weakness in {_count(constraints)} libraries.")
        return NONE_KNOWN
    if any(line.startswith(_FOUND) for line in run.stderr.splitlines()):
        print(run.stdout or run.stderr)
        return KNOWN
    return _not_asked((run.stderr.strip().splitlines() or ["it said nothing"])[-1])


def _not_asked(why: str) -> int:
    print(f"Not audited, and so not known to be sound: {why}", file=sys.stderr)
    return NOT_ASKED


def _count(constraints: Path) -> int:
    lines: Sequence[str] = constraints.read_text(encoding="utf-8").splitlines()
    return sum("==" in line for line in lines)


if __name__ == "__main__":
    sys.exit(audit())
