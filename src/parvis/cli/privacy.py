"""`parvis privacy`: what people's data are held for, for how long, and what was taken away of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.privacy.model import Cover, LedgerEntry, Then
from parvis.access.privacy.packaged import read_purposes
from parvis.access.privacy.purposes import Purposes
from parvis.bootstrap.jobs import opened_jobs
from parvis.bootstrap.privacy import FORESEE
from parvis.cli.opened import opened_access
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.settings import Settings
from parvis.kernel.time import Instant, format_instant

_TENANT = click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose data.")
_PURPOSE = click.argument("purpose_id", metavar="PURPOSE")
_READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("privacy")
def privacy() -> None:
    """What people's data are held for and for how long, and what was taken away since."""


@privacy.command("list")
@data_option()
@_TENANT
def list_purposes(data_dir: Path, tenant: str) -> None:
    """List the purposes: version, legal basis, and how long which attributes are kept."""
    with _purposes(data_dir) as (purposes, _):
        policy = purposes.policy_of(tenant)
        for one in purposes.list_of(tenant):
            click.echo(f"{one.id:25}  version {one.version}  GDPR Art. 6 (1) {one.basis}")
            for cover in one.covers:
                click.echo(f"    {_told(cover)}")
        click.echo("What is past its time is taken away every night." if policy.executes else "Nothing is taken away.")


@privacy.command("declare")
@data_option()
@_TENANT
@click.argument("file", type=_READABLE)
def declare(data_dir: Path, tenant: str, file: Path) -> None:
    """Declare the purposes of a TOML file, or declare them anew."""
    declared = read_purposes(file.read_text(encoding="utf-8"))
    with _purposes(data_dir) as (purposes, access), access.store.transaction():
        for one in declared:
            click.echo(f"{one.id}: version {purposes.put(_in(tenant), one).version}")


@privacy.command("take-back")
@data_option()
@_TENANT
@_PURPOSE
def take_back(data_dir: Path, tenant: str, purpose_id: str) -> None:
    """Declare a purpose no longer: what it alone covers is then held without one."""
    with _purposes(data_dir) as (purposes, _):
        purposes.take_back(_in(tenant), purpose_id)
    click.echo(f"{purpose_id} is declared no longer.")


@privacy.command("on")
@data_option()
@_TENANT
@click.confirmation_option(prompt="What is past its time is erased for good, from tonight on. Go on?")
def switch_on(data_dir: Path, tenant: str) -> None:
    """Take away what is past its time, every night from now on. Look first: parvis privacy foresee."""
    with _purposes(data_dir) as (purposes, _):
        purposes.execute(_in(tenant), is_on=True)
    click.echo("From tonight on, what is past its time is taken away.")


@privacy.command("off")
@data_option()
@_TENANT
def switch_off(data_dir: Path, tenant: str) -> None:
    """Take nothing away any more."""
    with _purposes(data_dir) as (purposes, _):
        purposes.execute(_in(tenant), is_on=False)
    click.echo("Nothing is taken away any more.")


@privacy.command("foresee")
@data_option()
@_TENANT
def foresee(data_dir: Path, tenant: str) -> None:
    """Ask the running platform what is past its time; nothing is changed."""
    number = asyncio.run(_submit(settings_beside(data_dir), tenant))
    click.echo(f"Job {number}: look at it with parvis jobs show {number} --tenant {tenant}, or in the console.")


@privacy.command("ledger")
@data_option()
@_TENANT
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
def ledger(data_dir: Path, tenant: str, limit: int) -> None:
    """List what was taken away, the last first: when, what, how many values of how many objects, by which purpose."""
    with _purposes(data_dir) as (_, access):
        found = [one for one in access.store.privacy.list_last_ledger(tenant, 0, limit) if one.purpose]
    if not found:
        click.echo("Nothing was taken away yet.", err=True)
    for one in found:
        click.echo(_line(one))


async def _submit(settings: Settings, tenant: str) -> int:
    async with opened_jobs(settings) as jobs:
        return (await jobs.submit(_in(tenant), FORESEE)).id


def _line(one: LedgerEntry) -> str:
    seen = f"{_day(one.since)}..{_day(one.until)}"
    return (
        f"{format_instant(one.at)[:19]}  {one.action.value:10}  {one.type}.{one.attribute}  {one.count} of"
        f" {one.objects}  {seen}  {one.purpose} version {one.version}"
    )


def _told(cover: Cover) -> str:
    where = f" in {', '.join(cover.scopes)}" if cover.scopes else ""
    kept = f"{cover.type}.{{{', '.join(cover.attributes)}}}{where}: {cover.keep}"
    if cover.then is Then.ERASE:
        return f"{kept}, then erased"
    until = f" until {cover.keep_totals}" if cover.keep_totals else ""
    return f"{kept}, then the {cover.method.value} of each {cover.period}{until}"


def _day(at: Instant | None) -> str:
    return "" if at is None else format_instant(at)[:10]


def _in(tenant: str) -> Caller:
    return Caller(tenant, COMMAND_LINE.subject, COMMAND_LINE.rights)


@contextmanager
def _purposes(data_dir: Path) -> Iterator[tuple[Purposes, Access]]:
    with opened_access(data_dir) as (access, _):
        yield Purposes(access.store), access
