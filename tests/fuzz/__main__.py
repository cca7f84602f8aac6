"""`python -m tests.fuzz`: every parser, a group after the other, each in a process of its own."""

import argparse
import faulthandler
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.by_hand import list_targets
from tests.fuzz.running import Finding, Fuzzing, Tally
from tests.fuzz.targets import Target

_NEVER_S = 120
"""A call that no signal ends."""


def main() -> int:
    given = _arguments()
    targets = [one for one in list_targets(given.group) if not given.only or given.only in one.name]
    if not targets:
        print("There is nothing of this name to fuzz: --list tells what there is.", file=sys.stderr)
        return 2
    if given.list:
        print("\n".join(one.name for one in targets))
        return 0
    if given.group:
        return fuzz_group(targets, given.minutes * 60, given.seed, given.last)
    groups = sorted({one.group for one in targets})
    codes = [_in_process(group, given) for group in groups]
    return int(any(codes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="of each group")
    parser.add_argument("--group", help="one only, in this process")
    parser.add_argument("--only", default="", help="targets with this in their name")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same inputs again")
    parser.add_argument("--list", action="store_true", help="what there is to fuzz")
    parser.add_argument("--last", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_process(group: str, given: argparse.Namespace) -> int:
    with tempfile.NamedTemporaryFile() as last:
        words = [sys.executable, "-m", "tests.fuzz", "--group", group, "--minutes", str(given.minutes)]
        words += ["--only", given.only, "--seed", str(given.seed), "--last", last.name]
        code = subprocess.run(words, check=False).returncode
        if code not in (0, 1):
            print(f"\n{group}: THE PROCESS DIED ({code}) of\n{Path(last.name).read_text(errors='replace')[:4000]}")
        return code


def fuzz_group(targets: Iterable[Target], seconds: float, first_seed: int, last: Path | None) -> int:
    """Round after round over all of them until the time is up."""
    warnings.simplefilter("ignore")
    fuzzed = [Fuzzing(one, last) for one in targets]
    until = time.monotonic() + seconds
    rounds = 0
    while fuzzed and (rounds == 0 or time.monotonic() < until):
        rounds += 1
        for one in fuzzed:
            faulthandler.dump_traceback_later(_NEVER_S, exit=True)
            one.run_round(first_seed=first_seed)
            faulthandler.cancel_dump_traceback_later()
            if rounds > 1 and time.monotonic() > until:
                break
    for one in fuzzed:
        print(_told(one.target, one.tally), flush=True)
    return int(any(one.tally.findings for one in fuzzed))


def _told(target: Target, tally: Tally) -> str:
    refused = ", ".join(f"{count} {name}" for name, count in tally.refused.most_common())
    lines = [f"{target.name}: {tally.inputs} inputs, refused: {refused or 'none'}"]
    return "\n".join([*lines, *map(_finding, tally.findings.values())])


def _finding(one: Finding) -> str:
    return f"  FOUND at {one.place}: {one.fault}\n    by {one.input}"


if __name__ == "__main__":
    sys.exit(main())
