"""Modbus devices, asked in turn by the one process that leads."""

from parvis.connectors.modbus.client import ModbusLink, ModbusReader, RegisterCommands
from parvis.connectors.modbus.config import ModbusConfig
from parvis.connectors.modbus.mapping import load_map
from parvis.fleet.commands.downlink import OfTenant
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.profile import PACKAGED_PROFILES
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, read_config
from parvis.fleet.ways.polling import Pace, Poller, poll_all
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, ModbusConfig)
    readers = build_readers(config, surroundings)
    caller = system_caller("modbus", config.tenant)
    pollers = [
        Poller(
            surroundings.fleet,
            caller,
            "modbus",
            reader.device.hardware_id,
            reader.read,
            Pace(reader.device.every_s, config.longest_pause_s),
            surroundings.reactions,
        )
        for reader in readers
    ]
    links = {reader.link for reader in readers}

    async def poll() -> None:
        try:
            await poll_all(pollers)
        finally:
            for link in links:
                link.close()

    sender = OfTenant(config.tenant, RegisterCommands(readers))
    return Connector("modbus", works={"poll": poll}, sender=sender, sends_by_its_works=True)


def build_readers(config: ModbusConfig, surroundings: Surroundings) -> list[ModbusReader]:
    """Raises InvalidConnector."""
    names = [device.hardware_id for device in config.device]
    if twice := {one for one in names if names.count(one) > 1}:
        raise InvalidConnector(f"two devices are named {min(twice)}")
    roots = [surroundings.data_dir / PROFILES_FOLDER, PACKAGED_PROFILES]
    maps = {profile: load_map(profile, roots) for profile in {device.profile for device in config.device}}
    links: dict[tuple[str, int, str], ModbusLink] = {}
    readers = []
    for device in config.device:
        where = (device.host, device.port, device.framing)
        link = links.setdefault(where, ModbusLink(*where))
        readers.append(ModbusReader(device, maps[device.profile], link))
    return readers
