"""`parvis member`: who shares the installation, their mandates, and what each used; also beside a running platform."""

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import click

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.members.checks import read_outline
from parvis.access.members.founding import invite_first
from parvis.access.members.mandates import Terms
from parvis.access.members.model import POOL, Mandate, Member
from parvis.access.members.usage import UsageBook, rows_of
from parvis.broker.ports.metering import month_of
from parvis.cli.opened import opened_access, welcome_link
from parvis.cli.options import data_option
from parvis.kernel.spreadsheet import inert
from parvis.kernel.time import Instant, format_instant, from_datetime, system_clock

_NO_CODE = "There is no commune or group with the code {code}: give its name with --title."
_name = click.argument("name")
_role = click.option("--role", help="What the pool's people may do there: reader, operator ...")
_until = click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The mandate's last day.")
_reference = click.option("--reference", default="", help="The deliberation that decided the mandate.")


@click.group("member")
def member() -> None:
    """The members of the pool: communes that share this installation."""


@member.command("add")
@_name
@data_option()
@click.option("--code", default="", help="Official code: INSEE's of a commune, the SIREN of a group.")
@click.option("--title", default="", help="Its name, as people read it; by default the official one.")
@click.option("--outline", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A GeoJSON file.")
@click.option("--host", "hosts", multiple=True, help="A name under which its public page is reached.")
@click.option("--administrator", default="", help="Sign-in name of its first administrator; a link is printed.")
@_role
@_until
@_reference
def add(
    name: str,
    data_dir: Path,
    code: str,
    title: str,
    outline: Path | None,
    hosts: Sequence[str],
    administrator: str,
    role: str | None,
    until: datetime | None,
    reference: str,
) -> None:
    """Make NAME, a short name for addresses, a member; with --role, the founding mandate is recorded too."""
    made = Member(
        tenant=name,
        title=title or _official_title(code),
        code=code,
        since=system_clock(),
        hosts=tuple(hosts),
        outline=read_outline(outline.read_bytes()) if outline else None,
    )
    token = ""
    with opened_access(data_dir) as (access, settings):
        with access.store.transaction():
            access.members.add(COMMAND_LINE, made, _terms(role, until, reference) if role else None)
            if administrator:
                token = invite_first(access.store, access.members, access.accounts, COMMAND_LINE, name, administrator)
        link = welcome_link(settings, token)
    click.echo(f"{made.title} is a member ({name}).", err=True)
    if token:
        click.echo(f"Give this link to {administrator}. It opens once:", err=True)
        click.echo(link)


@member.command("list")
@data_option()
def list_members(data_dir: Path) -> None:
    """List members: name, code, title, since, until, mandates in force."""
    with opened_access(data_dir) as (access, _):
        for one in access.members.list_all():
            in_force = [mandate.role for mandate in access.gate.pool.mandates_of(one.tenant)]
            until = _day(one.until) if one.until else "-"
            told = ",".join(in_force) or "-"
            click.echo(f"{one.tenant:24}  {one.code:9}  {_day(one.since)}  {until:10}  {told:14}  {one.title}")


@member.command("show")
@_name
@data_option()
def show(name: str, data_dir: Path) -> None:
    """Show a member and all its mandates, also those that are over."""
    with opened_access(data_dir) as (access, _):
        one = access.members.get(name)
        click.echo(f"{one.title} ({one.tenant})")
        click.echo(f"code     {one.code or '-'}")
        click.echo(f"since    {_day(one.since)}" + (f", until {_day(one.until)}" if one.until else ""))
        click.echo(f"hosts    {', '.join(one.hosts) or '-'}")
        click.echo(f"public   {', '.join(one.public_types) or '-'}")
        click.echo(f"outline  {'yes' if one.outline else 'no'}")
        for mandate in access.mandates.list_of(name):
            click.echo(_told(mandate))


@member.command("end")
@_name
@data_option()
def end(name: str, data_dir: Path) -> None:
    """End a membership: mandates end at once, the public page closes; its data and people stay."""
    with opened_access(data_dir) as (access, _):
        access.members.end(COMMAND_LINE, name)
    click.echo(f"{name} is a member no longer.", err=True)


@member.command("mandate")
@_name
@data_option()
@_role
@_until
@_reference
@click.option("--scope", "scopes", multiple=True, help="Only there, as /school.")
@click.option("--end", "ended", metavar="MANDATE", help="End the one with this id instead.")
def mandate(
    name: str,
    data_dir: Path,
    role: str | None,
    until: datetime | None,
    reference: str,
    scopes: Sequence[str],
    ended: str | None,
) -> None:
    """Record what the member NAME has decided that the pool's people may do; or end it."""
    with opened_access(data_dir) as (access, _):
        if ended:
            access.mandates.end(COMMAND_LINE, name, ended)
            click.echo(f"The mandate {ended} has ended.", err=True)
            return
        if not role:
            raise click.UsageError("Give --role, --until and --reference, or --end MANDATE.")
        click.echo(_told(access.mandates.grant(COMMAND_LINE, name, _terms(role, until, reference, tuple(scopes)))))


@member.command("usage")
@data_option()
@click.option("--month", default="", help="As 2026-11; by default the present one.")
def usage(data_dir: Path, month: str) -> None:
    """Print what each tenant used in a month, as CSV: changes, values, entities, bytes."""
    with opened_access(data_dir) as (access, settings):
        figures = UsageBook(access.store).list_of(month or month_of(system_clock()))
        titles = _titles(access) | {POOL: settings.territory.name}
    if not figures:
        click.echo("There are no figures of that month: they are taken by night, by the job members.usage.", err=True)
    writer = csv.writer(sys.stdout)
    for row in rows_of(figures, titles) if figures else ():
        writer.writerow([inert(cell) if isinstance(cell, str) else cell for cell in row])


def _terms(role: str, until: datetime | None, reference: str, scopes: tuple[str, ...] = ()) -> Terms:
    if until is None:
        raise click.UsageError("A mandate has a last day: give --until.")
    return Terms(role=role, until=_after(until.date()), reference=reference, scopes=scopes)


def _after(day: date) -> Instant:
    """The end of the day, in UTC."""
    return from_datetime(datetime.combine(day + timedelta(days=1), time(), UTC))


def _titles(access: Access) -> dict[str, str]:
    return {one.tenant: one.title for one in access.members.list_all()}


def _official_title(code: str) -> str:
    """Raises ClickException."""
    from parvis.web import official

    found = official.find_territory(code) if code and official.is_there() else None
    if found is None:
        raise click.ClickException(_NO_CODE.format(code=code) if code else "Give --code, or its name with --title.")
    return found.name


def _told(one: Mandate) -> str:
    dates = f"{_day(one.since)} to {_day(one.until - 1)}"
    ended = f", ended on {_day(one.ended_at)} by {one.ended_by}" if one.ended_at else ""
    where = f" in {', '.join(one.scopes)}" if one.scopes else ""
    return f"mandate  {one.id}  {one.role}{where}, {dates}, {one.reference}, by {one.granted_by}{ended}"


def _day(at: Instant) -> str:
    return format_instant(at)[:10]
