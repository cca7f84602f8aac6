"""`parvis privacy` beside, and before, a running platform."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parvis.access.privacy.model import Action, LedgerEntry
from parvis.access.privacy.purposes import Purposes
from parvis.cli import commands
from parvis.cli.opened import opened_access
from parvis.kernel.errors import BadRequestData
from parvis.kernel.settings import TERRITORY_FILE

NEWSLETTER = """
[newsletter]
basis = "a"
name = { en = "Newsletter" }
[[newsletter.cover]]
type = "Person"
attributes = ["email"]
keep = "KEEP"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / TERRITORY_FILE).write_text("")
    return tmp_path / "data"


def privacy(data: Path, *words: str) -> Result:
    return CliRunner().invoke(commands, ["privacy", *words, "--data", str(data)])


def declare(data: Path, keep: str) -> Result:
    file = data.parent / "purposes.toml"
    file.write_text(NEWSLETTER.replace("KEEP", keep))
    return privacy(data, "declare", str(file))


def test_purposes_of_a_file_are_declared_listed_and_taken_back(data: Path) -> None:
    assert "newsletter: version 1" in declare(data, "P3Y").output
    assert "newsletter: version 2" in declare(data, "P2Y").output

    listed = privacy(data, "list").output
    assert "Person.{email}: P2Y, then erased" in listed
    assert "WaterConsumptionObserved.{waterConsumption} in /household: P13M, then the last of each P1D" in listed
    assert "Nothing is taken away." in listed

    assert privacy(data, "take-back", "newsletter").exit_code == 0
    assert "newsletter" not in privacy(data, "list").output


def test_a_file_with_a_mistake_changes_nothing(data: Path) -> None:
    refused = declare(data, "three years")

    assert isinstance(refused.exception, BadRequestData)
    assert "newsletter" not in privacy(data, "list").output


def test_it_is_switched_on_by_who_says_so_twice_and_off_again(data: Path) -> None:
    assert privacy(data, "on").exit_code == 1
    assert "Nothing is taken away." in privacy(data, "list").output
    assert privacy(data, "on", "--yes").exit_code == 0
    assert "taken away every night" in privacy(data, "list").output
    assert privacy(data, "off").exit_code == 0
    with opened_access(data) as (access, _):
        assert not Purposes(access.store).policy_of("default").executes


def test_the_ledger_is_told(data: Path) -> None:
    assert "Nothing was taken away yet." in privacy(data, "ledger").output
    entry = LedgerEntry(
        tenant="default", at=1_795_348_800_000_000, action=Action.ERASED, key="k", by="system:retention",
        purpose="newsletter", version=2, type="Person", attribute="email", count=3, objects=2,
        since=1_700_000_000_000_000, until=1_710_000_000_000_000,
    )  # fmt: skip
    with opened_access(data) as (access, _):
        access.store.privacy.append_ledger(entry)

    told = privacy(data, "ledger").output
    assert "Person.email  3 of 2  2023-11-14..2024-03-09  newsletter version 2" in told
