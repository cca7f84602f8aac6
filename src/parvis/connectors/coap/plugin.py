"""CoAP beside HTTP push, with the same mappings; and LwM2M."""

from functools import partial

from parvis.connectors.coap.config import CoapConfig
from parvis.connectors.coap.server import serve
from parvis.fleet.documents.mapping import MAPPINGS_FOLDER, PACKAGED_MAPPINGS, InvalidDocumentMapping, load_mappings
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, read_config
from parvis.kernel.time import system_clock


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, CoapConfig)
    try:
        mappings = load_mappings([PACKAGED_MAPPINGS, surroundings.data_dir / MAPPINGS_FOLDER])
    except InvalidDocumentMapping as fault:
        raise InvalidConnector(fault.detail) from fault
    work = partial(
        serve,
        config,
        surroundings.fleet,
        mappings,
        surroundings.authenticate,
        system_clock,
        surroundings.shelf,
        surroundings.is_in_force,
    )
    return Connector("coap", works={"server": work})
