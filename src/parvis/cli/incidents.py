"""`parvis incident`: the register of security incidents, also where the pages cannot be reached."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import click
import msgspec

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap.incidents import opened_incidents
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.time import HOUR, Instant, format_instant, from_datetime, system_clock
from parvis.operations.incidents.clocks import Clock, clocks_of
from parvis.operations.incidents.model import Incident, PersonalData, Step
from parvis.operations.incidents.register import IncidentRegister
from parvis.operations.incidents.sheet import sheet_of

Result = TypeVar("Result")
_TENANT = click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose register.")
_INCIDENT = click.argument("incident_id", metavar="INCIDENT")
_STEP = click.argument("step", type=click.Choice([one.value for one in Step]))
_MOMENT = click.DateTime(("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"))


@click.group()
def incident() -> None:
    """Security incidents, and the clocks of what must be told to the authorities."""


@incident.command("open")
@click.argument("title")
@data_option()
@_TENANT
@click.option("--known-at", type=_MOMENT, help="When somebody became aware of it (UTC unless said); now by default.")
@click.option("--systems", default="", help="What is concerned.")
@click.option("--text", default="", help="What has happened.")
@click.option(
    "--personal-data",
    type=click.Choice([one.value for one in PersonalData]),
    default=PersonalData.UNKNOWN.value,
    show_default=True,
    help="Whether data of persons are concerned: while that is unknown, the clock runs.",
)
def open_(
    title: str, data_dir: Path, tenant: str, known_at: datetime | None, systems: str, text: str, personal_data: str
) -> None:
    """Enter an incident: from when it was known on the clocks run."""

    async def work(register: IncidentRegister, caller: Caller) -> Incident:
        return await register.open(caller, title, _instant(known_at), text, systems, PersonalData(personal_data))

    found, zone = _run(data_dir, tenant, work)
    _show(found, zone)


@incident.command("list")
@data_option()
@_TENANT
def list_(data_dir: Path, tenant: str) -> None:
    """All of them, the newest first, each with the next thing to tell."""

    async def work(register: IncidentRegister, caller: Caller) -> list[Incident]:
        return await register.list_all(caller)

    found, zone = _run(data_dir, tenant, work)
    for one in found:
        waiting = [clock for clock in clocks_of(one, system_clock(), zone) if clock.is_open]
        told = _spelled(min(waiting, key=lambda clock: clock.due_at)) if waiting else "nothing left to tell"
        click.echo(f"{one.id}  {'closed' if one.is_closed else 'open':6}  {one.title}  ({told})")


@incident.command("show")
@_INCIDENT
@data_option()
@_TENANT
@click.option("--json", "as_json", is_flag=True, help="As one document, for a file.")
def show(incident_id: str, data_dir: Path, tenant: str, as_json: bool) -> None:
    """One of them, with its clocks and entries."""

    async def work(register: IncidentRegister, caller: Caller) -> Incident:
        found = await register.get(caller, incident_id)
        if as_json:
            register.note_export(caller, incident_id)
        return found

    found, zone = _run(data_dir, tenant, work)
    if as_json:
        document = msgspec.json.encode(sheet_of(found, system_clock(), zone))
        click.echo(msgspec.json.format(document, indent=2).decode())
    else:
        _show(found, zone)


@incident.command("note")
@_INCIDENT
@click.argument("text")
@data_option()
@_TENANT
def note(incident_id: str, text: str, data_dir: Path, tenant: str) -> None:
    """Add what has been found or done."""
    _run(data_dir, tenant, lambda register, caller: register.note(caller, incident_id, text))


@incident.command("sent")
@_INCIDENT
@_STEP
@data_option()
@_TENANT
@click.option("--at", "at", type=_MOMENT, help="When (UTC unless said); now by default.")
@click.option("--reference", default="", help="What the authority calls it.")
def sent(incident_id: str, step: str, data_dir: Path, tenant: str, at: datetime | None, reference: str) -> None:
    """Enter that STEP was sent to the authority: its clock stops."""
    _run(
        data_dir,
        tenant,
        lambda register, caller: register.tell(caller, incident_id, Step(step), _instant(at), reference),
    )


@incident.command("not-needed")
@_INCIDENT
@_STEP
@click.argument("why")
@data_option()
@_TENANT
def not_needed(incident_id: str, step: str, why: str, data_dir: Path, tenant: str) -> None:
    """Enter that STEP need not be sent, and WHY."""
    _run(data_dir, tenant, lambda register, caller: register.drop(caller, incident_id, Step(step), why))


@incident.command("close")
@_INCIDENT
@click.argument("text")
@data_option()
@_TENANT
def close(incident_id: str, text: str, data_dir: Path, tenant: str) -> None:
    """Close it; TEXT says the cause, and what keeps it from coming back."""
    _run(data_dir, tenant, lambda register, caller: register.close(caller, incident_id, text))


def _run(
    data_dir: Path, tenant: str, work: Callable[[IncidentRegister, Caller], Awaitable[Result]]
) -> tuple[Result, ZoneInfo]:
    settings = settings_beside(data_dir)
    caller = msgspec.structs.replace(COMMAND_LINE, tenant=tenant)

    async def run() -> Result:
        with opened_incidents(settings) as register:
            return await work(register, caller)

    return asyncio.run(run()), ZoneInfo(settings.territory.time_zone)


def _instant(moment: datetime | None) -> Instant:
    if moment is None:
        return system_clock()
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _show(found: Incident, zone: ZoneInfo) -> None:
    click.echo(f"{found.id}  {found.title}")
    click.echo(f"known since {format_instant(found.known_at)}; personal data: {found.opened.personal_data.value}")
    for clock in clocks_of(found, system_clock(), zone):
        click.echo(f"  {_spelled(clock)}")
    for entry in found.entries[1:]:
        step = f" {entry.step.value}" if entry.step else ""
        click.echo(f"  {format_instant(entry.at)}  {entry.by}  {entry.kind.value}{step}  {entry.text}".rstrip())


def _spelled(clock: Clock) -> str:
    if not clock.is_open:
        return f"{clock.step.value}: {clock.state.value}"
    left = (clock.due_at - system_clock()) / HOUR
    told = f"{left:.0f} h left" if left >= 0 else f"{-left:.0f} h over"
    return f"{clock.step.value}: due {format_instant(clock.due_at)}, {told}"
