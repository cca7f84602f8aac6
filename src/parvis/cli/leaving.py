"""`parvis export` and `parvis import bundle`: all that a tenant has, out of one platform and into another."""

import asyncio
import sys
from pathlib import Path

import click

from parvis.access.access import COMMAND_LINE
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import parse_instant

_MIB = 1 << 20


@click.command("export")
@data_option()
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose data.")
@click.option(
    "--to",
    "target",
    metavar="FILE.zip|FOLDER",
    required=True,
    type=click.Path(path_type=Path),
    help="A ZIP file that is not there yet, or an empty folder.",
)
def export(data_dir: Path, tenant: str, target: Path) -> None:
    """Write all that a tenant has into one bundle of open formats, also beside a running platform."""
    from parvis.bootstrap.leaving import export_tenant

    manifest = export_tenant(settings_beside(data_dir), tenant, target.absolute(), COMMAND_LINE.subject, _tell)
    for name, count in manifest.counts.items():
        click.echo(f"{count:>12,}  {name}")
    for words in manifest.left_out:
        click.echo(f"left out: {words}", err=True)
    click.echo(f"{target}: {len(manifest.files)} files, {manifest.bytes / _MIB:,.1f} MiB, content {manifest.content}")


@click.command("bundle")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@data_option()
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose data it becomes.")
@click.option("--dry-run", is_flag=True, help="Verify and read all of it, and write nothing.")
@click.option("--add", "is_added", is_flag=True, help="Also to a tenant that is not empty: what is there stays.")
@click.option("--pause-subscriptions", is_flag=True, help="Nobody is notified before a subscription is switched on.")
def import_bundle(
    path: Path, data_dir: Path, tenant: str, dry_run: bool, is_added: bool, pause_subscriptions: bool
) -> None:
    """Bring all that a tenant had elsewhere, with its ids and times: everything, or nothing.

    The bundle is verified first. On the embedded store the platform is to be stopped meanwhile.
    """
    from parvis.bootstrap.arriving import import_bundle as bring

    brought = bring(
        settings_beside(data_dir),
        path.absolute(),
        tenant,
        COMMAND_LINE.subject,
        is_added=is_added,
        is_dry=dry_run,
        are_subscriptions_paused=pause_subscriptions,
        tell=_tell,
    )
    for name, count in brought.counts.items():
        click.echo(f"{count:>12,}  {name}")
    if not dry_run:
        _erase_anew(data_dir, tenant, brought.manifest.made_at)
    for words in brought.words:
        click.echo(words, err=True)
    done = "is sound; nothing was written" if dry_run else f"is in {tenant}"
    click.echo(f"{path} ({brought.manifest.tenant}, {brought.manifest.made_at}) {done}.")


def _erase_anew(data_dir: Path, tenant: str, made_at: str) -> None:
    """Who was erased here since the bundle was made does not come back with it."""
    from parvis.bootstrap.persons_again import do_again, of_tenant, read_erasures, told_of

    settings = settings_beside(data_dir)
    erasures = of_tenant(read_erasures(settings), tenant, parse_instant(made_at))
    if erasures.entries:
        click.echo(told_of(asyncio.run(do_again(settings, erasures)), erasures.entries))


def _tell(words: str, part: float) -> None:
    """A line that changes, for people; nothing where the output is a file."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{part:4.0%}  {words[:60]}", nl=part >= 1, err=True)
