"""`parvis up`: the platform, until it is told to stop."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parvis.cli.options import data_option, serving_options, settings_of
from parvis.cli.workers import check_can_share, find_siblings, supervise

if TYPE_CHECKING:
    from parvis.web.server import Running


@click.command()
@data_option()
@serving_options
@click.option("--workers", type=int, help="Processes that serve; more than one needs a store on PostgreSQL.")
def up(data_dir: Path, **options: Any) -> None:
    """Start the platform and serve until interrupted. SIGHUP begins several workers anew, one after the other."""
    settings = settings_of(data_dir, **options)
    siblings = find_siblings(os.environ)
    if siblings is None and settings.server.workers > 1:
        check_can_share(settings)
        sys.exit(asyncio.run(supervise(settings, sys.argv[1:])))
    from parvis.web.server import run  # a parent of workers stays small without it
    from parvis.web.siblings import ALONE

    run(settings, _until_told, siblings=siblings or ALONE)


async def _until_told(running: "Running", end: asyncio.Event) -> None:
    if running.is_first:
        say_where(running)
    await end.wait()


def say_where(running: "Running") -> list[str]:
    """What was said, to be said again where much comes after it: the link is told this once."""
    lines = [f"Parvis is at {running.address}"]
    access = running.platform.access
    if not running.platform.settings.access.auth:
        lines.append("Authentication is off: everyone on this machine may do everything.")
    elif (token := access.accounts.offer_first_link()) is not None:
        lines.append("Nobody can administer yet. Open this link once, within a day, to become the administrator:")
        lines.append(f"  {running.address}/welcome?token={token}")
    for line in lines:
        click.echo(line)
    return lines
