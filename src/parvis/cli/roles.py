"""`parvis roles`: who may do what, and why, also beside a running platform."""

from pathlib import Path

import click

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.roles.explain import Asked, explain, told_assignment
from parvis.access.roles.model import ACTIONS, Assignment, Role
from parvis.cli.opened import opened_access
from parvis.cli.options import data_option
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.time import format_instant, parse_instant, system_clock

_tenant = click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Where it holds.")
_account = click.option("--account", default="", metavar="NAME", help="Of this account.")
_key = click.option("--key", "key_id", default="", metavar="ID", help="Of this API key.")
_types = click.option(
    "--type", "types", multiple=True, help="A type of entities, such as Streetlight; may be given often."
)
_scopes = click.option("--scope", "scopes", multiple=True, help="A scope and what is below it, such as /school/north.")


@click.group("roles")
def roles() -> None:
    """Roles, who has them, and why somebody may or may not do something."""


@roles.command("list")
@data_option()
@_tenant
def list_roles(data_dir: Path, tenant: str) -> None:
    """List the roles: what they let do, and up to which privacy class they read."""
    with opened_access(data_dir) as (access, _):
        own = access.gate.roles.own_of(tenant)
        for name, role in access.gate.roles.all_of(tenant).items():
            mark = "  (this tenant's own)" if name in own else ""
            click.echo(f"{name:15}  {role.clearance:9}  {_told(role)}{mark}")


@roles.command("assign")
@data_option()
@click.argument("role")
@_account
@_key
@_tenant
@_types
@_scopes
@click.option("--since", help="From when on, such as 2026-12-01T00:00:00Z; now by default.")
@click.option("--until", help="Until when; for good by default.")
def assign(
    data_dir: Path,
    role: str,
    account: str,
    key_id: str,
    tenant: str,
    types: tuple[str, ...],
    scopes: tuple[str, ...],
    since: str | None,
    until: str | None,
) -> None:
    """Give an account or a key a further role, narrowed to types or scopes where some are given."""
    begins = system_clock() if since is None else parse_instant(since)
    ends = None if until is None else parse_instant(until)
    with opened_access(data_dir) as (access, _):
        asked = Assignment("", _subject(account, key_id), tenant, role, begins, ends, types, scopes)
        made = access.gate.roles.assign(_in(tenant), asked)
    click.echo(f"{made.subject} has the role {role} in tenant {tenant}: assignment {made.id}.")


@roles.command("unassign")
@data_option()
@click.argument("assignment_id")
def unassign(data_dir: Path, assignment_id: str) -> None:
    """Take an assignment back."""
    with opened_access(data_dir) as (access, _):
        access.gate.roles.unassign(COMMAND_LINE, assignment_id)
    click.echo(f"The assignment {assignment_id} is taken back.")


@roles.command("assignments")
@data_option()
def list_assignments(data_dir: Path) -> None:
    """List who has further roles: subject, tenant, role, assignment, until when."""
    with opened_access(data_dir) as (access, _):
        found = access.gate.roles.list_assignments(COMMAND_LINE)
    if not found:
        click.echo("Nobody has a role beside that of their account or key.", err=True)
    for one in found:
        until = "for good" if one.until is None else f"until {format_instant(one.until)}"
        click.echo(f"{one.subject:25}  {one.tenant:10}  {one.role:15}  {told_assignment(one)}  {until}")


@roles.command("explain")
@data_option()
@_account
@_key
@_tenant
@click.option("--action", type=click.Choice(list(ACTIONS)), default="read", show_default=True, help="To do what.")
@_types
@_scopes
@click.option("--attribute", default="", help="An attribute, such as email.")
def explain_why(
    data_dir: Path,
    account: str,
    key_id: str,
    tenant: str,
    action: str,
    types: tuple[str, ...],
    scopes: tuple[str, ...],
    attribute: str,
) -> None:
    """Say whether an account or a key may do something, and why. Ends with 1 where it may not."""
    with opened_access(data_dir) as (access, _):
        allowed = _explain(access, Asked(_subject(account, key_id), action, tenant, "", types, scopes, attribute))
    if not allowed:
        raise SystemExit(1)


def _explain(access: Access, asked: Asked) -> bool:
    found = explain(access.gate, asked)
    for one in found.said:
        click.echo(one.text)
    return found.is_allowed


def _subject(account: str, key_id: str) -> str:
    if bool(account) is bool(key_id):
        raise BadRequestData("Name an account or a key.")
    return f"user:{account}" if account else f"key:{key_id}"


def _in(tenant: str) -> Caller:
    return Caller(tenant, COMMAND_LINE.subject, COMMAND_LINE.rights)


def _told(role: Role) -> str:
    grants = []
    for one in role.grants:
        where = " · ".join(text for text in (", ".join(one.types), ", ".join(one.scopes)) if text)
        grants.append(f"{', '.join(one.actions)} [{where}]" if where else ", ".join(one.actions))
    return "; ".join(grants)
