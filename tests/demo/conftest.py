from functools import cache

import pytest

from parvis.demo.devices.installation import Device, generate_devices
from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.territory import DEFAULT_SEED, Territory, generate_territory
from parvis.demo.land.ways import Ways, survey_ways
from parvis.demo.networks.networks import Networks, lay_networks
from parvis.demo.simulator import Simulation, list_gateways

SEEDS = (DEFAULT_SEED, 2)
"""What must hold of a territory holds of each of these."""


@cache
def territory_of(seed: int) -> Territory:
    return generate_territory(seed)


@cache
def ways_of(seed: int) -> Ways:
    return survey_ways(territory_of(seed))


@cache
def gazetteer_of(seed: int) -> Gazetteer:
    return Gazetteer(territory_of(seed).buildings, territory_of(seed).roads)


@cache
def networks_of(seed: int) -> Networks:
    return lay_networks(territory_of(seed), ways_of(seed), gazetteer_of(seed))


@pytest.fixture(scope="session")
def territory() -> Territory:
    return territory_of(DEFAULT_SEED)


@pytest.fixture(scope="session")
def other_territory() -> Territory:
    return territory_of(SEEDS[1])


@pytest.fixture(scope="session", params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="session")
def any_territory(seed: int) -> Territory:
    return territory_of(seed)


@pytest.fixture(scope="session")
def any_ways(seed: int) -> Ways:
    return ways_of(seed)


@pytest.fixture(scope="session")
def any_networks(seed: int) -> Networks:
    return networks_of(seed)


@pytest.fixture(scope="session")
def devices(territory: Territory) -> list[Device]:
    return generate_devices(territory, DEFAULT_SEED)


@pytest.fixture(scope="session")
def simulation(territory: Territory, devices: list[Device]) -> Simulation:
    return Simulation(devices, list_gateways(territory), DEFAULT_SEED)
