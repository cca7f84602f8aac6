from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from parvis.demo.devices.device import Device
from parvis.demo.devices.install import install_devices, survey_site
from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.territory import DEFAULT_SEED, Territory, generate_territory
from parvis.demo.land.ways import Ways, survey_ways
from parvis.demo.nature.nature import Nature
from parvis.demo.networks.networks import Networks, lay_networks
from parvis.demo.readings.scene import Scene
from parvis.demo.scenery import Scenery
from parvis.demo.story.events import Event
from parvis.demo.story.story import Story

SEEDS = (DEFAULT_SEED, 2)
"""What must hold of a territory holds of each of these."""

BEGUN_S = 1_773_133_200.0
"""10 March 2026, a Tuesday, at 09:00 UTC."""
SetScene = Callable[..., Scene]
"""With these events in its story."""


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
def networks() -> Networks:
    return networks_of(DEFAULT_SEED)


@pytest.fixture(scope="session")
def devices(territory: Territory, networks: Networks) -> tuple[Device, ...]:
    return tuple(install_devices(survey_site(territory, networks, gazetteer_of(DEFAULT_SEED))))


@pytest.fixture(scope="session")
def scenery(territory: Territory, networks: Networks, devices: tuple[Device, ...]) -> Scenery:
    return Scenery(DEFAULT_SEED, territory, networks, devices)


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the water network, which take seconds to solve."""
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="session")
def set_scene(scenery: Scenery, states: Path) -> SetScene:
    slugs = {one.name: one.slug for one in scenery.territory.communes}

    def scene(*events: Event) -> Scene:
        nature = Nature(DEFAULT_SEED, Story(BEGUN_S, events), scenery.networks.water, states)
        return Scene(nature, scenery.networks, slugs)

    return scene
