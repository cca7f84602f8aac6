"""All of nature over one territory: pure in (seed, time, story), for one instant or ninety days of hours alike."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parvis.demo.nature.calendar import Moments, local_midnight_s, moments
from parvis.demo.nature.chance import Times
from parvis.demo.nature.energy import Buildings
from parvis.demo.nature.rooms import Rooms
from parvis.demo.nature.sun import sun_position
from parvis.demo.nature.traffic import Traffic
from parvis.demo.nature.water import Water
from parvis.demo.nature.weather import Weather
from parvis.demo.story.story import Story

if TYPE_CHECKING:
    from parvis.demo.networks.water import WaterNetwork

METERS_BEFORE_DAYS = 120


def load_what_sees() -> None:
    """What follows the sun is imported late, and takes a second."""
    sun_position(np.zeros(1))


def load_what_solves() -> None:
    """The same, and what solves networks, for the process that solves them first."""
    load_what_sees()
    import wntr  # type: ignore[import-untyped]  # noqa: F401


class Nature:
    """`cache` is a folder for states of the water network, which take seconds to solve."""

    def __init__(self, seed: int, story: Story, water: "WaterNetwork | None" = None, cache: Path | None = None) -> None:
        self.seed, self.story = seed, story
        self.weather = Weather(seed, story)
        self.traffic = Traffic(seed, self.weather, story)
        self.rooms = Rooms(seed, self.weather)
        self.buildings = Buildings(seed, self.weather)
        self.water = Water(seed, self.weather, story, water, cache)

    def at(self, times: Times) -> Moments:
        return moments(times)

    @property
    def meters_count_from_s(self) -> float:
        """When running totals of energy began: a local midnight before all history that is told."""
        begun = int(moments(np.array([self.story.begun_at_s])).day[0])
        return local_midnight_s(begun - METERS_BEFORE_DAYS)
