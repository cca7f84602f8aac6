"""`parvis audit`: who did what, and the proof that nothing of it was changed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click
from msgspec.structs import replace

from parvis.access.audit_proof import Proven, proof_lines, prove
from parvis.access.audit_search import AuditQuery, search_audit
from parvis.access.audit_sheet import sheet_head, sheet_lines
from parvis.access.model import AuditEntry
from parvis.cli.opened import opened_access
from parvis.cli.options import data_option
from parvis.kernel.time import Instant, format_instant, from_datetime


@click.group()
def audit() -> None:
    """The audit trail: who did what."""


_DAY = click.DateTime(("%Y-%m-%d",))
_TENANT = click.option("--tenant", help="Only what was done in this tenant.")


@audit.command("search")
@click.argument("words", default="")
@data_option()
@_TENANT
@click.option("--by", "subject", default="", help='Only what this subject did, such as "user:odile".')
@click.option("--action", default="", help='Only this, such as "key-created".')
@click.option("--since", type=_DAY, help="From this day on (UTC).")
@click.option("--until", type=_DAY, help="Before this day (UTC).")
@click.option("--before", type=click.IntRange(1), help="Only entries before this number.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
def search(
    words: str,
    data_dir: Path,
    tenant: str | None,
    subject: str,
    action: str,
    since: datetime | None,
    until: datetime | None,
    before: int | None,
    limit: int,
) -> None:
    """List what was done, the newest first: entries that have WORDS in them, or all."""
    query = AuditQuery(_only(tenant), action, subject, words, _instant(since), _instant(until), before, limit)
    with opened_access(data_dir) as (access, _):
        while True:
            page = search_audit(access.store, query)
            for entry in page.entries:
                click.echo(_spelled(entry))
            query = replace(query, before=page.resume, limit=query.limit - len(page.entries))
            if page.resume is None or not query.limit:
                break
    if page.resume is not None:
        click.echo(f"There may be more: go on with --before {page.resume}.", err=True)


@audit.command("export")
@data_option()
@_TENANT
@click.option(
    "--format", "form", type=click.Choice(["proof", "csv"]), default="proof", show_default=True,
    help="proof: lines of JSON that `parvis audit verify` reads; csv: a table.",
)  # fmt: skip
@click.option("-o", "--output", type=click.File("wb"), default="-", help="The file; standard output by default.")
def export(data_dir: Path, tenant: str | None, form: str, output: BinaryIO) -> None:
    """Write the whole trail. With --tenant a proof has only the marks of what other tenants did."""
    tenants = _only(tenant)
    with opened_access(data_dir) as (access, _):
        entries = access.store.read_audit()
        lines: dict[str, Callable[[], Iterator[bytes]]] = {
            "proof": lambda: proof_lines(entries, tenants),
            "csv": lambda: chain(
                (sheet_head(),), sheet_lines(one for one in entries if tenants is None or one.record.tenant in tenants)
            ),
        }
        output.writelines(lines[form]())


@audit.command("verify")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option()
def verify(file: Path | None, data_dir: Path) -> None:
    """Look whether every entry follows from the one before: of an exported FILE, else of this installation.

    Exit code 1 where one does not. Compare the digest that is told with one noted earlier, or elsewhere: only so it
    shows that the end was not cut off.
    """
    if file is not None:
        with file.open("rb") as lines:
            _tell(prove(lines))
        return
    with opened_access(data_dir) as (access, _):
        _tell(prove(proof_lines(access.store.read_audit())))


def _only(tenant: str | None) -> frozenset[str] | None:
    return None if tenant is None else frozenset({tenant})


def _instant(day: datetime | None) -> Instant | None:
    return None if day is None else from_datetime(day.replace(tzinfo=UTC))


def _tell(proven: Proven) -> None:
    if not proven.entries:
        click.echo("The trail is empty.")
        return
    hidden = proven.entries - proven.shown
    told = f"{proven.entries} entries, {hidden} of them hidden" if hidden else f"{proven.entries} entries"
    click.echo(f"{told}, nothing changed. The newest digest is {proven.digest}")


def _spelled(entry: AuditEntry) -> str:
    one = entry.record
    facts = ", ".join(f"{name}: {value}" for name, value in one.facts.items())
    told = f"{entry.number:>7}  {format_instant(one.at)}  {one.tenant}  {one.subject}  {one.action}  {one.object}"
    return f"{told}  ({facts})" if facts else told
