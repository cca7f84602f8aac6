"""The table of clauses says what is there."""

import importlib
import re
from collections.abc import Iterator

import httpx
import pytest

from parvis.broker.api.table import ROUTES
from scripts import clauses
from tests.broker.api.conftest import api, broker, store

__all__ = ["api", "broker", "store"]

ROUTED = {f"{route.method} {route.template}" for route in ROUTES}
NUMBERS = sorted(clauses.clauses())


def operations() -> Iterator[str]:
    for clause in clauses.clauses().values():
        yield from clause.operations


def test_every_route_has_a_clause() -> None:
    assert ROUTED - set(operations()) == set()


def test_the_function_of_a_route_cites_its_clause() -> None:
    handlers = {f"{route.method} {route.template}": route.handler for route in ROUTES}
    for number, clause in clauses.clauses().items():
        for operation in clause.operations:
            cited = {clauses.row_of(one) for one in clauses.cited(handlers[operation].__doc__ or "")}
            assert cited & {number, *_chapters(clause.operations)}, f"{operation}: {number}"


def _chapters(of: tuple[str, ...]) -> set[str]:
    """The HTTP clauses about the same paths: a handler may cite these."""
    paths = {operation.partition(" ")[2] for operation in of}
    return {
        number
        for number, clause in clauses.clauses().items()
        if number[0] == "6" and clause.asks.partition(":")[0] in paths
    }


async def test_what_is_not_routed_answers_501(api: httpx.AsyncClient) -> None:
    for operation in sorted(set(operations()) - ROUTED):
        method, _, path = operation.partition(" ")
        answer = await api.request(method, path.replace("{}", "urn:ngsi-ld:Thing:1"), json={})
        assert answer.status_code == 501, operation


def test_every_clause_that_the_broker_or_its_tests_cite_is_in_the_table() -> None:
    citations = clauses.code_citations() + clauses.test_citations()
    assert [one for one in citations if not clauses.is_known(one.clause)] == []


@pytest.mark.parametrize("number", NUMBERS)
def test_a_clause_is_done_by_something_and_tested_or_told_as_a_gap(number: str) -> None:
    is_gap = bool(clauses.clauses()[number].gap)
    assert is_gap or (clauses.where(number) and clauses.tests(number))


def test_what_the_table_names_is_there() -> None:
    for number, clause in clauses.clauses().items():
        for place in clause.where:
            module, _, name = place.partition(":")
            found = importlib.import_module(f"parvis.broker.{module}")
            assert not name or hasattr(found, name), f"{number}: {place}"
        for place in clause.tests:
            file, _, name = place.partition("::")
            path = clauses.TESTS / f"{file}.py"
            assert path.is_file(), f"{number}: {place}"
            assert not name or re.search(rf"def {name}\(", path.read_text(encoding="utf-8")), f"{number}: {place}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Create entity (5.6.1).", ["5.6.1"]),
        ("Over HTTP (NGSI-LD 1.9.1, 6.14 to 6.16).", ["6.14", "6.15", "6.16", "6.14", "6.16"]),
        ("Both (5.5.12, RFC 7396; 4.9 and 4.23)", ["5.5.12", "4.9", "4.23"]),
        ("RFC 9110, 5.3: a list; MQTT 5.0, 3.14", []),
        ("Version 1.9.1, 27.5.3 and 4.5x", []),
    ],
)
def test_citations_are_read(text: str, expected: list[str]) -> None:
    assert list(clauses.cited(text)) == expected
