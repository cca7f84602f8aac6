"""`parvis api-key`, `device-certificate`, `admin-link`: who comes in, also beside a running platform."""

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


@click.group("device-certificate")
def device_certificate() -> None:
    """Certificates by which devices prove themselves over MQTT with TLS."""


@device_certificate.command("list")
@data_option()
@click.option("--device", default="", metavar="HARDWARE_ID", help="Of this device alone.")
def list_certificates(data_dir: Path, device: str) -> None:
    """List certificates: SHA-256 fingerprint, device, state, last use. One is known from its first use on."""
    with opened_access(data_dir) as (access, _):
        found = access.certificates.list_all(COMMAND_LINE, plain_hardware_id(device))
    if not found:
        click.echo("No device has shown a certificate.", err=True)
    for one in found:
        used = f"last used {format_instant(one.last_used_at)}" if one.last_used_at else "never used"
        until = f"until {format_instant(one.expires_at)[:10]}" if one.expires_at else "not seen"
        state = until if one.revoked_at is None else "revoked"
        click.echo(f"{one.id}  {one.device:20}  {state:16}  {used}")


@device_certificate.command("revoke")
@data_option()
@click.argument("fingerprint")
@click.option("--device", default="", metavar="HARDWARE_ID", help="Whose it is, where it was not used yet.")
def revoke_certificate(data_dir: Path, fingerprint: str, device: str) -> None:
    """Let a certificate open no longer, whatever its authority says; who is connected with it is cut off."""
    with opened_access(data_dir) as (access, _):
        access.certificates.revoke(COMMAND_LINE, fingerprint, plain_hardware_id(device))
    click.echo("The certificate is revoked.")


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
