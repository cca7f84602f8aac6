"""The command line. An expected failure is one sentence on the error output and exit code 1; 2 is a wrong call."""

import sys
from importlib import import_module

import click

from parvis import __version__
from parvis.kernel.errors import ParvisError

_WHERE = {
    "up": "serve:up",
    "demo": "demo:demo",
    "init": "setup:init",
    "check": "setup:check",
    "new": "new:new",
    "import": "imports:import_",
    "replay": "series:replay",
    "archive": "archive:archive",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "export": "leaving:export",
    "upgrade": "upgrade:upgrade",
    "doctor": "doctor:doctor",
    "device": "devices:device",
    "conformance": "conformance:conformance",
    "jobs": "jobs:jobs",
    "account": "accounts:account",
    "member": "members:member",
    "audit": "audit:audit",
    "person": "persons:person",
    "privacy": "privacy:privacy",
    "incident": "incidents:incident",
    "roles": "roles:roles",
    "api-key": "keys:api_key",
    "device-certificate": "keys:device_certificate",
    "admin-link": "keys:admin_link",
}


class _Commands(click.Group):
    """Loads a command's module when it is called, so that a short command starts in a short time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_WHERE, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _WHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = _WHERE[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"parvis.cli.{module}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="parvis")
def commands() -> None:
    """Parvis: an open territory platform."""


@commands.command()
def version() -> None:
    """Print the version."""
    click.echo(f"parvis {__version__}")


def main() -> None:
    try:
        commands(prog_name="parvis")
    except ParvisError as failure:
        click.echo(f"parvis: {failure.detail}", err=True)
        sys.exit(1)
    except OSError as failure:
        click.echo(f"parvis: {failure}", err=True)
        sys.exit(1)
