"""All networks of a territory as one value, laid from its seed."""

from dataclasses import dataclass

from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.territory import Territory
from parvis.demo.land.ways import Ways, survey_ways
from parvis.demo.networks.buses import BusNetwork
from parvis.demo.networks.lamps import set_lamps
from parvis.demo.networks.lighting import Lighting
from parvis.demo.networks.mains import lay_water
from parvis.demo.networks.power import PowerGrid
from parvis.demo.networks.service import run_buses
from parvis.demo.networks.supply import lay_power
from parvis.demo.networks.water import WaterNetwork


@dataclass(frozen=True, slots=True)
class Networks:
    water: WaterNetwork
    power: PowerGrid
    lighting: Lighting
    buses: BusNetwork


def lay_networks(territory: Territory, ways: Ways | None = None, gazetteer: Gazetteer | None = None) -> Networks:
    """The same networks for the same territory; `ways` and `gazetteer` spare the work where they are there already."""
    ways = ways or survey_ways(territory)
    gazetteer = gazetteer or Gazetteer(territory.buildings, territory.roads)
    power = lay_power(territory, ways, gazetteer)
    return Networks(
        water=lay_water(territory, ways, gazetteer),
        power=power,
        lighting=set_lamps(territory, power, gazetteer),
        buses=run_buses(territory, ways),
    )
