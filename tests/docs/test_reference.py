"""The reference says what the code says. `make reference` writes the tables again."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from parvis.broker.api.table import ROUTES
from parvis.web.health import Doorstep
from parvis.web.siblings import Exposition
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


def test_every_page_is_listed_with_what_it_is() -> None:
    section = page("http-api.md").partition("## Pages")[2]
    rows = re.findall(r"^\| (GET|POST) \| `([^`]+)` \| .+ \|$", section, re.MULTILINE)
    assert set(rows) == asyncio.run(reference.list_pages())


async def test_the_state_of_the_process_is_told_where_the_page_says() -> None:
    section = page("http-api.md").partition("## State of the process")[2].partition("## ")[0]
    client = httpx.AsyncClient(transport=httpx.ASGITransport(Doorstep(Exposition(()))), base_url="http://parvis")
    answers = {path: (await client.get(path)).status_code for path in re.findall(r"\| GET \| `([^`]+)`", section)}
    assert answers == {"/healthz": 200, "/readyz": 503, "/metrics": 200}


def test_every_route_of_the_api_says_what_it_does() -> None:
    silent = [f"{route.method} {route.template}" for route in ROUTES if not route.handler.__doc__]
    assert silent == []
