"""Installs the agglomeration's devices: numbers them, gives each its hardware id, its entity and its address."""

from collections import Counter
from random import Random

import numpy as np

from parvis.demo.devices.buildings import building_devices
from parvis.demo.devices.device import Device
from parvis.demo.devices.draft import Draft, Site
from parvis.demo.devices.kinds import Kind, Way, traits_of
from parvis.demo.devices.outdoors import outdoor_devices
from parvis.demo.devices.streets import street_devices
from parvis.demo.devices.waters import water_devices
from parvis.demo.land.addresses import Gazetteer
from parvis.demo.land.geometry import to_lon_lat
from parvis.demo.land.territory import Territory
from parvis.demo.networks.networks import Networks


def survey_site(territory: Territory, networks: Networks, gazetteer: Gazetteer | None = None) -> Site:
    gazetteer = gazetteer or Gazetteer(territory.buildings, territory.roads)
    rng = Random(territory.seed * 7919 + 17)
    return Site(territory, networks, gazetteer, rng)


def place_devices(territory: Territory, networks: Networks) -> list[Device]:
    return install_devices(survey_site(territory, networks))


def install_devices(site: Site) -> list[Device]:
    """The same devices for the same seed, in the order of their kinds."""
    drafts = [*water_devices(site), *building_devices(site), *street_devices(site), *outdoor_devices(site)]
    order = {kind: number for number, kind in enumerate(Kind)}
    drafts.sort(key=lambda draft: order[draft.kind])
    numbers: Counter[tuple[Kind, int]] = Counter()
    rng = Random(site.territory.seed * 104_729 + 23)
    return [_installed(site, draft, numbers, rng) for draft in drafts]


def _installed(site: Site, draft: Draft, numbers: Counter[tuple[Kind, int]], rng: Random) -> Device:
    commune = site.territory.communes[draft.commune]
    numbers[draft.kind, draft.commune] += 1
    identity = draft.identity or f"{commune.slug}-{numbers[draft.kind, draft.commune]:02d}"
    entity_type = traits_of(draft.kind).entity_type
    lon, lat = to_lon_lat(np.array([[draft.x, draft.y]]))[0].tolist()
    return Device(
        hardware_id=_hardware_id(draft, numbers[draft.kind, draft.commune], commune.short, rng),
        name=draft.name,
        kind=draft.kind,
        entity_id=f"urn:ngsi-ld:{entity_type}:{identity}",
        x=draft.x,
        y=draft.y,
        lon=lon,
        lat=lat,
        address=f"{draft.address}, {commune.name}",
        commune=commune.name,
        link=draft.link,
        place=draft.place,
        weight=draft.weight,
        attributes={
            "address": {"streetAddress": draft.address, "addressLocality": commune.name, "addressCountry": "FR"},
            "areaServed": commune.name,
            **draft.attributes,
        },
        relations=dict(draft.relations),
    )


def _hardware_id(draft: Draft, number: int, short: str, rng: Random) -> str:
    """A DevEUI of the range that the demonstration invents, or what other devices call themselves."""
    match traits_of(draft.kind).way:
        case Way.LORAWAN:
            return f"025452{list(Kind).index(draft.kind) + 1:02x}{rng.getrandbits(32):08x}"
        case Way.OCPP:
            return draft.identity
        case Way.MQTT | Way.HTTP:
            return f"{draft.kind.value.removeprefix('trevalan-')}-{short.lower()}-{number:03d}"
