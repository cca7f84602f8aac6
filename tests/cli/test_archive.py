"""`parvis archive` and what `parvis doctor` says of files, as they are called."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from parvis.bootstrap.archive import archive_work, retention
from parvis.bootstrap.stores import holding
from parvis.broker.temporal.retention import ALL_OTHERS, Expiry
from parvis.cli import commands
from parvis.kernel.errors import ParvisError
from parvis.kernel.jobs import WorkFailed
from parvis.kernel.settings import HistorySettings, InvalidSettings, Settings
from parvis.kernel.time import DAY, HOUR
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import NOON, TENANT, bin_, level

CORE = "https://uri.etsi.org/ngsi-ld/default-context/"


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(commands, [str(word) for word in words])


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Three days of levels, two months old."""

    async def write() -> None:
        store = await SqliteStore.open(tmp_path / "parvis.db")
        levels = [level(hour, NOON - 60 * DAY + hour * HOUR) for hour in range(60)]
        await store.write(TENANT, [bin_(1, *levels, keep_newest=True)])
        await store.archive.settle()
        await store.close()

    asyncio.run(write())
    return tmp_path


def files(town: Path) -> list[Path]:
    return sorted((town / "archive").rglob("*.parquet"))


def test_a_dry_run_tells_and_moves_nothing(town: Path) -> None:
    told = call("archive", "run", "--dry-run", "--data", town)

    assert [line.split()[1:] for line in told.stdout.splitlines()[1:]] == [
        ["2026-09-23", "12"], ["2026-09-24", "24"], ["2026-09-25", "24"]
    ]  # fmt: skip
    assert files(town) == []


def test_closed_days_move_and_the_status_tells_of_their_files(town: Path) -> None:
    until = call("archive", "run", "--until", "2026-09-25", "--data", town)
    rest = call("archive", "run", "--data", town)
    status = call("archive", "status", "--data", town)

    assert until.stdout == "2 days moved: 2 files with 36 rows.\n"
    assert rest.stdout == "1 day moved: 1 file with 24 rows.\n"
    assert status.stdout.splitlines()[1].split()[:5] == ["default", "2026-09-23", "2026-09-25", "3", "60"]


def test_where_there_is_nothing_to_move_or_to_show_it_says_so(town: Path) -> None:
    status = call("archive", "status", "--data", town)
    dry = call("archive", "run", "--dry-run", "--until", "2026-01-01", "--data", town)
    run = call("archive", "run", "--until", "2026-01-01", "--data", town)

    assert status.stdout == "Nothing lies in files yet.\n"
    assert dry.stdout == "No day would move.\n"
    assert "may not be counted yet" in dry.stderr
    assert run.stdout == "No day moved.\n"


def test_while_the_platform_runs_it_moves_days_itself(town: Path) -> None:
    with holding(Settings(town)):
        refused = call("archive", "run", "--data", town)

    assert isinstance(refused.exception, ParvisError)
    assert "archive.run" in refused.exception.detail


def test_the_doctor_reads_every_file(town: Path) -> None:
    call("archive", "run", "--data", town)
    assert "3 files, each as it was written" in call("doctor", "--data", town).stdout

    torn = files(town)[1]
    torn.write_bytes(torn.read_bytes()[:-1] + b"x")

    told = call("doctor", "--data", town)
    assert told.exit_code == 1
    assert f"{torn.name} is not what was written" in told.stdout


def test_what_is_kept_is_told_by_type_and_attribute() -> None:
    rules = retention(Settings(Path(), history=HistorySettings(keep=("Bin 730", "Bin colour 90"))))

    assert rules.expiry([CORE + "Bin"], 90) == Expiry()
    assert rules.expiry([CORE + "Bin"], 91) == Expiry((CORE + "colour",))
    assert rules.expiry([CORE + "Bin"], 731) == Expiry((ALL_OTHERS, CORE + "colour"))
    assert rules.expiry([CORE + "Bin", CORE + "Lamp"], 731) == Expiry(), "a lamp's past is kept for ever"


@pytest.mark.parametrize("rule", ["Bin", "Bin 0", "Bin level x", "Bin level 9 days"])
def test_a_rule_that_says_nothing_is_refused(rule: str) -> None:
    with pytest.raises(InvalidSettings, match="number of days"):
        retention(Settings(Path(), history=HistorySettings(keep=(rule,))))


def test_a_lost_file_ends_a_run_with_an_error_and_a_job_with_a_failure(town: Path) -> None:
    call("archive", "run", "--data", town)
    lost = files(town)[0]
    lost.unlink()

    told = call("archive", "run", "--data", town)

    assert (told.exit_code, told.stderr.splitlines()[-1]) == (
        1, f"The archive's file {lost.relative_to(town / 'archive')} is lost."
    )  # fmt: skip
    with pytest.raises(WorkFailed, match=f"{lost.name} is lost"):
        asyncio.run(_as_a_job(Settings(town)))


async def _as_a_job(settings: Settings) -> None:
    store = await SqliteStore.open(settings.data_dir / "parvis.db")
    try:
        await archive_work(settings, store)(_Context())
    finally:
        await store.close()


class _Context:
    tenant = TENANT
    arguments: Mapping[str, Any] = MappingProxyType({})
    attempt = 1
    cancelled = False

    def report(self, progress: float, message: str = "") -> None:
        pass
