"""Controllers on BACnet/IP, heard and asked by the one process that leads."""

import asyncio

from parvis.connectors.bacnet.client import WAY, BacnetFollower, BacnetPort, BacnetReader, PointCommands
from parvis.connectors.bacnet.config import BacnetConfig
from parvis.connectors.bacnet.mapping import load_points
from parvis.fleet.commands.downlink import OfTenant
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.profile import PACKAGED_PROFILES
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, read_config
from parvis.fleet.ways.polling import Pace, Poller
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, BacnetConfig)
    port = BacnetPort(config)
    readers = _readers(config, port, surroundings)
    caller = system_caller(WAY, config.tenant)
    fleet = surroundings.fleet

    async def listen() -> None:
        async with port.opened(), asyncio.TaskGroup() as tasks:
            for process, reader in enumerate(readers, 1):
                pace = Pace(reader.device.every_s, config.longest_pause_s)
                poller = Poller(
                    fleet, caller, WAY, reader.device.hardware_id, reader.read, pace, surroundings.reactions
                )
                tasks.create_task(poller.run())
                if reader.device.follows_changes:
                    follower = BacnetFollower(reader, process, fleet, caller, config.subscribe_for_s)
                    tasks.create_task(follower.run())
            await asyncio.Event().wait()

    sender = OfTenant(config.tenant, PointCommands(readers))
    return Connector(WAY, works={"listen": listen}, sender=sender, sends_by_its_works=True)


def _readers(config: BacnetConfig, port: BacnetPort, surroundings: Surroundings) -> list[BacnetReader]:
    for what in ("hardware_id", "instance"):
        told = [getattr(device, what) for device in config.device]
        if twice := sorted({one for one in told if told.count(one) > 1}):
            raise InvalidConnector(f"two devices have the {what} {twice[0]}")
    if "/32" in config.address and (lost := [one.hardware_id for one in config.device if not one.address]):
        raise InvalidConnector(f"{lost[0]} has no address, and a network of one address has nobody to ask for it")
    roots = [surroundings.data_dir / PROFILES_FOLDER, PACKAGED_PROFILES]
    lists = {profile: load_points(profile, roots) for profile in {device.profile for device in config.device}}
    return [BacnetReader(device, lists[device.profile], port) for device in config.device]
