"""Sets the stage: what of land, networks and devices something can happen to."""

from collections.abc import Iterator, Mapping, Sequence

from parvis.connectors.ocpp.records import connector_id
from parvis.demo.devices.device import Device, Target
from parvis.demo.devices.kinds import Kind
from parvis.demo.land.territory import Territory
from parvis.demo.networks.networks import Networks
from parvis.demo.readings.table import SILENT_WITHOUT_POWER
from parvis.demo.services.stations import SERVICE_NAMES, Service, place_of, stations_of, story_names
from parvis.demo.story.stage import Placed, Spot, Stage
from parvis.demo.story.stage import place_of as place_of_device
from parvis.fleet.devices.records import device_id

NEEDS_CURRENT = SILENT_WITHOUT_POWER | {Kind.LIGHTING, Kind.PV}


def set_stage(territory: Territory, networks: Networks, devices: Sequence[Device]) -> Stage:
    slug_of = {commune.name: commune.slug for commune in territory.communes}
    setter = _Setter(territory, networks, devices, slug_of)
    return Stage(
        [
            *setter.communes(),
            *setter.loggers(),
            *setter.pumps(),
            *setter.circuits(),
            *setter.feeders(),
            *setter.venues(),
            *setter.services(),
            *setter.devices_by_kind(),
        ],
        list(setter.placed()),
    )


class _Setter:
    def __init__(
        self, territory: Territory, networks: Networks, devices: Sequence[Device], slug_of: Mapping[str, str]
    ) -> None:
        self._territory, self._networks, self._devices, self._slug_of = territory, networks, devices, slug_of
        self._entity_at = {(one.link.target, one.link.id): one.entity_id for one in devices}

    def _slug(self, commune: int) -> str:
        return self._territory.communes[commune].slug

    def _first_of(self, kind: Kind, commune: str) -> str:
        return next((one.entity_id for one in self._devices if one.kind is kind and self._is_in(one, commune)), "")

    def _is_in(self, device: Device, commune: str) -> bool:
        return self._slug_of.get(device.commune, device.commune) == commune

    def communes(self) -> Iterator[tuple[str, Spot]]:
        for town, commune in zip(self._territory.towns, self._territory.communes, strict=True):
            names = frozenset({f"commune:{commune.slug}"})
            radio = frozenset({f"radio:{commune.slug}"})
            look = self._first_of(Kind.FILL, commune.slug)
            yield "commune", Spot(names, town.x, town.y, commune.slug, commune.name, look)
            yield "radio", Spot(radio, town.x, town.y, commune.slug, commune.name, look)

    def loggers(self) -> Iterator[tuple[str, Spot]]:
        """Junctions where somebody sees the pressure fall; those on thin pipes first, where it falls most."""
        districts = self._networks.water.districts
        junctions = {one.id: one for one in self._networks.water.junctions}
        widest_mm = self._widest_mm()
        for device in sorted(self._devices, key=lambda one: widest_mm.get(one.link.id, 0)):
            if device.kind is Kind.PRESSURE and device.link.target is Target.JUNCTION:
                at = junctions[device.link.id]
                names = {f"junction:{at.id}"}
                if at.district is not None:
                    names.add(f"district:{districts[at.district].id}")
                slug = self._slug(at.commune)
                yield "main", Spot(frozenset(names), at.x, at.y, slug, device.address, device.entity_id)

    def _widest_mm(self) -> dict[str, int]:
        """By junction: the widest pipe that ends there."""
        found: dict[str, int] = {}
        for pipe in self._networks.water.pipes:
            for end in (pipe.start, pipe.end):
                found[end] = max(found.get(end, 0), pipe.diameter_mm)
        return found

    def pumps(self) -> Iterator[tuple[str, Spot]]:
        towers = {one.id: one for one in self._networks.water.towers}
        for pump in self._networks.water.pumps:
            tower = towers[pump.tower]
            look = self._entity_at.get((Target.TOWER, tower.id), "")
            names = frozenset({f"pump:{pump.id}", f"tower:{tower.id}"})
            yield "pump", Spot(names, tower.x, tower.y, self._slug(tower.commune), tower.name, look)

    def circuits(self) -> Iterator[tuple[str, Spot]]:
        """Of the cabinets that somebody listens to."""
        for circuit in self._networks.lighting.circuits:
            cabinet = self._networks.lighting.cabinets[circuit.cabinet]
            look = self._entity_at.get((Target.CABINET, cabinet.id), "")
            names = frozenset({f"circuit:{circuit.id}"})
            if look:
                yield "circuit", Spot(names, cabinet.x, cabinet.y, self._slug(circuit.commune), circuit.name, look)

    def feeders(self) -> Iterator[tuple[str, Spot]]:
        """With all that hangs on their substations."""
        power, lighting = self._networks.power, self._networks.lighting
        for number, feeder in enumerate(power.feeders):
            fed = {place for place, one in enumerate(power.substations) if one.feeder == number}
            cabinets = [one for one in lighting.cabinets if one.substation in fed]
            names = {f"feeder:{feeder.id}"} | {f"substation:{power.substations[place].id}" for place in fed}
            names |= {f"cabinet:{one.id}" for one in cabinets}
            names |= {f"circuit:{lighting.circuits[place].id}" for one in cabinets for place in one.circuits}
            names |= {f"charging station:{one.id}" for one in power.charging if one.substation in fed}
            names |= {f"roof:{one.id}" for one in power.roofs if one.substation in fed}
            names |= {f"building:{place}" for place, at in enumerate(power.substation_of_building) if at in fed}
            look = next((found for one in cabinets if (found := self._entity_at.get((Target.CABINET, one.id)))), "")
            first = power.substations[min(fed)] if fed else None
            if first is not None:
                slug = self._slug(first.commune)
                yield "feeder", Spot(frozenset(names), first.x, first.y, slug, feeder.name, look)

    def venues(self) -> Iterator[tuple[str, Spot]]:
        for venue in self._territory.venues:
            look = self._entity_at.get((Target.VENUE, venue.id), "")
            slug = self._slug(venue.commune)
            yield venue.kind.value, Spot(frozenset({f"venue:{venue.id}"}), venue.x, venue.y, slug, venue.name, look)

    def services(self) -> Iterator[tuple[str, Spot]]:
        """Of open data; what is seen of one is its first station."""
        for service in Service:
            station = stations_of(service)[0]
            x, y = place_of(station, self._territory)
            yield "feed", Spot(story_names(service), x, y, "", SERVICE_NAMES[service], station.entity_id)

    def placed(self) -> Iterator[Placed]:
        """Devices, with the connectors of charging stations."""
        points = {one.id: len(one.points) for one in self._networks.power.charging}
        for one in self._devices:
            place = place_of_device(one, self._slug_of.get(one.commune, one.commune))
            numbers = range(1, points[one.link.id] + 1) if one.kind is Kind.CHARGING else ()
            connectors = (connector_id(one.hardware_id, str(number)) for number in numbers)
            yield Placed(place, (one.entity_id, *connectors), one.kind in NEEDS_CURRENT)

    def devices_by_kind(self) -> Iterator[tuple[str, Spot]]:
        for one in self._devices:
            slug = self._slug_of.get(one.commune, one.commune)
            device = device_id(one.hardware_id)
            yield one.kind.value, Spot(frozenset({one.entity_id}), one.x, one.y, slug, one.name, one.entity_id, device)
