"""`parvis import` and `parvis replay`: recorded series into history."""

import asyncio
from pathlib import Path
from typing import Any

import click
import httpx

from parvis.bootstrap import open_platform
from parvis.cli.options import data_option, settings_beside, without_connectors
from parvis.connectors.files.client import MappedFile, count_rows, find_files, import_files
from parvis.connectors.files.config import Mapping, load_mapping
from parvis.connectors.files.replay import Replay, read_in_order
from parvis.connectors.files.report import Report
from parvis.kernel.identity import DEFAULT_TENANT, system_caller
from parvis.kernel.settings import Settings
from parvis.kernel.time import format_instant

SOMETHING_LEFT_OUT = 3
_SERIES_SHOWN = 40
_FAULTS_SHOWN = 20

_mapping_argument = click.argument("mapping_file", metavar="MAPPING", type=click.Path(path_type=Path, dir_okay=False))
_paths_argument = click.argument(
    "paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True)
)


@click.command("import")
@_mapping_argument
@_paths_argument
@data_option()
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose data it becomes.")
@click.option("--dry-run", is_flag=True, help="Report only, write nothing.")
def import_series(mapping_file: Path, paths: tuple[Path, ...], data_dir: Path, tenant: str, dry_run: bool) -> None:
    """Bring CSV or XLSX time series into history.

    MAPPING is a TOML file that says which cells are which attribute of which entity; FILE may be a folder. The
    platform must not be running on the same data directory (use replay then). What is in history already is left
    alone, so the same import may be run again. Exit code 3: done, but something was left out.
    """
    mapping = load_mapping(mapping_file)
    files = find_files(paths, mapping)
    settings = settings_beside(data_dir)
    report = asyncio.run(_import(mapping, files, settings, tenant, dry_run))
    show(report)
    click.echo("Nothing was written (dry run)." if dry_run else f"{report.written} instances were written.")
    if report.fault_counts:
        raise click.exceptions.Exit(SOMETHING_LEFT_OUT)


async def _import(mapping: Mapping, files: list[MappedFile], settings: Settings, tenant: str, dry_run: bool) -> Report:
    async with open_platform(without_connectors(settings), listen=False) as platform:
        caller = system_caller("import", tenant)
        with _progress("Importing", count_rows(files, mapping)) as bar:
            return await import_files(
                platform.broker, caller, mapping, files, dry_run=dry_run, progress=lambda rows: bar.update(rows)
            )


@click.command()
@_mapping_argument
@_paths_argument
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Where the platform is.")
@click.option("--key", envvar="PARVIS_API_KEY", help="API key with the right to write; better in PARVIS_API_KEY.")
@click.option("--tenant", help="Whose data it becomes.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Recorded seconds per second; as fast as acknowledged by default.",
)
def replay(
    mapping_file: Path, paths: tuple[Path, ...], url: str, key: str | None, tenant: str | None, speed: float | None
) -> None:
    """Play recorded series to a running platform over its HTTP API, in the order of time.

    Each value keeps the time at which it was observed. What is played twice is stored twice. Exit code 3: done, but
    something was left out.
    """
    mapping = load_mapping(mapping_file)
    files = find_files(paths, mapping)
    report = Report()
    with _progress("Reading", count_rows(files, mapping)) as bar:
        observations = read_in_order(files, mapping, report, lambda rows: bar.update(rows))
    show(report)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    headers |= {"ngsild-tenant": tenant} if tenant else {}

    async def play() -> tuple[int, list[str]]:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
            player = Replay(http, speed)
            with _progress("Playing", len(observations)) as bar:
                return await player.play(observations, lambda count: bar.update(count)), player.refused

    acknowledged, refused = asyncio.run(play())
    for one in refused[:_FAULTS_SHOWN]:
        click.echo(f"refused: {one}", err=True)
    click.echo(f"{acknowledged} of {len(observations)} instances were acknowledged.")
    if report.fault_counts or acknowledged < len(observations):
        raise click.exceptions.Exit(SOMETHING_LEFT_OUT)


def show(report: Report) -> None:
    """The report for people: totals, then each series, then what was left out and why."""
    click.echo(f"{report.files} files, {report.rows} rows, {report.instances} instances in {len(report.series)} series")
    if report.repeated_hours:
        click.echo(f"{report.repeated_hours} times in repeated hours (winter time) were told apart by their order")
    for (entity_id, attribute, _), one in list(report.series.items())[:_SERIES_SHOWN]:
        span = f"{format_instant(one.first)} to {format_instant(one.last)}" if one.first and one.last else "nothing new"
        counts = [
            f"{one.instances} instances",
            *([f"{one.gaps} gaps"] if one.gaps else []),
            *([f"{one.repeats} repeated in the file"] if one.repeats else []),
            *([f"{one.stored_before} stored before"] if one.stored_before else []),
        ]
        click.echo(f"  {entity_id} {attribute}: {', '.join(counts)}, {span}")
    if len(report.series) > _SERIES_SHOWN:
        click.echo(f"  and {len(report.series) - _SERIES_SHOWN} more series")
    for reason, count in report.fault_counts.items():
        click.echo(f"Left out {count}: {reason.value}", err=True)
    for fault in report.faults[:_FAULTS_SHOWN]:
        click.echo(f"  {fault.file} row {fault.row}, {fault.column}: {fault.text!r} ({fault.reason.value})", err=True)


def _progress(label: str, length: int) -> Any:
    return click.progressbar(length=max(length, 1), label=label, update_min_steps=1000)
