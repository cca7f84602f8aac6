"""The radio life of the territory: which device sends what when, and which gateway hears it."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot, log10

import msgspec

from parvis.demo.clockwork import US_PER_S, Instant, chance
from parvis.demo.devices.installation import Device
from parvis.demo.land.geometry import lon_lat
from parvis.demo.land.territory import Territory
from parvis.demo.payloads import encode
from parvis.demo.sensors import sensor_of
from parvis.demo.weather import Weather

FRAMES_COUNT_FROM_S = 1_704_067_200
JITTER_SHARE = 0.3
GATEWAY_BOURGS = ("trevalan", "port-trevalan", "plouvarec", "locvelan", "saint-gwenvred")


class Uplink(msgspec.Struct, frozen=True):
    time: Instant
    dev_eui: str
    f_port: int
    payload: bytes
    f_cnt: int
    rssi: int
    snr: float
    gateway_id: str


@dataclass(frozen=True, slots=True)
class Gateway:
    gateway_id: str
    name: str
    x: float
    y: float
    lon: float
    lat: float


class Simulation:
    def __init__(self, devices: Sequence[Device], gateways: Sequence[Gateway], seed: int) -> None:
        self._seed = seed
        self._devices = tuple(devices)
        self.weather = Weather(seed)
        self._sensors = [sensor_of(device, self.weather, seed) for device in self._devices]
        self.gateways = tuple(gateways)
        self._heard_by = [self._nearest_gateway(device) for device in self._devices]

    def uplinks(self, start: Instant, end: Instant | None = None) -> Iterator[Uplink]:
        """All uplinks with start <= time < end, in order of time; without an end, for ever."""
        queue = []
        for index in range(len(self._devices)):
            slot = self._slot(index, start)
            while (time := self._sent_at(index, slot)) < start:
                slot += 1
            queue.append((time, index, slot))
        heapq.heapify(queue)
        while queue and (end is None or queue[0][0] < end):
            time, index, slot = queue[0]
            yield self._uplink(time, index, slot)
            heapq.heapreplace(queue, (self._sent_at(index, slot + 1), index, slot + 1))

    def _slot(self, index: int, time: Instant) -> int:
        return int(time // (self._devices[index].period_s * US_PER_S)) - 2

    def _sent_at(self, index: int, slot: int) -> Instant:
        """The slot's own time, shifted by the device's phase and up to 0.3 periods of jitter."""
        phase = chance(self._seed, index, -1)
        jitter = JITTER_SHARE * chance(self._seed, index, slot)
        return int((slot + phase + jitter) * self._devices[index].period_s * US_PER_S)

    def _uplink(self, time: Instant, index: int, slot: int) -> Uplink:
        device = self._devices[index]
        frame = encode(self._sensors[index](time / US_PER_S))
        gateway, rssi = self._heard_by[index]
        fading = 8 * chance(self._seed, index + 100_000, slot) - 4
        return Uplink(
            time=time,
            dev_eui=device.dev_eui,
            f_port=frame.f_port,
            payload=frame.payload,
            f_cnt=slot - FRAMES_COUNT_FROM_S // device.period_s,
            rssi=round(max(-138, rssi + fading)),
            snr=round(max(-19.5, min(13.5, (rssi + fading + 117) / 2.2)) * 4) / 4,
            gateway_id=gateway.gateway_id,
        )

    def _nearest_gateway(self, device: Device) -> tuple[Gateway, float]:
        """Path loss over open ground with a margin for walls: 128 dB at a kilometre, 32 dB a decade."""
        gateway = min(self.gateways, key=lambda each: hypot(each.x - device.x, each.y - device.y))
        distance_km = max(0.05, hypot(gateway.x - device.x, gateway.y - device.y) / 1000)
        return gateway, 16 - 112 - 27 * log10(distance_km)


def list_gateways(territory: Territory) -> list[Gateway]:
    """One on the town hall of each of five bourgs."""
    gateways = []
    for number, slug in enumerate(GATEWAY_BOURGS):
        index = territory.commune_index(slug)
        hall = next(each for each in territory.facilities if each.commune == index)
        at = hall.footprint.representative_point()
        lon, lat = lon_lat(at.x, at.y)
        gateways.append(Gateway(f"025452fffe00{number + 1:04x}", f"Antenne {hall.name}", at.x, at.y, lon, lat))
    return gateways
