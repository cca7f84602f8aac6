"""Every `parvis ...` that a page tells people to type is a command with these options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import parvis.cli

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/README.md")])
PROGRAM = r"(?:\.venv/bin/)?parvis"
LINE = re.compile(rf"^ {{4}}{PROGRAM} +([^\n]*)$|`{PROGRAM} ([a-z][^`\n]*)`", re.MULTILINE)


def lines(page: Path) -> Iterator[str]:
    for block, inline in LINE.findall(page.read_text(encoding="utf-8")):
        yield block or inline


def problem(line: str) -> str:
    """What is wrong with the words after `parvis`; empty where nothing is."""
    words = shlex.split(line.replace("[", "").replace("]", ""))
    command: click.Command = parvis.cli.commands
    while words and isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return f"no command {words[0]}"
        command, words = found, words[1:]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_command_lines_exist(page: Path) -> None:
    wrong = {line: problem(line) for line in lines(page) if "[OPTIONS]" not in line}
    assert {line: what for line, what in wrong.items() if what} == {}


GUIDES = [page for page in PAGES if page.parent.name in ("howto", "tutorial")]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_its_command_lines_work_without_activating_the_environment(page: Path) -> None:
    bare = re.findall(r"^ {4}parvis .*$|`parvis [^`\n]*`", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert bare == []


def test_a_line_that_does_not_exist_is_found() -> None:
    assert problem("levitate --high") == "no command levitate"
    assert problem("up --higher") == "no option --higher"
    assert problem("api-key create --label x --role device") == ""
