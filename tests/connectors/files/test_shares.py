"""Shares that a file gives in per cent."""

from pathlib import Path

from parvis.connectors.files.client import find_files, import_files
from parvis.connectors.files.guess import guess_file
from parvis.connectors.files.proposal import list_terms
from tests.connectors.files.conftest import CALLER, Place

ROOM = "date,piece,humidité (%),température (°C)\n2026-02-03T12:00:00Z,s1,57,19\n2026-02-03T13:00:00Z,s1,63,20\n"
BINS = "numero,type,remplissage (%)\nB1,WasteContainer,29\nB2,WasteContainer,30\n"


async def test_what_the_standard_counts_from_0_to_1_is_stored_so(place: Place, tmp_path: Path) -> None:
    for name, content in (("mesures.csv", ROOM), ("conteneurs.csv", BINS)):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        mapping = guess_file(path, list_terms(), "Europe/Paris").mapping
        report = await import_files(place.broker, CALLER, mapping, find_files([path], mapping))
        assert report.faults == []
        entity_id = mapping.series[0].entity.replace("{piece}", "s1") if mapping.series else "B1"
        if mapping.series:
            assert list((await place.history(entity_id, "relativeHumidity")).values()) == [0.57, 0.63]
            assert list((await place.history(entity_id, "temperature")).values()) == [19, 20]
        else:
            entity = await place.broker.find(CALLER, "urn:ngsi-ld:WasteContainer:B1")
            assert entity is not None
            level = entity.find(place.broker.contexts.parvis.expand("fillingLevel"))
            assert level is not None
            assert (level.value, level.unit_code) == (0.29, "C62")
