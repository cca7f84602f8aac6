"""`parvis api-key` and `parvis admin-link`: who comes in, also beside a running platform."""

from pathlib import Path

import click

from parvis.access.access import COMMAND_LINE
from parvis.access.model import EVERY_TENANT, ROLES, ApiKey
from parvis.cli.opened import opened_access, welcome_link
from parvis.cli.options import data_option
from parvis.fleet.model.uplink import plain_hardware_id
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import DAY, Instant, format_instant, system_clock

_WARNED_BEFORE_DAYS = 30


@click.group("api-key")
def api_key() -> None:
    """API keys, for devices and programs."""


@api_key.command("create")
@data_option()
@click.option("--label", required=True, help="What the key is for.")
@click.option("--role", type=click.Choice(list(ROLES)), default="operator", show_default=True, help="What it may do.")
@click.option(
    "--tenant", default=DEFAULT_TENANT, show_default=True, help=f"Where it holds; {EVERY_TENANT} is everywhere."
)
@click.option("--days", type=click.IntRange(1), help="How long it holds; for ever by default.")
@click.option("--device", default="", metavar="HARDWARE_ID", help="The one device it may deliver for; role device.")
def create(data_dir: Path, label: str, role: str, tenant: str, days: int | None, device: str) -> None:
    """Make a key. It is shown this once: only its hash is kept."""
    with opened_access(data_dir) as (access, _):
        expires_at = None if days is None else system_clock() + days * DAY
        key, token = access.keys.create(COMMAND_LINE, label, role, tenant, expires_at, plain_hardware_id(device))
    click.echo(f"Key {key.id} ({role}, tenant {tenant}). Keep it now, it is not shown again:", err=True)
    click.echo(token)


@api_key.command("list")
@data_option()
def list_keys(data_dir: Path) -> None:
    """List keys, newest last: id, role, tenant, state, last use, label."""
    with opened_access(data_dir) as (access, _):
        keys = access.keys.list_keys(COMMAND_LINE)
    if not keys:
        click.echo("There are no keys. Make one with: parvis api-key create --label ...", err=True)
    now = system_clock()
    for key in keys:
        used = f"last used {format_instant(key.last_used_at)}" if key.last_used_at else "never used"
        click.echo(f"{key.id}  {key.role:13}  {key.tenant:10}  {_state(key, now):24}  {used:32}  {key.label}")


@api_key.command("revoke")
@data_option()
@click.argument("key_id")
def revoke(data_dir: Path, key_id: str) -> None:
    """End a key; a running platform refuses it within seconds."""
    with opened_access(data_dir) as (access, _):
        access.keys.revoke(COMMAND_LINE, key_id)
    click.echo(f"Key {key_id} is revoked.")


@click.command("admin-link")
@data_option()
def admin_link(data_dir: Path) -> None:
    """Print a one-time link for a new administrator account, for instance when the only password is lost."""
    with opened_access(data_dir) as (access, settings):
        token = access.accounts.offer_link("administrator")
    click.echo(welcome_link(settings, token))


def _state(key: ApiKey, now: Instant) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "in force"
    day = format_instant(key.expires_at)[:10]
    if not key.opens_at(now):
        return f"expired {day}"
    left = (key.expires_at - now) // DAY
    return f"until {day}" if left >= _WARNED_BEFORE_DAYS else f"until {day}: {left} days!"
