"""Bins as a town lists them: shares in per cent, the day they were put up, the commune, a line twice."""

from pathlib import Path

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.connectors.files.client import find_files, import_files
from parvis.connectors.files.guess import guess_file
from parvis.connectors.files.proposal import list_terms
from parvis.connectors.files.report import FaultReason
from parvis.web.views import locality
from tests.connectors.files.conftest import CALLER, Place

BINS = """Numéro;Nom;Commune;Volume (L);Posé le;Remplissage %
B-001;Corbeille du marché;Trevalan;120;12/03/2024;35
B-002;Corbeille de l'école;Kervoalan;120;15/03/2024;60,5
B-003;Bac du port;Port-Trevalan;660;02/04/2024;80
B-004;;Port-Trevalan;660;31/02/2024;
B-001;Doublon;Trevalan;120;12/03/2024;10
"""
TERMS = list_terms()
FIRST = "urn:ngsi-ld:WasteContainer:B-001"


async def test_each_line_is_an_object_with_its_share_its_day_and_its_commune(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "bins.csv"
    path.write_text(BINS)
    mapping = guess_file(path, TERMS, "Europe/Paris").mapping
    assert mapping.inventory is not None

    report = await import_files(place.broker, CALLER, mapping, find_files([path], mapping))

    faults = [(one.row, one.column, one.text, one.reason) for one in report.faults]
    assert (5, "Posé le", "31/02/2024", FaultReason.UNREADABLE_VALUE) in faults
    assert {one.reason for one in report.faults} == {FaultReason.UNREADABLE_VALUE, FaultReason.REPEATED_ID}
    entity = await place.broker.find(CALLER, FIRST)
    assert entity is not None
    told = {one.name.rsplit("/", 1)[-1]: one.value for one in entity.instances}
    assert told["name"] == "Corbeille du marché"
    assert told["fillingLevel"] == pytest.approx(0.35)
    assert str(told["dateInstalled"]).startswith("2024-03-12")
    assert locality(told["address"]) == "Trevalan"


async def test_the_rest_of_an_address_stays_where_the_file_says_only_the_commune(place: Place, tmp_path: Path) -> None:
    expand = place.broker.contexts.parvis.expand
    before = {"streetAddress": "1 Market", "https://schema.org/addressLocality": "Elsewhere"}
    written = Instance(expand("address"), Kind.PROPERTY, before)
    await place.broker.write(CALLER, [Change(FIRST, Mode.CREATE, (written,), (expand("WasteContainer"),))])
    path = tmp_path / "bins.csv"
    path.write_text(BINS)
    mapping = guess_file(path, TERMS, "Europe/Paris").mapping

    await import_files(place.broker, CALLER, mapping, find_files([path], mapping))

    entity = await place.broker.find(CALLER, FIRST)
    assert entity is not None
    found = entity.find(expand("address"))
    assert found is not None
    assert found.value == {"streetAddress": "1 Market", "addressLocality": "Trevalan"}


@pytest.mark.parametrize(
    "column",
    ["Remplissage %", "Remplissage (%)", "remplissage_pct", "Remplissage en pourcent", "Remplissage pour cent"],
)
def test_per_cent_in_a_title_is_the_unit(tmp_path: Path, column: str) -> None:
    path = tmp_path / "bins.csv"
    path.write_text(f"ref;{column}\nB1;35\nB2;80\n")
    inventory = guess_file(path, TERMS, "Europe/Paris").mapping.inventory
    assert inventory is not None
    assert [(one.name, one.unit_code) for one in inventory.attributes] == [("ref", ""), ("fillingLevel", "P1")]
