"""What readings are made of: nature, the networks that devices hang on, and what happens there."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from numpy.typing import NDArray

from parvis.demo.devices.device import Device
from parvis.demo.nature.chance import Bools, Times
from parvis.demo.nature.nature import Nature
from parvis.demo.nature.remembered import Remembered
from parvis.demo.networks.lighting import Cabinet
from parvis.demo.networks.networks import Networks
from parvis.demo.networks.power import ChargingStation, Roof
from parvis.demo.networks.water import District, Tower
from parvis.demo.story.events import Effects, Place
from parvis.demo.story.stage import place_of
from parvis.demo.story.story import Story

Columns = dict[str, NDArray[Any]]
"""By field, as the device's codec names it: numbers in the field's unit, words as objects; one value for each time."""
Read = Callable[[Times, Effects], Columns]
Thing = TypeVar("Thing")


class Told(NamedTuple):
    """`heard` is False where nothing of it gets through."""

    heard: Bools
    columns: Columns


@dataclass(frozen=True)
class Scene:
    """`slug_of` is of communes, by their names."""

    nature: Nature
    networks: Networks
    slug_of: Mapping[str, str]

    @property
    def seed(self) -> int:
        return self.nature.seed

    def place_of(self, device: Device) -> Place:
        return place_of(device, self.slug_of[device.commune])

    def effects_on(self, device: Device) -> Callable[[Times], Effects]:
        return self.effects_at(self.place_of(device))

    def effects_at(self, place: Place) -> Callable[[Times], Effects]:
        """At most places nothing happens: they share what nothing does."""
        events = self.nature.story.at_place(place)
        if not events:
            return self._nothing
        story = Story(self.nature.story.begun_at_s, events)
        return lambda times: story.effects_at(times, place)

    @cached_property
    def _nothing(self) -> Callable[[Times], Effects]:
        return Remembered(lambda times: Story(0.0).effects_at(times, Place(frozenset())))

    @cached_property
    def districts(self) -> Mapping[str, District]:
        return {one.id: one for one in self.networks.water.districts}

    @cached_property
    def towers(self) -> Mapping[str, Tower]:
        return {one.id: one for one in self.networks.water.towers}

    @cached_property
    def cabinets(self) -> Mapping[str, Cabinet]:
        return {one.id: one for one in self.networks.lighting.cabinets}

    @cached_property
    def roofs(self) -> Mapping[str, Roof]:
        return {one.id: one for one in self.networks.power.roofs}

    @cached_property
    def stations(self) -> Mapping[str, ChargingStation]:
        return {one.id: one for one in self.networks.power.charging}

    @cached_property
    def vehicles(self) -> Mapping[str, int]:
        """Indices of `BusNetwork.vehicles`."""
        return {one.id: number for number, one in enumerate(self.networks.buses.vehicles)}


def key_of(name: str) -> int:
    """A device's own chance."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
