"""The audit of libraries says what it found, and that it found nothing only where it could ask."""

import re
import stat
from pathlib import Path

import pytest

from scripts.audit import CONSTRAINTS, KNOWN, NONE_KNOWN, NOT_ASKED, audit


def program(folder: Path, says: str, ends_with: int) -> str:
    path = folder / "pip-audit"
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {folder}/asked\n{says}\nexit {ends_with}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    ("says", "ends_with", "result", "told"),
    [
        ("echo 'No known vulnerabilities found' >&2", 0, NONE_KNOWN, "No known weakness in 1 libraries."),
        ("echo 'Found 1 known vulnerability in 1 package' >&2; echo 'jinja2 3.1.0 CVE-1'", 1, KNOWN, "CVE-1"),
        ("echo 'ERROR:pip_audit: Name or service not known' >&2", 1, NOT_ASKED, "not known to be sound"),
        ("true", 1, NOT_ASKED, "said nothing"),
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
