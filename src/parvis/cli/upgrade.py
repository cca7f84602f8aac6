"""`parvis upgrade`: what a newer version will do to the data, before it does it."""

import sys
from pathlib import Path

import click

from parvis.cli.options import data_option, settings_beside

_MIB = 1 << 20


@click.command()
@data_option()
@click.option("--check", is_flag=True, help="Try it on a copy, beside a running platform; say what it takes.")
def upgrade(data_dir: Path, check: bool) -> None:
    """Bring the store to the schema of this version, while Parvis is stopped. `parvis up` does the same by itself.

    A step that was stopped on the way is done again, those before it are not.
    """
    from parvis.bootstrap.upgrade import try_upgrade
    from parvis.bootstrap.upgrade import upgrade as migrate

    settings = settings_beside(data_dir)
    if not check:
        before, after = migrate(settings)
        click.echo(f"The store has schema {after}" + (f"; it had {before}." if after != before else " already."))
        return
    tried = try_upgrade(settings, _tell)
    click.echo(f"schema:   {tried.before} now, {tried.after} with this version")
    times = f"{tried.copy_s:.1f} s to copy, {tried.migrate_s:.1f} s to migrate, {tried.verify_s:.1f} s to verify"
    click.echo(f"time:     {times}")
    if tried.bytes_before:
        click.echo(
            f"space:    {tried.bytes_before / _MIB:,.1f} MiB become {tried.bytes_after / _MIB:,.1f};"
            f" {tried.needed_bytes / _MIB:,.1f} are needed meanwhile, {tried.free_bytes / _MIB:,.1f} are free"
        )
        found = ", ".join(f"{count:,} {name}" for name, count in tried.counts.items())
        click.echo(f"verified: {found}")
    if not tried.has_room:
        raise click.ClickException("There is not enough room for it.")


def _tell(words: str, part: float) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{part:4.0%}  {words[:60]}", nl=part >= 1, err=True)
