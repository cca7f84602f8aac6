"""Meters on M-Bus lines, asked in turn by the one process that leads."""

from parvis.connectors.mbus.client import MBusLine, MeterReader
from parvis.connectors.mbus.config import MBusConfig
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, read_config
from parvis.fleet.ways.polling import Pace, Poller, poll_all
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, MBusConfig)
    readers = _readers(config)
    caller = system_caller("mbus", config.tenant)
    pollers = [
        Poller(
            surroundings.fleet,
            caller,
            "mbus",
            reader.meter.hardware_id,
            reader.read,
            Pace(reader.meter.every_s, config.longest_pause_s),
        )
        for reader in readers
    ]
    lines = {reader.line for reader in readers}

    async def poll() -> None:
        try:
            await poll_all(pollers)
        finally:
            for line in lines:
                line.close()

    return Connector("mbus", works={"poll": poll})


def _readers(config: MBusConfig) -> list[MeterReader]:
    names = [meter.hardware_id for meter in config.meter]
    if twice := {one for one in names if names.count(one) > 1}:
        raise InvalidConnector(f"two meters are named {min(twice)}")
    lines: dict[tuple[str, int], MBusLine] = {}
    return [
        MeterReader(meter, lines.setdefault((meter.host, meter.port), MBusLine(meter.host, meter.port)))
        for meter in config.meter
    ]
