import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DICTIONARY = ROOT / "docs/reference/dictionary.md"
NAMES = re.findall(r"`(parvis(?:\.\w+)+)`", DICTIONARY.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_word_leads_to_its_place_in_the_code(name: str) -> None:
    assert resolve_name(name)


def test_no_word_is_explained_twice() -> None:
    words = re.findall(r"^\| ([^|]+?) \|", DICTIONARY.read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for word in words if word not in ("word", "code", "---")]
    assert sorted(words) == sorted(set(words))


def test_every_unit_of_a_packaged_profile_is_listed() -> None:
    profiles = (path.read_text(encoding="utf-8") for path in ROOT.glob("src/parvis/**/profile.toml"))
    used = {unit for text in profiles for unit in re.findall(r'^unit_code = "(\w+)"', text, re.MULTILINE)}
    listed = set(re.findall(r"^\| `(\w+)` \|", DICTIONARY.read_text(encoding="utf-8"), re.MULTILINE))
    assert used == listed
