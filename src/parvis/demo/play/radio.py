"""Which gateways hear a device, and how well."""

from collections.abc import Sequence
from math import hypot, log10
from typing import NamedTuple

from parvis.demo.clockwork import chance
from parvis.demo.devices.device import Device
from parvis.demo.land.geometry import lon_lat
from parvis.demo.land.territory import Territory

GATEWAY_BOURGS = ("trevalan", "port-trevalan", "plouvarec", "locvelan", "saint-gwenvred", "trezavel", "penhervan")
WEAKEST_DBM, FAINTEST_DB = -137.0, -19.5
MOST_HEARING = 3


class Gateway(NamedTuple):
    gateway_id: str
    name: str
    x: float
    y: float
    lon: float
    lat: float


class Reception(NamedTuple):
    gateway: Gateway
    rssi: int
    snr: float


class Radio:
    def __init__(self, gateways: Sequence[Gateway], seed: int) -> None:
        self._gateways, self._seed = tuple(gateways), seed

    def receptions(self, device: Device, key: int, slot: int) -> list[Reception]:
        """Of one frame, the best first; the nearest gateway hears all that is not lost."""
        ranked = sorted((self._mean_dbm(device, one), one) for one in self._gateways)[::-1][:MOST_HEARING]
        heard = [self._reception(level, one, key + number, slot) for number, (level, one) in enumerate(ranked)]
        audible = [one for one in heard if one.rssi > WEAKEST_DBM]
        return sorted(audible or heard[:1], key=lambda one: -one.rssi)

    def _mean_dbm(self, device: Device, gateway: Gateway) -> float:
        """Path loss over open ground with a margin for walls: 128 dB at a kilometre, 27 dB a decade."""
        distance_km = max(0.05, hypot(gateway.x - device.x, gateway.y - device.y) / 1000)
        return 16 - 112 - 27 * log10(distance_km)

    def _reception(self, level_dbm: float, gateway: Gateway, key: int, slot: int) -> Reception:
        level = max(-138.0, level_dbm + 8 * chance(self._seed, key + 100_000, slot) - 4)
        snr = round(max(FAINTEST_DB, min(13.5, (level + 117) / 2.2)) * 4) / 4
        return Reception(gateway, round(level), snr)


def list_gateways(territory: Territory) -> list[Gateway]:
    """One on the town hall of each of seven bourgs."""
    gateways = []
    for number, slug in enumerate(GATEWAY_BOURGS):
        index = territory.commune_index(slug)
        hall = next(each for each in territory.facilities if each.commune == index)
        at = hall.footprint.representative_point()
        lon, lat = lon_lat(at.x, at.y)
        gateways.append(Gateway(f"025452fffe00{number + 1:04x}", f"Antenne {hall.name}", at.x, at.y, lon, lat))
    return gateways
