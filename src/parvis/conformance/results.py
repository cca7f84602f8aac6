"""What Robot Framework found, read from its result file (JSON, version 7.2 and later)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from parvis.kernel.errors import ParvisError

_CLAUSE = re.compile(r"\d+(_\d+)+")
_SPACE = re.compile(r"\s+")
_MESSAGE_CHARACTERS = 600


class NoResults(ParvisError):
    title = "The run left no results"


Status = Literal["PASS", "FAIL", "SKIP"]


class Case(msgspec.Struct, frozen=True):
    """One test. `file` is relative to the checkout, `clauses` are those of the standard that it names."""

    name: str
    file: str
    status: Status
    message: str
    clauses: tuple[str, ...]
    elapsed_s: float

    @property
    def id(self) -> str:
        """Its number in the suite; the file's where the test has none of its own."""
        first = self.name.split(" ", 1)[0]
        return first if any(character.isdigit() for character in first) else Path(self.file).stem


class _Test(msgspec.Struct):
    name: str
    status: str
    elapsed_time: float = 0.0
    message: str = ""
    tags: list[str] = []


class _Suite(msgspec.Struct):
    source: str = ""
    suites: list["_Suite"] = []
    tests: list[_Test] = []


class _Output(msgspec.Struct):
    suite: _Suite


def read_results(path: Path, root: Path) -> list[Case]:
    """Raises NoResults."""
    try:
        output = msgspec.json.decode(path.read_bytes(), type=_Output)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise NoResults(f"Robot Framework left no results in {path}: {error}") from error
    return list(_cases(output.suite, root))


def _cases(suite: _Suite, root: Path) -> Iterator[Case]:
    for test in suite.tests:
        yield Case(
            test.name,
            _within(suite.source, root),
            _status(test.status),
            _SPACE.sub(" ", test.message).strip()[:_MESSAGE_CHARACTERS],
            tuple(tag.replace("_", ".") for tag in test.tags if _CLAUSE.fullmatch(tag)),
            test.elapsed_time,
        )
    for inner in suite.suites:
        yield from _cases(inner, root)


def _within(source: str, root: Path) -> str:
    path = Path(source)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else source


def _status(word: str) -> Status:
    match word:
        case "PASS" | "SKIP":
            return word
        case _:
            return "FAIL"
