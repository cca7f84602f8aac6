"""`parvis archive`: what lies in files, and moving closed days there now."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click

from parvis.bootstrap.archive import (
    ArchiveAtHand,
    adopt_archive,
    archive_plan,
    closed_rows,
    day_number,
    day_text,
    run_archive,
)
from parvis.bootstrap.stores import DataInUse, holding, open_store
from parvis.broker.ports.archive import ArchiveFile, ClosedRows, Day, Summary
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.settings import Settings

_MIB = 1 << 20


class _Day(click.ParamType[Day]):
    name = "YYYY-MM-DD"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Day:
        try:
            return day_number(value)
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-01-31.", param, ctx)


@click.group()
def archive() -> None:
    """The history of closed days, in Parquet files."""


@archive.command()
@data_option()
def status(data_dir: Path) -> None:
    """What lies in files, by tenant and type; may run beside the platform."""
    settings = settings_beside(data_dir)
    with closed_rows(settings)() as rows:
        files = [file for tenant in rows.list_tenants() for file in rows.list_files(tenant)]
        waiting = sum(bool(rows.list_erasures(file)) for file in files)
    for line in _table(files) if files else ["Nothing lies in files yet."]:
        click.echo(line)
    if waiting:
        click.echo(f"Files with erased rows that nobody can read: {waiting}; the next run makes them anew.")


@archive.command()
@data_option()
@click.option("--until", type=_Day(), help="Move days before this one, instead of those that settings say.")
@click.option("--dry-run", is_flag=True, help="Only tell which days would move; may run beside the platform.")
def run(data_dir: Path, until: Day | None, dry_run: bool) -> None:
    """Move closed days into files now, and take out what was erased or is past its time."""
    settings = settings_beside(data_dir)
    if dry_run:
        with closed_rows(settings)() as rows:
            for line in _foreseen(rows, archive_plan(settings, until).before):
                click.echo(line)
        click.echo("What came in last may not be counted yet; a run moves it too.", err=True)
        return
    closed_rows(settings)
    summary = _moved(settings, until)
    moved = f"{_counted(summary.files, 'file')} with {_counted(summary.rows, 'row')}"
    click.echo(f"{_counted(summary.days, 'day')} moved: {moved}." if summary.days else "No day moved.")
    for problem in summary.problems:
        click.echo(problem, err=True)
    if summary.problems:
        raise click.exceptions.Exit(1)


@archive.command()
@data_option()
def adopt(data_dir: Path) -> None:
    """Make the archive this database's own, after a restore or a copy; no other database may use it any more."""
    adopt_archive(settings_beside(data_dir))
    click.echo("The archive is this database's own.")


def _moved(settings: Settings, until: Day | None) -> Summary:
    try:
        with holding(settings), closing(ArchiveAtHand(settings)) as at_hand:
            return asyncio.run(_run(settings, at_hand, until))
    except DataInUse as fault:
        raise DataInUse(
            f"The platform runs on {settings.data_dir} and moves closed days by night;"
            " to have it done now, start archive.run on its page of jobs."
        ) from fault


async def _run(settings: Settings, at_hand: ArchiveAtHand, until: Day | None) -> Summary:
    store = await open_store(settings, at_hand.read)
    try:
        return await run_archive(settings, store, _tell, until)
    finally:
        await store.close()


def _tell(share: float, words: str) -> None:
    click.echo(f"{share:4.0%} {words}", err=True)


def _foreseen(rows: ClosedRows, before: Day) -> Iterator[str]:
    """Counts what has settled; the newest few rows may not have."""
    days = [(tenant, day) for tenant in rows.list_tenants() for day in rows.list_days(tenant, before)]
    yield f"{'tenant':16} {'day':10} {'rows':>10}" if days else "No day would move."
    for tenant, day in days:
        count = sum(1 for _, part in rows.read_day(tenant, day) for _ in part)
        yield f"{tenant:16} {day_text(day):10} {count:10}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _table(files: Sequence[ArchiveFile]) -> Iterator[str]:
    yield f"{'tenant':16} {'first day':10} {'last day':10} {'files':>6} {'rows':>12} {'MiB':>8} types"
    groups: dict[tuple[str, tuple[str, ...]], list[ArchiveFile]] = {}
    for file in files:
        groups.setdefault((file.partition.tenant, file.partition.types), []).append(file)
    for (tenant, types), group in sorted(groups.items()):
        days = [file.partition.day for file in group]
        size = sum(file.file.bytes for file in group) / _MIB
        rows = sum(file.file.rows for file in group)
        yield (
            f"{tenant:16} {day_text(min(days)):10} {day_text(max(days)):10} {len(group):6} {rows:12} {size:8.1f}"
            f" {', '.join(types)}"
        )
