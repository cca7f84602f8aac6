import pytest

from parvis.demo.devices import Device, generate_devices
from parvis.demo.simulator import Simulation, list_gateways
from parvis.demo.territory import DEFAULT_SEED, Territory, generate_territory


@pytest.fixture(scope="session")
def territory() -> Territory:
    return generate_territory(DEFAULT_SEED)


@pytest.fixture(scope="session")
def devices(territory: Territory) -> list[Device]:
    return generate_devices(territory, DEFAULT_SEED)


@pytest.fixture(scope="session")
def simulation(territory: Territory, devices: list[Device]) -> Simulation:
    return Simulation(devices, list_gateways(territory), DEFAULT_SEED)
