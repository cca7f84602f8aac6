"""The table of NGSI-LD's clauses: what each asks (`clauses.toml`), what does it and what tests it (from docstrings).

A docstring cites a clause by its number: "(5.6.4)", "(NGSI-LD 1.9.1, 4.9 and 4.23)", "6.14 to 6.18". A part of a
clause counts as that one.
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

PROJECT = Path(__file__).resolve().parent.parent
SOURCE = PROJECT / "src/parvis/broker"
TESTS = PROJECT / "tests"
_NUMBER = r"[4-7]\.\d{1,2}(?:\.\d{1,2}){0,3}"
_CLAUSE = re.compile(rf"(?<![\w.]){_NUMBER}(?!\w|\.\d)")
_RANGE = re.compile(rf"({_NUMBER}) to ({_NUMBER})")
_OTHER_STANDARDS = re.compile(r"\b(?:RFC \d+|MQTT|JSON-LD 1\.1|annex|EN \d+|ISO \d+)[^);:]*|\b5\.0, [\d.]+")
_SHOWN = 4


class Clause(msgspec.Struct, frozen=True):
    """`tests`, `where`: besides those that cite it. `operations` say METHOD and path."""

    asks: str
    tests: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    gap: str = ""


class Citation(msgspec.Struct, frozen=True):
    clause: str
    place: str


@cache
def sections() -> Mapping[str, Mapping[str, Clause]]:
    text = (PROJECT / "scripts/clauses.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, dict[str, Clause]])


@cache
def clauses() -> Mapping[str, Clause]:
    return {number: clause for section in sections().values() for number, clause in section.items()}


def row_of(number: str) -> str | None:
    """The clause of the table that `number` is, or is a part of."""
    parts = number.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 1, -1))
    return next((name for name in names if name in clauses()), None)


def is_known(number: str) -> bool:
    """Whether it is in the table, or a part or a chapter of what is."""
    return row_of(number) is not None or any(name.startswith(f"{number}.") for name in clauses())


@cache
def code_citations() -> tuple[Citation, ...]:
    """From functions, classes, constants and modules of the broker: MODULE:NAME below parvis.broker."""
    return tuple(
        Citation(clause, f"{module}:{name}" if name else module)
        for path in sorted(SOURCE.rglob("*.py"))
        for module in [_module(path)]
        for name, text in _documented(ast.parse(path.read_text(encoding="utf-8")))
        for clause in cited(text)
    )


@cache
def test_citations() -> tuple[Citation, ...]:
    """FILE or FILE::NAME, below tests/ and without the suffix."""
    return tuple(
        Citation(clause, f"{file}::{name}" if name else file)
        for path in sorted(TESTS.rglob("test_*.py"))
        for text_of_file in [path.read_text(encoding="utf-8")]
        if "parvis.broker" in text_of_file or "tests.broker" in text_of_file
        for file in [path.relative_to(TESTS).with_suffix("").as_posix()]
        for name, text in _documented(ast.parse(text_of_file))
        for clause in cited(text)
    )


def cited(text: str) -> Iterator[str]:
    """The clauses that a docstring names."""
    text = _OTHER_STANDARDS.sub("", text)
    for first, last in _RANGE.findall(text):
        parent, _, begin = first.rpartition(".")
        if last.rpartition(".")[0] == parent:
            yield from (f"{parent}.{number}" for number in range(int(begin), int(last.rpartition(".")[2]) + 1))
    yield from _CLAUSE.findall(text)


def places_of(number: str, citations: tuple[Citation, ...]) -> list[str]:
    """Those that cite it, the closest first: what cites a clause as a whole before what cites a part of it."""
    found = [one for one in citations if row_of(one.clause) == number]
    found.sort(key=lambda one: (one.clause != number, ":" not in one.place))
    return list(dict.fromkeys(one.place for one in found))


def where(number: str) -> list[str]:
    return list(dict.fromkeys([*clauses()[number].where, *places_of(number, code_citations())]))


def tests(number: str) -> list[str]:
    return list(dict.fromkeys([*clauses()[number].tests, *places_of(number, test_citations())]))


def rows(section: str) -> Iterator[list[str]]:
    for number, clause in sections()[section].items():
        operations = "".join(f" `{one}`".replace("{}", "{…}") for one in clause.operations)
        gap = f" **Not done:** {clause.gap}" if clause.gap else ""
        yield [number, f"{clause.asks}{operations}{gap}", _listed(where(number)), _listed(tests(number))]


def _listed(places: list[str]) -> str:
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(f"`{one}`" for one in places[:_SHOWN]) + more


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def _documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name, text) of everything that has words to itself; the module's own name is empty."""
    yield "", ast.get_docstring(tree) or ""
    yield from _members(tree, "")


def _members(owner: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, str]]:
    before: ast.stmt | None = None
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}", ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef):
            yield from _members(node, f"{prefix}{node.name}.")
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(before, ast.Assign | ast.AnnAssign)
        ):
            yield f"{prefix}{_target(before)}", str(node.value.value)
        before = node


def _target(node: ast.Assign | ast.AnnAssign) -> str:
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""
