"""`parvis account`: people, also beside a running platform. A password is only ever typed into a page."""

from pathlib import Path

import click

from parvis.access.access import COMMAND_LINE
from parvis.access.accounts import LINK_HOLDS
from parvis.access.model import NO_PASSWORD, Account
from parvis.cli.opened import opened_access, welcome_link
from parvis.cli.options import data_option
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import HOUR, format_instant

_ROLES = ("administrator", "operator", "reader")


@click.group()
def account() -> None:
    """Accounts, for people."""


@account.command("create")
@click.argument("name")
@data_option()
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What its holder may do.")
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Where it holds.")
def create(name: str, data_dir: Path, role: str, tenant: str) -> None:
    """Make an account, and print the one-time link by which its holder chooses the password."""
    with opened_access(data_dir) as (access, settings):
        token = access.accounts.invite(COMMAND_LINE, name, role, tenant)
    click.echo(f"The account {name} is made ({role}, tenant {tenant}).", err=True)
    _show(welcome_link(settings, token), name)


@account.command("list")
@data_option()
def list_accounts(data_dir: Path) -> None:
    """List accounts: name, role, tenant, state, day of making."""
    with opened_access(data_dir) as (access, _):
        accounts = access.accounts.list_accounts(COMMAND_LINE)
    if not accounts:
        click.echo("There are no accounts. Make one with: parvis account create NAME --role ...", err=True)
    for one in accounts:
        made = format_instant(one.created_at)[:10]
        click.echo(f"{one.name:24}  {one.role:13}  {one.tenant:10}  {_state(one):15}  {made}")


@account.command("link")
@click.argument("name")
@data_option()
def link(name: str, data_dir: Path) -> None:
    """Print a one-time link by which the account's holder chooses a new password; the old one holds until then."""
    with opened_access(data_dir) as (access, settings):
        token = access.accounts.offer_password(COMMAND_LINE, name)
    _show(welcome_link(settings, token), name)


@account.command("sign-out")
@click.argument("name")
@data_option()
def sign_out(name: str, data_dir: Path) -> None:
    """End all sessions of an account, in every browser; its holder may sign in again."""
    with opened_access(data_dir) as (access, _):
        ended = access.sessions.end_others(COMMAND_LINE, name)
    click.echo(f"{ended} sessions of {name} are ended.", err=True)


@account.command("reset-factor")
@click.argument("name")
@data_option()
def reset_factor(name: str, data_dir: Path) -> None:
    """Take the second factor and the passkeys of an account away, for somebody who has lost them; sessions end."""
    with opened_access(data_dir) as (access, _):
        access.second_factors.reset(COMMAND_LINE, name)
    click.echo(f"{name} signs in with the password alone, until a second factor is set up again.", err=True)


@account.command("disable")
@click.argument("name")
@data_option()
def disable(name: str, data_dir: Path) -> None:
    """Keep an account out: its sessions end within seconds, and nobody signs in to it until it is enabled."""
    with opened_access(data_dir) as (access, _):
        access.accounts.disable_account(COMMAND_LINE, name)
    click.echo(f"The account {name} is disabled.", err=True)


@account.command("enable")
@click.argument("name")
@data_option()
def enable(name: str, data_dir: Path) -> None:
    """Let the holder of a disabled account in again, with the password it had."""
    with opened_access(data_dir) as (access, _):
        access.accounts.enable_account(COMMAND_LINE, name)
    click.echo(f"The account {name} is enabled.", err=True)


def _show(address: str, name: str) -> None:
    click.echo(f"Give this link to {name}. It opens once, within {LINK_HOLDS // HOUR} hours:", err=True)
    click.echo(address)


def _state(one: Account) -> str:
    if one.disabled:
        return "disabled"
    return "no password yet" if one.password_hash == NO_PASSWORD else "in force"
