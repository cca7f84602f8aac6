"""`parvis init` and `parvis check`: before the first start, and before the next."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from parvis.bootstrap import check_exposure
from parvis.bootstrap.plug_ins import get_plug_in
from parvis.bootstrap.stores import find_access, find_store_damage
from parvis.broker.jsonld.contexts import Contexts
from parvis.cli.options import data_option, settings_beside
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.profile import PACKAGED_PROFILES, load_profiles
from parvis.fleet.ways.check import CONNECTOR_NAME, MANIFEST_FILE, PLUG_IN_PREFIX, check_connector
from parvis.fleet.ways.examples import count_examples
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
@click.argument("connector", required=False)
@data_option()
def check(connector: str | None, data_dir: Path) -> None:
    """Check settings, device profiles, connectors, store and audit trail; exit code 1 if anything is wrong.

    With CONNECTOR, its name or its folder, check that instead: the shape of its folder, and the examples of its codec.
    """
    if connector is not None:
        _check_connector(connector)
        return
    settings = settings_beside(data_dir)
    if not settings.data_dir.is_dir():
        raise click.ClickException(f"{data_dir} is not there: give the platform's data directory with --data.")
    faults = 0
    for name, find in (
        ("settings", _exposure),
        ("device profiles", _profile_faults),
        ("connectors", _connector_faults),
        ("store", find_store_damage),
        ("audit trail", _audit_faults),
    ):
        found = list(find(settings))
        faults += len(found)
        click.echo(f"{name}: {'; '.join(found) if found else 'sound'}")
    if faults:
        raise click.exceptions.Exit(1)


def _check_connector(words: str) -> None:
    folder = _folder_of(words)
    if faults := check_connector(folder):
        for fault in faults:
            click.echo(fault)
        raise click.exceptions.Exit(1)
    click.echo(f"{words}: sound, {count_examples(folder)} examples hold")


def _folder_of(words: str) -> Path:
    """A folder that is no connector may be a package's own, which holds one."""
    if CONNECTOR_NAME.fullmatch(words):
        return get_plug_in(words).folder
    within = [path.parent for path in Path(words).glob(f"src/{PLUG_IN_PREFIX}*/{MANIFEST_FILE}")]
    return within[0] if len(within) == 1 else Path(words)


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
        load_profiles(roots, Contexts().parvis.expand, is_thorough=True)
    except ParvisError as error:
        yield error.detail


def _connector_faults(settings: Settings) -> Iterator[str]:
    """Ours have the shape: of those that are switched on packages of others are looked at."""
    for name in settings.connectors:
        try:
            plug_in = get_plug_in(name)
        except ParvisError as error:
            yield error.detail
            continue
        if plug_in.distribution:
            yield from (f"{name}: {fault}" for fault in check_connector(plug_in.folder))


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
