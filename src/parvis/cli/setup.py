"""`parvis init` and `parvis check`: before the first start, and before the next."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from parvis.bootstrap import check_exposure
from parvis.bootstrap.stores import find_access, find_store_damage
from parvis.broker.jsonld.contexts import Contexts
from parvis.cli.options import data_option, settings_beside
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles import PACKAGED_PROFILES, load_profiles
from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import TERRITORY_FILE, Settings
from parvis.kernel.territory_file import render_territory_file


@click.command()
@data_option()
@click.option("--name", help="The territory's name, as residents read it.")
@click.option("--force", is_flag=True, help="Replace a territory.toml that is there already.")
def init(data_dir: Path, name: str | None, force: bool) -> None:
    """Prepare a data directory: writes territory.toml with every setting explained."""
    path = data_dir / TERRITORY_FILE
    if path.exists() and not force:
        raise click.ClickException(f"{path} is there already. Edit it, or replace it with --force.")
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / PROFILES_FOLDER).mkdir(exist_ok=True)
    path.write_text(render_territory_file({"territory.name": name} if name else None), encoding="utf-8")
    click.echo(f"{path} is written. Edit it, then start with: parvis up --data {data_dir}")


@click.command()
@data_option()
def check(data_dir: Path) -> None:
    """Check settings, device profiles, store and audit trail; exit code 1 if anything is wrong."""
    settings = settings_beside(data_dir)
    if not settings.data_dir.is_dir():
        raise click.ClickException(f"{data_dir} is not there: give the platform's data directory with --data.")
    faults = 0
    for name, find in (
        ("settings", _exposure),
        ("device profiles", _profile_faults),
        ("store", find_store_damage),
        ("audit trail", _audit_faults),
    ):
        found = list(find(settings))
        faults += len(found)
        click.echo(f"{name}: {'; '.join(found) if found else 'sound'}")
    if faults:
        raise click.exceptions.Exit(1)


Check = Callable[[Settings], Iterator[str]]


def _exposure(settings: Settings) -> Iterator[str]:
    try:
        check_exposure(settings)
    except ParvisError as error:
        yield error.detail


def _profile_faults(settings: Settings) -> Iterator[str]:
    """Examples of a profile are run through its codec."""
    try:
        roots = [PACKAGED_PROFILES, settings.data_dir / PROFILES_FOLDER]
        load_profiles(roots, Contexts().default.expand, is_thorough=True)
    except ParvisError as error:
        yield error.detail


def _audit_faults(settings: Settings) -> Iterator[str]:
    try:
        access = find_access(settings)
    except ParvisError as error:
        yield error.detail
        return
    if access is None:
        return
    try:
        if (number := access.find_audit_break()) is not None:
            yield f"entry {number} does not follow from the one before it"
    finally:
        access.store.close()
