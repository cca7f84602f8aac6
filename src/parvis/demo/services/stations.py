"""Where the national services have stations in the territory, and how the platform is to ask for them."""

from enum import StrEnum
from typing import Any, NamedTuple

from parvis.demo.land.communes import SITES
from parvis.demo.land.geometry import lon_lat
from parvis.demo.land.territory import Territory


class Service(StrEnum):
    """By the format that the way in reads it in."""

    RIVERS = "hubeau-hydrometrie"
    AIR = "lcsqa-e2"
    WEATHER = "meteofrance-6m"


class Station(NamedTuple):
    """`code` is invented: none of the real service begins with its letter. `at` is a river, or the slug of a commune.

    `weight` is the flow at one metre (m³/s), how much exhaust there is, or how exposed it stands.
    """

    service: Service
    code: str
    name: str
    at: str
    weight: float
    above_tide_m: float = 0.0

    @property
    def entity_id(self) -> str:
        """As the way in names it."""
        return f"urn:ngsi-ld:{ENTITY_TYPES[self.service]}:{self.service}:{self.code}"


class Place(NamedTuple):
    x: float
    y: float


ENTITY_TYPES = {
    Service.RIVERS: "WaterObserved",
    Service.AIR: "AirQualityObserved",
    Service.WEATHER: "WeatherObserved",
}
STATIONS = (
    Station(Service.RIVERS, "T910001001", "Le Stervenn, station nationale", "Le Stervenn", 14.0, 3100.0),
    Station(Service.RIVERS, "T910002001", "Le Dourgoad, station nationale", "Le Dourgoad", 3.2, 1900.0),
    Station(Service.RIVERS, "T910003001", "L’Hanternoz, station nationale", "L’Hanternoz", 5.5, 3900.0),
    Station(Service.AIR, "TV00101", "Trevalan, les halles, station nationale", "trevalan", 1.0),
    Station(Service.AIR, "TV00102", "Kervoalan, la rocade, station nationale", "kervoalan", 1.5),
    Station(Service.WEATHER, "T0007001", "Locvelan, l’aérodrome, station nationale", "locvelan", 1.05),
    Station(Service.WEATHER, "T0012001", "Quelvennec, la lande, station nationale", "quelvennec", 1.2),
)
BESIDE_M = (310.0, 240.0)
"""From the middle of a bourg."""
BOURGS = {one.slug: Place(one.x + BESIDE_M[0], one.y + BESIDE_M[1]) for one in SITES if not one.coastal}
"""Of communes that no shore moves: there the drawing board is the territory."""
PATHS = {
    Service.RIVERS: "/api/v2/hydrometrie/observations_tr",
    Service.AIR: "/lcsqa/temps-reel/{year}/FR_E2_{date}.csv",
    Service.WEATHER: "/public/DPObs/v2/station/infrahoraire-6m",
}
SERVICE_NAMES = {Service.RIVERS: "Hub’Eau", Service.AIR: "LCSQA", Service.WEATHER: "Météo-France"}
EVERY_S, LONGEST_PAUSE_S = 30.0, 60.0
"""More often than the real ones: there is a visitor who waits."""
RIVERS_STALE_AFTER_S = 1800.0


def story_names(service: Service) -> frozenset[str]:
    """What events find it by."""
    return frozenset({f"feed:{service}"})


def stations_of(service: Service) -> list[Station]:
    return [one for one in STATIONS if one.service is service]


def place_of(station: Station, territory: Territory) -> Place:
    if station.service is not Service.RIVERS:
        return BOURGS[station.at]
    river = next(one for one in territory.terrain.rivers if one.name == station.at)
    at = river.line.interpolate(min(river.tidal_m + station.above_tide_m, river.line.length - 300))
    return Place(at.x, at.y)


def settings_of(address: str) -> dict[str, Any]:
    """`[connectors.feeds]` for the services at `address`."""
    return {"feed": [_feed(service, address) for service in Service], "longest_pause_s": LONGEST_PAUSE_S}


def _feed(service: Service, address: str) -> dict[str, Any]:
    stations = stations_of(service)
    table = {
        "feed": service.value,
        "url": address + PATHS[service],
        "every_s": EVERY_S,
        "stations": [one.code for one in stations],
        "names": {one.code: one.name for one in stations},
    }
    match service:
        case Service.RIVERS:
            return {**table, "stale_after_s": RIVERS_STALE_AFTER_S, "query": {"date_debut_obs": ""}}  # all of the day
        case Service.AIR:
            return {**table, "places": {one.code: list(lon_lat(*BOURGS[one.at])) for one in stations}}
        case Service.WEATHER:
            return {**table, "headers": {"apikey": "trevalan"}}
