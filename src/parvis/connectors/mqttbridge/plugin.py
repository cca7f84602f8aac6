"""Sessions at the brokers of the settings; each is held by one process at a time."""

import msgspec

from parvis.broker.leading import Work
from parvis.connectors.mqttbridge.bridge import Bridge
from parvis.connectors.mqttbridge.config import BrokerConfig, check_broker
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings


def build(surroundings: Surroundings) -> Connector:
    works: dict[str, Work] = {}
    for name, config in read_brokers(surroundings).items():
        for session in range(1, config.sessions + 1):
            bridge = Bridge(name, config, surroundings.routes, surroundings.fleet, session)
            works[bridge.name] = bridge.run
    return Connector("mqttbridge", works=works)


def read_brokers(surroundings: Surroundings) -> dict[str, BrokerConfig]:
    """Raises InvalidConnector."""
    try:
        brokers = msgspec.convert(dict(surroundings.table), dict[str, BrokerConfig])
    except msgspec.ValidationError as error:
        raise InvalidConnector(str(error)) from None
    for name, config in brokers.items():
        check_broker(name, config)
    return brokers
