"""`parvis device`: the registry of a running platform, over its HTTP API."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from parvis.fleet.devices.columns import Column
from parvis.fleet.devices.device import Standing
from parvis.fleet.devices.lines import split_words
from parvis.fleet.devices.sheet import read_cells
from parvis.fleet.model.uplink import Technology
from parvis.kernel.errors import ParvisError
from parvis.web.wording import wording

TIMEOUT_S = 120.0
SOMETHING_LEFT_OUT = 3
_FAULTS_SHOWN = 20
_CLAIM_COLUMNS = {
    "name": Column.NAME,
    "serial_number": Column.SERIAL_NUMBER,
    "manufacturer": Column.MANUFACTURER,
    "model": Column.MODEL,
    "technology": Column.TECHNOLOGY,
}
Command = TypeVar("Command", bound=Callable[..., Any])


class NotDone(ParvisError):
    title = "The platform did not do it"


def _own_address() -> str:
    return f"http://127.0.0.1:{os.environ.get('PARVIS_PORT') or 8080}"


def _platform_options(command: Command) -> Command:
    for option in (
        click.option("--tenant", help="Whose devices."),
        click.option("--key", envvar="PARVIS_API_KEY", help="API key; better in PARVIS_API_KEY."),
        click.option(
            "--url",
            envvar="PARVIS_URL",
            default=_own_address,
            show_default="http://127.0.0.1:8080, or the port in PARVIS_PORT",
            help="Where the platform is; http://127.0.0.1:8080, or the port in PARVIS_PORT, by default.",
        ),
    ):
        command = option(command)
    return command


def _ask(url: str, key: str | None, tenant: str | None, method: str, path: str, **more: Any) -> httpx.Response:
    """Raises NotDone with what the platform says."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    headers |= {"ngsild-tenant": tenant} if tenant else {}
    headers |= more.pop("headers", {})
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as http:
        try:
            answer = http.request(method, f"/api{path}", **more)
        except httpx.HTTPError as fault:
            raise NotDone(f"{url} does not answer: {fault}.") from fault
    if answer.is_success:
        return answer
    raise NotDone(_said(answer))


def _said(answer: httpx.Response) -> str:
    try:
        report = answer.json()
        faults = [f"{fault['where']}: {_plainly(fault)}" for fault in report.get("faults") or []]
        return "\n  ".join([str(report.get("detail") or report.get("title")), *faults[:_FAULTS_SHOWN]])
    except ValueError:
        return f"The platform answers with status {answer.status_code}."


def _plainly(fault: dict[str, str]) -> str:
    if fault["where"].endswith("hardware_id"):
        return "a hardware id is 4 to 64 letters, digits, dots, hyphens and underscores, such as a DevEUI."
    return fault["what"]


@click.group("device")
def device() -> None:
    """List, register, import, replace devices of a running platform; labels to claim them; the quarantine."""


@device.command("list")
@_platform_options
@click.option("--search", default="", help="Words in names and identifiers.")
@click.option("--group", default="", help="Only those of this group.")
@click.option("--tag", default="", help="Only those with this tag.")
@click.option("--profile", default="", help="Only those of this profile.")
@click.option("--technology", type=click.Choice([one.value for one in Technology]), help="Only those of this network.")
@click.option("--standing", type=click.Choice([one.value for one in Standing]), help="Only those that stand so.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at most.")
def list_devices(url: str, key: str | None, tenant: str | None, **which: Any) -> None:
    """List devices, most urgent first: hardware id, state, standing, last heard, profile, name."""
    params = {name: value for name, value in which.items() if value}
    for one in _ask(url, key, tenant, "GET", "/devices", params=params).json():
        seen = (one["last_seen"] or "never")[:19]
        state = f"{one['state']:8}  {one['standing']:9}"
        click.echo(f"{one['hardware_id']:24}  {state}  {seen:19}  {one['profile']:24}  {one['name']}")


@device.command("add")
@_platform_options
@click.argument("hardware_id")
@click.argument("profile")
@click.argument("entity_id")
@click.option("--name", default="", help="What people call it.")
@click.option("--place", nargs=2, type=float, help="Longitude and latitude (WGS 84).")
@click.option("--group", "groups", multiple=True, help="A group; may be given several times.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be given several times.")
@click.option(
    "--technology", type=click.Choice([one.value for one in Technology]), default="unknown", help="Its network."
)
def add(url: str, key: str | None, tenant: str | None, place: tuple[float, float] | None, **told: Any) -> None:
    """Register a device: HARDWARE_ID (DevEUI, IMEI, serial number) of PROFILE observes the object ENTITY_ID."""
    location = {"type": "Point", "coordinates": list(place)} if place else None
    (one,) = _ask(url, key, tenant, "POST", "/devices", json=[{**told, "location": location}]).json()
    if one["problem"]:
        raise NotDone(one["problem"].get("detail", one["status"]))
    click.echo(f"{one['id']} {one['status']}")


@device.command("import")
@_platform_options
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Report only, write nothing.")
def import_devices(url: str, key: str | None, tenant: str | None, file: Path, dry_run: bool) -> None:
    """Register the devices of a CSV file in a job. Exit code 3: some lines are left out."""
    path = "/devices/import/check" if dry_run else "/devices/import"
    told = _ask(url, key, tenant, "POST", path, content=file.read_bytes(), headers={"content-type": "text/csv"}).json()
    report = told if dry_run else told["report"]
    click.echo(f"{report['lines']} lines: {report['new']} new, {report['known']} known, {report['left_out']} left out")
    for name in report["columns_left_out"]:
        click.echo(f"  column {name!r} is not used", err=True)
    words = wording("en", "UTC")
    for fault in report["faults"][:_FAULTS_SHOWN]:
        click.echo(
            f"  line {fault['line']}, {fault['column']}: {words('line_fault.' + fault['fault'])} {fault['text']!r}",
            err=True,
        )
    click.echo("Nothing was written (dry run)." if dry_run else f"Job {told['job']} registers them.")
    if report["left_out"]:
        raise click.exceptions.Exit(SOMETHING_LEFT_OUT)


@device.command("export")
@_platform_options
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the header.")
def export(url: str, key: str | None, tenant: str | None, language: str) -> None:
    """Print all devices as a CSV file that can be imported."""
    click.echo(_ask(url, key, tenant, "GET", "/devices.csv", params={"language": language}).text, nl=False)


@device.command("replace")
@_platform_options
@click.argument("broken")
@click.argument("new")
@click.option("--profile", default="", help="Of the new one, where it is another.")
def replace(url: str, key: str | None, tenant: str | None, broken: str, new: str, profile: str) -> None:
    """Put the device NEW in the place of BROKEN: the object they observe keeps its history."""
    body = {"hardware_id": new, "profile": profile}
    told = _ask(url, key, tenant, "POST", f"/devices/{broken}/replace", json=body).json()
    click.echo(f"{told['id']} observes {told['controlled_asset']} now.")


@device.command("claims")
@_platform_options
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--batch", required=True, help="What the labels are for.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The sheet of labels (HTML)."
)
def claims(url: str, key: str | None, tenant: str | None, file: Path, batch: str, out: Path) -> None:
    """Make a claim code for each device of a CSV file, as a sheet of labels with QR codes.

    The file has the columns hardware_id and profile, and may have those of parvis device import. The codes are told
    this once.
    """
    entries = _claim_entries(read_cells(file.read_bytes()))
    body = {"batch": batch, "devices": entries}
    out.write_text(_ask(url, key, tenant, "POST", "/devices/claims/sheet", json=body).text, encoding="utf-8")
    click.echo(f"{len(entries)} labels are in {out}.")


@device.command("quarantine")
@_platform_options
@click.option("--forget", metavar="HARDWARE_ID", help="Forget what waits of this device.")
def quarantine(url: str, key: str | None, tenant: str | None, forget: str | None) -> None:
    """List devices that nobody has registered: hardware id, frames that wait, heard last, way, name."""
    if forget:
        told = _ask(url, key, tenant, "DELETE", f"/quarantine/{forget}").json()
        click.echo(f"{told['frames']} frames are forgotten.")
        return
    for one in _ask(url, key, tenant, "GET", "/quarantine", params={"limit": 1000}).json():
        last = one["last_at"][:19]
        click.echo(f"{one['hardware_id']:24}  {one['frames']:>6}  {last}  {one['way']:12}  {one['name']}")


def _claim_place(longitude: str, latitude: str) -> dict[str, Any] | None:
    if not longitude and not latitude:
        return None
    try:
        place = [float(degrees.replace(",", ".")) for degrees in (longitude, latitude)]
    except ValueError:
        raise NotDone(f"{longitude!r}, {latitude!r} is no place: write longitude and latitude in degrees.") from None
    return {"type": "Point", "coordinates": place}


def _claim_entries(rows: Iterable[dict[Column, str]]) -> list[dict[str, Any]]:
    """Raises NotDone with all lines that are wrong: a sheet of labels is printed whole or not at all."""
    entries, faults = [], []
    for number, cells in enumerate(rows, 1):
        try:
            entries.append(_claim_entry(cells))
        except NotDone as fault:
            faults.append(f"Device {number} of the file, {cells.get(Column.HARDWARE_ID, '')}: {fault.detail}")
    if faults:
        raise NotDone("\n".join(faults[:_FAULTS_SHOWN]))
    return entries


def _claim_entry(cells: dict[Column, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {name: cells.get(column, "") for name, column in _CLAIM_COLUMNS.items()}
    entry["location"] = _claim_place(cells.get(Column.LONGITUDE, ""), cells.get(Column.LATITUDE, ""))
    entry |= {"hardware_id": cells.get(Column.HARDWARE_ID, ""), "profile": cells.get(Column.PROFILE, "")}
    words = {"groups": split_words(cells.get(Column.GROUPS, "")), "tags": split_words(cells.get(Column.TAGS, ""))}
    return entry | words
