"""`parvis new connector`: a connector that works, to be made into another."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from parvis import __version__
from parvis.fleet.ways.check import CONNECTOR_NAME, PLUG_IN_PREFIX

_TEMPLATES = "connector_template"
_OF_THE_FOLDER = (
    "README.md",
    "__init__.py",
    "codec.py",
    "config.py",
    "examples.json",
    "manifest.toml",
    "plugin.py",
)
_CONNECTORS = Path("src/parvis/connectors")
_CONNECTORS_PACKAGE = "parvis.connectors"
_OUR_IMPORTS = re.compile(r"^(?:from parvis.*\n)+", re.MULTILINE)


@click.group()
def new() -> None:
    """Begin something that others have begun before."""


@new.command("connector")
@click.argument("name")
@click.option(
    "--into",
    "parent",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    show_default=True,
    help="Where the package parvis-NAME is made.",
)
@click.option(
    "--checkout",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Make it a part of Parvis instead, in this checkout of its source.",
)
def new_connector(name: str, parent: Path, checkout: Path | None) -> None:
    """Make a connector NAME that works: it takes JSON by HTTP and MQTT.

    It is a package of its own, parvis-NAME, to be installed beside Parvis and switched on with [connectors.NAME].
    """
    if not CONNECTOR_NAME.fullmatch(name):
        wanted = "2 to 31 small letters and digits, beginning with a letter"
        raise click.BadParameter(f"a name is {wanted}", param_hint="NAME")
    if files(_CONNECTORS_PACKAGE).joinpath(name).is_dir():
        raise click.ClickException(f"There is a connector {name} already.")
    root = parent.resolve() / f"parvis-{name}"
    made = _part_of_parvis(name, checkout) if checkout else _package(name, root)
    _write(dict(made))
    if checkout:
        click.echo(f"Try it: python -m pytest tests/connectors/{name}")
        return
    click.echo(f"Install it: pip install --editable '{root}[dev]'")
    click.echo(f"Try it: python -m pytest {root}")


def _package(name: str, root: Path) -> Iterator[tuple[Path, str]]:
    package = f"{PLUG_IN_PREFIX}{name}"
    yield root / "pyproject.toml", _filled("pyproject.toml", name, package)
    yield root / "tests" / f"test_{name}.py", _filled("test.py", name, package)
    yield from _folder(name, root / "src" / package, package)


def _part_of_parvis(name: str, checkout: Path) -> Iterator[tuple[Path, str]]:
    if not (checkout / _CONNECTORS).is_dir():
        raise click.ClickException(f"{checkout} is no checkout of Parvis: it has no {_CONNECTORS}.")
    package = f"{_CONNECTORS_PACKAGE}.{name}"
    yield checkout / "tests/connectors" / name / f"test_{name}.py", _filled("test.py", name, package)
    yield from _folder(name, checkout / _CONNECTORS / name, package)


def _folder(name: str, folder: Path, package: str) -> Iterator[tuple[Path, str]]:
    for file in _OF_THE_FOLDER:
        yield folder / file, _filled(file, name, package)


def _filled(file: str, name: str, package: str) -> str:
    text = files("parvis.cli").joinpath(_TEMPLATES, f"{file}.txt").read_text(encoding="utf-8")
    filled = Template(text).substitute(name=name, title=name.capitalize(), package=package, version=__version__)
    return _OUR_IMPORTS.sub(lambda found: "".join(sorted(found[0].splitlines(keepends=True))), filled)


def _write(made: dict[Path, str]) -> None:
    """All of it or, where something is there already, nothing."""
    for path in made:
        if path.exists():
            raise click.ClickException(f"{path} is there already.")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(path)
