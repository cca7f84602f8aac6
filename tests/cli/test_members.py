"""`parvis member` beside, and before, a running platform."""

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parvis.access.members.usage import usage_of
from parvis.broker.ports.metering import Held, Taken
from parvis.cli import commands
from parvis.cli.opened import opened_access
from parvis.kernel.errors import AlreadyExists, BadRequestData
from parvis.kernel.settings import TERRITORY_FILE

SQUARE = '{"type":"Polygon","coordinates":[[[-3.3,47.7],[-3.2,47.7],[-3.2,47.8],[-3.3,47.7]]]}'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / TERRITORY_FILE).write_text("")
    (tmp_path / "p.geojson").write_text(SQUARE)
    return tmp_path / "data"


def member(data: Path, *words: str) -> Result:
    return CliRunner().invoke(commands, ["member", *words, "--data", str(data)])


def test_one_command_makes_a_member_with_its_administrator_and_mandate(data: Path) -> None:
    outline = str(data.parent / "p.geojson")
    made = member(
        data, "add", "plouhinec", "--title", "Plouhinec", "--code", "56169", "--outline", outline, "--administrator",
        "mairie", "--role", "operator", "--until", "2099-03-31", "--reference", "2026-014",
    )  # fmt: skip

    assert made.exit_code == 0, made.output
    assert "/welcome?token=" in made.output
    shown = member(data, "show", "plouhinec").output
    assert "outline  yes" in shown
    assert "operator, " in shown
    assert "to 2099-03-31, 2026-014, by system:command-line" in shown
    assert "operator" in member(data, "list").output
    with opened_access(data) as (access, _):
        account = access.store.find_account("mairie")
        assert account is not None
        assert (account.tenant, account.role) == ("plouhinec", "administrator")
    assert isinstance(member(data, "add", "plouhinec", "--title", "Again").exception, AlreadyExists)


def test_what_fails_makes_nothing(data: Path) -> None:
    refused = member(
        data, "add", "plouhinec", "--title", "Plouhinec", "--administrator", "no such name", "--role", "reader",
        "--until", "2099-03-31", "--reference", "1",
    )  # fmt: skip

    assert isinstance(refused.exception, BadRequestData)
    assert member(data, "list").output == ""
    assert "Give --code" in member(data, "add", "riantec").output


def test_mandates_are_recorded_and_ended(data: Path) -> None:
    member(data, "add", "plouhinec", "--title", "Plouhinec")
    told = member(
        data, "mandate", "plouhinec", "--role", "reader", "--until", "2099-12-31", "--reference", "31",
        "--scope", "/port",
    ).output  # fmt: skip
    assert "reader in /port" in told

    assert member(data, "mandate", "plouhinec", "--end", told.split()[1]).exit_code == 0
    assert "ended on" in member(data, "show", "plouhinec").output
    assert member(data, "end", "plouhinec").exit_code == 0
    assert "until" in member(data, "show", "plouhinec").output


def test_the_months_usage_is_a_table_that_no_spreadsheet_runs(data: Path) -> None:
    member(data, "add", "plouhinec", "--title", "=1+1")
    with opened_access(data) as (access, _):
        for one in usage_of(
            "2026-11", {"default": Held(), "plouhinec": Held(2, 3, 4)}, {"plouhinec": Taken(7, 9)}, 50, 1
        ):
            access.store.members.put_usage(one)

    rows = list(csv.DictReader(io.StringIO(member(data, "usage", "--month", "2026-11").stdout)))

    assert [row["tenant"] for row in rows] == ["default", "plouhinec"]
    assert (rows[1]["title"], rows[1]["changes"], rows[1]["store_bytes"]) == ("'=1+1", "7", "50")
    assert "no figures" in member(data, "usage", "--month", "2001-01").output
