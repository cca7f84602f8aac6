"""Charging stations, as one process hears them."""

from parvis.connectors.ocpp.central import CentralSystem
from parvis.connectors.ocpp.config import OcppConfig
from parvis.connectors.ocpp.records import ChargingRecords
from parvis.fleet.connector import Connector, Surroundings, read_config
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, OcppConfig)
    caller = system_caller("ocpp", config.tenant)
    records = ChargingRecords(surroundings.broker, surroundings.fleet, caller, config.keeps_id_tags)
    central = CentralSystem(config, records)
    return Connector("ocpp", works={"central-system": central.run}, sender=central)
