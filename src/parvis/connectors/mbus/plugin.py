"""Meters on M-Bus lines, asked in turn by the one process that leads."""

from functools import partial

from parvis.connectors.mbus.client import MBusLine, MeterReader
from parvis.connectors.mbus.config import MBusConfig
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, find_repeated, read_config
from parvis.fleet.ways.polling import Pace, PolledWay, Poller, poll_all
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, MBusConfig)
    readers = _readers(config)
    way = PolledWay("mbus", surroundings.fleet, system_caller("mbus", config.tenant))
    pollers = [
        Poller(way, one.meter.hardware_id, one.read, Pace(one.meter.every_s, config.longest_pause_s)) for one in readers
    ]
    return Connector("mbus", works={"poll": partial(poll_all, pollers, {reader.line for reader in readers})})


def _readers(config: MBusConfig) -> list[MeterReader]:
    if twice := find_repeated(meter.hardware_id for meter in config.meter):
        raise InvalidConnector(f"two meters are named {twice}")
    lines: dict[tuple[str, int], MBusLine] = {}
    return [
        MeterReader(meter, lines.setdefault((meter.host, meter.port), MBusLine(meter.host, meter.port)))
        for meter in config.meter
    ]
