"""The command line. An expected failure is one sentence on the error output and exit code 1; 2 is a wrong call."""

import sys

import click

from parvis import __version__
from parvis.cli.demo import demo
from parvis.cli.serve import up
from parvis.kernel.errors import ParvisError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="parvis")
def commands() -> None:
    """Parvis: an open territory platform."""


for command in (up, demo):
    commands.add_command(command)


def main() -> None:
    try:
        commands(prog_name="parvis")
    except ParvisError as failure:
        click.echo(f"parvis: {failure.detail}", err=True)
        sys.exit(1)
