"""What the pages on security promise: numbers complete, counts right, every path and test there."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WALK = ROOT / "docs/explanation/security.md"
THREATS = ROOT / "docs/explanation/threat-model.md"
HYGIENE = ROOT / "docs/howto/homologation.md"
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (.+) \| (met|partly|open|n/a) \| (.*) \| (.*) \|$", re.MULTILINE)
PATH = re.compile(r"`((?:tests|[a-z]+)/[\w/.-]+)`")
CHAPTERS = (27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7)
"""How many each chapter of ASVS 5.0.0 has at levels 1 and 2."""


def test_every_requirement_is_walked_through_once() -> None:
    numbers = [row[0] for row in ROW.findall(WALK.read_text(encoding="utf-8"))]
    assert len(numbers) == len(set(numbers))
    assert Counter(int(one.partition(".")[0]) for one in numbers) == dict(enumerate(CHAPTERS, 1))
    assert numbers == sorted(numbers, key=lambda one: [int(part) for part in one.split(".")])


def test_the_summary_counts_what_the_tables_say() -> None:
    text = WALK.read_text(encoding="utf-8")
    states = Counter(row[2] for row in ROW.findall(text))
    said = re.search(
        r"Of (\d+) requirements (\d+) are met, (\d+) partly, (\d+) (?:is|are) open, (\d+) do not apply", text
    )
    assert said is not None
    assert [int(one) for one in said.groups()] == [
        states.total(), states["met"], states["partly"], states["open"], states["n/a"],
    ]  # fmt: skip


def test_what_is_not_met_says_what_is_missing() -> None:
    silent = [number for number, _, state, how, _ in ROW.findall(WALK.read_text(encoding="utf-8")) if not how.strip()]
    assert [one for one in silent if one not in ("6.2.10", "6.4.2")] == []


@pytest.mark.parametrize("page", [WALK, THREATS], ids=lambda page: page.stem)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    named = set(PATH.findall(page.read_text(encoding="utf-8")))
    assert len(named) > 20
    assert [
        one for one in sorted(named) if not any((ROOT / place / one).exists() for place in ("", "src/parvis"))
    ] == []


def test_every_threat_has_a_test_or_says_that_it_is_open() -> None:
    rows = re.findall(
        r"^\| [STRIDE, ]+ \| (.+?) \| (.+?) \| ?(.*?) ?\|$", THREATS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) > 40
    assert [
        threat for threat, measure, test in rows if not test and "*open*" not in measure and "must" not in measure
    ] == []


def test_all_measures_of_hygiene_are_told() -> None:
    numbers = re.findall(r"^\| (\d+) \| ", HYGIENE.read_text(encoding="utf-8"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 43)]
