"""The ways in: every folder of `parvis.connectors` with a `plugin.py`, where its settings or its manifest want it."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib import import_module
from importlib.resources import files
from typing import Any

from parvis.broker.broker import Broker
from parvis.broker.leading import Leader, Work, new_holder
from parvis.broker.ports.leases import Leases
from parvis.fleet.connector import Authenticate, Build, Connector, InvalidConnector, Surroundings, nobody
from parvis.fleet.delivery import Outlet, Route
from parvis.fleet.downlink import CommandSender
from parvis.fleet.fleet import Fleet
from parvis.fleet.reactions import Reactions
from parvis.kernel.jobs import JobDoor
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.shelf import Shelf

_PACKAGE = "parvis.connectors"


@cache
def list_manifests() -> Mapping[str, Mapping[str, Any]]:
    """The manifest of each folder that can be plugged in, by name; nothing of it is imported."""
    return dict(sorted(_read_manifests()))


def _read_manifests() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for folder in files(_PACKAGE).iterdir():
        if folder.joinpath("plugin.py").is_file():
            yield folder.name, tomllib.loads(folder.joinpath("manifest.toml").read_text(encoding="utf-8"))


def build_connectors(
    settings: Settings,
    broker: Broker,
    fleet: Fleet,
    outbound: OutboundHttp,
    reactions: Reactions,
    outlet: Outlet,
    jobs: JobDoor,
    authenticate: Authenticate = nobody,
    shelf: Shelf | None = None,
) -> dict[str, Connector]:
    """Those that are always on, and those that have settings. Raises InvalidSettings."""
    manifests = list_manifests()
    if unknown := settings.connectors.keys() - manifests:
        raise InvalidSettings(f"There is no connector {min(unknown)!r}: there are {', '.join(manifests)}.")
    wanted = [name for name, one in manifests.items() if one.get("is_always_on") or name in settings.connectors]
    built: dict[str, Connector] = {}

    def list_routes() -> list[Route]:
        return [route for one in built.values() for route in one.routes]

    for name in wanted:
        table = settings.connectors.get(name, {})
        surroundings = Surroundings(
            fleet, broker, outbound, settings.data_dir, table, list_routes, reactions, outlet, jobs, authenticate, shelf
        )
        built[name] = _build(name, surroundings)
    return built


def _build(name: str, surroundings: Surroundings) -> Connector:
    try:
        build: Build = import_module(f"{_PACKAGE}.{name}.plugin").build
        return build(surroundings)
    except InvalidConnector as fault:
        raise InvalidSettings(f"connectors.{name}: {fault.detail}") from fault
    except ModuleNotFoundError as fault:
        raise InvalidSettings(f"The connector {name} needs more: pip install 'parvis[{name}]' ({fault}).") from fault


def senders_of(connectors: Mapping[str, Connector]) -> dict[str, CommandSender]:
    return {name: one.sender for name, one in connectors.items() if one.sender is not None}


def run_connectors(
    connectors: Mapping[str, Connector], leases: Leases, keep_running: Callable[[Work, str], None]
) -> None:
    """Start what connectors do by themselves; of several processes one does it. Not those of `sending_works`."""
    for connector in connectors.values():
        if connector.sends_by_its_works:
            continue
        for work_name, work in connector.works.items():
            leader = Leader(leases, f"{connector.name}/{work_name}", new_holder())
            keep_running(partial(leader.run, work), f"{connector.name}: {work_name}")


def sending_works(connectors: Mapping[str, Connector]) -> dict[str, Work]:
    """What has to run in the process that sends commands, by a name of its own."""
    return {
        f"{connector.name}: {work_name}": work
        for connector in connectors.values()
        if connector.sends_by_its_works
        for work_name, work in connector.works.items()
    }
