"""Write `build/constraints.txt`: the versions, in this environment, of everything Parvis asks for."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent.parent / "build/constraints.txt"
HEADER = "# The versions the tests ran with. Written by `make lock`.\n"
UNPINNED = {"parvis", "pip", "setuptools"}
NAME = re.compile(r"[A-Za-z0-9._-]+")


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(name: str) -> set[str]:
    found = set()
    for requirement in distribution(name).requires or []:
        match = NAME.match(requirement)
        if match is not None:
            found.add(normalized(match.group()))
    return found


def closure(root: str) -> dict[str, str]:
    """Every installed distribution that the root asks for, directly or not, extras included."""
    versions: dict[str, str] = {}
    waiting = requirements(root)
    while waiting:
        name = waiting.pop()
        if name in versions or name in UNPINNED:
            continue
        try:
            versions[name] = distribution(name).version
        except PackageNotFoundError:
            continue
        waiting |= requirements(name)
    return versions


def main() -> None:
    lines = [f"{name}=={version}\n" for name, version in sorted(closure("parvis").items())]
    CONSTRAINTS.write_text(HEADER + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
