"""The command line. An expected failure is one sentence on the error output and exit code 1; 2 is a wrong call."""

import sys

import click

from parvis import __version__
from parvis.cli.demo import demo
from parvis.cli.doctor import doctor
from parvis.cli.keys import admin_link, api_key
from parvis.cli.series import import_series, replay
from parvis.cli.serve import up
from parvis.cli.setup import check, init
from parvis.kernel.errors import ParvisError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="parvis")
def commands() -> None:
    """Parvis: an open territory platform."""


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"parvis {__version__}")


for command in (up, demo, init, check, import_series, replay, doctor, api_key, admin_link, version):
    commands.add_command(command)


def main() -> None:
    try:
        commands(prog_name="parvis")
    except ParvisError as failure:
        click.echo(f"parvis: {failure.detail}", err=True)
        sys.exit(1)
