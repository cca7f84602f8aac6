import pytest

from parvis.demo.devices.installation import Device, generate_devices
from parvis.demo.land.territory import DEFAULT_SEED, Territory, generate_territory
from parvis.demo.simulator import Simulation, list_gateways


@pytest.fixture(scope="session")
def territory() -> Territory:
    return generate_territory(DEFAULT_SEED)


@pytest.fixture(scope="session")
def devices(territory: Territory) -> list[Device]:
    return generate_devices(territory, DEFAULT_SEED)


@pytest.fixture(scope="session")
def simulation(territory: Territory, devices: list[Device]) -> Simulation:
    return Simulation(devices, list_gateways(territory), DEFAULT_SEED)
