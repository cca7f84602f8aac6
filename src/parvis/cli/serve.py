"""`parvis up`: the platform, until it is told to stop."""

import asyncio
from pathlib import Path
from typing import Any

import click

from parvis.cli.options import data_option, serving_options, settings_of
from parvis.web.server import Running, run


@click.command()
@data_option()
@serving_options
def up(data_dir: Path, **options: Any) -> None:
    """Start the platform and serve until interrupted."""
    run(settings_of(data_dir, **options), _until_told)


async def _until_told(running: Running, end: asyncio.Event) -> None:
    say_where(running)
    await end.wait()


def say_where(running: Running) -> None:
    click.echo(f"Parvis is at {running.address}")
    access = running.platform.access
    if not running.platform.settings.access.auth:
        click.echo("Authentication is off: everyone on this machine may do everything.")
    elif (token := access.accounts.offer_first_link()) is not None:
        click.echo("Nobody can administer yet. Open this link once, within a day, to become the administrator:")
        click.echo(f"  {running.address}/welcome?token={token}")
