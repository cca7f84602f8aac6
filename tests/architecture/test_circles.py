"""Who knows whom, below the layers that import-linter holds: no module needs itself through others."""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"
UNTIED = ("parvis.broker.sources", "parvis.broker.jsonld", "parvis.stores.archive", "parvis.fleet.model")
NATURAL = [{"parvis.fleet.fleet", "parvis.fleet.ways"}]
"""The fleet counts what its ways in bring, and they bring it to the fleet."""


@cache
def modules() -> Mapping[str, Path]:
    named = {".".join(path.relative_to(SOURCES).with_suffix("").parts): path for path in SOURCES.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


def imported(name: str) -> set[str]:
    """What is only for the types counts too."""
    tree = ast.parse(modules()[name].read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named = {f"{node.module}.{one.name}" for node in froms for one in node.names}
    return {one if one in modules() else one.rpartition(".")[0] for one in named}


def known(package: str, depth: int) -> dict[str, set[str]]:
    """By the first `depth` parts of the names: whom each part of the package knows of the others."""
    found: dict[str, set[str]] = {}
    for name in modules():
        if f"{name}.".startswith(f"{package}."):
            part = ".".join(name.split(".")[:depth])
            others = {".".join(one.split(".")[:depth]) for one in imported(name) if one.startswith(f"{package}.")}
            found.setdefault(part, set()).update(others - {part})
    return found


def reached(part: str, whom: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(whom.get(part, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += whom.get(one, ())
    return found


def circles(whom: Mapping[str, set[str]]) -> list[set[str]]:
    reaching = {part: reached(part, whom) for part in whom}
    found = [{other for other in whom if part in reaching[other] and other in reaching[part]} for part in whom]
    return [one for number, one in enumerate(found) if one and one not in found[:number]]


@pytest.mark.parametrize("package", UNTIED)
def test_no_module_needs_itself(package: str) -> None:
    assert circles(known(package, depth=9)) == []


def test_the_parts_of_the_fleet_lie_above_each_other() -> None:
    assert circles(known("parvis.fleet", depth=3)) == NATURAL


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
