"""All networks of a territory as one value, laid from its seed."""

from dataclasses import dataclass

from parvis.demo.networks.buses import BusNetwork
from parvis.demo.networks.lighting import Lighting
from parvis.demo.networks.power import PowerGrid
from parvis.demo.networks.water import WaterNetwork


@dataclass(frozen=True, slots=True)
class Networks:
    water: WaterNetwork
    power: PowerGrid
    lighting: Lighting
    buses: BusNetwork
