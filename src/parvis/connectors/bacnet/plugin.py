"""Controllers on BACnet/IP, heard and asked by the one process that leads."""

import asyncio

from parvis.connectors.bacnet.client import WAY, BacnetFollower, BacnetPort, BacnetReader, PointCommands
from parvis.connectors.bacnet.config import BacnetConfig
from parvis.connectors.bacnet.mapping import load_points
from parvis.fleet.commands.downlink import OfTenant
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, find_repeated, read_config
from parvis.fleet.ways.polling import Pace, PolledWay, Poller
from parvis.fleet.ways.profile_files import profile_roots
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, BacnetConfig)
    port = BacnetPort(config)
    readers = _readers(config, port, surroundings)
    way = PolledWay(WAY, surroundings.fleet, system_caller(WAY, config.tenant), surroundings.reactions)

    async def listen() -> None:
        async with port.opened(), asyncio.TaskGroup() as tasks:
            for process, reader in enumerate(readers, 1):
                pace = Pace(reader.device.every_s, config.longest_pause_s)
                tasks.create_task(Poller(way, reader.device.hardware_id, reader.read, pace).run())
                if reader.device.follows_changes:
                    follower = BacnetFollower(reader, process, way.fleet, way.caller, config.subscribe_for_s)
                    tasks.create_task(follower.run())
            await asyncio.Event().wait()

    sender = OfTenant(config.tenant, PointCommands(readers))
    return Connector(WAY, works={"listen": listen}, sender=sender, sends_by_its_works=True)


def _readers(config: BacnetConfig, port: BacnetPort, surroundings: Surroundings) -> list[BacnetReader]:
    for what in ("hardware_id", "instance"):
        if (twice := find_repeated(getattr(device, what) for device in config.device)) is not None:
            raise InvalidConnector(f"two devices have the {what} {twice}")
    if "/32" in config.address and (lost := [one.hardware_id for one in config.device if not one.address]):
        raise InvalidConnector(f"{lost[0]} has no address, and a network of one address has nobody to ask for it")
    roots = profile_roots(surroundings.data_dir)
    lists = {profile: load_points(profile, roots) for profile in {device.profile for device in config.device}}
    return [BacnetReader(device, lists[device.profile], port) for device in config.device]
