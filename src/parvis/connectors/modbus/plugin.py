"""Modbus devices, asked in turn by the one process that leads."""

from functools import partial

from parvis.connectors.modbus.client import ModbusLink, ModbusReader, RegisterCommands
from parvis.connectors.modbus.config import ModbusConfig
from parvis.connectors.modbus.mapping import load_map
from parvis.fleet.commands.downlink import OfTenant
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, find_repeated, read_config
from parvis.fleet.ways.polling import Pace, PolledWay, Poller, poll_all
from parvis.fleet.ways.profile_files import profile_roots
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, ModbusConfig)
    readers = build_readers(config, surroundings)
    caller = system_caller("modbus", config.tenant)
    way = PolledWay("modbus", surroundings.fleet, caller, surroundings.reactions)
    pollers = [
        Poller(way, one.device.hardware_id, one.read, Pace(one.device.every_s, config.longest_pause_s))
        for one in readers
    ]
    poll = partial(poll_all, pollers, {reader.link for reader in readers})
    sender = OfTenant(config.tenant, RegisterCommands(readers))
    return Connector("modbus", works={"poll": poll}, sender=sender, sends_by_its_works=True)


def build_readers(config: ModbusConfig, surroundings: Surroundings) -> list[ModbusReader]:
    """Raises InvalidConnector."""
    if twice := find_repeated(device.hardware_id for device in config.device):
        raise InvalidConnector(f"two devices are named {twice}")
    roots = profile_roots(surroundings.data_dir)
    maps = {profile: load_map(profile, roots) for profile in {device.profile for device in config.device}}
    links: dict[tuple[str, int, str], ModbusLink] = {}
    readers = []
    for device in config.device:
        where = (device.host, device.port, device.framing)
        link = links.setdefault(where, ModbusLink(*where))
        readers.append(ModbusReader(device, maps[device.profile], link))
    return readers
