"""The ways in: connectors that settings want, or, of ours, their manifest."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from parvis.bootstrap.plug_ins import PlugIn, get_plug_in, list_packaged
from parvis.broker.broker import Broker
from parvis.broker.leading import Leader, Work, new_holder
from parvis.broker.ports.leases import Leases
from parvis.fleet.commands.downlink import CommandSender
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.delivery import Outlet, Route
from parvis.fleet.network.reactions import Reactions
from parvis.fleet.ways.connector import (
    Authenticate,
    Connector,
    InvalidConnector,
    IsInForce,
    Surroundings,
    anybody,
    nobody,
)
from parvis.kernel.connector_tables import resolve_table
from parvis.kernel.jobs import JobDoor
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.shelf import Shelf


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
    is_in_force: IsInForce = anybody,
) -> dict[str, Connector]:
    """Those that are always on, and those that have settings: only these need what the environment says of them.

    Raises InvalidSettings.
    """
    wanted = {name: one for name, one in list_packaged().items() if one.manifest.is_always_on}
    wanted |= {name: get_plug_in(name) for name in settings.connectors}
    built: dict[str, Connector] = {}

    def list_routes() -> list[Route]:
        return [route for one in built.values() for route in one.routes]

    for name, plug_in in sorted(wanted.items()):
        table = _table_of(settings, name)
        place = (settings.data_dir, table, list_routes)
        keys = (authenticate, shelf, is_in_force)
        surroundings = Surroundings(fleet, broker, outbound, *place, reactions, outlet, jobs, *keys)
        built[name] = _build(name, plug_in, surroundings)
    return built


def _table_of(settings: Settings, name: str) -> Mapping[str, Any]:
    try:
        return resolve_table(settings.connectors.get(name, {}), os.environ)
    except ValueError as fault:
        raise InvalidSettings(f"connectors.{name}: {fault}") from fault


def _build(name: str, plug_in: PlugIn, surroundings: Surroundings) -> Connector:
    try:
        connector = plug_in.load()(surroundings)
    except InvalidConnector as fault:
        raise InvalidSettings(f"connectors.{name}: {fault.detail}") from fault
    except ModuleNotFoundError as fault:
        raise plug_in.needs_more(fault) from fault
    ways = surroundings.fleet.ways
    return replace(connector, works={work: ways.watched(name, run) for work, run in connector.works.items()})


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
