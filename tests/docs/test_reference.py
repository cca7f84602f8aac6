"""The reference says what the code says. `make reference` writes the tables again."""

import re
from pathlib import Path

import pytest

from scripts import reference

PAGES = sorted(reference.REFERENCE.glob("*.md"))


def page(name: str) -> str:
    return (reference.REFERENCE / name).read_text(encoding="utf-8")


def headings(text: str) -> list[str]:
    return re.findall(r"^### `?(\w+)`?$", text, re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_its_tables_are_those_of_the_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert reference.written_again(text) == text


def test_every_table_has_its_place() -> None:
    used = [name for path in PAGES for name, _ in reference.BLOCK.findall(path.read_text(encoding="utf-8"))]
    assert sorted(used) == sorted(reference.RENDERERS)


def test_every_error_is_explained() -> None:
    kinds = [kind.__name__ for kind in reference.list_error_types()]
    assert headings(page("errors.md")) == kinds


def test_an_explanation_is_not_empty() -> None:
    sections = re.split(r"^### .*$", page("errors.md"), flags=re.MULTILINE)[1:]
    assert all(len(section.split()) >= 8 for section in sections)
