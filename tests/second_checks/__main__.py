"""Check the broker against what others publish: `python -m tests.second_checks answers|models|tutorials PATH`.

PATH is an OpenAPI description of NGSI-LD, or holds checkouts of the Smart Data Models (`dataModel.*`, and `data-models`
for the common @context), or is a checkout of FIWARE's tutorials of NGSI-LD. Nothing of them is part of the project.
Exits with 1 where anything differs, which may well be the example's fault: docs/howto/conformance.md tells the reasons.
"""

import argparse
import sys
from pathlib import Path

from tests.second_checks import answers, models, tutorials

_CHECKS = {"answers": answers.check, "models": models.check, "tutorials": tutorials.check}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.second_checks", description=__doc__)
    parser.add_argument("which", choices=sorted(_CHECKS))
    parser.add_argument("path", type=Path)
    parser.add_argument("--all", action="store_true", help="tell what agrees, too")
    given = parser.parse_args()
    results = _CHECKS[given.which](given.path)
    if not results:
        sys.stderr.write(f"There is no example in {given.path}: nothing was checked.\n")
        return 2
    for one in results:
        if one.difference or given.all:
            sys.stdout.write(f"{one.name}: {one.difference or 'agrees'}\n")
    agreeing = sum(not one.difference for one in results)
    sys.stdout.write(f"{agreeing} of {len(results)} agree\n")
    return 0 if agreeing == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
