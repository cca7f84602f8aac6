"""A territory by what people know of it: its name, a postal code, an official code."""

import gzip
import json
from pathlib import Path

import pytest

from parvis.web.official import OFFICIAL, find_territory, is_there, plain, search_territories

MEMBERS = [{"code": "85113", "nom": "L'Île-d'Yeu"}, {"code": "85999", "nom": "Port-Neuf"}]
COMMUNES = [
    {"code": "85113", "nom": "L'Île-d'Yeu", "type": "commune-actuelle", "siren": "218501138",
     "codesPostaux": ["85350"], "population": 5000},
    {"code": "85999", "nom": "Port-Neuf", "type": "commune-actuelle", "codesPostaux": ["85350"], "population": 90},
    {"code": "97411", "nom": "Saint-Denis", "type": "commune-actuelle",
     "codesPostaux": ["97400"], "population": 15000},
    {"code": "85998", "nom": "Port-Neuf", "type": "commune-deleguee"},
]  # fmt: skip
GROUPS = [{"code": "200000001", "nom": "CC Port-Neuf et l'Île", "type": "CC", "membres": MEMBERS,
           "populationTotale": 5090}]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "france").mkdir()
    for name, rows in (("communes", COMMUNES), ("epci", GROUPS)):
        (tmp_path / f"france/{name}.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        ("ile d'yeu", ["85113"]),
        ("port neuf", ["85999", "200000001"]),
        ("85113", ["85113", "200000001"]),
        ("85350", ["85113", "85999", "200000001"]),
        ("218 501 138", ["85113", "200000001"]),
        ("200000001", ["200000001"]),
        ("99999", []),
        ("neuf port x", []),
        ("", []),
    ],
)
def test_it_is_found_by_what_people_know_of_it(folder: Path, asked: str, codes: list[str]) -> None:
    found = search_territories(asked, 20, folder)
    assert ([one.code for one in found.best], found.total) == (codes, len(codes))


@pytest.mark.parametrize(
    ("asked", "codes", "is_guess"),
    [
        ("port neuf", ["85999", "200000001"], False),
        ("port enuf", ["85999", "200000001"], True),
        ("prot neuff", ["85999", "200000001"], True),
        ("Saint-Dennis", ["97411"], True),
        ("Saint-Deeenis", [], True),
        ("neuf saint", [], True),
        ("85351", [], False),
    ],
)
def test_one_slip_in_each_word_is_forgiven_where_nothing_is_called_so(
    folder: Path, asked: str, codes: list[str], is_guess: bool
) -> None:
    found = search_territories(asked, 20, folder)
    assert ([one.code for one in found.best], found.is_guess) == (codes, is_guess)


def test_a_group_is_its_communes(folder: Path) -> None:
    group = find_territory("200000001", folder)
    assert group is not None
    assert (group.name, group.kind, [one.nom for one in group.members]) == (
        "Port-Neuf et l'Île",
        "CC",
        ["L'Île-d'Yeu", "Port-Neuf"],
    )


def test_overseas_has_its_own_clock(folder: Path) -> None:
    (found,) = search_territories("Saint-Denis", 20, folder).best
    assert (found.time_zone, found.department) == ("Indian/Reunion", "974")


def test_there_may_be_no_tables(tmp_path: Path) -> None:
    assert not is_there(tmp_path)


def test_names_are_compared_without_what_keyboards_lack() -> None:
    assert plain("Œting – L'Haÿ-les-Roses") == "oeting l hay les roses"


@pytest.mark.skipif(not is_there(), reason="the build has not taken the tables of communes")
def test_the_real_tables_are_read() -> None:
    first = search_territories("lorient", 20).best[0]
    assert (first.code, first.name) == ("56121", "Lorient")
    (agglomeration,) = search_territories("200042174", 20).best
    assert (agglomeration.name, len(agglomeration.members)) == ("Lorient Agglomération", 25)
    assert OFFICIAL.is_dir()
