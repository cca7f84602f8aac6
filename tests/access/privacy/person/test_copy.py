"""The page that comes with a copy."""

import zipfile
from datetime import date
from pathlib import Path

import pytest

from parvis.access.privacy.person.copy import README, Heading, write_copy


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2026, 8, 1), "le 1er août 2026 · 1 August 2026"),
        (date(2026, 11, 23), "le 23 novembre 2026 · 23 November 2026"),
    ],
)
def test_it_begins_with_who_gives_it_and_the_day_in_words(tmp_path: Path, day: date, said: str) -> None:
    path = tmp_path / "copy.zip"

    write_copy(path, list, Heading("Pays de\n{Lorient}", day))

    with zipfile.ZipFile(path) as bundle:
        assert f"\n\nPays de {{Lorient}}, {said}\n\n" in bundle.read(README).decode()
