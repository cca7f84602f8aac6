"""The audit of libraries says what it found, and that it found nothing only where it could ask."""

import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.audit import CONSTRAINTS, KNOWN, NONE_KNOWN, NOT_ASKED, audit


def program(folder: Path, says: str, ends_with: int) -> str:
    path = folder / "pip-audit"
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {folder}/asked\n{says}\nexit {ends_with}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def answer(*libraries: Mapping[str, object]) -> str:
    return f"echo '{json.dumps({'dependencies': libraries, 'fixes': []})}'"


SOUND = {"name": "Jinja2", "version": "3.1.0", "vulns": []}
WEAK = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["3.1.6"]}]}
SKIPPED = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("says", "ends_with", "result", "told"),
    [
        (answer(SOUND), 0, NONE_KNOWN, "No known weakness in 1 libraries."),
        (answer(WEAK), 1, KNOWN, "jinja2 3.1.0: CVE-1, mended in 3.1.6"),
        (answer(SKIPPED), 0, NOT_ASKED, "nothing is known here of 1 of 1 libraries (jinja2)"),
        (answer({"name": "jinja-2", "version": "1", "vulns": []}), 0, NOT_ASKED, "nothing is known here of 1 of 1"),
        (answer(), 0, NOT_ASKED, "nothing is known here of 1 of 1 libraries"),
        ("echo 'ERROR:pip_audit: Name or service not known' >&2", 1, NOT_ASKED, "not known to be sound"),
        ("true", 1, NOT_ASKED, "said nothing"),
        ("echo '[]'", 0, NOT_ASKED, "said nothing"),
    ],
)
def test_silence_of_the_network_is_no_good_news(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], says: str, ends_with: int, result: int, told: str
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# tested\njinja2==3.1.0\n", encoding="utf-8")
    assert audit(constraints, program(tmp_path, says, ends_with)) == result
    shown = capsys.readouterr()
    assert told in shown.out + shown.err
    assert str(constraints) in (tmp_path / "asked").read_text()


def test_without_the_program_it_says_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(program=str(tmp_path / "none")) == NOT_ASKED
    assert "Not audited" in capsys.readouterr().err


def test_every_library_is_locked_to_one_version() -> None:
    lines = [one for one in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if one and not one.startswith("#")]
    assert len(lines) > 50
    assert [one for one in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[^=*<>]+", one)] == []
