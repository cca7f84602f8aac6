"""`parvis backup` and `parvis restore`: also beside a running platform."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from parvis.backup.manifest import Drill, Manifest
from parvis.backup.repository import Repository, holding, open_or_make, open_repository, sweep
from parvis.bootstrap.backup import Tell, forget_older, restore_backup, run_drill, take_backup
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.secrets import find_secret
from parvis.kernel.time import DAY, format_instant, system_clock

KEY_VARIABLE = "PARVIS_BACKUP_KEY"
NICENESS = 10
"""The platform goes first."""
_MIB = 1 << 20
Command = TypeVar("Command", bound=Callable[..., Any])

_REPOSITORY = click.argument("repository", type=click.Path(path_type=Path, file_okay=False))
_KEY = click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"A file with the passphrase that seals the backups; by default the variable {KEY_VARIABLE}, or the file that"
    f" {KEY_VARIABLE}_FILE names.",
)


@click.group()
def backup() -> None:
    """Take, list, try and forget backups. They lie in a folder REPOSITORY, best on another disk or machine."""


@backup.command("take")
@_REPOSITORY
@data_option()
@_KEY
def take(repository: Path, data_dir: Path, key_file: Path | None) -> None:
    """Add a backup of the data directory; the first one makes the folder. What is there already is not copied again."""
    settings, key = settings_beside(data_dir), _key(key_file)
    held = open_or_make(repository, key)
    sweep(repository)
    os.nice(max(0, NICENESS - os.nice(0)))
    with holding(repository, alone=False):
        manifest = take_backup(settings, held, _told())
    for words in manifest.left_out:
        click.echo(f"left out: {words}", err=True)
    click.echo(
        f"{manifest.id}: {len(manifest.files)} files, {manifest.bytes / _MIB:,.1f} MiB,"
        f" of which {manifest.added_bytes / _MIB:,.1f} MiB were new"
    )


@backup.command("list")
@_REPOSITORY
@_KEY
def list_backups(repository: Path, key_file: Path | None) -> None:
    """List backups, the oldest first."""
    held = open_repository(repository, _key(key_file))
    for backup_id in held.list_ids():
        one = held.get(backup_id)
        size = f"{len(one.files):>6} files  {one.bytes / _MIB:>10,.1f} MiB  {one.added_bytes / _MIB:>10,.1f} MiB new"
        click.echo(f"{one.id}  {format_instant(one.at)}  {size}  {_tried(held.find_drill(one.id))}")


@backup.command("drill")
@_REPOSITORY
@click.argument("backup_id", required=False)
@click.option("--in", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where to try it.")
@_KEY
def drill(repository: Path, backup_id: str | None, folder: Path | None, key_file: Path | None) -> None:
    """Restore a backup (the newest) beside, look at all of it, say how long that took, and take it away again."""
    held = open_repository(repository, _key(key_file))
    chosen = backup_id or _newest(held)
    sweep(repository)
    with holding(repository, alone=False):
        tried = run_drill(held, chosen, folder or repository, _told())
    found = ", ".join(f"{count:,} {name}" for name, count in tried.counts.items())
    click.echo(f"{chosen} is sound. It was back after {tried.seconds:.1f} s with {found}.")
    if tried.audit_digest:
        click.echo(f"Newest digest of its audit trail: {tried.audit_digest}")


@backup.command("forget")
@_REPOSITORY
@click.option("--keep-days", type=click.IntRange(1), required=True, help="Older ones go; the newest stays.")
@_KEY
def forget(repository: Path, keep_days: int, key_file: Path | None) -> None:
    """Drop old backups, and what no other one needs."""
    held = open_repository(repository, _key(key_file))
    gone, pieces = forget_older(held, system_clock() - keep_days * DAY)
    click.echo(f"{gone} backups are forgotten, {pieces} pieces with them; {len(held.list_ids())} stay.")


@click.command()
@_REPOSITORY
@click.argument("backup_id", required=False)
@data_option()
@click.option(
    "--erasures-of",
    "old_data",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The old data directory, where it is still there: who was erased since stays erased.",
)
@_KEY
def restore(
    repository: Path, backup_id: str | None, data_dir: Path, old_data: Path | None, key_file: Path | None
) -> None:
    """Bring a backup (the newest) back into an empty data directory, and erase anew who was erased since."""
    held = open_repository(repository, _key(key_file))
    with holding(repository, alone=False):
        manifest = held.get(backup_id or _newest(held))
        restore_backup(held, manifest, data_dir, _told())
        _erase_anew(held, manifest, data_dir, old_data)
    for words in manifest.left_out:
        click.echo(f"not in it: {words}", err=True)
    click.echo(f"{manifest.id} is back in {data_dir}. Look at it with: parvis check --data {data_dir}")


def _erase_anew(repository: Repository, manifest: Manifest, data_dir: Path, old_data: Path | None) -> None:
    from parvis.bootstrap.persons_again import do_again, erasures_in_folder, erasures_of_newest, since, told_of

    known = [erasures_of_newest(repository, data_dir)]
    if old_data is not None:
        known.append(erasures_in_folder(old_data))
    erasures = since(manifest, *known)
    if erasures.entries:
        click.echo(told_of(asyncio.run(do_again(settings_beside(data_dir), erasures)), erasures.entries))


def _tried(drill: Drill | None) -> str:
    if drill is None:
        return "never tried"
    return f"{'UNUSABLE' if drill.fault else 'sound'} on {format_instant(drill.at)}"


def _newest(repository: Repository) -> str:
    ids = repository.list_ids()
    if not ids:
        raise click.ClickException(f"There is no backup in {repository.folder} yet.")
    return ids[-1]


def _key(file: Path | None) -> bytes:
    if file is None:
        return _key_of_environment().encode()
    key = file.read_bytes().strip()
    if not key:
        raise click.ClickException(f"{file} is empty: put a long passphrase into it.")
    return key


def _key_of_environment() -> str:
    try:
        return find_secret(KEY_VARIABLE, os.environ) or ""
    except ValueError as fault:
        raise click.ClickException(f"{fault}.") from fault


def _told() -> Tell:
    """A line that changes, for people; nothing where the output is a file."""

    def tell(words: str, part: float) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{part:4.0%}  {words[:60]}", nl=part >= 1, err=True)

    return tell
