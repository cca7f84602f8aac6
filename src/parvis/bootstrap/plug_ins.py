"""Which connectors there are: every folder of `parvis.connectors` with a `plugin.py`, and packages of others.

A package of others says `name = "package"` in the entry point group `parvis.connectors`. It is looked for when the
settings name it, never else: a start without any reads no list of packages, and nothing is on because it is installed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from parvis.fleet.ways.check import ConnectorManifest, InvalidManifest, read_manifest
from parvis.fleet.ways.connector import Build
from parvis.kernel.settings import InvalidSettings

GROUP = "parvis.connectors"
_PACKAGE = "parvis.connectors"


@dataclass(frozen=True, slots=True)
class PlugIn:
    """`distribution` is what brought it, empty where it is ours."""

    module: str
    folder: Path
    manifest: ConnectorManifest
    distribution: str = ""

    def load(self) -> Build:
        """Imports it. Raises InvalidSettings."""
        try:
            build: Build = import_module(f"{self.module}.plugin").build
        except ModuleNotFoundError as fault:
            raise self.needs_more(fault) from fault
        except (ImportError, AttributeError) as fault:
            name = self.manifest.name
            raise InvalidSettings(f"The connector {name} does not fit this version of Parvis: {fault}.") from fault
        return build

    def needs_more(self, fault: ModuleNotFoundError) -> InvalidSettings:
        name = self.manifest.name
        package = self.distribution or f"parvis[{name}]"
        return InvalidSettings(f"The connector {name} needs more: pip install '{package}' ({fault}).")


@cache
def list_packaged() -> Mapping[str, PlugIn]:
    """By name; nothing of them is imported."""
    return {one.manifest.name: one for one in sorted(_read_packaged(), key=lambda one: one.manifest.name)}


def _read_packaged() -> Iterator[PlugIn]:
    for folder in Path(str(files(_PACKAGE))).iterdir():
        if folder.joinpath("plugin.py").is_file():
            yield PlugIn(f"{_PACKAGE}.{folder.name}", folder, read_manifest(folder))


def get_plug_in(name: str) -> PlugIn:
    """Ours, or that of a package which is installed. Raises InvalidSettings."""
    if (packaged := list_packaged().get(name)) is not None:
        return packaged
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        there = sorted({*list_packaged(), *(one.name for one in entry_points(group=GROUP))})
        raise InvalidSettings(f"There is no connector {name!r}: there are {', '.join(there)}.")
    if len({one.value for one in found}) > 1:
        raise InvalidSettings(f"Several packages bring a connector {name!r}: {', '.join(map(_distribution, found))}.")
    return _read_installed(found[0])


def _read_installed(entry: EntryPoint) -> PlugIn:
    distribution = _distribution(entry)
    try:
        spec = find_spec(entry.value)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise InvalidSettings(f"The connector {entry.name} of {distribution} is no package: {entry.value!r}.")
    folder = Path(spec.submodule_search_locations[0])
    try:
        manifest = read_manifest(folder)
    except InvalidManifest as fault:
        raise InvalidSettings(f"The connector {entry.name} of {distribution} cannot be used: {fault.detail}") from None
    if manifest.name != entry.name:
        raise InvalidSettings(f"The connector {entry.name} of {distribution} calls itself {manifest.name}.")
    return PlugIn(entry.value, folder, manifest, distribution)


def _distribution(entry: EntryPoint) -> str:
    return "a package" if entry.dist is None else entry.dist.name
