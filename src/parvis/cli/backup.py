"""`parvis backup` and `parvis restore`: also beside a running platform."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from parvis.backup.repository import Repository, holding, make_repository, open_repository
from parvis.bootstrap.backup import Tell, restore_backup, take_backup, try_backup
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.time import DAY, format_instant, system_clock

KEY_VARIABLE = "PARVIS_BACKUP_KEY"
_MIB = 1 << 20
Command = TypeVar("Command", bound=Callable[..., Any])

_REPOSITORY = click.argument("repository", type=click.Path(path_type=Path, file_okay=False))
_KEY = click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"A file with the passphrase that seals the backups; by default the variable {KEY_VARIABLE}, if set.",
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
    is_new = not repository.exists() or not any(repository.iterdir())
    held = make_repository(repository, key) if is_new else open_repository(repository, key)
    with holding(repository, alone=False):
        taken = take_backup(settings, held, _told())
    manifest = taken.manifest
    for words in manifest.left_out:
        click.echo(f"left out: {words}", err=True)
    click.echo(
        f"{manifest.id}: {len(manifest.files)} files, {manifest.bytes / _MIB:,.1f} MiB,"
        f" of which {taken.added_bytes / _MIB:,.1f} MiB were new"
    )


@backup.command("list")
@_REPOSITORY
@_KEY
def list_backups(repository: Path, key_file: Path | None) -> None:
    """List backups, the oldest first."""
    held = open_repository(repository, _key(key_file))
    for backup_id in held.list_ids():
        one = held.get(backup_id)
        click.echo(f"{one.id}  {format_instant(one.at)}  {len(one.files):>6} files  {one.bytes / _MIB:>10,.1f} MiB")


@backup.command("drill")
@_REPOSITORY
@click.argument("backup_id", required=False)
@click.option("--in", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where to try it.")
@_KEY
def drill(repository: Path, backup_id: str | None, folder: Path | None, key_file: Path | None) -> None:
    """Restore a backup (the newest) beside, look at all of it, say how long that took, and take it away again."""
    held = open_repository(repository, _key(key_file))
    with holding(repository, alone=False):
        tried = try_backup(held, held.get(backup_id or _newest(held)), folder or repository, _told())
    found = ", ".join(f"{count:,} {name}" for name, count in tried.counts.items())
    click.echo(f"{tried.manifest.id} is sound. It was back after {tried.seconds:.1f} s with {found}.")
    if tried.audit_digest:
        click.echo(f"Newest digest of its audit trail: {tried.audit_digest}")


@backup.command("forget")
@_REPOSITORY
@click.option("--keep-days", type=click.IntRange(1), required=True, help="Older ones go; the newest stays.")
@_KEY
def forget(repository: Path, keep_days: int, key_file: Path | None) -> None:
    """Drop old backups, and what no other one needs."""
    held = open_repository(repository, _key(key_file))
    with holding(repository, alone=True):
        ids = held.list_ids()
        old = {one for one in ids[:-1] if held.get(one).at < system_clock() - keep_days * DAY}
        pieces = held.forget(old)
    click.echo(f"{len(old)} backups are forgotten, {pieces} pieces with them; {len(ids) - len(old)} stay.")


@click.command()
@_REPOSITORY
@click.argument("backup_id", required=False)
@data_option()
@_KEY
def restore(repository: Path, backup_id: str | None, data_dir: Path, key_file: Path | None) -> None:
    """Bring a backup (the newest) back into an empty data directory."""
    held = open_repository(repository, _key(key_file))
    with holding(repository, alone=False):
        manifest = held.get(backup_id or _newest(held))
        restore_backup(held, manifest, data_dir, _told())
    for words in manifest.left_out:
        click.echo(f"not in it: {words}", err=True)
    click.echo(f"{manifest.id} is back in {data_dir}. Look at it with: parvis check --data {data_dir}")


def _newest(repository: Repository) -> str:
    ids = repository.list_ids()
    if not ids:
        raise click.ClickException(f"There is no backup in {repository.folder} yet.")
    return ids[-1]


def _key(file: Path | None) -> bytes:
    if file is None:
        return os.environ.get(KEY_VARIABLE, "").encode()
    key = file.read_bytes().strip()
    if not key:
        raise click.ClickException(f"{file} is empty: put a long passphrase into it.")
    return key


def _told() -> Tell:
    """A line that changes, for people; nothing where the output is a file."""

    def tell(words: str, part: float) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{part:4.0%}  {words[:60]}", nl=part >= 1, err=True)

    return tell
