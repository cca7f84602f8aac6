"""`make audit`: are the versions that the tests ran with on the public list of known weaknesses?

It asks the network, so that no run of the tests depends on it. Exit code 0: none is; 1: some are; 3: nobody could be
asked, or not about all: a mirror of the registry may know the libraries and nothing of their weaknesses, and pip-audit
ends with 0 then.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parent.parent / "build/constraints.txt"
NONE_KNOWN, KNOWN, NOT_ASKED = 0, 1, 3
_PROGRAM = "pip-audit"
_LONGEST_S = 600
_OPTIONS = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")
_TOLD = 10
"""So many of those that could not be asked about are named."""


def audit(constraints: Path = CONSTRAINTS, program: str | None = None) -> int:
    found = program or shutil.which(_PROGRAM)
    if found is None:
        return _not_asked(f"there is no {_PROGRAM} here: pipx install {_PROGRAM}")
    command = [found, "--requirement", str(constraints), *_OPTIONS]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
        libraries: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired) as fault:
        return _not_asked(str(fault))
    except (ValueError, KeyError, TypeError):
        return _not_asked((run.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return _judge(libraries, _list_pinned(constraints))


def _judge(libraries: Sequence[dict[str, Any]], pinned: Sequence[str]) -> int:
    weak = [one for one in libraries if one.get("vulns")]
    for one in weak:
        for fault in one["vulns"]:
            mended = ", ".join(fault.get("fix_versions", ())) or "no version yet"
            print(f"{one['name']} {one['version']}: {fault['id']}, mended in {mended}")
    asked = {_plain(one["name"]) for one in libraries if "vulns" in one}
    unasked = [name for name in pinned if name not in asked]
    if unasked:
        named = ", ".join(unasked[:_TOLD]) + (" ..." if len(unasked) > _TOLD else "")
        told = _not_asked(f"nothing is known here of {len(unasked)} of {len(pinned)} libraries ({named})")
        return KNOWN if weak else told
    if not weak:
        print(f"No known weakness in {len(pinned)} libraries.")
    return KNOWN if weak else NONE_KNOWN


def _not_asked(why: str) -> int:
    print(f"Not audited, and so not known to be sound: {why}", file=sys.stderr)
    return NOT_ASKED


def _list_pinned(constraints: Path) -> list[str]:
    lines = constraints.read_text(encoding="utf-8").splitlines()
    return [_plain(line.partition("==")[0]) for line in lines if "==" in line and not line.startswith("#")]


def _plain(name: str) -> str:
    """As registries compare names."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


if __name__ == "__main__":
    sys.exit(audit())
