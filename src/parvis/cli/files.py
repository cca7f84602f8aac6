"""`parvis import file`: series and inventories from files, here or by the platform that runs."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import open_platform
from parvis.bootstrap.jobs import opened_jobs
from parvis.bootstrap.stores import DataInUse
from parvis.cli.options import data_option, settings_beside, without_connectors
from parvis.connectors.files.config import Mapping as FileMapping
from parvis.connectors.files.config import load_mapping
from parvis.connectors.files.folders import Counts, Folders, Import, Origin, Position, Reading
from parvis.connectors.files.guess import guess_file
from parvis.connectors.files.imports import ATTEMPTS, CHECK, IMPORT
from parvis.connectors.files.plugin import FilesConnector
from parvis.connectors.files.proposal import list_terms
from parvis.connectors.files.telling import merged_report, merged_rows
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.jobs import JobState, NewJob
from parvis.kernel.settings import Settings
from parvis.kernel.time import SECOND, system_clock
from parvis.web.console.import_told import tell_doubts
from parvis.web.wording import wording

SOMETHING_LEFT_OUT = 3
NOT_DONE = 4
_SHOWN = 20
_STEPS = 1000
_LOOK_EVERY_S = 0.3
_LEFT_ALONE = frozenset({"created", "updated", "unchanged", "added", "stored-before", "repeated"})


@click.command("file")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--mapping", "mapping_name", metavar="NAME", help="A saved mapping, or a TOML file; guessed without it.")
@data_option()
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose data it becomes.")
@click.option("--dry-run", is_flag=True, help="Report only, write nothing.")
@click.option("--guess", is_flag=True, help="Only tell the mapping that would be used, as JSON.")
@click.option("--save", metavar="NAME", help="Keep the mapping under this name.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="Write each line's outcome as CSV.")
def import_file(
    path: Path,
    mapping_name: str | None,
    data_dir: Path,
    tenant: str,
    dry_run: bool,
    guess: bool,
    save: str | None,
    report_file: Path | None,
) -> None:
    """Import a file of objects or measurements.

    CSV, JSON Lines, Parquet, XLSX, GeoJSON, GeoPackage or Shapefile. A platform that runs on the data directory does
    the work; without one it is done here. What is stored already is left alone, so the same import may be run again.
    Exit code 3: done, but something was left out. Exit code 4: not done.
    """
    settings = settings_beside(data_dir)
    folders = Folders(settings.data_dir)
    mapping = _mapping(folders, tenant, mapping_name, path, settings)
    if save:
        folders.save_mapping(tenant, save, mapping)
    if guess:
        click.echo(msgspec.json.format(msgspec.json.encode(mapping), indent=2).decode())
        return
    kind = CHECK if dry_run else IMPORT
    try:
        one = asyncio.run(_do_here(settings, path, mapping, tenant, kind))
    except DataInUse:
        one = asyncio.run(_have_done(settings, folders, path, mapping, tenant, kind))
    folder = folders.folder(one)
    if report_file is not None:
        with report_file.open("wb") as report:
            report.writelines(merged_report(folder))
    left_out = _show(folders, one, is_dry=dry_run)
    if dry_run:
        click.echo("Nothing was written (dry run).")
    if left_out:
        raise click.exceptions.Exit(SOMETHING_LEFT_OUT)


def _mapping(folders: Folders, tenant: str, name: str | None, path: Path, settings: Settings) -> FileMapping:
    if name is None:
        return guess_file(path, list_terms(), settings.territory.time_zone).mapping
    if name.endswith(".toml") or Path(name).is_file():
        return load_mapping(Path(name))
    found = folders.find_mapping(tenant, name)
    if found is None:
        known = ", ".join(folders.list_mappings(tenant)) or "none is saved yet"
        raise click.BadParameter(f"there is no mapping {name!r}: {known}", param_hint="--mapping")
    return found


class _Here:
    """The JobContext of work that is done by the command itself."""

    cancelled = False
    attempt = 1

    def __init__(self, one: Import, tell: Callable[[float], None]) -> None:
        self.tenant = one.tenant
        self.arguments: Mapping[str, Any] = {"import": one.id}
        self._tell = tell

    def report(self, progress: float, message: str = "") -> None:
        self._tell(progress)


async def _do_here(settings: Settings, path: Path, mapping: FileMapping, tenant: str, kind: str) -> Import:
    """Raises DataInUse."""
    async with open_platform(without_connectors(settings), listen=False) as platform:
        files = platform.connectors["files"]
        assert isinstance(files, FilesConnector)
        imports = files.imports
        one = imports.receive(Caller(tenant, COMMAND_LINE.subject, COMMAND_LINE.rights), path.name, Origin.COMMAND_LINE)
        await asyncio.to_thread(shutil.copyfile, path, imports.folders.source(one))
        one = imports.choose(imports.keep(one), mapping)
        with _Bar() as bar:
            await imports.run_here(kind, _Here(one, bar.reach))
        return imports.folders.get(tenant, one.id)


async def _have_done(
    settings: Settings, folders: Folders, path: Path, mapping: FileMapping, tenant: str, kind: str
) -> Import:
    """By the platform that runs; where this command is broken off, it goes on there."""
    one = folders.create(tenant, path.name, Origin.COMMAND_LINE, COMMAND_LINE.subject, system_clock())
    await asyncio.to_thread(shutil.copyfile, path, folders.source(one))
    one = folders.save(msgspec.structs.replace(one, mapping=mapping, size_bytes=folders.source(one).stat().st_size))
    async with opened_jobs(settings) as jobs:
        new = NewJob(tenant, kind, {"import": one.id}, COMMAND_LINE.subject, ATTEMPTS)
        job = await jobs.queue.add(new)
        folders.save(msgspec.structs.replace(folders.get(tenant, one.id), job_id=job.id))
        with _Bar() as bar:
            while not job.state.has_ended:
                await asyncio.sleep(_LOOK_EVERY_S)
                job = await jobs.queue.find(tenant, job.id) or job
                bar.reach(job.progress)
    if job.state is not JobState.DONE:
        click.echo(f"Job {job.id} is {job.state.word}. {job.error}", err=True)
        raise click.exceptions.Exit(NOT_DONE)
    return folders.get(tenant, one.id)


class _Bar:
    """How far it is, on a terminal."""

    def __enter__(self) -> "_Bar":
        self._bar = click.progressbar(length=_STEPS, label="Importing")
        self._bar.__enter__()
        self._reached = 0
        return self

    def reach(self, part: float) -> None:
        step = int(part * _STEPS)
        if step > self._reached:
            self._bar.update(step - self._reached)
            self._reached = step

    def __exit__(self, *fault: Any) -> None:
        self._bar.__exit__(*fault)


def _show(folders: Folders, one: Import, *, is_dry: bool) -> bool:
    """The report for people; whether something was left out."""
    folder = folders.folder(one)
    reading = folder.find("reading", Reading)
    counts = reading.counts if reading is not None else Counts()
    position = folder.find("check" if is_dry else "position", Position) or Position()
    took_s = ((one.ended_at or one.created_at) - one.created_at) / SECOND
    click.echo(f"{one.name}: {counts.rows} rows read in {took_s:.1f} s (import {one.id})")
    words = wording("en", "UTC")
    for verdict, count in position.verdicts.items():
        if count:
            click.echo(f"  {count} {verdict}")
    if counts.unplaced:
        click.echo(
            f"  {counts.unplaced} without a place, found in lists and not on the map, the first in row "
            f"{counts.unplaced_first[0][0]} ({counts.unplaced_first[0][1]})"
        )
    for doubt in tell_doubts(counts.doubts, words):
        click.echo(f"  {doubt.sentence} {doubt.first[0]}", err=True)
    for reason, count in counts.faults.items():
        click.echo(f"Left out {count}: {words('import_fault.' + reason.lower())}", err=True)
    refused = sum(count for verdict, count in position.verdicts.items() if verdict not in _LEFT_ALONE)
    if not counts.faults and not refused:
        return False
    shown = 0
    for row, outcome, _, column, text in merged_rows(folder):
        if outcome not in _LEFT_ALONE and shown < _SHOWN:
            shown += 1
            why = words.find(f"import_fault.{outcome}") or words(f"import_verdict.{outcome}")
            click.echo(f"  row {row}, {column}: {text!r} ({why})", err=True)
    return True
