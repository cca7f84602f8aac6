"""Charging stations, as one process hears them."""

from parvis.connectors.ocpp.central import CentralSystem, load_tls
from parvis.connectors.ocpp.config import OcppConfig
from parvis.connectors.ocpp.records import ChargingRecords
from parvis.fleet.commands.downlink import OfTenant
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, read_config
from parvis.kernel.identity import system_caller


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, OcppConfig)
    try:
        load_tls(config)
    except OSError as fault:
        raise InvalidConnector(f"certificate, key: {fault}") from None
    caller = system_caller("ocpp", config.tenant)
    records = ChargingRecords(
        surroundings.broker, surroundings.fleet, caller, config.keeps_id_tags, reactions=surroundings.reactions
    )
    central = CentralSystem(config, records)
    sender = OfTenant(config.tenant, central)
    return Connector("ocpp", works={"central-system": central.run}, sender=sender, sends_by_its_works=True)
