import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

DICTIONARY = Path(__file__).resolve().parent.parent.parent / "docs/reference/dictionary.md"
NAMES = re.findall(r"`(parvis(?:\.\w+)+)`", DICTIONARY.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_word_leads_to_its_place_in_the_code(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert hasattr(resolve_name(module), attribute)


def test_no_word_is_explained_twice() -> None:
    words = re.findall(r"^\| ([^|]+?) \|", DICTIONARY.read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for word in words if word not in ("word", "---")]
    assert sorted(words) == sorted(set(words))
