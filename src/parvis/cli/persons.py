"""`parvis person`: what is held of one person, given to them, erased; also beside a running platform."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec

from parvis.access.access import COMMAND_LINE
from parvis.access.privacy.person.cases import Case, Cases, Stage
from parvis.access.privacy.person.found import still_there
from parvis.access.privacy.person.identifiers import By
from parvis.access.privacy.person.persons import CONFIRMED, GROUNDS, Persons, identifiers_of
from parvis.bootstrap.jobs import opened_jobs
from parvis.bootstrap.persons import add_kinds, build_persons, find_now
from parvis.bootstrap.persons_again import do_again, load_erasures, read_erasures, told_of, write_erasures
from parvis.bootstrap.stores import open_access
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.settings import Settings

NOT_DONE = 4
_LOOK_EVERY_S = 0.5
_tenant_option = click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose data.")
_case_argument = click.argument("case_id", metavar="REQUEST")


@click.group("person")
def person() -> None:
    """Find what is held of one person, give them a copy, erase it (GDPR, Articles 15, 17, 20)."""


@person.command("find")
@data_option()
@_tenant_option
@click.option("--email", multiple=True, help="An e-mail address; may be given several times, as all of these.")
@click.option("--telephone", multiple=True, help="With or without the country.")
@click.option("--account", multiple=True, help="What they sign in with.")
@click.option("--key", multiple=True, help="The id of an API key.")
@click.option("--entity", multiple=True, help="The id of an object that is about this person as a whole.")
@click.option("--name", multiple=True, help="First and last name: what is found by it alone is only shown.")
def find(data_dir: Path, tenant: str, **given: tuple[str, ...]) -> None:
    """Look everywhere, and keep what is found for some days under the REQUEST that is told."""
    settings = settings_beside(data_dir)
    wanted = identifiers_of({By(by): values for by, values in given.items()})

    async def act() -> Case:
        async with opened_persons(settings) as persons:
            return await asyncio.to_thread(_find, settings, persons.cases, persons.open(_caller(tenant), wanted))

    case = asyncio.run(act())
    _tell_counts(case)
    click.echo(f"{case.id}: kept for some days. Give a copy: parvis person export {case.id} --to FILE.zip")


@person.command("export")
@_case_argument
@data_option()
@_tenant_option
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A ZIP file.")
def export(case_id: str, data_dir: Path, tenant: str, target: Path) -> None:
    """Write the copy for the person."""

    async def act() -> bytes:
        async with opened_persons(settings_beside(data_dir)) as persons:
            return (await persons.make_copy(_caller(tenant), case_id)).read_bytes()

    content = asyncio.run(act())
    target.touch(mode=0o600)
    target.write_bytes(content)
    click.echo(f"{target}: {len(content):,} bytes")


@person.command("erase")
@_case_argument
@data_option()
@_tenant_option
@click.option("--ground", type=click.Choice(GROUNDS), required=True, help="Article 17 (1), a to f.")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.option("--wait", "wait_s", type=float, default=120.0, show_default=True, help="Seconds to wait for the end.")
def erase(case_id: str, data_dir: Path, tenant: str, ground: str, yes: bool, wait_s: float) -> None:
    """Erase what was found. The running platform does it; without one it waits for its next start."""
    settings, word = settings_beside(data_dir), CONFIRMED["en"]

    async def act() -> Case:
        async with opened_persons(settings) as persons:
            case = persons.get(_caller(tenant), case_id)
            _tell_counts(case)
            typed = word if yes else click.prompt(f"Type {word} to erase this for good", default="", show_default=False)
            await persons.erase(_caller(tenant), case_id, ground, typed)
            return await _ended(persons, tenant, case_id, wait_s)

    case = asyncio.run(act())
    if case.stage is not Stage.ERASED:
        click.echo("Not done yet: the platform goes on with it, or begins when it is started.", err=True)
        sys.exit(NOT_DONE)
    click.echo(f"{case_id}: erased. Looked for once more: {still_there(case.left)} things are left.")


@person.command("ledger")
@data_option()
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A file.")
def ledger(data_dir: Path, target: Path) -> None:
    """Write down who must not come back, to be kept beside the dumps of a database; without anybody's data."""
    erasures = read_erasures(settings_beside(data_dir))
    write_erasures(target, erasures)
    click.echo(f"{target}: {len(erasures.entries)} erasures")


@person.command("again")
@data_option()
@click.option(
    "--from", "source", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="That file."
)
def again(data_dir: Path, source: Path) -> None:
    """Erase once more whoever a restored database has brought back. Stop the platform first."""
    erasures = load_erasures(source)
    done = asyncio.run(do_again(settings_beside(data_dir), erasures))
    click.echo(told_of(done, erasures.entries))


@asynccontextmanager
async def opened_persons(settings: Settings) -> AsyncIterator[Persons]:
    async with opened_jobs(settings) as jobs:
        add_kinds(jobs, settings, None)
        access = open_access(settings)
        try:
            yield build_persons(settings, jobs, access)
        finally:
            access.store.close()


def _caller(tenant: str) -> Caller:
    return msgspec.structs.replace(COMMAND_LINE, tenant=tenant)


def _find(settings: Settings, cases: Cases, case: Case) -> Case:
    def report(part: float, words: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{part:4.0%}  {words}", nl=part >= 1, err=True)

    return find_now(settings, cases, case, report)


def _tell_counts(case: Case) -> None:
    if not case.counts:
        click.echo("Nothing was found.")
    for one in case.counts:
        click.echo(f"{one.count:>8,}  {one.place.value:14}  {one.fate.value}")


async def _ended(persons: Persons, tenant: str, case_id: str, wait_s: float) -> Case:
    case = persons.get(_caller(tenant), case_id)
    try:
        async with asyncio.timeout(wait_s):
            while case.stage is Stage.ERASING:
                await asyncio.sleep(_LOOK_EVERY_S)
                case = persons.get(_caller(tenant), case_id)
    except TimeoutError:
        pass
    return case
